#!/usr/bin/env python3
"""The life of picd: signals, clocks, hostile clients, garbage on disk, and what the system refuses."""
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

from lab import (BUILD, INTERFACE, PORT, addresses, check, check_equal, check_in, ip, kill, link,
                 main, measured, peer_manifest, processes, random_key, run, stays, wait, wg_device, wg_peers)


def running(cell, count=3, **options):
    cell.cell(**options)
    keys = [cell.peer(f"p{i}") for i in range(count)]
    cell.start()
    cell.wait_on_device(*keys)
    return keys


def refused(cell, *flags, prefix=(), seconds=5):
    """picd ends by itself with an error; returns what it said."""
    done = subprocess.run([str(w) for w in (*prefix, BUILD / "picd", *cell.flags(), *flags)],
                          capture_output=True, text=True, timeout=seconds, check=False)
    check(done.returncode != 0, f"picd should have refused to start\n{done.stderr}")
    return done.stderr


# ---- signals and other processes ------------------------------------------------------------------


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


def reload_looks_again(cell):
    keys = running(cell)
    run("wg", "set", INTERFACE, "peer", keys[0], "remove")
    cell.picd.send_signal(signal.SIGHUP)
    took = cell.wait_on_device(keys[0])
    measured("SIGHUP: drift of peers repaired", [took])
    check(took < 0.4, "SIGHUP should look at once")


def stale_socket_is_replaced(cell):
    running(cell)
    cell.kill()
    check((cell.rundir / "picd.sock").is_socket(), "kill -9 leaves the socket")
    cell.start()
    cell.stop()
    check(not (cell.rundir / "picd.sock").exists(), "picd should remove its socket when it ends")


def second_picd_is_refused(cell):
    keys = running(cell)
    said = refused(cell)
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
    running(cell)
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


# ---- clocks ---------------------------------------------------------------------------------------

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
    """A device expires by a clock that can be right only: not in 1970, not before the manifest was written."""
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


# ---- clients --------------------------------------------------------------------------------------


def connect(where, text=b""):
    client = socket.socket(socket.AF_INET if isinstance(where, tuple) else socket.AF_UNIX)
    client.settimeout(5)
    client.setblocking(False)
    try:
        client.connect(where)
    except BlockingIOError:
        pass
    try:
        client.send(text)
    except OSError:
        pass
    return client


def latency(cell, what, count=10):
    times = []
    for i in range(count):
        key = cell.peer("moving", address=f"10.10.0.{100 + i}")
        times.append(wait("the peer is on the device", lambda k=key: k in wg_peers()))
    check(measured(f"{what}: renamed in, on the device", times) < 0.2, "the median should be below 200 ms")


OTHER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
IDLE = """
import socket, sys, time
clients = []
for _ in range(100):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(0.1)
    try:
        client.connect(sys.argv[1])
    except OSError:
        pass
    clients.append(client)
print("connected", flush=True)
time.sleep(100)
"""


def hostile_clients_change_nothing(cell):
    """Five hundred that send a byte now and then, or nothing, or never read; reconciling goes on."""
    running(cell)
    latency(cell, "without them")
    local, tcp = str(cell.rundir / "picd.sock"), ("127.0.0.1", 3000)
    slow = [connect(tcp, b"GET / HTTP/1.1\r\nX: ") for _ in range(400)]
    slow += [connect(tcp) for _ in range(40)]
    unread = [connect(tcp, b"GET /v1/resources HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50) for _ in range(60)]
    drip = threading.Event()

    def dripping():
        while not drip.wait(1):
            for client in slow:
                try:
                    client.send(b"x")
                except OSError:
                    pass

    thread = threading.Thread(target=dripping)
    thread.start()
    try:
        latency(cell, "with 500 of them")
        answers = []
        for _ in range(20):
            began = time.monotonic()
            check_equal(cell.http("/readyz")[0], 200, "/readyz on the unix socket")
            answers.append(time.monotonic() - began)
        check(measured("the unix socket answers", answers) < 0.05, "the median should be below 50 ms")
        descriptors = len(os.listdir(f"/proc/{cell.picd.pid}/fd"))
        check(descriptors < 120, f"{descriptors} descriptors are open")
        took = wait("TCP answers again in the end", lambda: tcp_answers(tcp), 60)
        measured("TCP answers, with all of them still there", [took], "s")
        os.chmod(local, 0o666)
        cell.root.chmod(0o755)
        others = subprocess.Popen([*OTHER, "/usr/bin/python3", "-c", IDLE, local], stdout=subprocess.PIPE)
        others.stdout.readline()
        check_equal(cell.http("/healthz")[0], 200, "root's request with a hundred idle local clients")
        others.kill()
        others.wait()
    finally:
        drip.set()
        thread.join()
        for client in slow + unread:
            client.close()
    wait("TCP answers at once when they are gone", lambda: tcp_answers(tcp), 10)
    check_equal(cell.look_again(), 0, "writes of a second pass")


def tcp_answers(where):
    with socket.create_connection(where, timeout=2) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost:3000\r\nConnection: close\r\n\r\n")
        return client.recv(100).startswith(b"HTTP/1.1 200")


def ask(where, text):
    family = socket.AF_INET if isinstance(where, tuple) else socket.AF_UNIX
    with socket.socket(family) as client:
        client.settimeout(5)
        client.connect(where)
        client.sendall(text)
        said = b""
        while True:
            try:
                part = client.recv(65536)
            except ConnectionResetError:
                part = b""
            if not part:
                return said.decode(errors="replace")
            said += part


def requests_that_are_refused(cell):
    """Read-only on TCP; control for root on the unix socket; no other names, no other paths."""
    running(cell)
    tcp, local = ("127.0.0.1", 3000), str(cell.rundir / "picd.sock")

    def line(request, host="localhost:3000"):
        return f"{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()

    for request, status in ((line("GET /healthz"), 200), (line("HEAD /v1/status"), 200),
                            (line("POST /v1/status"), 405), (line("DELETE /v1/resources/peer/p0"), 405),
                            (line("PUT /v1/control/teardown"), (404, 405)), (line("GET /../../etc/passwd"), (400, 404)),
                            (line("GET /v1/resources/peer/..%2f..%2fcell"), (400, 404)),
                            (line("GET /%00"), (400, 404)), (line("GET /nothing"), 404),
                            (line("GET /" + "a" * 65536), (400, 414, 431)),
                            (line("GET /healthz", "evil.example"), 421), (b"nonsense\r\n\r\n", 400),
                            (b"GET / HTTP/9.9\r\n\r\n", (400, 505))):
        said = ask(tcp, request)
        is_ = int(said.split(" ")[1]) if said.startswith("HTTP/1.1 ") else said[:60]
        check(is_ in (status if isinstance(status, tuple) else (status,)),
              f"{request[:60]!r}: answered {is_!r}, should be {status}")
    check("\r\n\r\n" in (head := ask(tcp, line("HEAD /v1/status"))) and head.endswith("\r\n\r\n"),
          "HEAD should have no body")
    cell.root.chmod(0o755)
    program = "import sys, socket; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);" \
        "s.sendall(b'PUT /v1/control/teardown HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 0\\r\\n\\r\\n');" \
        "print(s.recv(100).decode())"
    done = subprocess.run([*OTHER, "/usr/bin/python3", "-c", program, local], capture_output=True, text=True,
                          check=False)
    check_in("PermissionError", done.stderr, "what others get of the unix socket")
    os.chmod(local, 0o666)
    said = run(*OTHER, "/usr/bin/python3", "-c", program, local)
    check_in(" 403 ", said, "what others get for a control verb")
    check(link() is not None and len(wg_peers()) == 3, "nothing should have happened")


# ---- garbage on disk ------------------------------------------------------------------------------


def garbage_in_state(cell):
    """Corrupt, truncated, of a newer version, unreadable: never a reason not to start."""
    keys = running(cell, 4)
    pinned = cell.peer("pinned", address="10.10.0.77")
    cell.wait_on_device(pinned)
    before = {k: p["allowed"] for k, p in wg_peers().items()}
    cell.stop()
    good, allocations = cell.state / "good", cell.state / "allocations.json"
    check(good.is_dir() and allocations.exists(), "the state should have been recorded")
    whole = allocations.read_text()

    def broken(what, harm):
        harm()
        cell.start()
        cell.wait_on_device(*keys, pinned)
        check_equal({k: p["allowed"] for k, p in wg_peers().items()}, before, f"addresses with {what}")
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


def volume(path, size):
    """A small file system there."""
    path.mkdir(exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes=200", "volume", path)


def fill(path):
    with open(path / "ballast", "wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"x" * 4096)
        except OSError:
            pass
    return path / "ballast"


def full_disk_for_the_state(cell):
    """What is live follows all the same; what could not be recorded is said, and recorded later."""
    volume(cell.state, "256k")
    keys = running(cell)
    ballast = fill(cell.state)
    key = cell.peer("late")
    cell.wait_on_device(key)
    cell.wait_problem("No space left", str(cell.state))
    cell.restart(ready=False)
    cell.wait_on_device(*keys, key)
    (cell.manifests / "p0.yaml").unlink()
    wait("a deleted peer goes", lambda: keys[0] not in wg_peers())
    cell.wait_problem("No space left")
    ballast.unlink()
    took = wait("it is recorded", lambda: (cell.state / "good" / "late.yaml").exists() and
                not cell.status()["problems"], 35)
    measured("recorded after there was room again", [took], "s")
    cell.kill()
    run("umount", cell.state)


def full_disk_from_the_start(cell):
    """No room for the state at all, or a read-only one: the cell works."""
    volume(cell.state, "64k")
    ballast = fill(cell.state)
    keys = running(cell)
    cell.wait_problem("No space left")
    cell.stop()
    ballast.unlink()
    run("mount", "-o", "remount,ro", cell.state)
    cell.start()
    cell.wait_on_device(*keys)
    cell.peer("late")
    cell.wait_problem("Read-only file system")
    cell.kill()
    run("umount", cell.state)
    cell.state.rmdir()
    cell.state = cell.root / "nowhere" / "state"
    (cell.root / "nowhere").mkdir()
    run("mount", "-t", "tmpfs", "-o", "ro", "volume", cell.root / "nowhere")
    cell.start()
    cell.wait_on_device(*keys)
    cell.kill()
    run("umount", cell.root / "nowhere")


def full_disk_for_the_secrets(cell):
    """A key that cannot be kept is not used: nothing is made. With room it goes on by itself."""
    volume(cell.secrets, "16k")
    cell.secrets.chmod(0o700)
    ballast = fill(cell.secrets)
    cell.cell()
    key = cell.peer("laptop")
    cell.start(ready=False)
    cell.wait_problem("No space left", str(cell.secrets))
    stays("nothing is made", lambda: link() is None, 0.5)
    ballast.unlink()
    took = cell.wait_on_device(key, seconds=35)
    measured("live after there was room", [took], "s")
    private = wg_device()["private"]
    check_equal((cell.secrets / "wireguard.key").read_text().strip(), private, "the key that was kept")
    fill(cell.secrets)
    cell.restart()
    check_equal(wg_device()["private"], private, "the key with a full disk, once it is there")
    cell.kill()
    run("umount", cell.secrets)


# ---- what the system refuses ----------------------------------------------------------------------


def no_tun_device(cell):
    """Said with the remedy; what is live stays; it goes on by itself when the device is there."""
    run("mount", "-t", "tmpfs", "nothing", "/dev/net")
    try:
        cell.cell()
        key = cell.peer("laptop")
        cell.start(ready=False)
        said = cell.wait_problem("/dev/net/tun", INTERFACE)
        check_in("modprobe tun", said, "what to do")
        stays("nothing is made", lambda: link() is None and not processes("wireguard-go"), 0.5)
        check_equal(cell.http("/readyz")[0], 503, "/readyz")
    finally:
        run("umount", "/dev/net")
    took = cell.wait_on_device(key, seconds=60)
    measured("live after the device was there", [took], "s")
    run("mount", "-t", "tmpfs", "nothing", "/dev/net")
    try:
        cell.restart()
        late = cell.peer("late")
        cell.wait_on_device(key, late)
    finally:
        run("umount", "/dev/net")


def no_permission(cell):
    """Without the capability, and as another user."""
    keys = running(cell)
    cell.stop()
    less = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]
    cell.start(prefix=less, ready=False)
    ip("addr", "del", "10.10.0.1/24", "dev", INTERFACE)
    cell.wait_problem("10.10.0.1/24", "ermitted")
    late = cell.peer("late")
    cell.wait_on_device(*keys, late)
    cell.kill()
    cell.start()
    wait("with the capability it is repaired", lambda: "10.10.0.1/24" in addresses())
    cell.kill()
    ip("link", "delete", INTERFACE)
    cell.start(prefix=less, ready=False)
    said = cell.wait_problem(INTERFACE, "ermitted")
    check_in("run as root", said, "what to do")
    stays("nothing is made", lambda: link() is None, 0.5)
    cell.kill()
    cell.root.chmod(0o755)
    said = refused(cell, prefix=OTHER)
    check_in("ermission denied", said, "as another user")


def bind_port(port):
    taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taken.bind(("0.0.0.0", port))
    return taken


def port_in_use_from_the_start(cell):
    taken = bind_port(PORT)
    cell.cell()
    key = cell.peer("laptop")
    cell.start(ready=False)
    said = cell.wait_problem(str(PORT), "in use")
    check_in("another port", said, "what to do")
    check_equal(cell.conditions("cell/alpha")["Ready"]["status"], "False", "Ready of the Cell")
    wait("all else is there", lambda: addresses() == {"10.10.0.1/24", "fd10:a1fa:ce11::1/64"} and
         key in wg_peers())
    late = cell.peer("late")
    cell.wait_on_device(late)
    taken.close()
    took = wait("the port is taken when it is free", lambda: wg_device()["port"] == str(PORT), 40)
    measured("port used after it was free", [took], "s")
    wait("nothing is wrong any more", lambda: not cell.status()["problems"] and cell.converged())


def port_in_use_later(cell):
    """A change to a port that somebody has: the old one stays, all peers stay, others still come."""
    keys = running(cell)
    taken = bind_port(4000)
    cell.cell(wireguard={"listenPort": 4000})
    cell.wait_problem("4000", "in use")
    check_equal(wg_device()["port"], str(PORT), "the port")
    late = cell.peer("late")
    cell.wait_on_device(*keys, late)
    (cell.manifests / "p0.yaml").unlink()
    wait("a peer goes", lambda: keys[0] not in wg_peers())
    run("wg", "set", INTERFACE, "peer", keys[1], "remove")
    cell.wait_on_device(keys[1])
    tries = cell.metric("pic_system_failures_total")
    time.sleep(5)
    tries = cell.metric("pic_system_failures_total") - tries
    print(f"    failed calls in five seconds: {tries:.0f}")
    check(tries <= 10, "what cannot work should not be tried all the time")
    taken.close()
    wait("the new port is taken when it is free", lambda: wg_device()["port"] == "4000", 40)


def port_of_the_endpoint_in_use(cell):
    taken = socket.socket()
    taken.bind(("127.0.0.1", 3000))
    taken.listen()
    running(cell)
    cell.wait_problem("127.0.0.1:3000", "in use")
    taken.close()
    wait("it is listened on when it is free", lambda: tcp_answers(("127.0.0.1", 3000)), 10)
    wait("nothing is wrong any more", lambda: not cell.status()["problems"])
    cell.cell(api={"listen": "[loopback:3001, vpn:3000]"})
    wait("it answers on the cell's own address", lambda: tcp_answers(("10.10.0.1", 3000)), 10)
    check(tcp_answers(("127.0.0.1", 3001)), "the other port should be listened on")
    check(not cell.status()["problems"], f"nothing should be wrong: {cell.problems()}")


def without_ipv6(cell):
    """All of IPv4 works; IPv6 follows when it is allowed."""
    sysctl = "/proc/sys/net/ipv6/conf/all/disable_ipv6"
    with open(sysctl, "w", encoding="ascii") as file:
        file.write("1")
    try:
        cell.cell()
        key = cell.peer("laptop", address="10.10.0.34")
        cell.start(ready=False)
        wait("IPv4 works", lambda: "10.10.0.1/24" in addresses() and key in wg_peers() and
             "UP" in link()["flags"])
        cell.wait_problem("fd10:a1fa:ce11::1/64")
        late = cell.peer("late")
        cell.wait_on_device(late)
    finally:
        with open(sysctl, "w", encoding="ascii") as file:
            file.write("0")
    took = wait("IPv6 follows", lambda: "fd10:a1fa:ce11::1/64" in addresses(), 40)
    measured("IPv6 address after it was allowed", [took], "s")


# ---- floods ---------------------------------------------------------------------------------------


def missed_kernel_events(cell):
    """More notifications than the socket holds, one of them about our address, while picd is stopped."""
    keys = running(cell)
    ip("link", "add", "flood0", "type", "bridge")
    cell.picd.send_signal(signal.SIGSTOP)
    batch = "".join(f"addr add 192.0.2.1/24 dev flood0\naddr del 192.0.2.1/24 dev flood0\n" for _ in range(3000))
    run("ip", "-batch", "-", text=batch + f"addr del 10.10.0.1/24 dev {INTERFACE}\n" + batch)
    cell.picd.send_signal(signal.SIGCONT)
    took = wait("our address is back", lambda: "10.10.0.1/24" in addresses())
    measured("address back after a flood", [took])
    check(took < 1, "the flood should cost no more than a second")
    check(set(keys) <= set(wg_peers()), "the peers should stay")


def churn_elsewhere_is_no_drift(cell):
    """A hundred addresses a second come and go on another interface during reading."""
    keys = running(cell)
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
        extra = {"presharedKey": f"{{file: k{i}}}", "subnets": f"[10.{100 + i}.0.0/24, 10.{100 + i}.1.0/24]"} \
            if i < 60 else {}
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
    main(storm_of_signals_at_start, reload_looks_again, stale_socket_is_replaced, second_picd_is_refused,
         no_kill_by_number, killed_at_any_moment, clock_that_jumps, clock_that_cannot_be_trusted,
         hostile_clients_change_nothing, requests_that_are_refused, garbage_in_state,
         full_disk_for_the_state, full_disk_from_the_start, full_disk_for_the_secrets, no_tun_device,
         no_permission, port_in_use_from_the_start, port_in_use_later, port_of_the_endpoint_in_use,
         without_ipv6, missed_kernel_events, churn_elsewhere_is_no_drift, many_peers_survive_every_restart)
