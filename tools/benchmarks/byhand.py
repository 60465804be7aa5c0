"""Two ways from the same laptop over the same two machines to the same server: through cells that picd keeps,
and through interfaces, rules and tables that are set up by hand with wg, ip and nft."""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "laboratory"))
import cells as laboratory  # noqa: E402
import topology  # noqa: E402

SERVER, SERVER_BY_HAND = "198.51.100.80", "198.51.100.81"


class Path:
    server = SERVER

    def wait(self):
        """Until something gets through: the first handshake may take five seconds."""
        for _ in range(30):
            if " 0% packet loss" in topology.inside("laptop", "ping", "-c", "1", "-W", "1", self.server, check=False):
                return
        raise RuntimeError(f"nothing gets through to {self.server}")

    def throughput(self, seconds):
        """Megabits a second that arrive from the laptop, in one TCP stream."""
        said = topology.inside("laptop", "iperf3", "-J", "-t", str(seconds), "-O", "0.3", "-c", self.server)
        return json.loads(said)["end"]["sum_received"]["bits_per_second"] / 1e6


class Ours(Path):
    """Cells a and b, the laptop a device of a, routed via b. Makes the laboratory, and takes it away."""

    def __init__(self, bench):
        self.root = os.path.join(bench.directory, "laboratory")
        self.build = os.path.dirname(os.path.abspath(bench.picd))
        self.processes = []

    def __enter__(self):
        os.makedirs(self.root)
        topology.up()
        topology.ip("web", "address", "add", SERVER_BY_HAND + "/25", "dev", "eth0")
        self.cells = {name: laboratory.Cell(name, self.root, self.build) for name in "ab"}
        for cell in self.cells.values():
            cell.prepare()
        for cell, other in (self.cells.values(), reversed(self.cells.values())):
            cell.describe_itself()
            cell.link(other, exit={"offer": True})
        laptop = laboratory.Device(self.root)
        self.cells["a"].resource("Peer", "laptop", {
            "publicKey": laptop.public, "address": laptop.address, "address6": laptop.address6, "routeVia": "b"})
        self.processes += [cell.start() for cell in self.cells.values()]
        if not laboratory.settle(self.cells):
            raise RuntimeError("the cells do not converge")
        laptop.connect(self.cells["a"])
        self.wait()
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
        for host in topology.HOSTS:
            for pid in topology.sh("ip", "netns", "pids", topology.namespace(host)).split():
                os.kill(int(pid), 9)
        topology.down()

    def serve(self):
        server = subprocess.Popen(["ip", "netns", "exec", topology.namespace("web"), "iperf3", "-s"],
                                  stdout=subprocess.DEVNULL)
        self.processes.append(server)
        time.sleep(0.5)
        return server


class ByHand(Path):
    """The same hosts, other interfaces: laptop hand0 - a hand0, a handl - b handl, translated by b."""

    server = SERVER_BY_HAND
    wires = (("laptop", "hand0", "10.99.0.2", 51900, "a", "hand0", "10.99.0.1", 51850),
             ("a", "handl", "10.98.0.1", 51851, "b", "handl", "10.98.0.2", 51852))

    def __init__(self, bench):
        self.root = os.path.join(bench.directory, "laboratory")

    def __enter__(self):
        for wire in self.wires:
            self.tunnel(*wire)
        topology.ip("laptop", "route", "add", SERVER_BY_HAND, "dev", "hand0")
        topology.ip("a", "route", "add", "default", "dev", "handl", "table", "500")
        topology.ip("a", "route", "add", "10.99.0.2", "dev", "hand0", "table", "501")
        topology.ip("a", "rule", "add", "priority", "50", "iif", "hand0", "lookup", "500")
        topology.ip("a", "rule", "add", "priority", "51", "iif", "handl", "lookup", "501")
        topology.ip("b", "route", "add", "10.99.0.2", "dev", "handl")
        for host, interface in (("a", "handl"), ("b", "handl")):
            topology.inside(host, "sysctl", "-qw", f"net.ipv4.conf.{interface}.rp_filter=0")
        topology.inside("b", "nft", "-f", "-", text=(
            "table ip hand { chain out { type nat hook postrouting priority srcnat; "
            'oifname "eth0" ip saddr 10.99.0.0/24 masquerade; }; }'))
        self.wait()
        return self

    def __exit__(self, *_):
        pass  # the hosts go, and all that is in them

    def tunnel(self, host, name, address, port, other_host, other_name, other_address, other_port):
        private, public = laboratory.key_pair()
        other_private, other_public = laboratory.key_pair()
        reached = laboratory.CELLS[other_host]["reached"]
        self.end(host, name, address, f"[Interface]\nPrivateKey = {private}\nListenPort = {port}\n[Peer]\n"
                 f"PublicKey = {other_public}\nAllowedIPs = 0.0.0.0/0\nEndpoint = {reached}:{other_port}\n"
                 "PersistentKeepalive = 5\n")
        self.end(other_host, other_name, other_address, f"[Interface]\nPrivateKey = {other_private}\n"
                 f"ListenPort = {other_port}\n[Peer]\nPublicKey = {public}\nAllowedIPs = 10.99.0.0/24, "
                 f"{address}/32\n")

    def end(self, host, name, address, config):
        def run(*words, text=None):
            return topology.sh(*laboratory.private_wireguard(os.path.join(self.root, host, "wireguard"), host, words),
                               text=text)
        run("wireguard-go", name)
        for _ in range(100):
            if os.path.exists(os.path.join(self.root, host, "wireguard", name + ".sock")):
                break
            time.sleep(0.02)
        run("wg", "setconf", name, "/dev/stdin", text=config)
        topology.ip(host, "address", "add", f"{address}/32", "dev", name)
        topology.ip(host, "link", "set", "dev", name, "mtu", "1420" if host != "laptop" else "1400", "up")
