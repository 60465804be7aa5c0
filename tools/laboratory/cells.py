"""Cells a, b and c on their hosts, linked with each other, and a device behind a.

Each cell has a directory of its own below the laboratory's: manifests, secrets, state, run, and what
lies in /run/wireguard for it. Until cells exchange their documents by themselves, courier() carries
them.
"""
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from topology import DEFAULTS, inside, ip, namespace, sh

CELLS = {
    "a": {"vpn": "10.10.0.0/24", "vpn6": "fd10:10:10::/64", "reached": "198.51.100.130"},
    "b": {"vpn": "10.20.0.0/24", "vpn6": "fd10:20:20::/64", "reached": "192.0.2.2"},
    "c": {"vpn": "10.30.0.0/24", "vpn6": "fd10:30:30::/64", "reached": "203.0.113.2"},
}
PORT = 51820
LAPTOP, LAPTOP6 = "10.10.0.34", "fd10:10:10::34"
WEB = {"v4": "http://198.51.100.80/", "v6": "http://[2001:db8:80::80]/"}


def link_port(one, other):
    """The same number on both sides: one port a pair."""
    return 51821 + sorted("".join(sorted(p)) for p in ("ab", "ac", "bc")).index("".join(sorted(one + other)))


def private_wireguard(directory, host, words):
    """The command that runs `words` in the host, with a /run/wireguard of its own and, if there is one
    beside it, a resolv.conf."""
    script = ('mount --bind "$0" /run/wireguard && resolv="${0%/*}/resolv.conf" && '
              '{ [ ! -e "$resolv" ] || mount --bind "$resolv" /etc/resolv.conf; } && exec "$@"')
    return ["ip", "netns", "exec", namespace(host), "sh", "-c", script, str(directory), *map(str, words)]


def key_pair():
    private = sh("wg", "genkey").strip()
    return private, sh("wg", "pubkey", text=private).strip()


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Cell:
    def __init__(self, name, root, build):
        self.name, self.build = name, Path(build)
        self.root = Path(root) / name
        self.manifests, self.secrets = self.root / "manifests", self.root / "secrets"
        self.state, self.rundir = self.root / "state", self.root / "run"
        self.wireguard, self.log = self.root / "wireguard", self.root / "log"
        self.key = self.root / "public.key"

    # ---- files

    def prepare(self):
        for directory in (self.manifests, self.secrets, self.state, self.rundir, self.wireguard):
            directory.mkdir(parents=True, exist_ok=True)
        self.secrets.chmod(0o700)
        (self.root / "conf").touch()
        Path("/run/wireguard").mkdir(exist_ok=True)
        if not self.key.exists():
            private, public = key_pair()
            secret = os.open(self.secrets / "wireguard.key", os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
            os.write(secret, f"{private}\n".encode())
            os.close(secret)
            self.key.write_text(public)

    def public_key(self):
        return self.key.read_text()

    def save(self, name, text):
        aside = self.manifests / f".{name}.new"
        aside.write_text(text)
        aside.rename(self.manifests / name)

    def resource(self, kind, name, spec):
        """Writes a manifest; JSON is YAML."""
        self.save(f"{kind.lower()}-{name}.yaml", json.dumps(
            {"apiVersion": "pic/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}, indent=2))

    def spec(self, kind, name):
        return json.loads((self.manifests / f"{kind.lower()}-{name}.yaml").read_text())["spec"]

    def remove(self, kind, name):
        (self.manifests / f"{kind.lower()}-{name}.yaml").unlink()

    def describe_itself(self, **network):
        of = CELLS[self.name]
        self.resource("Cell", self.name, {
            "domain": f"{self.name}.cell",
            "network": {"vpn": of["vpn"], "vpn6": of["vpn6"], **network},
            "wireguard": {"endpoint": f"{of['reached']}:{PORT}"}})

    def link(self, other, **more):
        of, port = CELLS[other.name], link_port(self.name, other.name)
        self.resource("Link", other.name, {
            "publicKey": other.public_key(), "endpoint": f"{of['reached']}:{port}", "listenPort": port,
            "vpn": of["vpn"], "vpn6": of["vpn6"], "domain": f"{other.name}.cell", **more})

    # ---- picd

    def flags(self):
        return ["--config", self.root / "conf", "--manifests", self.manifests, "--secrets", self.secrets,
                "--state", self.state, "--run", self.rundir]

    def start(self):
        with open(self.log, "ab") as log:
            picd = subprocess.Popen(
                private_wireguard(self.wireguard, self.name, [self.build / "picd", *self.flags()]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        (self.root / "pid").write_text(str(picd.pid))
        return picd

    def pid(self):
        return int((self.root / "pid").read_text())

    def end(self, number=signal.SIGTERM):
        try:
            os.kill(self.pid(), number)
        except (ProcessLookupError, FileNotFoundError):
            pass

    def request(self, path, method="GET"):
        connection = UnixConnection(self.rundir / "picd.sock")
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def get(self, path):
        status, body = self.request(path)
        if status != 200:
            raise RuntimeError(f"cell {self.name}: GET {path}: {status} {body}")
        return json.loads(body)

    def ready(self):
        try:
            return self.request("/readyz")[0] == 200
        except OSError:
            return False

    def converged(self):
        try:
            return "pic_converged 1\n" in self.request("/metrics")[1]
        except OSError:
            return False

    def run(self, *words, check=True):
        """Runs it on the cell's host, with the cell's WireGuard sockets."""
        return sh(*private_wireguard(self.wireguard, self.name, words), check=check)

    def picctl(self, *words, check=True):
        return sh(self.build / "picctl", *words, *self.flags(), check=check)


def courier(cells):
    """Carries the documents between the cells, once; returns how many were new."""
    new = 0
    for sender in cells.values():
        for receiver in cells.values():
            if sender is receiver or not (sender.manifests / f"link-{receiver.name}.yaml").exists():
                continue
            try:
                document = sender.get(f"/v1/documents/{receiver.name}")
            except (OSError, RuntimeError):
                continue
            target = receiver.state / "links" / f"{sender.name}.json"
            known = json.loads(target.read_text())["document"] if target.exists() else None
            if document == known:
                continue
            target.parent.mkdir(exist_ok=True)
            target.write_text(json.dumps({"received": int(time.time()), "document": document}))
            receiver.request("/v1/control/documents", "PUT")
            new += 1
    return new


def settle(cells, seconds=20):
    """Until every cell has converged and no document is new any more."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not courier(cells) and all(cell.converged() for cell in cells.values()):
            return True
        time.sleep(0.05)
    return False


class Device:
    """A device with a full tunnel to its cell, made by hand as a person would."""

    def __init__(self, root, host="laptop", address=LAPTOP, address6=LAPTOP6):
        self.host, self.address, self.address6 = host, address, address6
        self.root = Path(root) / host
        self.wireguard = self.root / "wireguard"
        self.wireguard.mkdir(parents=True, exist_ok=True)
        self.private, self.public = key_pair()

    def connect(self, cell):
        gateway = DEFAULTS[self.host][0]
        reached = CELLS[cell.name]["reached"]
        config = (f"[Interface]\nPrivateKey = {self.private}\n[Peer]\nPublicKey = {cell.public_key()}\n"
                  f"Endpoint = {reached}:{PORT}\nAllowedIPs = 0.0.0.0/0, ::/0\nPersistentKeepalive = 5\n")
        (self.root / "wg.conf").write_text(config)
        (self.root / "wg.conf").chmod(0o600)
        sh(*private_wireguard(self.wireguard, self.host, ["wireguard-go", "wg0"]))
        for _ in range(50):
            if (self.wireguard / "wg0.sock").exists():
                break
            time.sleep(0.02)
        sh(*private_wireguard(self.wireguard, self.host, ["wg", "setconf", "wg0", self.root / "wg.conf"]))
        ip(self.host, "address", "add", f"{self.address}/32", "dev", "wg0")
        ip(self.host, "address", "add", f"{self.address6}/128", "dev", "wg0", "nodad")
        ip(self.host, "link", "set", "dev", "wg0", "mtu", "1400", "up")
        ip(self.host, "route", "add", f"{reached}/32", "via", gateway)
        for family, half in (("-4", "0.0.0.0/1"), ("-4", "128.0.0.0/1"), ("-6", "::/1"), ("-6", "8000::/1")):
            ip(self.host, family, "route", "add", half, "dev", "wg0")

    def seen_as(self, family="v4", seconds=3):
        """The address that the internet's web server sees, "" if it does not answer."""
        return inside(self.host, "curl", "-s", "-m", str(seconds), WEB[family], check=False).strip()
