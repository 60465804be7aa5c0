#!/usr/bin/env python3
"""A real client in another namespace, configured by nothing but what `picctl peer add` printed."""
import re
import signal
import subprocess
import time

from checks import check, check_equal, check_in, measured, stays, wait
from lab import INTERFACE, addresses, ip, key_pair, link, main, run, wg_device, wg_peers

HOME = "198.51.100.1"
CELL = ("10.10.0.1", "fd10:a1fa:ce11::1")


class Client:
    """A host on the bridge `street`, where the cell's uplink is too."""

    def __init__(self, name, number):
        self.name, self.interface = name, f"wg-{name}"
        if not run("ip", "link", "show", "street", status=None):
            ip("link", "add", "street", "type", "bridge")
            ip("addr", "add", f"{HOME}/24", "dev", "street")
            ip("link", "set", "street", "up")
        ip("netns", "add", name)
        ip("link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("link", "set", f"to-{name}", "master", "street", "up")
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "link", "set", "eth0", "up")
        self.move_to(number)

    def prefix(self):
        return ["nsenter", f"--net=/run/netns/{self.name}"]

    def run(self, *words, **options):
        return run(*self.prefix(), *words, **options)

    def move_to(self, number):
        self.run("ip", "addr", "flush", "dev", "eth0")
        self.run("ip", "addr", "add", f"198.51.100.{number}/24", "dev", "eth0")

    def rebind(self):
        """As the apps do when a device changes its network: wireguard-go would go on sending from an
        address that is gone."""
        self.run("wg", "set", self.interface, "listen-port", "0")

    def configure(self, text):
        """What wg-quick does with the file: its own lines here, the rest for wg(8)."""
        own = dict(re.findall(r"^(Address|DNS|MTU) = (.*)$", text, re.M))
        rest = re.sub(r"^(Address|DNS|MTU) = .*\n", "", text, flags=re.M)
        subprocess.Popen([*self.prefix(), "wireguard-go", "-f", self.interface], stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait("the client's wireguard-go answers", lambda: wg_device(self.interface))
        self.run("wg", "setconf", self.interface, "/dev/stdin", text=rest)
        for address in own["Address"].split(", "):
            self.run("ip", "addr", "add", address, "dev", self.interface)
        if "MTU" in own:
            self.run("ip", "link", "set", self.interface, "mtu", own["MTU"])
        self.run("ip", "link", "set", self.interface, "up")
        for allowed in re.search(r"^AllowedIPs = (.*)$", text, re.M)[1].split(", "):
            self.run("ip", "route", "add", allowed, "dev", self.interface)

    def ping(self, address, count=1, seconds=10):
        """Answers arrive; returns how long the first one took to come."""
        began = time.monotonic()
        wait(f"{self.name} pings {address}",
             lambda: "1 received" in self.run("ping", "-n", "-c1", "-W1", address, status=None), seconds)
        took = time.monotonic() - began
        if count > 1:
            self.run("ping", "-n", "-q", "-c", str(count), "-i", "0.01", "-W1", address)
        return took

    def stream(self, address):
        """Pings a hundred times a second until collect()."""
        return subprocess.Popen([*self.prefix(), "ping", "-n", "-i", "0.01", address],
                                stdout=subprocess.PIPE, text=True)


def collect(stream):
    """Ends it; returns the number of the last answer and how many before it are missing."""
    stream.send_signal(signal.SIGINT)
    said = stream.communicate(timeout=60)[0]
    answered = set(map(int, re.findall(r"icmp_seq=(\d+) ", said)))
    check(answered, f"no ping was answered:\n{said}")
    return max(answered), max(answered) - len(answered)


def served(cell, **options):
    """A cell that clients can reach, running."""
    cell.cell(wireguard={"endpoint": HOME, **options})
    cell.start()


def with_client(cell, name="phone", number=10, *flags):
    """Adds it by picctl and connects it; returns the client and its public key."""
    config = cell.picctl("peer", "add", name, *flags)
    client = Client(name, number)
    client.configure(config)
    client.ping(CELL[0])
    key = cell.resource(f"peer/{name}")["spec"]["publicKey"]
    return client, key


def client_works_by_the_printed_file(cell):
    served(cell)
    config = cell.picctl("peer", "add", "phone")
    check_in(f"Endpoint = {HOME}:51820", config, "the config")
    check_in("AllowedIPs = 0.0.0.0/0, ::/0", config, "the config of a full tunnel")
    client = Client("phone", 10)
    client.configure(config)
    measured("first answer through the tunnel", [client.ping(CELL[0])])
    for address in CELL:
        client.ping(address, 20)
    (key, peer), = wg_peers().items()
    check(peer["handshake"] > 0, "there should be a handshake")
    check_equal(peer["endpoint"].split(":")[0], "198.51.100.10", "the client's endpoint")
    wait("the status tells the handshake",
         lambda: cell.conditions("peer/phone")["HandshakeRecent"]["status"] == "True")
    status = cell.resource("peer/phone")["status"]
    check_in("198.51.100.10:", status["endpoint"], "endpoint in the status")
    check(status["rxBytes"] > 0 and status["txBytes"] > 0, "the status should count bytes")
    check_equal(cell.resource("peer/phone")["spec"]["publicKey"], key, "the key in the manifest")
    private = re.search(r"PrivateKey = (\S+)", config)[1]
    kept = run("grep", "-rlF", private, cell.root, status=None)
    check_equal(kept, "", "files that hold the device's private key")


def split_tunnel_and_own_key(cell):
    served(cell)
    private, public = key_pair()
    config = cell.picctl("peer", "add", "laptop", "--split", "--public-key", public,
                         "--address", "10.10.0.42")
    check("0.0.0.0/0" not in config, f"a split tunnel should not take everything:\n{config}")
    check_in("AllowedIPs = 10.10.0.0/24, fd10:a1fa:ce11::/64", config, "the config of a split tunnel")
    check_in("10.10.0.42/32", config, "the address that was asked for")
    check(not re.search(r"^PrivateKey", config, re.M), "nobody but the device has its private key")
    client = Client("laptop", 11)
    client.configure(config.replace("[Interface]\n", f"[Interface]\nPrivateKey = {private}\n"))
    for address in CELL:
        client.ping(address, 5)


def over_ipv6(cell):
    cell.cell(wireguard={"endpoint": "2001:db8::1"})
    cell.start()
    config = cell.picctl("peer", "add", "phone")
    check_in("Endpoint = [2001:db8::1]:51820", config, "the config")
    client = Client("phone", 10)
    ip("addr", "add", "2001:db8::1/64", "dev", "street", "nodad")
    client.run("ip", "addr", "add", "2001:db8::2/64", "dev", "eth0", "nodad")
    client.configure(config)
    for address in CELL:
        client.ping(address, 5)
    check_in("[2001:db8::2]:", next(iter(wg_peers().values()))["endpoint"], "endpoint of the client")


def preshared_key_comes_and_goes(cell):
    served(cell)
    client, key = with_client(cell)
    home = client.run("wg", "show", client.interface, "peers").strip()
    psk = cell.secrets / "phone.psk"
    psk.touch(0o600)
    psk.write_text(run("wg", "genpsk"))
    cell.save("peer-phone.yaml", (cell.manifests / "peer-phone.yaml").read_text() +
              "  presharedKey: {file: phone.psk}\n")
    wait("the device has the key", lambda: wg_peers()[key]["preshared"] != "(none)")
    client.run("wg", "set", client.interface, "peer", home, "preshared-key", psk)
    rekey(client, home)
    text = (cell.manifests / "peer-phone.yaml").read_text()
    cell.save("peer-phone.yaml", text.replace("  presharedKey: {file: phone.psk}\n", ""))
    wait("the device has it no more", lambda: wg_peers()[key]["preshared"] == "(none)")
    client.run("wg", "set", client.interface, "peer", home, "preshared-key", "/dev/null")
    rekey(client, home)


def rekey(client, home):
    """The client forgets its session and makes a new one, with the keys as they are now."""
    line = client.run("wg", "showconf", client.interface)
    client.run("wg", "set", client.interface, "peer", home, "remove")
    client.run("wg", "addconf", client.interface, "/dev/stdin", text=line[line.index("[Peer]"):])
    client.ping(CELL[0], seconds=20)


def roaming_is_kept(cell):
    """The device's endpoint is where the client is; no look, change or restart takes it back."""
    served(cell)
    client, key = with_client(cell, "phone", 10, "--split")
    check_in("198.51.100.10:", wg_peers()[key]["endpoint"], "the first endpoint")
    client.move_to(77)
    client.rebind()
    client.ping(CELL[0])
    check_in("198.51.100.77:", wg_peers()[key]["endpoint"], "the endpoint after moving")
    for _ in range(5):
        check_equal(cell.look_again(), 0, "writes of a look")
    cell.save("peer-phone.yaml", (cell.manifests / "peer-phone.yaml").read_text() +
              "  subnets: [192.168.55.0/24]\n")
    wait("the change is in force", lambda: "192.168.55.0/24" in wg_peers()[key]["allowed"])
    cell.kill()
    cell.start()
    check_in("198.51.100.77:", wg_peers()[key]["endpoint"], "the endpoint after all of that")
    client.ping(CELL[0], 5)


def others_lose_nothing(cell):
    """While peers come, change and go, and picd is killed: no lost ping, no counter reset."""
    served(cell)
    client, key = with_client(cell)
    stream = client.stream(CELL[0])
    before, last = wg_peers()[key], wg_peers()[key]

    def unharmed(what):
        nonlocal last
        now = wg_peers()[key]
        check(now["rx"] >= last["rx"] and now["tx"] >= last["tx"], f"counters were reset: {what}")
        check(now["handshake"] >= before["handshake"], f"the handshake was reset: {what}")
        check_equal(now["allowed"], before["allowed"], f"allowed IPs after: {what}")
        last = now

    psk = cell.secrets / "other.psk"
    psk.touch(0o600)
    psk.write_text(run("wg", "genpsk"))
    for i in range(5):
        other = cell.peer("other", address="10.10.0.90")
        cell.wait_on_device(other)
        unharmed("a peer was added")
        cell.peer("other", other, address="10.10.0.91", presharedKey="{file: other.psk}")
        wait("the other has its key", lambda k=other: wg_peers()[k]["preshared"] != "(none)")
        unharmed("a peer was changed")
        cell.peer("other", other, address="10.10.0.92")
        wait("the other has no key", lambda k=other: wg_peers()[k]["preshared"] == "(none)")
        (cell.manifests / "other.yaml").unlink()
        wait("the other is gone", lambda k=other: k not in wg_peers())
        unharmed("a peer was removed")
    many = [cell.peer(f"m{i}") for i in range(60)]
    cell.wait_on_device(*many)
    unharmed("sixty peers were added")
    for _ in range(3):
        cell.kill()
        cell.start()
        cell.control("resync")
        unharmed("picd was killed and started")
    cell.stop()
    time.sleep(0.3)
    cell.start()
    unharmed("picd was stopped and started")
    sent, lost = collect(stream)
    print(f"    pings sent {sent}, lost {lost}")
    check(sent > 100 and lost == 0, f"{lost} of {sent} pings were lost")


def own_address_moves_without_a_gap(cell):
    """A change of the peer itself that leaves its address alone loses nothing either."""
    served(cell)
    client, key = with_client(cell)
    stream = client.stream(CELL[0])
    file = cell.manifests / "peer-phone.yaml"
    text = file.read_text()
    for i in range(100):
        cell.save("peer-phone.yaml", f"{text}  subnets: [192.168.{i}.0/24, 192.168.{i + 1}.0/24]\n")
        wait("the subnets are allowed", lambda n=i: wg_peers()[key]["allowed"] >= {
            f"192.168.{n}.0/24", f"192.168.{n + 1}.0/24"} and f"192.168.{n - 1}.0/24" not in
            wg_peers()[key]["allowed"])
    sent, lost = collect(stream)
    print(f"    pings sent {sent}, lost {lost}")
    check(sent > 50 and lost == 0, f"{lost} of {sent} pings were lost")


def client_comes_back_by_itself(cell):
    """After the interface, or what serves it, was taken away: same keys, so nothing to configure."""
    served(cell)
    client, key = with_client(cell)
    ip("link", "delete", INTERFACE)
    wait("the interface is back", lambda: link() and key in wg_peers() and len(addresses()) == 2)
    measured("interface deleted: the client's pings come back",
             [client.ping(CELL[0], seconds=30)], "s")


def disabled_and_expired_leave(cell):
    served(cell)
    client, key = with_client(cell)
    text = (cell.manifests / "peer-phone.yaml").read_text()
    cell.save("peer-phone.yaml", text + "  enabled: false\n")
    wait("a disabled peer leaves the device", lambda: key not in wg_peers())
    cell.save("peer-phone.yaml", text)
    cell.wait_on_device(key)
    client.ping(CELL[0], seconds=20)
    until = time.gmtime(time.time() + 3)
    cell.save("peer-phone.yaml", f"{text}  expires: {time.strftime('%Y-%m-%dT%H:%M:%SZ', until)}\n")
    stays("a peer that has not expired", lambda: key in wg_peers(), 1)
    wait("it leaves when it expires", lambda: key not in wg_peers(), 6)
    check_in("expired", cell.conditions("peer/phone")["Ready"]["message"], "the condition")
    check_equal(cell.resource("peer/phone")["spec"]["publicKey"], key, "the manifest stays")


# ---- the QR code ----------------------------------------------------------------------------------


def modules(text):
    """Half blocks to rows of modules, True for dark: a block is light, on a dark terminal."""
    rows = []
    for line in re.sub(r"\033\[[0-9;]*m", "", text).splitlines():
        if set(line) <= set(" ▀▄█") and "█" in line:
            rows.append([c in " ▄" for c in line])
            rows.append([c in " ▀" for c in line])
    return rows


def read_qr(cell, text):
    rows = modules(text)
    check(len(rows) > 40, f"there should be a QR code:\n{text}")
    scale = 4
    wide = [[d for d in row for _ in range(scale)] for row in rows]
    image = cell.root / "code.pbm"
    image.write_text(f"P1\n{len(wide[0])} {len(wide) * scale}\n" + "\n".join(
        " ".join("01"[d] for d in row) for row in wide for _ in range(scale)) + "\n")
    return run("zbarimg", "-q", "--raw", "-Sbinary", image)


def qr_code_is_the_file(cell):
    served(cell)
    file = cell.root / "tablet.conf"
    shown = cell.picctl("peer", "add", "tablet", "--out", file, "--qr")
    check("PrivateKey" not in shown, "the config should go to the file, not to the terminal")
    check_equal(oct(file.stat().st_mode & 0o777), "0o600", "mode of the file")
    check_equal(read_qr(cell, shown), file.read_text(), "what zbarimg reads")
    both = cell.picctl("peer", "add", "phone", "--qr")
    check_in(read_qr(cell, both), both, "text beside the code")
    client = Client("tablet", 12)
    client.configure(read_qr(cell, shown))
    client.ping(CELL[0])


def unknown_key_gets_nothing(cell):
    """A client whose peer is not written down has no handshake."""
    served(cell)
    client, key = with_client(cell)
    client.run("wg", "set", client.interface, "private-key", "/dev/stdin", text=key_pair()[0])
    received = wg_peers()[key]["rx"]
    stays("no ping is answered",
          lambda: "1 received" not in client.run("ping", "-n", "-c1", "-W1", CELL[0], status=None), 2)
    check_equal(wg_peers()[key]["rx"], received, "bytes received from the peer that is written")


if __name__ == "__main__":
    main(client_works_by_the_printed_file, split_tunnel_and_own_key, over_ipv6,
         preshared_key_comes_and_goes, roaming_is_kept, others_lose_nothing,
         own_address_moves_without_a_gap, client_comes_back_by_itself, disabled_and_expired_leave,
         qr_code_is_the_file, unknown_key_gets_nothing)
