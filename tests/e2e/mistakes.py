"""Manifests that are wrong, what is said of them, and a cell to try them on; for input.py, secret.py."""
import base64

from checks import check_equal
from lab import key_pair, random_key, wg_device

KEY = random_key()  # of the peer that goes wrong
GOOD = random_key()
OWN_PRIVATE, OWN = key_pair()


def prepared(cell):
    """A cell whose key is known beforehand, a good peer, and the one that is to go wrong."""
    cell.secrets.mkdir(0o700)
    key = cell.secrets / "wireguard.key"
    key.touch(0o600)
    key.write_text(OWN_PRIVATE)
    cell.cell()
    cell.peer("good", GOOD, address="10.10.0.40", subnets="[192.168.40.0/24]")
    cell.save("wrong.yaml", peer())
    cell.start()
    cell.wait_on_device(KEY, GOOD)
    check_equal(wg_device()["public"], OWN, "the device's key")


def peer(extra="", key=KEY, name="wrong", head="apiVersion: pic/v1\nkind: Peer\n", address="10.10.0.50"):
    return f"{head}metadata:\n  name: {name}\nspec:\n  publicKey: {key}\n  address: {address}\n{extra}"


def aliases():
    """Nine levels, each nine times the one above: 9**9 texts from 600 bytes."""
    levels = [f"    l0: &l0 [{', '.join(['x'] * 9)}]\n"]
    levels += [f"    l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 9)]
    return peer().replace("spec:", "  annotations:\n" + "".join(levels) + "spec:")


def annotated(value):
    return peer().replace("spec:", f"  annotations:\n    x: {value}\nspec:")


def indented(levels):
    return "".join(" " * i + "a:\n" for i in range(levels)) + " " * levels + "a: 1\n"


def keyed(key):
    return peer(key=key)


# what, the file, where in it, words of the message
WRONG = [
    ("a tab", peer("\tinternet: true\n"), "8:1", ["tab", "spaces"]),
    ("a duplicate key", peer("  address: 10.10.0.51\n"), "8:3", ["address", "twice", "line 7"]),
    ("a wrong type", peer("  internet: 'true'\n"), "8:13", ["internet", "true or false", "without quotes"]),
    ("no for a boolean", peer("  internet: no\n"), "8:13", ["internet", '"no"', "true or false"]),
    ("a text for a number", peer("  client:\n    keepalive: soon\n"), "9:16",
     ["client.keepalive", "soon", "0 to 65535"]),
    ("a number out of bounds", peer("  client:\n    mtu: 500\n"), "9:10", ["client.mtu", "1280 to 9000"]),
    ("a text for a list", peer("  subnets: 10.9.0.0/16\n"), "8:12", ["subnets", "list", "[a, b]"]),
    ("a list for a text", peer("  expires: [1]\n"), "8:12", ["expires", "time"]),
    ("a word of none", peer("  client:\n    tunnel: half\n"), "9:13",
     ["client.tunnel", "half", "full|split"]),
    ("an unknown field", peer("  adress6: fd00::1\n"), "8:3", ["adress6", 'did you mean "address6"']),
    ("an unknown field of metadata", peer().replace("spec:", "  lables: {}\nspec:"), "5:3",
     ["metadata.lables", "labels"]),
    ("an unknown field on top", peer("stats: {}\n"), "8:1", ["stats", "spec"]),
    ("another apiVersion", peer(head="apiVersion: v1\nkind: Peer\n"), "1:13", ["apiVersion", "pic/v1"]),
    ("no apiVersion", peer(head="kind: Peer\n"), "1:1", ["apiVersion is missing", "pic/v1"]),
    ("an unknown kind", peer(head="apiVersion: pic/v1\nkind: Pear\n"), "2:7", ["Pear", "did you mean Peer"]),
    ("no kind", peer(head="apiVersion: pic/v1\n"), "1:1", ["kind is missing"]),
    ("no name", peer().replace("name: wrong", "labels: {}"), "1:1", ["metadata.name is missing"]),
    ("a required field missing", peer().replace("publicKey", "# publicKey"), "7:3",
     ["publicKey is missing", "WireGuard public key"]),
    ("a list on top", "- a\n- b\n", "1:1", ["expected apiVersion, kind, metadata and spec"]),
    ("an alias", annotated("&a b").replace("spec:", "    y: *a\nspec:"), "7:8",
     ["alias", "*a", "write the value out"]),
    ("an alias bomb", aliases(), "7:14", ["alias", "*l0"]),
    ("10,000 levels of lists", annotated("[" * 10000 + "]" * 10000), "6:69", ["nested too deep", "64"]),
    ("10,000 levels of maps", annotated("{a: " * 10000 + "}" * 10000), "6:",  ["nested too deep", "64"]),
    ("2,000 indented levels", indented(2000), "65:", ["nested too deep", "64"]),
    ("a text of 50 MB", annotated("x" * (50 << 20)), "", ["4194304", "larger"]),
    ("a text of 3 MB", annotated("x" * (3 << 20)), "6:8", ["3145728", "at most 1048576"]),
    ("two million lines in a text", annotated("|\n" + "      x\n" * 2000000), "", ["4194304", "larger"]),
    ("too many keys", peer().replace("spec:", "  annotations:\n" + "".join(
        f"    k{i}: v\n" for i in range(1100)) + "spec:"), "1030:5", ["more than 1024 keys"]),
    ("UTF-16, little end first", peer().encode("utf-16"), "1:1", ["UTF-16", "save it as UTF-8"]),
    ("UTF-16, big end first", b"\xfe\xff" + peer().encode("utf-16-be"), "1:1", ["UTF-16", "UTF-8"]),
    ("what is no UTF-8", peer().encode() + b"  expires: \xff\n", "8:1", ["not valid YAML"]),
    ("a control character", peer("  expires: \x01\n"), "8:1", ["not valid YAML"]),
    ("an unclosed quote", peer('  expires: "2027\n'), "", ["not valid YAML", "line 8"]),
    ("an unclosed list", peer("  subnets: [10.9.0.0/16\n"), "", ["not valid YAML", "line 8"]),
    ("text behind the separator", peer() + "--- junk\n" + peer(name="other", key=random_key()), "9:",
     ["not valid YAML"]),
    ("a key of 43 characters", keyed(KEY[:42] + "="), "6:14", ["publicKey", "44 characters of base64"]),
    ("a key without its =", keyed(KEY[:43]), "6:14", ["44 characters"]),
    ("a key in the alphabet of URLs", keyed("-_" + KEY[2:]), "6:14", ["44 characters"]),
    ("a key with bits left over", keyed(KEY[:42] + "B="), "6:14", ["44 characters"]),
    ("a key of zeros", keyed("A" * 43 + "="), "6:14", ["44 characters"]),
    ("a key in hexadecimal", keyed(base64.b64decode(KEY).hex()), "6:14", ["44 characters"]),
    ("a key that has spaces", keyed(f'"{KEY[:20]} {KEY[20:]}"'), "6:14", ["44 characters"]),
    ("an address outside the prefix", peer(address="10.11.0.5"), "7:12",
     ["10.11.0.5", "not inside network.vpn 10.10.0.0/24", "Cell/alpha"]),
    ("the network's address", peer(address="10.10.0.0"), "7:12", ["10.10.0.0", "network or broadcast"]),
    ("the broadcast address", peer(address="10.10.0.255"), "7:12", ["10.10.0.255", "network or broadcast"]),
    ("the cell's own address", peer(address="10.10.0.1"), "7:12", ["10.10.0.1", "the cell's own"]),
    ("an address of services", peer(address="10.10.0.230"), "7:12", ["10.10.0.230", "service addresses"]),
    ("an address with a length", peer(address="10.10.0.5/24"), "7:12",
     ["10.10.0.5/24", "without a prefix length"]),
    ("an address with zeros in front", peer(address="010.010.000.005"), "7:12", ["010.010.000.005", "IPv4"]),
    ("IPv6 where IPv4 is meant", peer(address="fd10:a1fa:ce11::5"), "7:12", ["fd10:a1fa:ce11::5", "IPv4"]),
    ("an IPv6 address outside", peer("  address6: fd99::5\n"), "8:13",
     ["fd99::5", "not inside network.vpn6"]),
    ("a subnet over the cell's prefix", peer("  subnets: [10.10.0.128/25]\n"), "8:12",
     ["10.10.0.128/25", "overlaps network.vpn"]),
    ("a default route as a subnet", peer("  subnets: [0.0.0.0/0]\n"), "8:12", ["default route"]),
    ("a prefix that is none", peer("  subnets: [10.9.0.0/33]\n"), "8:13", ["10.9.0.0/33", "prefix"]),
    ("a prefix with zeros in front", peer("  subnets: [010.013.047.0/24]\n"), "8:13",
     ["010.013.047.0/24", "prefix"]),
    ("the neighbour's key", keyed(GOOD), "1:1", ["Peer/good", "good.yaml:", "change one of the two"]),
    ("the neighbour's address", peer(address="10.10.0.40"), "1:1",
     ["10.10.0.40", "Peer/good", "good.yaml:", "change one of the two"]),
    ("the neighbour's subnet", peer("  subnets: [192.168.40.0/24]\n"), "1:1",
     ["192.168.40.0/24", "Peer/good", "change one of the two"]),
    ("the neighbour's subnet, written otherwise", peer("  subnets: [192.168.40.7/24]\n"), "1:1",
     ["192.168.40.0/24", "Peer/good"]),
    ("a name with ../", peer(name="../../etc/passwd"), "4:9", ["../../etc/passwd", "a-z 0-9"]),
    ("a name with capitals", peer(name="Wrong"), "4:9", ["Wrong", "a-z 0-9"]),
    ("a name of 64 characters", peer(name="b" * 64), "4:9", ["1 to 63"]),
    ("a name that is a list", peer(name="[wrong]"), "4:9", ["metadata.name"]),
    ("a secret written out", peer(f"  presharedKey: {random_key()}\n"), "8:17",
     ["presharedKey", "{file: NAME}", "secrets directory"]),
    ("a secret with ../", peer("  presharedKey: {file: ../passwd}\n"), "8:24", ["presharedKey", "secrets"]),
    ("a secret with a path", peer("  presharedKey: {file: /etc/passwd}\n"), "8:24",
     ["presharedKey", "secrets"]),
    ("a time that is none", peer("  expires: tomorrow\n"), "8:12",
     ["expires", "tomorrow", "2027-01-31T18:00:00Z"]),
    ("a 31st of February", peer("  expires: 2027-02-31T18:00:00Z\n"), "8:12", ["expires", "2027-02-31"]),
    ("a way that excludes itself", peer("  internet: false\n  routeVia: beta\n"), "9:13",
     ["routeVia", "internet: true"]),
]

# Endpoints of the Cell.
ENDPOINTS_RIGHT = ("203.0.113.7", "203.0.113.7:4000", "[2001:db8::1]:51820", "2001:db8::1",
                   "home.example.org", "home.example.org:51820", "[fe80::1%lo]:51820")
ENDPOINTS_WRONG = ("host:0", "host:70000", "host:", ":51820", "[2001:db8::1", "[nonsense]:1",
                   "under_score.example", "1.2.3", "1.2.3.4.5:60", "http://host", "a b", "[fe80::1%eth0",
                   "[fe80::1%nowhere]:1", "-host")
