"""What the tests of the exit relay stand on: the laboratory of tools/lab, inside namespaces of the
test's own, made once for all tests of a file; a stream of a device's packets, and a count of those
that leave by its own cell's uplink."""
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import lab
from checks import Failure, check, check_equal, wait

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools/laboratory"))
import cells as laboratory  # noqa: E402
import topology  # noqa: E402

WEB4, WEB6 = "198.51.100.80", "2001:db8:80::80"
# What the world sees of each cell.
SEEN = {"a": ("198.51.100.130", "2001:db8:a::2"), "b": ("192.0.2.2", "2001:db8:b::2"),
        "c": ("203.0.113.2", "2001:db8:c::2")}

# Running and new flows, both families: a datagram each millisecond by sockets that stay, and one by a
# new socket now and then, until the process is ended.
STREAM = f"""
import socket, time
def sock(family):
    s = socket.socket(family, socket.SOCK_DGRAM); s.setblocking(False); return s
def send(s, to):
    try: s.sendto(b'x', (to, 9))
    except OSError: pass
kept = [(sock(socket.AF_INET), {WEB4!r}), (sock(socket.AF_INET6), {WEB6!r})]
n = 0
while True:
    for s, to in kept: send(s, to)
    n += 1
    if n % 10 == 0:
        for family, to in ((socket.AF_INET, {WEB4!r}), (socket.AF_INET6, {WEB6!r})):
            s = sock(family); send(s, to); s.close()
    time.sleep(0.001)
"""


class Relay:
    def __init__(self):
        self.root = Path(tempfile.mkdtemp(prefix="pic-relay-"))
        self.started = []
        topology.up()
        self.spawn(["ip", "netns", "exec", topology.namespace("web"), sys.executable,
                    str(Path(laboratory.__file__).parent / "web.py")])
        self.cells = {name: laboratory.Cell(name, self.root, lab.BUILD) for name in laboratory.CELLS}
        self.a, self.b, self.c = self.cells.values()
        for cell in self.cells.values():
            cell.prepare()
        for cell in self.cells.values():
            cell.describe_itself()
            for other in self.cells.values():
                if other is not cell:
                    cell.link(other, exit={"offer": True})
        self.laptop = laboratory.Device(self.root)
        self.phone = laboratory.Device(self.root, "phone", "10.10.0.35", "fd10:10:10::35")
        self.tablet = laboratory.Device(self.root, "tablet", "10.20.0.36", "fd10:20:20::36")
        self.peer("laptop")
        self.peer("phone")
        self.peer("tablet", of=self.b)
        for cell in self.cells.values():
            self.started.append(cell.start())
        self.settle()
        self.laptop.connect(self.a)
        self.phone.connect(self.a)
        self.tablet.connect(self.b)

    def revive(self):
        """After a failure: every cell's picd runs again."""
        for cell in self.cells.values():
            if not cell.ready():
                self.started.append(cell.start())
                wait("ready again", cell.ready, 10)

    def spawn(self, words, **options):
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, **options)
        self.started.append(process)
        return process

    def close(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
        for process in self.started:
            process.wait(10)
        for host in topology.HOSTS:
            for pid in topology.sh("ip", "netns", "pids", topology.namespace(host), check=False).split():
                lab.kill(int(pid))
        topology.down()

    # ---- manifests

    def peer(self, name, via=None, of=None, **more):
        device = getattr(self, name)
        spec = {"publicKey": device.public, "address": device.address, "address6": device.address6, **more}
        if via:
            spec["routeVia"] = via
        (of or self.a).resource("Peer", name, spec)

    def settle(self, cells=None):
        check(laboratory.settle(cells or self.cells), f"all cells should converge; {self.problems()}")

    def problems(self):
        said = {}
        for name, cell in self.cells.items():
            try:
                said[name] = [p["what"] for p in cell.get("/v1/status")["problems"]]
            except (OSError, RuntimeError):
                said[name] = "no answer"
        return said

    def via(self, exit_cell, name="laptop", of=None):
        """Changes the peer's exit and waits until it leaves there."""
        self.peer(name, exit_cell, of)
        should = f"via {exit_cell}" if exit_cell else "direct"
        wait(f"{name} leaves {should}",
             lambda: self.leaves(name, of) == should and (of or self.a).converged(), why=lambda: self.leaves(name, of))
        self.settle()

    def leaves(self, name="laptop", of=None):
        return (of or self.a).get(f"/v1/resources/Peer/{name}")["status"]["leaves"]

    def check_seen(self, device, cell, why=""):
        is_ = (device.seen_as("v4"), device.seen_as("v6"))
        check_equal(is_, SEEN[cell], f"what the web server sees of {device.host} {why}")

    # ---- leaks

    def stream(self):
        return self.spawn(["ip", "netns", "exec", topology.namespace("laptop"), sys.executable, "-c", STREAM])

    def watch(self):
        """Begins to count, on a's uplink, what is a's peers' own or goes where only they go."""
        return Watch(self, "a", f"src net 10.10.0.0/24 or src net fd10:10:10::/64 or host {WEB4} or host {WEB6}")

    def arrivals(self, host="web"):
        """Datagrams of the stream that the web server's host got so far, IPv4 and IPv6."""
        text = topology.inside(host, "cat", "/proc/net/snmp", "/proc/net/snmp6")
        rows = [line.split() for line in text.splitlines()]
        udp = [row for row in rows if row[0] == "Udp:"]
        six = {row[0]: int(row[1]) for row in rows if row[0] in ("Udp6NoPorts", "Udp6InDatagrams")}
        four = dict(zip(udp[0], udp[1]))
        return int(four["NoPorts"]), six["Udp6NoPorts"]


class Watch:
    def __init__(self, relay, host, expression):
        self.file = relay.root / f"capture-{len(relay.started)}"
        with open(self.file, "wb") as out:
            self.process = relay.spawn(
                ["ip", "netns", "exec", topology.namespace(host), "tcpdump", "-n", "-l", "--immediate-mode", "-i",
                 "eth0", expression], stdout=out, stderr=subprocess.PIPE, text=True)
        while "listening on" not in self.process.stderr.readline():
            check(self.process.poll() is None, "tcpdump should run")

    def lines(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)
        return [line for line in self.file.read_text().splitlines() if " IP" in line]


# ---- the runner -----------------------------------------------------------------------------------


def run_one(relay, test):
    began, problem = time.monotonic(), None
    print(test.__name__, flush=True)
    try:
        relay.peer("laptop")
        relay.peer("phone")
        relay.peer("tablet", of=relay.b)
        relay.settle()
        test(relay)
    except Exception as error:  # whatever it is, the other tests still run
        problem = error
        relay.revive()
        if isinstance(error, Failure):
            frame = traceback.extract_tb(error.__traceback__)
            place = next((f for f in reversed(frame) if f.filename.endswith(Path(sys.argv[0]).name)), frame[-1])
            print(f"  FAILED at line {place.lineno}: {error}")
        else:
            traceback.print_exc(file=sys.stdout)
        for cell in relay.cells.values():
            text = cell.log.read_text(errors="replace") if cell.log.exists() else ""
            print(f"  the end of {cell.name}'s log:\n    " + "\n    ".join(text.splitlines()[-8:]))
    print(f"  {'FAILED' if problem else 'ok'} ({time.monotonic() - began:.1f} s)", flush=True)
    return problem is None


def main(*tests):
    if os.environ.get("PIC_LAB") != "inside":
        lab.enter()
    if os.getpid() == 1:
        lab.reap_as_init()
    sys.stdout.reconfigure(line_buffering=True)
    os.umask(0o022)
    lab.run("mount", "-t", "tmpfs", "lab", "/run")
    Path("/run/wireguard").mkdir()
    lab.ip("link", "set", "lo", "up")
    chosen = [t for t in tests if len(sys.argv) < 2 or t.__name__ in sys.argv[1:]]
    relay = Relay()
    try:
        failed = [t.__name__ for t in chosen if not run_one(relay, t)]
    finally:
        relay.close()
    name = Path(sys.argv[0]).stem
    print(f"{name}: {len(chosen)} tests, {len(failed)} failed{': ' if failed else ''}{', '.join(failed)}")
    sys.exit(1 if failed or not chosen else 0)
