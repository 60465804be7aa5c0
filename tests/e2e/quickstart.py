#!/usr/bin/env python3
"""tools/quickstart, on "this machine" and as a sandbox: up, again, and away.

/etc, /var and /usr/local are overlaid, so a cell or a sandbox of the machine that runs the test is not
touched. Only build/ is the real one: tools/setup builds there.
"""
import json
import os
import re
import stat
import subprocess
import time
from pathlib import Path

from client import read_qr
from lab import Failure, check, check_equal, check_in, ip, kill, links, main, processes, run, wait

ROOT = Path(__file__).resolve().parents[2]
SANDBOX = Path("/var/lib/pic-sandbox")
CONFIG = Path("/etc/pic/clients/laptop.conf")
KEY = Path("/etc/pic/secrets/wireguard.key")
UPLINK = "203.0.113.5"
NOTHING_CHANGED = "nothing was changed"
NOTHING_TO_REMOVE = "nothing to remove"
BUILD_SECONDS = 500


def quickstart(*flags, status=0, text=""):
    """Runs it; returns all that it said."""
    done = subprocess.run([ROOT / "tools/quickstart", *flags], input=text, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=BUILD_SECONDS)
    check_equal(done.returncode, status, f"status of quickstart {' '.join(flags)}:\n{done.stdout}\nwhich")
    return done.stdout


# ---- where it runs --------------------------------------------------------------------------------


def overlay(path, root):
    """Whatever is written below the path goes to a directory of the test's."""
    upper, work = root / f"upper{path}", root / f"work{path}"
    upper.mkdir(parents=True)
    work.mkdir(parents=True)
    run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={path},upperdir={upper},workdir={work}", path)


def furnish(root):
    """A machine that has no cell yet, with an address but no way out."""
    root.mkdir()
    run("mount", "-t", "tmpfs", "overlays", root)
    for path in ("/etc", "/var", "/usr/local"):
        overlay(path, root)
    run("rm", "-rf", "/etc/pic", "/var/lib/pic", SANDBOX, "/var/log/pic", "/usr/local/sbin/picd",
        "/usr/local/bin/picctl")
    ip("link", "add", "uplink", "type", "veth", "peer", "name", "internet")
    for interface in ("uplink", "internet"):
        ip("link", "set", interface, "up")
    ip("address", "add", f"{UPLINK}/24", "dev", "uplink")


def clear(root):
    for path in ("/usr/local", "/var", "/etc", root):
        run("umount", "--lazy", path)
    root.rmdir()


# ---- what is there --------------------------------------------------------------------------------


def files(*tops):
    """Every file below, as it is on disk. A log may grow."""
    found = {}
    for top in tops:
        for folder, _, names in os.walk(top):
            for path in (os.path.join(folder, name) for name in names):
                info = os.lstat(path)
                if stat.S_ISREG(info.st_mode) and not path.endswith(".log"):
                    found[path] = (info.st_ino, info.st_mtime_ns, info.st_size, info.st_mode)
    return found


def picture(*tops):
    """Files, processes and interfaces, once picd has written down all that it remembers."""
    last = None
    for _ in range(20):
        now = files(*tops), processes("picd"), processes("wireguard-go"), sorted(links())
        if now == last:
            return now
        last = now
        time.sleep(1)
    raise Failure("files and processes never come to rest")


def wait_for_end():
    wait("picd and wireguard-go have ended", lambda: not processes("picd") + processes("wireguard-go"))


# ---- in a sandbox ---------------------------------------------------------------------------------


def sandbox_starts(cell):
    said = quickstart("--sandbox")
    check_in("3 packets transmitted, 3 received", said, "what it says")
    check(NOTHING_CHANGED not in said, "it made a sandbox, and says that nothing was changed")
    # The device is read about once a second: the status may be that much behind the ping.
    wait("the status tells the handshake", lambda: "lastHandshake" in json.loads(
        run(SANDBOX / "picctl", "get", "peer", "tablet", "-o", "json"))["status"], 3)
    config = (SANDBOX / "device/tablet.conf").read_text()
    check_in("PrivateKey = ", config, "the config of the device")
    check_equal(read_qr(cell, said), config, "what a camera reads")


def sandbox_stays():
    before = picture(SANDBOX)
    check_in(NOTHING_CHANGED, quickstart("--sandbox"), "what a second run says")
    check_equal(picture(SANDBOX), before, "files, processes and interfaces after a second run")
    said = quickstart("--sandbox", "--shell", text="wg show pic0 peers; picctl get peers -o name\n")
    check_equal(len(re.findall("^[A-Za-z0-9+/]{43}=$", said, re.M)), 3, "peers that wg shows in the shell")
    check_in("tablet", said, "what picctl says in the shell")


def sandbox_goes():
    quickstart("--sandbox", "--remove")
    check(not SANDBOX.exists(), f"{SANDBOX} is still there")
    check_equal(ip("netns"), "", "namespaces that are left")
    wait_for_end()
    check_in(NOTHING_TO_REMOVE, quickstart("--sandbox", "--remove"), "what a second removal says")


def sandbox(cell):
    furnish(cell.root / "machine")
    before = links()
    sandbox_starts(cell)
    sandbox_stays()
    sandbox_goes()
    check_equal(set(links()), set(before), "interfaces of the machine")
    clear(cell.root / "machine")


# ---- on this machine ------------------------------------------------------------------------------


def needs_an_endpoint():
    check_in("--endpoint", quickstart(status=1), "what it says without a way out")
    check(not Path("/etc/pic/manifests").exists(), "it made a cell without an endpoint")
    check_equal(processes("picd"), [], "processes of picd")
    check_in("usage", quickstart("--purge", status=2), "what it says to a flag without its fellow")
    ip("route", "add", "default", "via", "203.0.113.1", "dev", "uplink")


def host_starts(cell):
    said = quickstart()
    for text in ("picctl peer add", "51820/udp", "tools/quickstart --remove"):
        check_in(text, said, "what it says")
    check_in(f"Endpoint = {UPLINK}:51820\n", CONFIG.read_text(), "the config of the device")
    check_equal(oct(CONFIG.stat().st_mode & 0o777), "0o600", "mode of the config")
    check_equal(read_qr(cell, said), CONFIG.read_text(), "what a camera reads")
    run("/usr/local/bin/picctl", "status")


def host_stays():
    places = "/etc/pic", "/var/lib/pic", "/usr/local"
    before = picture(*places)
    check_in(NOTHING_CHANGED, quickstart(), "what a second run says")
    check_equal(picture(*places), before, "files, processes and interfaces after a second run")

    (picd,) = processes("picd")
    index = links()["pic0"]["ifindex"]
    kill(picd)
    wait("picd has ended", lambda: not processes("picd"))
    check(NOTHING_CHANGED not in quickstart(), "picd was started again, and it says that nothing was changed")
    after = picture(*places)
    check(after[1] and after[1] != [picd], "picd does not run again")
    check_equal(after[0], before[0], "files after picd was started again")
    check_equal(after[2], before[2], "processes of wireguard-go after picd was started again")
    check_equal(links()["pic0"]["ifindex"], index, "index of the interface")


def host_goes():
    key = KEY.read_text()
    quickstart("--remove")
    check_equal(KEY.read_text(), key, "the key, which is kept")
    check("pic0" not in links(), "pic0 is still there")
    wait_for_end()
    quickstart("--remove", "--purge")
    left = [path for path in ("/etc/pic", "/var/lib/pic", "/var/log/pic", "/run/pic", "/usr/local/sbin/picd",
                              "/usr/local/bin/picctl") if os.path.exists(path)]
    check_equal(left, [], "what is left")
    check_in(NOTHING_TO_REMOVE, quickstart("--remove", "--purge"), "what a second removal says")


def host(cell):
    furnish(cell.root / "machine")
    needs_an_endpoint()
    host_starts(cell)
    host_stays()
    host_goes()
    clear(cell.root / "machine")


if __name__ == "__main__":
    main(sandbox, host)
