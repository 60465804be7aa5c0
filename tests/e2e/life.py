#!/usr/bin/env python3
"""The life of picd: signals, restarts, clocks, garbage on disk, floods."""
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time

from checks import check, check_equal, check_in, measured, wait
from lab import (INTERFACE, addresses, allowed_ips, ip, kill, main, peer_manifest, processes, random_key,
                 run, wg_peers)

# ---- signals and other processes -----------------------------------------------------------------


def ignored_signals(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        text = status.read()
    return int(re.search(r"SigIgn:\s*(\w+)", text)[1], 16) | int(re.search(r"SigCgt:\s*(\w+)", text)[1], 16)


def storm_of_signals_at_start(cell):
    """HUP, USR1, USR2 and PIPE every millisecond, from when the program proper has begun."""
    cell.cell()
    key = cell.peer("laptop")
    for _ in range(3):
        cell.start(ready=False)
        wait("picd minds SIGHUP", lambda: ignored_signals(cell.picd.pid) & 1 << (signal.SIGHUP - 1), 0.2)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE):
                cell.picd.send_signal(number)
            time.sleep(0.001)
            check(cell.picd.poll() is None, f"picd ended with {cell.picd.returncode}")
        cell.wait_answers("/readyz")
        cell.wait_on_device(key)
        cell.kill()


def manager_is_told_after_the_first_pass(cell):
    """READY=1 means tried, not succeeded: a boot never waits for ever. /readyz means converged."""
    def told(prepare):
        path = str(cell.root / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(5)
            prepare()
            cell.start(ready=False, env={"NOTIFY_SOCKET": path})
            said = manager.recv(4096).decode()
            ready = cell.http("/readyz")[0]
            cell.stop()
        os.unlink(path)
        return said.splitlines(), ready

    said, ready = told(lambda: None)
    check_equal((said[0], ready), ("READY=1", 503), "without a Cell")
    check_in("picctl status", said[1], "the manager's status")
    cell.cell()
    ip("link", "add", INTERFACE, "type", "bridge")
    said, ready = told(lambda: None)
    check_equal((said[0], ready), ("READY=1", 503), "with a foreign interface")
    said, ready = told(lambda: ip("link", "delete", INTERFACE))
    check_equal((said, ready), (["READY=1", "STATUS=converged"], 200), "with all well")


def reload_looks_again(cell):
    keys = cell.family()
    run("wg", "set", INTERFACE, "peer", keys[0], "remove")
    cell.picd.send_signal(signal.SIGHUP)
    took = cell.wait_on_device(keys[0])
    measured("SIGHUP: drift of peers repaired", [took])
    check(took < 0.4, "SIGHUP should look at once")


def stale_socket_is_replaced(cell):
    cell.family()
    cell.kill()
    check((cell.rundir / "picd.sock").is_socket(), "kill -9 leaves the socket")
    cell.start()
    cell.stop()
    check(not (cell.rundir / "picd.sock").exists(), "picd should remove its socket when it ends")


def second_picd_is_refused(cell):
    keys = cell.family()
    said = cell.refused()
    check_in("picd.sock", said, "the message")
    check_in("another picd is running", said, "the message")
    check_equal(cell.http("/readyz")[0], 200, "the first one")
    key = cell.peer("late")
    cell.wait_on_device(key, *keys)


def no_kill_by_number(cell):
    """Old pid files that hold the numbers of innocent processes."""
    innocent = subprocess.Popen(["sleep", "100"])
    cell.rundir.mkdir()
    os.makedirs("/run/wireguard")
    for file in (cell.rundir / "picd.pid", cell.state / "picd.pid", cell.rundir / "wireguard-go.pid"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{innocent.pid}\n")
    with open("/run/wireguard/pic0.pid", "w", encoding="ascii") as file:
        file.write(f"{innocent.pid}\n")
    cell.family()
    cell.kill()
    cell.start()
    check(innocent.poll() is None, "the innocent process should live")
    innocent.kill()
    innocent.wait()


def killed_at_any_moment(cell):
    """While files change; in the end everything is as written, and a second pass writes nothing."""
    seed = int(time.time())
    print(f"    seed {seed}")
    chance = random.Random(seed)
    cell.cell()
    keys = {}
    for i in range(40):
        name = f"p{chance.randrange(12)}"
        if name in keys and chance.random() < 0.3 and len(keys) > 6:
            (cell.manifests / f"{name}.yaml").unlink()
            del keys[name]
        else:
            keys[name] = cell.peer(name, chance.choice([keys.get(name), random_key()]))
        if chance.random() < 0.1:
            ip("link", "delete", INTERFACE, status=None)
        cell.start(ready=False)
        time.sleep(chance.random() * 0.06)
        cell.kill()
    cell.start()
    wait("all peers are as written", lambda: set(wg_peers()) == set(keys.values()))
    check_equal(cell.look_again(), 0, "writes of a second pass")
    check_equal(len(processes("wireguard-go")), 1, "processes that serve the interface")


# ---- clocks --------------------------------------------------------------------------------------


CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long offset(void)
{
    long seconds = 0;
    FILE *file = fopen(getenv("CLOCK_OFFSET"), "r");
    if (file && fscanf(file, "%ld", &seconds) != 1)
        seconds = 0;
    if (file)
        fclose(file);
    return seconds;
}
int clock_gettime(clockid_t id, struct timespec *ts)
{
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int r = real(id, ts);
    if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        ts->tv_sec += offset();
    return r;
}
int gettimeofday(struct timeval *tv, void *zone)
{
    struct timespec ts;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &ts);
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *ret)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (ret)
        *ret = ts.tv_sec;
    return ts.tv_sec;
}
"""


def with_other_clock(cell):
    """Environment that makes the wall clock of picd what a file says; only picd's own."""
    source, library, offset = cell.root / "clock.c", cell.root / "clock.so", cell.root / "offset"
    source.write_text(CLOCK)
    run("cc", "-shared", "-fPIC", "-o", library, source, "-ldl")
    offset.write_text("0")
    return {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset)}, offset


def clock_that_jumps(cell):
    """An hour back, a day forward, to 1970: every interval stays what it is."""
    env, offset = with_other_clock(cell)
    cell.cell()
    keys = [cell.peer(f"p{i}") for i in range(3)]
    cell.start(env=env)
    cell.wait_on_device(*keys)
    for jump in (-3600, 86400, -int(time.time()), 10 ** 9, 0):
        offset.write_text(str(jump))
        drifted = []
        for key in keys:
            run("wg", "set", INTERFACE, "peer", key, "remove")
            drifted.append(cell.wait_on_device(*keys))
        measured(f"clock moved by {jump} s: peer removed by hand, back", drifted)
        check(max(drifted) < 1.5, "the wall clock should not matter")
        extra = cell.peer("extra")
        took = cell.wait_on_device(extra)
        (cell.manifests / "extra.yaml").unlink()
        gone = wait("the file deleted goes", lambda k=extra: k not in wg_peers())
        check(took < 1 and gone < 1, f"settling took {took:.2f} s and {gone:.2f} s")


def clock_that_cannot_be_trusted(cell):
    """A device expires by a clock that can be right only: not in 1970, not before its manifest was
    written."""
    env, offset = with_other_clock(cell)
    cell.cell()
    key = cell.peer("guest", expires="1999-01-01T00:00:00Z")
    later = cell.peer("later", expires=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600)))
    for jump in (-int(time.time()) + 10 ** 9, -86400):
        offset.write_text(str(jump))
        cell.start(env=env)
        cell.wait_on_device(key, later)
        cell.stop()
    offset.write_text("0")
    cell.start(env=env)
    wait("by the right clock it is gone", lambda: set(wg_peers()) == {later})
    offset.write_text("7200")
    wait("two hours later the other is gone too", lambda: not wg_peers(), 70)


# ---- garbage on disk -----------------------------------------------------------------------------


def garbage_in_state(cell):
    """Corrupt, truncated, of a newer version, unreadable: never a reason not to start."""
    keys = cell.family(4)
    pinned = cell.peer("pinned", address="10.10.0.77")
    cell.wait_on_device(pinned)
    before = allowed_ips()
    cell.stop()
    good, allocations = cell.state / "good", cell.state / "allocations.json"
    check(good.is_dir() and allocations.exists(), "the state should have been recorded")
    whole = allocations.read_text()

    def broken(what, harm):
        harm()
        cell.start()
        cell.wait_on_device(*keys, pinned)
        check_equal(allowed_ips(), before, f"addresses with {what}")
        check_equal(cell.look_again(), 0, f"writes with {what}")
        cell.stop()

    broken("a truncated file", lambda: allocations.write_text(whole[:40]))
    check(list(cell.state.glob("allocations.json.*")), "what was corrupt should be set aside")
    broken("an empty file", lambda: allocations.write_text(""))
    broken("random bytes", lambda: allocations.write_bytes(os.urandom(10000)))
    broken("another shape", lambda: allocations.write_text('[1, 2, {"peers": []}]'))
    broken("wrong types", lambda: allocations.write_text(
        '{"publicKey": 7, "peers": {"p0": [], "p1": {"publicKey": "x", "address": "y"}, "../x": {}}}'))
    broken("a newer version", lambda: allocations.write_text(
        whole.replace("{", '{"version": 99, "unknown": {"a": [1]},', 1)))
    broken("a deep nest", lambda: allocations.write_text("[" * 100000))

    def litter():
        (good / "p0.yaml").write_bytes(os.urandom(1000))
        (good / "p1.yaml").write_text(peer_manifest("p1", "not a key"))
        (good / "%zz%").write_text("x")
        (good / "%2Fetc%2Fpasswd").write_text(peer_manifest("q"))
        (good / "folder.yaml").mkdir()
        (good / "circle.yaml").symlink_to("circle.yaml")
        os.mkfifo(good / "pipe.yaml")

    broken("litter in good/", litter)
    shutil.rmtree(good)
    broken("a file for good/", lambda: good.write_text("x"))
    good.unlink()
    broken("no state", lambda: shutil.rmtree(cell.state))
    broken("a file for the state", lambda: (shutil.rmtree(cell.state), cell.state.write_text("x")))
    cell.state.unlink()


# ---- floods --------------------------------------------------------------------------------------


def missed_kernel_events(cell):
    """More notifications than the socket holds, one of them about our address, while picd is stopped."""
    keys = cell.family()
    ip("link", "add", "flood0", "type", "bridge")
    cell.picd.send_signal(signal.SIGSTOP)
    batch = "addr add 10.77.0.1/24 dev flood0\naddr del 10.77.0.1/24 dev flood0\n" * 3000
    run("ip", "-batch", "-", text=batch + f"addr del 10.10.0.1/24 dev {INTERFACE}\n" + batch)
    cell.picd.send_signal(signal.SIGCONT)
    took = wait("our address is back", lambda: "10.10.0.1/24" in addresses())
    measured("address back after a flood", [took])
    check(took < 1, "the flood should cost no more than a second")
    check(set(keys) <= set(wg_peers()), "the peers should stay")


def churn_elsewhere_is_no_drift(cell):
    """A hundred addresses a second come and go on another interface during reading."""
    keys = cell.family()
    ip("link", "add", "churn0", "type", "bridge")
    writes = cell.metric("pic_system_writes_total")
    churn = subprocess.Popen(["sh", "-c", "while :; do ip addr add 10.77.0.1/24 dev churn0;"
                              "ip addr del 10.77.0.1/24 dev churn0; done"])
    end = time.monotonic() + 4
    while time.monotonic() < end:
        cell.control("resync")
        check(set(keys) <= set(wg_peers()), "the peers should stay")
        time.sleep(0.05)
    churn.kill()
    churn.wait()
    check_equal(cell.metric("pic_system_writes_total"), writes, "writes while others change theirs")
    check_equal(cell.status()["drift"], [], "drift")


def many_peers_survive_every_restart(cell):
    """Sixty with preshared keys and subnets; five hundred on a cold start, killed in between."""
    cell.cell(network={"vpn": "10.10.0.0/16"})
    cell.secrets.mkdir(0o700)
    for i in range(500):
        if i < 60:
            (cell.secrets / f"k{i}").touch(0o600)
            (cell.secrets / f"k{i}").write_text(run("wg", "genpsk"))
        extra = {} if i >= 60 else {"presharedKey": f"{{file: k{i}}}",
                                    "subnets": f"[10.{100 + i}.0.0/24, 10.{100 + i}.1.0/24]"}
        cell.peer(f"p{i}", **extra)
    for moment in (0.03, 0.06, 0.09, 0.12, 0.2):
        cell.start(ready=False)
        time.sleep(moment)
        cell.kill()
    cell.start()
    wait("all five hundred are there", lambda: len(wg_peers()) == 500)
    check_equal(cell.look_again(), 0, "writes of a second pass")
    check_equal(len(cell.picctl("get", "peers", "--no-headers").splitlines()), 500, "peers that picctl lists")
    check_equal(sum(p["preshared"] != "(none)" for p in wg_peers().values()), 60, "preshared keys")
    kill(processes("wireguard-go")[0])
    took = wait("all are back after wireguard-go was killed", lambda: len(wg_peers()) == 500)
    measured("five hundred peers back", [took])


if __name__ == "__main__":
    main(storm_of_signals_at_start, manager_is_told_after_the_first_pass, reload_looks_again,
         stale_socket_is_replaced, second_picd_is_refused, no_kill_by_number, killed_at_any_moment,
         clock_that_jumps, clock_that_cannot_be_trusted, garbage_in_state, missed_kernel_events,
         churn_elsewhere_is_no_drift, many_peers_survive_every_restart)
