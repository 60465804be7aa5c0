#!/usr/bin/env python3
"""The HTTP endpoint under hostile clients: bounded, and of no effect on the rest."""
import os
import socket
import subprocess
import threading
import time

from checks import check, check_equal, check_in, measured, wait
from lab import OTHER, link, main, run, wg_peers


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
    cell.family()
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
    cell.family()
    tcp, local = ("127.0.0.1", 3000), str(cell.rundir / "picd.sock")

    def line(request, host="localhost:3000"):
        return f"{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()

    for request, status in ((line("GET /healthz"), 200), (line("HEAD /v1/status"), 200),
                            (line("POST /v1/status"), 405), (line("DELETE /v1/resources/peer/p0"), 405),
                            (line("PUT /v1/control/teardown"), (404, 405)),
                            (line("GET /../../etc/passwd"), (400, 404)),
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


def port_of_the_endpoint_in_use(cell):
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind(("127.0.0.1", 3000))
    taken.listen()
    cell.family()
    cell.wait_problem("127.0.0.1:3000", "in use")
    taken.close()
    wait("it is listened on when it is free", lambda: tcp_answers(("127.0.0.1", 3000)), 10)
    wait("nothing is wrong any more", lambda: not cell.status()["problems"])
    cell.cell(api={"listen": "[loopback:3001, vpn:3000]"})
    wait("it answers on the cell's own address", lambda: tcp_answers(("10.10.0.1", 3000)), 10)
    check(tcp_answers(("127.0.0.1", 3001)), "the other port should be listened on")
    check(not cell.status()["problems"], f"nothing should be wrong: {cell.problems()}")


if __name__ == "__main__":
    main(hostile_clients_change_nothing, requests_that_are_refused, port_of_the_endpoint_in_use)
