"""Devices behind the cell that is measured: real tunnels in a namespace of their own, pinged without a pause."""
import os
import re
import subprocess

from . import lab, peers

NETNS = "devices"
CELL_UPLINK, DEVICES_UPLINK = "198.51.100.1", "198.51.100.2"
PINGS_A_SECOND = 50


class Devices:
    """Used with `with`. Their Peers are to be in the manifests before the tunnels are opened."""

    def __init__(self, numbers):
        self.numbers = list(numbers)
        self.private_keys = [lab.run("wg", "genkey").strip() for _ in self.numbers]
        self.public_keys = [lab.run("wg", "pubkey", text=key).strip() for key in self.private_keys]
        self.devices = []

    def manifests(self):
        return "---\n".join(peers.manifest(number, public_key)
                            for number, public_key in zip(self.numbers, self.public_keys))

    def __enter__(self):
        lab.run("ip", "netns", "add", NETNS)
        lab.run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "uplink", "netns", NETNS)
        for netns, address in ((None, CELL_UPLINK), (NETNS, DEVICES_UPLINK)):
            self._ip(netns, "address", "add", address + "/24", "dev", "uplink")
            self._ip(netns, "link", "set", "uplink", "up")
        return self

    def __exit__(self, *_):
        for device in self.devices:
            device.__exit__()
        lab.run("ip", "link", "delete", "uplink")
        lab.run("ip", "netns", "delete", NETNS)

    @staticmethod
    def _ip(netns, *words):
        lab.run("ip", *(["-n", netns] if netns else []), *words)

    def open(self):
        """Brings the tunnels up and waits for every handshake."""
        cell_key = lab.run("wg", "show", "pic0", "public-key").strip()
        for i, number in enumerate(self.numbers):
            name = f"device{i}"
            self.devices.append(lab.Device(name, NETNS).__enter__())
            lab.run("ip", "netns", "exec", NETNS, "wg", "setconf", name, "/dev/stdin", text=(
                f"[Interface]\nPrivateKey = {self.private_keys[i]}\n[Peer]\nPublicKey = {cell_key}\n"
                f"AllowedIPs = {peers.CELL_ADDRESS}/32\nEndpoint = {CELL_UPLINK}:51820\n"))
            self._ip(NETNS, "address", "add", f"{peers.address(number)}/32", "dev", name)
            self._ip(NETNS, "link", "set", name, "up")
            self._ip(NETNS, "route", "add", f"{peers.CELL_ADDRESS}/32", "dev", name, "metric", str(i + 1))
            lab.run("ip", "netns", "exec", NETNS, "ping", "-c", "1", "-W", "5", "-I", name,
                    str(peers.CELL_ADDRESS))

    def ping_while(self, work, seconds):
        """Every device pings the cell for so long; meanwhile work() is called. (sent, lost)."""
        count = seconds * PINGS_A_SECOND
        pings = [subprocess.Popen(["ip", "netns", "exec", NETNS, "ping", "-q", "-i",
                                   str(1 / PINGS_A_SECOND), "-c", str(count), "-W", "2", "-I", f"device{i}",
                                   str(peers.CELL_ADDRESS)], stdout=subprocess.PIPE, text=True,
                                  env={**os.environ, "LC_ALL": "C"})
                 for i in range(len(self.numbers))]
        while any(ping.poll() is None for ping in pings):
            work()
        sent = received = 0
        for ping in pings:
            counts = re.search(r"(\d+) packets transmitted, (\d+) received", ping.stdout.read())
            sent, received = sent + int(counts[1]), received + int(counts[2])
        return sent, sent - received
