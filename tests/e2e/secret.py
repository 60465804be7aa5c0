#!/usr/bin/env python3
"""Secrets: missing, wrong, open to others; and that nothing tells them."""
import base64
import os
import re
import shutil
import threading
import time

from checks import check, check_equal, check_in, stays, wait
from lab import main, peer_manifest, random_key, run, wg_device, wg_peers
from mistakes import GOOD, KEY, OWN_PRIVATE, peer, prepared


def with_psk(cell):
    cell.save("wrong.yaml", peer("  presharedKey: {file: wrong.psk}\n"))


def secrets_that_cannot_be_used(cell):
    """The peer stays as it was, live or not; its neighbour is not concerned; it follows when the secret
    is right."""
    prepared(cell)
    psk, right = cell.secrets / "wrong.psk", run("wg", "genpsk")

    def write(text, mode=0o600):
        psk.unlink(missing_ok=True)
        psk.touch(mode)
        psk.chmod(mode)
        psk.write_text(text)
        cell.picctl("resync")

    new = random_key()
    cell.save("new.yaml", peer_manifest("new", new, presharedKey="{file: new.psk}"))
    cell.wait_problem("Peer/new", "presharedKey", "new.psk")
    with_psk(cell)
    cell.wait_problem("Peer/wrong", "presharedKey", "wrong.psk")
    stays("the new one off the device, the others on it", lambda: set(wg_peers()) == {KEY, GOOD}, 0.5)
    for mode, text, words in ((0o644, right, ["wrong.psk", "0600"]),
                              (0o640, right, ["wrong.psk", "0600"]),
                              (0o600, right.strip()[:43], ["44 characters"]),
                              (0o600, "", ["44 characters"]),
                              (0o600, right + right, ["44 characters"]),
                              (0o600, "\ufeff" + right, ["44 characters"]),
                              (0o600, "x" * 100000, ["larger"])):
        write(text, mode)
        said = cell.wait_problem("Peer/wrong", *words)
        check(right.strip() not in said, "a message should never repeat a secret")
        check_equal(set(wg_peers()), {KEY, GOOD}, "peers on the device")
    check_equal(cell.conditions("peer/wrong")["Ready"]["reason"], "SecretMissing", "the reason")
    for text in (right, right.strip(), right.strip() + "\r\n", right.strip() + " \n"):
        write(text)
        wait("the device has the secret", lambda: wg_peers()[KEY]["preshared"] == right.strip())
        psk.unlink()
        cell.picctl("resync")
        cell.wait_problem("Peer/wrong", "wrong.psk")
        cell.restart(ready=False)
        cell.wait_problem("Peer/wrong", "wrong.psk")
        check_equal(wg_peers()[KEY]["preshared"], right.strip(), "what the device has without the file")
    said = cell.picctl("validate", status=None)
    check_in("wrong.psk", said, "picctl validate")
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
    cell.save("wrong.yaml", peer(f"  presharedKey: {{file: wrong.psk}}\n  expires: {until}\n"))
    wait("it expires all the same", lambda: set(wg_peers()) == {GOOD}, 7)


def private_key_that_cannot_be_used(cell):
    prepared(cell)
    key, device, before = cell.secrets / "wireguard.key", wg_device(), set(wg_peers())
    for mode, text, words in ((0o644, OWN_PRIVATE, ["wireguard.key", "0600"]),
                              (0o600, "nonsense\n", ["wireguard.key", "44 characters", "backup"]),
                              (0o600, "", ["wireguard.key", "44 characters"])):
        key.chmod(mode)
        key.write_text(text)
        cell.restart(ready=False)
        cell.wait_problem(*words)
        stays("the device as it was", lambda: (wg_device(), set(wg_peers())) == (device, before), 0.3)
        check_equal(key.read_text(), text, "the key file, which should be left alone")
    key.chmod(0o600)
    key.write_text(OWN_PRIVATE + "\r\n")
    cell.picctl("resync")
    wait("nothing is wrong any more", lambda: not cell.status()["problems"] and cell.converged())


def secrets_are_nowhere(cell):
    """At the highest log level, through all that is printed and served, in base64 and in hexadecimal."""
    prepared(cell)
    cell.stop()
    cell.start("--log-level", "debug")
    psk = run("wg", "genpsk").strip()
    (cell.secrets / "wrong.psk").touch(0o600)
    (cell.secrets / "wrong.psk").write_text(psk)
    with_psk(cell)
    wait("it has its secret", lambda: wg_peers()[KEY]["preshared"] == psk)
    another = run("wg", "genpsk").strip()
    (cell.secrets / "wrong.psk").write_text(another)
    said = cell.picctl("diff", status=None)
    cell.picctl("resync")
    wait("it has the other secret", lambda: wg_peers()[KEY]["preshared"] == another)
    for words in ("status", "get all -o yaml", "get all -o json", "describe peer/wrong",
                  "describe cell/alpha", "diff", "validate", "peer config wrong", "get peers"):
        said += cell.picctl(*words.split(), status=None)
    for path in ("/", "/metrics", "/v1/status", "/v1/resources", "/v1/plan", "/v1/kinds"):
        said += cell.http(path)[1]
    run("ip", "link", "delete", "pic0")
    cell.wait_on_device(KEY, GOOD)
    cell.kill()
    said += cell.logged() + run("grep", "-r", "", cell.state, cell.rundir, "--binary-files=text", status=None)
    for name, secret in (("private key", OWN_PRIVATE), ("preshared key", psk), ("preshared key", another)):
        if name == "preshared key":
            said = "\n".join(x for x in said.splitlines() if not x.startswith("PresharedKey = "))
        check(secret not in said, f"the {name} is told")
        check(base64.b64decode(secret).hex() not in said.lower(), f"the {name} is told in hexadecimal")
    check_in("Peer/wrong", said, "what was gathered")


def secrets_are_never_open(cell):
    """Nobody else can open them, not for a moment, whatever the umask."""
    cell.cell(wireguard={"endpoint": "192.0.2.7"})
    cell.root.chmod(0o755)
    watched = [cell.secrets, cell.root / "phone.conf", cell.state]
    seen, ended = {}, threading.Event()

    def look(path):
        try:
            mode = oct(path.stat().st_mode & 0o777)
            seen.setdefault((re.sub("[0-9a-f]{16}", "X", path.name), mode), 0)
            seen[re.sub("[0-9a-f]{16}", "X", path.name), mode] += 1
            return list(path.iterdir()) if path.is_dir() else []
        except OSError:
            return []

    def watch():
        while not ended.is_set():
            for top in watched:
                for path in look(top):
                    look(path)

    thread = threading.Thread(target=watch)
    former = os.umask(0)
    thread.start()
    try:
        for _ in range(20):
            cell.start()
            cell.picctl("peer", "add", "phone", "--out", cell.root / "phone.conf")
            wait("the peer is on the device", wg_peers)
            cell.stop()
            run("ip", "link", "delete", "pic0")
            (cell.manifests / "peer-phone.yaml").unlink()
            (cell.root / "phone.conf").unlink()
            shutil.rmtree(cell.secrets)
            shutil.rmtree(cell.state)
    finally:
        os.umask(former)
        ended.set()
        thread.join()
    for (name, mode), times in sorted(seen.items()):
        print(f"    {name}: mode {mode}, seen {times} times")
    check(seen.get(("wireguard.key", "0o600"), 0) > 100, "the key should have been watched")
    opened = [f"{name} with mode {mode}" for name, mode in seen if int(mode, 8) & 0o077]
    check(not opened, f"open for others at some moment: {', '.join(opened)}")


if __name__ == "__main__":
    main(secrets_that_cannot_be_used, private_key_that_cannot_be_used,
         secrets_are_nowhere, secrets_are_never_open)
