"""What a test says: check() what holds, wait() until it does, measured() how long it took."""
import http.client
import statistics
import time

ALIVE = []  # callables that fail when something has ended that should live; asked while waiting


class Failure(Exception):
    """A promise that does not hold; the text says which."""


def check(holds, what):
    if not holds:
        raise Failure(what)


def check_equal(is_, should, what):
    check(is_ == should, f"{what}: is {is_!r}, should be {should!r}")


def check_in(part, text, what="the text"):
    check(part in text, f"{what} should contain {part!r}, and is:\n{text}")


def wait(what, holds, seconds=5.0, why=lambda: ""):
    """Until holds() is true, looking every few milliseconds; returns how long it took. why(): what there is
    instead, for the failure."""
    began = time.monotonic()
    while True:
        try:
            answer = holds()
        except (OSError, http.client.HTTPException):
            answer = None
        took = time.monotonic() - began
        for alive in ALIVE:
            alive(f"before: {what}")
        if answer:
            return took
        if took > seconds:
            raise Failure(f"not within {seconds} s: {what} {why()}")
        time.sleep(0.002)


def stays(what, holds, seconds):
    """holds() is true now and at every look for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        check(holds(), f"should have stayed for {seconds} s: {what}")
        time.sleep(0.01)


def measured(what, times, unit="ms"):
    scale = 1000 if unit == "ms" else 1
    shown = [t * scale for t in times]
    print(f"    {what}: median {statistics.median(shown):.1f} {unit}, worst {max(shown):.1f} {unit}, "
          f"of {len(shown)}")
    return statistics.median(times)
