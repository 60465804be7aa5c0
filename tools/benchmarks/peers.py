"""Peers by number: the same key and addresses every time, as manifests and as the public tools read them."""
import base64
import hashlib
import ipaddress
import os

VPN, VPN6 = ipaddress.ip_network("10.64.0.0/16"), ipaddress.ip_network("fd64::/64")
MOST = 50000  # the last eighth of the prefix is for services
CELL_ADDRESS, CELL_ADDRESS6 = VPN[1], VPN6[1]

CELL = f"""\
apiVersion: pic/v1
kind: Cell
metadata:
  name: bench
spec:
  domain: bench.cell
  network:
    vpn: {VPN}
    vpn6: {VPN6}
  wireguard:
    endpoint: 198.51.100.1
    mtu: 1420
"""


def key(number):
    return base64.b64encode(hashlib.sha256(b"peer %d" % number).digest()).decode()


def address(number):
    return VPN[2 + number]


def address6(number):
    return VPN6[2 + number]


def manifest(number, public_key=None, at=None):
    """The Peer as picctl would write it; `at`: with the addresses of another number."""
    at = number if at is None else at
    return (f"apiVersion: pic/v1\nkind: Peer\nmetadata:\n  name: peer-{number}\nspec:\n"
            f"  publicKey: {public_key or key(number)}\n  address: {address(at)}\n"
            f"  address6: {address6(at)}\n")


def section(number, at=None):
    """The same for wg setconf and wg syncconf."""
    at = number if at is None else at
    return (f"[Peer]\nPublicKey = {key(number)}\n"
            f"AllowedIPs = {address(at)}/32, {address6(at)}/128\n")


def write(path, text):
    """Written aside and renamed into place, as every careful tool does."""
    aside = os.path.join(os.path.dirname(path), "." + os.path.basename(path) + ".new")
    with open(aside, "w", encoding="ascii") as file:
        file.write(text)
    os.rename(aside, path)


def write_tree(directory, numbers, file_each=False):
    """A cell with these peers: all in one file, or a file each."""
    os.makedirs(os.path.join(directory, "peers"))
    write(os.path.join(directory, "cell.yaml"), CELL)
    if file_each:
        for number in numbers:
            write(os.path.join(directory, "peers", f"peer-{number}.yaml"), manifest(number))
    else:
        write(os.path.join(directory, "peers", "many.yaml"),
              "---\n".join(manifest(number) for number in numbers))
