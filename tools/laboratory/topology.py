"""Hosts as network namespaces, and the wires between them.

    web ── inet ── ra ══ a's home: a, lan-a      (one segment: a's uplink is its LAN too)
            ├───── b ── lan-b                    (the LAN on an interface of its own)
            ├───── c
            ├───── laptop
            ├───── phone
            └───── tablet

Uplinks have documentation prefixes, so that what is private is treated as private. `ra` is a home
router: it translates IPv4 and forwards the cell's UDP ports; IPv6 is routed.
"""
import os
import subprocess

PREFIX = "pic-"

HOSTS = ("inet", "web", "ra", "a", "lan-a", "b", "lan-b", "c", "laptop", "phone", "tablet")

# End, interface, addresses; the other end likewise.
WIRES = (
    (("inet", "web", ("198.51.100.1/25", "2001:db8:80::1/64")),
     ("web", "eth0", ("198.51.100.80/25", "2001:db8:80::80/64"))),
    (("inet", "ra", ("198.51.100.129/25", "2001:db8:f::1/64")),
     ("ra", "wan", ("198.51.100.130/25", "2001:db8:f::2/64"))),
    (("inet", "b", ("192.0.2.1/25", "2001:db8:b::1/64")),
     ("b", "eth0", ("192.0.2.2/25", "2001:db8:b::2/64"))),
    (("inet", "c", ("203.0.113.1/25", "2001:db8:c::1/64")),
     ("c", "eth0", ("203.0.113.2/25", "2001:db8:c::2/64"))),
    (("inet", "laptop", ("203.0.113.129/26", "2001:db8:d::1/64")),
     ("laptop", "eth0", ("203.0.113.130/26", "2001:db8:d::2/64"))),
    (("inet", "phone", ("192.0.2.129/25", "2001:db8:e::1/64")),
     ("phone", "eth0", ("192.0.2.130/25", "2001:db8:e::2/64"))),
    (("inet", "tablet", ("203.0.113.193/26", "2001:db8:1d::1/64")),
     ("tablet", "eth0", ("203.0.113.194/26", "2001:db8:1d::2/64"))),
    (("b", "lan0", ("192.168.50.1/24",)), ("lan-b", "eth0", ("192.168.50.10/24",))),
)

# a's home: a bridge in the router, with an address there.
HOME = ("ra", "home", ("192.168.40.1/24", "2001:db8:a::1/64"))
AT_HOME = (("a", "eth0", ("192.168.40.2/24", "2001:db8:a::2/64")),
           ("lan-a", "eth0", ("192.168.40.10/24", "2001:db8:a::10/64")))

DEFAULTS = {
    "web": ("198.51.100.1", "2001:db8:80::1"),
    "ra": ("198.51.100.129", "2001:db8:f::1"),
    "a": ("192.168.40.1", "2001:db8:a::1"),
    "lan-a": ("192.168.40.1", "2001:db8:a::1"),
    "b": ("192.0.2.1", "2001:db8:b::1"),
    "lan-b": ("192.168.50.1", None),
    "c": ("203.0.113.1", "2001:db8:c::1"),
    "laptop": ("203.0.113.129", "2001:db8:d::1"),
    "tablet": ("203.0.113.193", "2001:db8:1d::1"),
    "phone": ("192.0.2.129", "2001:db8:e::1"),
}

ROUTER_RULES = """
table ip home {
    chain in { type nat hook prerouting priority dstnat; iifname "wan" udp dport 51820-51899 dnat to 192.168.40.2; }
    chain out { type nat hook postrouting priority srcnat; oifname "wan" masquerade; }
}
"""


def namespace(host):
    return PREFIX + host


def sh(*words, text=None, check=True):
    done = subprocess.run([str(w) for w in words], input=text, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def inside(host, *words, text=None, check=True):
    """Runs it in the host and returns what it wrote."""
    return sh("ip", "netns", "exec", namespace(host), *words, text=text, check=check)


def ip(host, *words, check=True):
    return sh("ip", "-netns", namespace(host), *words, check=check)


def give(host, interface, addresses):
    for address in addresses:
        ip(host, "address", "add", address, "dev", interface, *(["nodad"] if ":" in address else []))
    ip(host, "link", "set", "dev", interface, "up")


def wire(one, other):
    sh("ip", "link", "add", "name", "pic-w0", "type", "veth", "peer", "name", "pic-w1")
    for end, (host, interface, addresses) in (("pic-w0", one), ("pic-w1", other)):
        sh("ip", "link", "set", end, "netns", namespace(host), "name", interface)
        give(host, interface, addresses)


def build_home():
    host, bridge, addresses = HOME
    ip(host, "link", "add", bridge, "type", "bridge")
    give(host, bridge, addresses)
    for number, end in enumerate(AT_HOME):
        port = f"port{number}"
        wire((host, port, ()), end)
        ip(host, "link", "set", port, "master", bridge)


def forward(host):
    for name in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"):
        inside(host, "sysctl", "-qw", name)


def route():
    for host, gateways in DEFAULTS.items():
        for gateway in gateways:
            if gateway:
                ip(host, "-6" if ":" in gateway else "-4", "route", "add", "default", "via", gateway)
    ip("inet", "route", "add", "2001:db8:a::/64", "via", "2001:db8:f::2")
    forward("inet")
    forward("ra")
    inside("ra", "nft", "-f", "-", text=ROUTER_RULES)


def exists():
    return os.path.exists(f"/run/netns/{namespace('inet')}")


def up():
    for host in HOSTS:
        sh("ip", "netns", "add", namespace(host))
        ip(host, "link", "set", "lo", "up")
    for one, other in WIRES:
        wire(one, other)
    build_home()
    route()


def down():
    for host in HOSTS:
        if os.path.exists(f"/run/netns/{namespace(host)}"):
            sh("ip", "netns", "delete", namespace(host))
