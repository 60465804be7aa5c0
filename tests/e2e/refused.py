#!/usr/bin/env python3
"""What the system refuses: room, devices, rights, ports. It is said, all else works, nothing live is lost."""
import socket
import time

from checks import check, check_equal, check_in, measured, stays, wait
from lab import INTERFACE, OTHER, PORT, addresses, ip, link, main, processes, run, wg_device, wg_peers

# ---- disks ---------------------------------------------------------------------------------------


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
    keys = cell.family()
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
    keys = cell.family()
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


# ---- devices, rights, ports ----------------------------------------------------------------------


def no_tun_device(cell):
    """Said with the remedy; what is live stays; a resync goes on when the device is there."""
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
    cell.picctl("resync")
    cell.wait_on_device(key)
    run("mount", "-t", "tmpfs", "nothing", "/dev/net")
    try:
        cell.restart()
        late = cell.peer("late")
        cell.wait_on_device(key, late)
    finally:
        run("umount", "/dev/net")


def no_permission(cell):
    """Without the capability, and as another user."""
    keys = cell.family()
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
    said = cell.refused(prefix=OTHER)
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
    keys = cell.family()
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
    cell.picctl("resync")
    wait("the new port is taken when it is free", lambda: wg_device()["port"] == "4000")


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
    cell.picctl("resync")
    wait("IPv6 follows", lambda: "fd10:a1fa:ce11::1/64" in addresses())


if __name__ == "__main__":
    main(full_disk_for_the_state, full_disk_from_the_start, full_disk_for_the_secrets, no_tun_device,
         no_permission, port_in_use_from_the_start, port_in_use_later, without_ipv6)
