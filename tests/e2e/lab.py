"""The laboratory: what every end-to-end test stands on.

A test file calls main() with its functions. It then runs again inside network, mount and process
namespaces of its own, with an empty /run: whatever it starts (picd, wireguard-go, clients) ends with
it, and nothing of the host is touched. Each function gets a Cell, that is directories, a picd and a
picctl, and says what it expects with checks.py.
"""
import base64
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from checks import ALIVE, Failure, check, check_equal, check_in, wait

BUILD = Path(os.environ.get("PIC_BUILD", Path(__file__).resolve().parents[2] / "build-debug"))
INTERFACE = "pic0"
PORT = 51820
OTHER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]  # nobody
CLONE = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
         "--propagation", "private"]


# ---- programs -------------------------------------------------------------------------------------


def run(*command, text=None, status=0, env=None):
    """Runs it and returns what it wrote; any status but the expected is a failure (None: any)."""
    done = subprocess.run([str(word) for word in command], input=text, capture_output=True, text=True,
                          timeout=60, env={**os.environ, **env} if env else None, check=False)
    if status is not None:
        check(done.returncode == status,
              f"{' '.join(map(str, command))}: status {done.returncode}, should be {status}\n"
              f"{done.stdout}{done.stderr}")
    return done.stdout


def ip(*words, status=0):
    return run("ip", *words, status=status)


def links():
    return {link["ifname"]: link for link in json.loads(ip("-details", "-json", "link"))}


def link():
    return links().get(INTERFACE)


def addresses(interface=INTERFACE):
    """Those that somebody gave it; link-local ones are the kernel's."""
    if interface not in links():
        return set()
    (found,) = json.loads(ip("-json", "addr", "show", "dev", interface))
    return {f"{a['local']}/{a['prefixlen']}" for a in found["addr_info"] if a["scope"] != "link"}


def processes(name=None):
    """Live processes, of that name. They are ours: this process namespace has no others."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text()
        except OSError:
            continue
        named = text[text.index("(") + 1:text.rindex(")")]
        if name in (None, named) and text[text.rindex(")") + 2] != "Z":
            found.append(int(folder.name))
    return sorted(found)


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def kill_all():
    """Every other process of this namespace but the first; returns those that were there."""
    ours = {1, os.getpid()}
    others = [pid for pid in processes() if pid not in ours]
    for pid in others:
        kill(pid)
    return others


# ---- WireGuard ------------------------------------------------------------------------------------


def key_pair():
    private = run("wg", "genkey").strip()
    return private, run("wg", "pubkey", text=private).strip()


def random_key():
    """Thirty-two bytes: a public key like any other, as long as nobody wants to use it."""
    return base64.b64encode(os.urandom(32)).decode()


def wg_dump(interface):
    """The lines of `wg show dump`. Only of a device that is served: wg(8) removes a socket on which
    nobody listens yet."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(f"/run/wireguard/{interface}.sock")
        except OSError:
            return []
    return [line.split("\t") for line in run("wg", "show", interface, "dump", status=None).splitlines()]


def wg_peers(interface=INTERFACE):
    """What the device says of each peer, by public key."""
    names = ("preshared", "endpoint", "allowed", "handshake", "rx", "tx", "keepalive")
    rows = wg_dump(interface)
    peers = {row[0]: dict(zip(names, row[1:])) for row in rows[1:]}
    for peer in peers.values():
        peer["allowed"] = set(peer["allowed"].split(",")) - {"(none)"}
        peer.update({n: int(peer[n]) for n in ("handshake", "rx", "tx")})
    return peers


def allowed_ips():
    return {key: peer["allowed"] for key, peer in wg_peers().items()}


def wg_device(interface=INTERFACE):
    rows = wg_dump(interface)
    return dict(zip(("private", "public", "port", "fwmark"), rows[0])) if rows else {}


# ---- manifests ------------------------------------------------------------------------------------


def nested(fields, depth=1):
    text = ""
    for name, value in fields.items():
        text += "  " * depth + f"{name}:"
        text += "\n" + nested(value, depth + 1) if isinstance(value, dict) else f" {value}\n"
    return text


def manifest(kind, name, fields):
    return f"apiVersion: pic/v1\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n{nested(fields)}"


def cell_manifest(name="alpha", network=(), wireguard=(), **fields):
    spec = {"domain": f"{name}.cell",
            "network": {"vpn": "10.10.0.0/24", "vpn6": "fd10:a1fa:ce11::/64", **dict(network)}}
    if wireguard:
        spec["wireguard"] = dict(wireguard)
    return manifest("Cell", name, {**spec, **fields})


def peer_manifest(name, key=None, **fields):
    return manifest("Peer", name, {"publicKey": key or random_key(), **fields})


def save(path, text):
    """As a careful program saves: written aside, then renamed into place."""
    aside = path.parent / f".{path.name}.new"
    path.parent.mkdir(parents=True, exist_ok=True)
    aside.write_bytes(text if isinstance(text, bytes) else text.encode())
    aside.rename(path)


# ---- a cell ---------------------------------------------------------------------------------------


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Cell:
    def __init__(self):
        self.root = Path(tempfile.mkdtemp(prefix="pic-e2e-"))
        self.manifests, self.secrets = self.root / "manifests", self.root / "secrets"
        self.state, self.rundir = self.root / "state", self.root / "run"
        self.log = self.root / "log"
        self.picd = None
        ALIVE.append(self.lives)
        self.manifests.mkdir()
        (self.root / "conf").touch()

    def flags(self):
        return ["--config", self.root / "conf", "--manifests", self.manifests, "--secrets",
                self.secrets, "--state", self.state, "--run", self.rundir]

    # ---- files

    def save(self, name, text):
        save(self.manifests / name, text)

    def family(self, count=3, **fields):
        """A cell with so many peers p0, p1…, running, all on the device; returns their keys."""
        self.cell(**fields)
        keys = [self.peer(f"p{i}") for i in range(count)]
        self.start()
        self.wait_on_device(*keys)
        return keys

    def cell(self, **fields):
        self.save("cell.yaml", cell_manifest(**fields))

    def peer(self, name, key=None, **fields):
        """Saves a manifest of its own for the peer and returns its key."""
        key = key or random_key()
        self.save(f"{name}.yaml", peer_manifest(name, key, **fields))
        return key

    # ---- picd

    def start(self, *flags, ready=True, prefix=(), env=None, seconds=10):
        with open(self.log, "ab") as log:
            self.picd = subprocess.Popen(
                [str(w) for w in (*prefix, BUILD / "picd", *self.flags(), *flags)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env={**os.environ, **(env or {})})
        if ready:
            self.wait_answers("/readyz", seconds)
        return self.picd

    def wait_answers(self, path="/healthz", seconds=10):
        return wait(f"picd answers {path} with 200", lambda: self.http(path)[0] == 200, seconds)

    def lives(self, when):
        status = self.picd and self.picd.poll()
        check(status is None, f"picd ended by itself, with status {status}, {when}")

    def end(self, number):
        if self.picd:
            self.picd.send_signal(number)
            self.picd.wait(10)
            self.picd = None

    def stop(self):
        self.end(signal.SIGTERM)

    def kill(self):
        self.end(signal.SIGKILL)

    def restart(self, **options):
        self.stop()
        self.start(**options)

    def refused(self, *flags, prefix=()):
        """picd ends at once with an error; returns what it said."""
        done = subprocess.run([str(w) for w in (*prefix, BUILD / "picd", *self.flags(), *flags)],
                              capture_output=True, text=True, timeout=10, check=False)
        check(done.returncode not in (0, None), f"picd should have refused to start\n{done.stderr}")
        return done.stderr

    def once(self, status):
        """`picd --once`: what it carried out."""
        return run(BUILD / "picd", *self.flags(), "--once", status=status)

    def teardown(self):
        """By picctl; picd, if it runs, ends by itself."""
        picd, self.picd = self.picd, None
        self.picctl("teardown", "--yes")
        if picd:
            check_equal(picd.wait(5), 0, "picd's status after teardown")
        wait("all of ours is gone", lambda: link() is None and not processes("wireguard-go"))

    def logged(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def close(self):
        ALIVE.remove(self.lives)
        died = self.picd and self.picd.poll()
        self.kill()
        for name in set(links()) - {"lo"}:
            ip("link", "delete", name, status=None)
        wait("all that was started has ended", lambda: not kill_all())
        ip("-all", "netns", "delete")
        shutil.rmtree("/run/wireguard", ignore_errors=True)
        shutil.rmtree(self.root, ignore_errors=True)
        check(died is None, f"picd ended by itself, with status {died}")

    # ---- what it says

    def http(self, path, method="GET", socket_name="picd.sock"):
        connection = UnixConnection(self.rundir / socket_name)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def get(self, path):
        status, body = self.http(path)
        check_equal(status, 200, f"GET {path}")
        return json.loads(body)

    def control(self, verb):
        status, body = self.http(f"/v1/control/{verb}", "PUT")
        check_equal(status, 200, f"PUT /v1/control/{verb}: {body}")
        return json.loads(body)["message"]

    def status(self):
        return self.get("/v1/status")

    def problems(self):
        """All of them, as one text."""
        return "\n".join(f"{p.get('where', '-')}: {p['what']}" for p in self.status()["problems"])

    def resource(self, kind_name):
        return self.get(f"/v1/resources/{kind_name}")

    def conditions(self, kind_name):
        return {c["type"]: c for c in self.resource(kind_name)["status"]["conditions"]}

    def metric(self, name):
        for line in self.http("/metrics")[1].splitlines():
            if line.split(" ")[0] == name:
                return float(line.split(" ")[1])
        raise Failure(f"no metric {name}")

    def converged(self):
        return self.metric("pic_converged") == 1

    def look_again(self):
        """A whole pass over everything; returns how many calls that write it took."""
        writes, reads = self.metric("pic_system_writes_total"), self.metric("pic_system_reads_total")
        self.control("resync")
        wait("a second pass is over",
             lambda: self.metric("pic_system_reads_total") > reads and self.converged())
        return self.metric("pic_system_writes_total") - writes

    def wait_on_device(self, *keys, seconds=5):
        return wait("peers on the device", lambda: set(keys) <= set(wg_peers()), seconds)

    def wait_problem(self, *parts, seconds=5):
        """A problem in the status that contains all of these; returns its words."""
        def found():
            return [p for p in self.status()["problems"]
                    if all(part in f"{p.get('where', '')} {p['what']}" for part in parts)]
        try:
            wait("", found, seconds)
        except Failure:
            raise Failure(f"no problem in the status says {parts}; there are:\n{self.problems()}") from None
        return found()[0]["what"]

    # ---- picctl

    def picctl(self, *words, status=0, text=None, env=None):
        return run(BUILD / "picctl", *words, *self.flags(), text=text, status=status, env=env)

    def picctl_status(self, *words, text=None):
        """Its exit status, and what it said on stderr."""
        done = subprocess.run([str(w) for w in (BUILD / "picctl", *words, *self.flags())], text=True,
                              input=text, capture_output=True, timeout=60, check=False)
        return done.returncode, done.stderr

    def picctl_error(self, *words, status=1, text=None):
        """It fails with that status; returns what it said on stderr."""
        is_, said = self.picctl_status(*words, text=text)
        check_equal(is_, status, f"status of picctl {' '.join(map(str, words))} ({said.strip()})")
        return said


# ---- the runner -----------------------------------------------------------------------------------


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def enter():
    """Starts this program again inside the namespaces; the first process there only reaps."""
    if os.geteuid() != 0:
        skip("namespaces and network interfaces need root")
    if not os.path.exists("/dev/net/tun"):
        skip("no /dev/net/tun")
    if subprocess.run([*CLONE, "true"], capture_output=True, check=False).returncode != 0:
        skip("unshare(2) is not allowed here")
    os.environ["PIC_LAB"] = "inside"
    os.execvp(CLONE[0], [*CLONE, sys.executable, *sys.argv])


def reap_as_init():
    child = os.fork()
    if child == 0:
        return
    while True:
        pid, status = os.wait()
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def run_one(test):
    cell = Cell()
    began = time.monotonic()
    print(f"{test.__name__}", flush=True)
    try:
        test(cell)
        problem = None
    except Exception as error:  # whatever it is, the other tests still run
        problem = error
        if isinstance(error, Failure):
            frame = traceback.extract_tb(error.__traceback__)
            place = next(f for f in reversed(frame) if not f.filename.endswith(("lab.py", "checks.py")))
            print(f"  FAILED at line {place.lineno}: {error}")
        else:
            traceback.print_exc(file=sys.stdout)
        print("  the end of picd's log:\n    " + "\n    ".join(cell.logged().splitlines()[-25:]))
    try:
        cell.close()
    except Failure as error:
        problem = error
        print(f"  FAILED while cleaning up: {error}")
    print(f"  {'FAILED' if problem else 'ok'} ({time.monotonic() - began:.1f} s)", flush=True)
    return problem is None


def main(*tests):
    if os.environ.get("PIC_LAB") != "inside":
        enter()
    if os.getpid() == 1:
        reap_as_init()
    sys.stdout.reconfigure(line_buffering=True)
    os.umask(0o022)
    run("mount", "-t", "tmpfs", "lab", "/run")
    ip("link", "set", "lo", "up")
    chosen = [t for t in tests if len(sys.argv) < 2 or t.__name__ in sys.argv[1:]]
    failed = [t.__name__ for t in chosen if not run_one(t)]
    name = Path(sys.argv[0]).stem
    print(f"{name}: {len(chosen)} tests, {len(failed)} failed{': ' if failed else ''}{', '.join(failed)}")
    sys.exit(1 if failed or not chosen else 0)
