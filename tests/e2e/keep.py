#!/usr/bin/env python3
"""Nothing live is lost: through mistakes in files, vanished directories, and other people's hands."""
import shutil

from checks import check, check_equal, check_in, measured, stays, wait
from lab import (INTERFACE, addresses, allowed_ips, ip, key_pair, kill, link, main, peer_manifest,
                 processes, random_key, run, save, wg_device, wg_peers)

BOTH = {"10.10.0.1/24", "fd10:a1fa:ce11::1/64"}


def all_stay(keys, why, seconds=1.0):
    stays(f"all peers on the device, {why}", lambda: set(keys) <= set(wg_peers()), seconds)


# ---- files ----------------------------------------------------------------------------------------


def broken_file_stops_only_itself(cell):
    keys = cell.family()
    pinned = cell.peer("pinned", address="10.10.0.50")
    cell.wait_on_device(pinned)
    cell.save("pinned.yaml", peer_manifest("pinned", pinned, adress="10.10.0.51"))
    cell.wait_problem("pinned.yaml:7:3", "adress", "address")
    newcomer = cell.peer("newcomer")
    cell.wait_on_device(newcomer)
    check_equal(wg_peers()[pinned]["allowed"] & {"10.10.0.50/32", "10.10.0.51/32"}, {"10.10.0.50/32"},
                "the broken file's last good address")
    for how in ("restart", "reboot"):
        cell.kill()
        if how == "reboot":
            run("ip", "link", "delete", INTERFACE)
        cell.start(ready=False)
        wait(f"all peers are there after a {how}", lambda: set(wg_peers()) == {*keys, pinned, newcomer})
        cell.wait_problem("pinned.yaml:7:3", "adress")
        check_in("10.10.0.50/32", wg_peers()[pinned]["allowed"], "what the broken file's peer may use")
    conditions = cell.conditions("peer/pinned")
    check_equal(conditions["Stalled"]["status"], "True", "Stalled")
    check_in("pinned.yaml:7:3", conditions["Stalled"]["message"], "its message")
    cell.save("pinned.yaml", peer_manifest("pinned", pinned, address="10.10.0.51"))
    wait("the corrected file is in force", lambda: "10.10.0.51/32" in wg_peers()[pinned]["allowed"])
    wait("nothing is wrong any more", lambda: not cell.status()["problems"])


def broken_document_stops_only_itself(cell):
    """Of a file with several; and one that cannot be read to its end keeps all that it held."""
    cell.cell()
    a, b, c = random_key(), random_key(), random_key()

    def three(b_text):
        return f"{peer_manifest('a', a)}---\n{b_text}---\n{peer_manifest('c', c)}"

    cell.save("three.yaml", three(peer_manifest("b", b)))
    cell.start()
    cell.wait_on_device(a, b, c)
    cell.save("three.yaml", three(peer_manifest("b", b, internet="perhaps")))
    cell.wait_problem("three.yaml:14:13", "internet")
    all_stay([a, b, c], "one document wrong", 0.5)
    cell.save("three.yaml", three(peer_manifest("b", b) + "\tx: 1\n"))
    cell.wait_problem("three.yaml:14:1", "tab")
    all_stay([a, b, c], "the file unreadable from its middle")
    cell.restart(ready=False)
    all_stay([a, b, c], "the same after a restart")
    cell.save("three.yaml", peer_manifest("a", a))
    wait("what the corrected file does not say goes", lambda: set(wg_peers()) == {a})


def bad_from_the_start_is_never_live(cell):
    cell.cell()
    good = cell.peer("good")
    cell.save("bad.yaml", peer_manifest("bad", "not-a-key"))
    cell.start()
    cell.wait_on_device(good)
    cell.wait_problem("bad.yaml:6:14", "publicKey", "44 characters")
    check_equal(set(wg_peers()), {good}, "peers on the device")
    (cell.manifests / "good.yaml").unlink()
    wait("a deleted file is pruned beside a broken one", lambda: not wg_peers())


def emptied_file_is_an_order(cell):
    """It says that there is nothing; but a Cell is never taken away like that."""
    keys = cell.family()
    (cell.manifests / "p1.yaml").write_text("")
    wait("the peer of the emptied file goes", lambda: set(wg_peers()) == {keys[0], keys[2]})
    (cell.manifests / "cell.yaml").write_text("# nothing\n")
    cell.wait_problem("PruneHeld")
    all_stay([keys[0], keys[2]], "the Cell's file emptied")
    check(link() is not None, "the interface should stay")


# ---- directories ----------------------------------------------------------------------------------


def emptied_directory_prunes_nothing(cell):
    keys = cell.family(8)
    for file in sorted(cell.manifests.iterdir()):
        file.unlink()
    cell.wait_problem("PruneHeld", "prune --confirm")
    all_stay(keys, "the directory emptied")
    check_equal(cell.conditions("cell/alpha")["PruneHeld"]["status"], "True", "PruneHeld of the Cell")
    check_equal(cell.conditions("peer/p3")["PruneHeld"]["status"], "True", "PruneHeld of a peer")
    cell.kill()
    cell.start(ready=False)
    cell.wait_problem("PruneHeld")
    all_stay(keys, "the same after a restart")
    cell.cell()
    back = cell.peer("p3", keys[3])
    wait("a file that is back is no longer held",
         lambda: "PruneHeld" not in cell.conditions("peer/p3"))
    all_stay([*keys, back], "one file back", 0.5)


def guard_holds_many_and_prune_confirm_lets_go(cell):
    keys = cell.family(12)
    for i in range(5):
        (cell.manifests / f"p{i}.yaml").unlink()
    wait("five of twelve just go", lambda: set(wg_peers()) == set(keys[5:]))
    for i in range(5, 12):
        (cell.manifests / f"p{i}.yaml").unlink()
    cell.wait_problem("PruneHeld", "7 ")
    all_stay(keys[5:], "seven of eight held")
    said = cell.picctl("prune", "--confirm")
    check_in("7", said, "what prune says")
    wait("what was held goes", lambda: not wg_peers())
    check("PruneHeld" not in cell.problems(), "nothing should be held any more")
    check(link() is not None, "the interface should stay: the Cell is still written")


def confirmed_removal_of_the_cell(cell):
    keys = cell.family(2)
    shutil.rmtree(cell.manifests)
    cell.manifests.mkdir()
    cell.wait_problem("PruneHeld")
    all_stay(keys, "held", 0.5)
    cell.picctl("prune", "--confirm")
    wait("the interface goes", lambda: link() is None and not processes("wireguard-go"))


def vanished_directory_prunes_nothing(cell):
    keys = cell.family()
    away = cell.root / "away"
    cell.manifests.rename(away)
    cell.wait_problem(str(cell.manifests))
    all_stay(keys, "the directory away")
    check(cell.status()["source"]["problem"], "the source should have a problem")
    cell.kill()
    cell.start(ready=False)
    cell.wait_problem(str(cell.manifests))
    all_stay(keys, "the same after a restart")
    away.rename(cell.manifests)
    newcomer = cell.peer("newcomer")
    cell.wait_on_device(newcomer)
    all_stay([*keys, newcomer], "the directory back", 0.5)
    wait("nothing is wrong any more", lambda: not cell.status()["problems"])
    (cell.manifests / "p0.yaml").unlink()
    wait("deleting works as before", lambda: set(wg_peers()) == {*keys[1:], newcomer})


def removed_and_made_again(cell):
    """As rm -rf and a copy from elsewhere do it."""
    keys = cell.family()
    backup = cell.root / "backup"
    shutil.copytree(cell.manifests, backup)
    shutil.rmtree(cell.manifests)
    all_stay(keys, "the directory removed")
    cell.manifests.mkdir()
    all_stay(keys, "the directory made again, still empty")
    for file in backup.iterdir():
        shutil.copy(file, cell.manifests)
    wait("nothing is wrong any more", lambda: not cell.status()["problems"])
    newcomer = cell.peer("newcomer")
    cell.wait_on_device(newcomer)
    all_stay([*keys, newcomer], "the files back", 0.5)


def unmounted_volume_prunes_nothing(cell):
    run("mount", "-t", "tmpfs", "volume", cell.manifests)
    keys = cell.family(7)
    run("mount", "--bind", cell.manifests, "/mnt")
    run("umount", "-l", cell.manifests)
    all_stay(keys, "the volume unmounted", 1.5)
    cell.kill()
    cell.start(ready=False)
    cell.wait_problem("PruneHeld")
    all_stay(keys, "the same after a restart")
    run("mount", "--bind", "/mnt", cell.manifests)
    wait("the volume is found again", lambda: not cell.status()["problems"], 12)
    newcomer = cell.peer("newcomer")
    cell.wait_on_device(newcomer)
    cell.kill()
    run("umount", cell.manifests)
    run("umount", "/mnt")


def unreadable_directory_prunes_nothing(cell):
    """Without the right to read it, or where reading fails in the middle."""
    keys = cell.family()
    below = random_key()
    save(cell.manifests / "below" / "peer.yaml", peer_manifest("below", below))
    cell.wait_on_device(below)
    cell.stop()
    less = ["setpriv", "--bounding-set=-dac_override,-dac_read_search",
            "--inh-caps=-dac_override,-dac_read_search"]
    cell.start(prefix=less)
    for folder in (cell.manifests, cell.manifests / "below"):
        folder.chmod(0)
        cell.control("resync")
        cell.wait_problem("ermission denied")
        all_stay([*keys, below], f"{folder.name} not readable", 0.6)
        cell.kill()
        cell.start(prefix=less, ready=False)
        cell.wait_problem("ermission denied")
        all_stay([*keys, below], f"{folder.name} not readable, after a restart", 0.6)
        folder.chmod(0o755)
        wait("nothing is wrong any more", lambda: not cell.status()["problems"])
    cell.kill()
    cell.start(ready=False, prefix=["strace", "-qq", "-o", "/dev/null", "-e",
                                    "inject=getdents64:error=EIO:when=2+2"])
    cell.wait_problem("nput/output error")
    all_stay([*keys, below], "reading ends with an error")


# ---- identity -------------------------------------------------------------------------------------


def state_and_interface_deleted(cell):
    """Same keys, same addresses."""
    keys = cell.family(6)
    pinned = cell.peer("pinned", address="10.10.0.77")
    cell.wait_on_device(pinned)
    before, device = allowed_ips(), wg_device()
    cell.stop()
    shutil.rmtree(cell.state)
    run("ip", "link", "delete", INTERFACE)
    cell.start()
    cell.wait_on_device(*keys, pinned)
    check_equal(allowed_ips(), before, "addresses of the peers")
    check_equal(wg_device(), device, "keys and port of the device")
    check_equal(addresses(), BOTH, "addresses of the cell")


def state_deleted_in_a_crowded_network(cell):
    """Where names alone would not give the same addresses again, the live device is asked."""
    cell.cell(network={"vpn": "10.10.0.0/28"})
    keys = [cell.peer(f"p{i}") for i in reversed(range(6))]
    cell.start()
    keys += [cell.peer(f"late{i}") for i in range(5)]
    cell.wait_on_device(*keys)
    before = allowed_ips()
    cell.stop()
    shutil.rmtree(cell.state)
    cell.start()
    wait("it has converged", cell.converged)
    check_equal(allowed_ips(), before, "addresses of the peers")
    cell.restart()
    check_equal(allowed_ips(), before, "addresses after one more restart")


def secrets_lost_while_the_interface_lives(cell):
    cell.family()
    key = (cell.secrets / "wireguard.key").read_text()
    for running in (False, True):
        if not running:
            cell.stop()
        shutil.rmtree(cell.secrets)
        if not running:
            cell.start()
        cell.control("resync")
        wait("the key is written back", lambda: (cell.secrets / "wireguard.key").exists())
        check_equal((cell.secrets / "wireguard.key").read_text(), key, "the key that was written back")
        check_equal(wg_device()["private"], key.strip(), "the key of the device")
        check_equal(oct((cell.secrets / "wireguard.key").stat().st_mode & 0o7777), "0o600", "its mode")
        check_equal(oct(cell.secrets.stat().st_mode & 0o7777), "0o700", "the directory's mode")


def key_lost_makes_nothing(cell):
    keys = cell.family()
    cell.stop()
    run("ip", "link", "delete", INTERFACE)
    cell.secrets.rename(cell.root / "safe")
    cell.start(ready=False)
    said = cell.wait_problem("wireguard.key", "missing", "restore")
    check_in("allocations.json", said, "what to do for a new identity")
    check_equal(cell.conditions("cell/alpha")["KeyLost"]["status"], "True", "KeyLost")
    stays("no interface is made", lambda: link() is None, 1)
    check_equal(cell.http("/readyz")[0], 503, "/readyz")
    check(not (cell.secrets / "wireguard.key").exists(), "no key should be made")
    shutil.rmtree(cell.secrets, ignore_errors=True)
    (cell.root / "safe").rename(cell.secrets)
    cell.picctl("resync")
    cell.wait_on_device(*keys)
    check("KeyLost" not in cell.conditions("cell/alpha"), "the key is back")


def another_key_is_not_taken_in_silence(cell):
    cell.family()
    old = wg_device()["public"]
    cell.stop()
    private, public = key_pair()
    (cell.secrets / "wireguard.key").write_text(private + "\n")
    cell.start(ready=False)
    cell.wait_problem("another than before", public, old)
    stays("the device keeps its key", lambda: wg_device()["public"] == old, 0.5)
    cell.cell(wireguard={"publicKey": public})
    wait("the key is taken when it is written down", lambda: wg_device()["public"] == public)


# ---- other people's hands -------------------------------------------------------------------------


def repaired(cell, what, harm, is_right, rounds=5, limit=1.0):
    """The repair may be over before anybody can look at the harm: the count of repairs tells."""
    times = []
    for _ in range(rounds):
        count = cell.metric("pic_drift_repairs_total")
        harm()
        times.append(wait(f"{what}: repaired",
                          lambda n=count: is_right() and cell.metric("pic_drift_repairs_total") > n))
    check(measured(what, times) < limit, f"{what}: the median should be below {limit} s")
    wait(f"{what}: all of it has converged", cell.converged)


def interface_repaired(cell):
    keys = cell.family()
    device = wg_device()

    def whole():
        now = link()
        return (now and now["mtu"] == mtu and now["group"] == "87" and "UP" in now["flags"] and
                now["ifalias"] == alias and addresses() == BOTH and set(wg_peers()) == set(keys) and
                wg_device() == device)

    mtu, alias = link()["mtu"], link()["ifalias"]
    check(whole(), "the start")
    for what, words in (
            ("interface deleted", ("link", "delete", INTERFACE)),
            ("IPv4 address removed", ("addr", "del", "10.10.0.1/24", "dev", INTERFACE)),
            ("IPv6 address removed", ("addr", "del", "fd10:a1fa:ce11::1/64", "dev", INTERFACE)),
            ("all addresses flushed", ("addr", "flush", "dev", INTERFACE)),
            ("alien address added", ("addr", "add", "192.168.99.1/24", "dev", INTERFACE)),
            ("alien IPv6 address added", ("addr", "add", "fd99::1/64", "dev", INTERFACE)),
            ("same address, other length", ("addr", "add", "10.10.0.1/16", "dev", INTERFACE)),
            ("link set down", ("link", "set", INTERFACE, "down")),
            ("MTU changed", ("link", "set", INTERFACE, "mtu", "1280")),
            ("group changed", ("link", "set", INTERFACE, "group", "5")),
            ("alias changed", ("link", "set", INTERFACE, "alias", "mine"))):
        repaired(cell, what, lambda w=words: ip(*w), whole)
    repaired(cell, "wireguard-go killed", lambda: kill(processes("wireguard-go")[0]), whole)
    drift = cell.status()["drift"]
    check(any(d["changes"].startswith("mtu: 1280 ->") for d in drift),
          "the journal should tell before and after of the MTU")


def peers_repaired(cell):
    keys = cell.family()
    psk, alien = cell.root / "psk", random_key()
    psk.write_text(run("wg", "genpsk"))
    device, before = wg_device(), wg_peers()

    def right():
        return wg_peers() == before and wg_device() == device

    for what, words in (
            ("peer removed", ("peer", keys[0], "remove")),
            ("alien peer added", ("peer", alien, "allowed-ips", "10.10.0.200/32")),
            ("allowed IPs changed", ("peer", keys[0], "allowed-ips", "10.99.0.0/16")),
            ("allowed IPs taken by another", ("peer", keys[0], "allowed-ips", ",".join(
                before[keys[0]]["allowed"] | before[keys[1]]["allowed"]))),
            ("allowed IPs taken by an alien", ("peer", alien, "allowed-ips", ",".join(
                before[keys[0]]["allowed"]))),
            ("preshared key set", ("peer", keys[1], "preshared-key", psk)),
            ("keepalive set", ("peer", keys[1], "persistent-keepalive", "25")),
            ("listen port changed", ("listen-port", "4567")),
            ("mark set", ("fwmark", "0x77")),
            ("private key changed", ("private-key", psk))):
        repaired(cell, what, lambda w=words: run("wg", "set", INTERFACE, *w), right, rounds=3)


def brief():
    """Without what changes by itself."""
    now = link()
    return [now[name] for name in ("ifindex", "flags", "mtu", "group", "address")] + \
        [now["linkinfo"]["info_kind"], now.get("ifalias")]


def foreign_interface_is_not_touched(cell):
    cell.cell()
    key = cell.peer("laptop")
    for kind in (("bridge",), ("veth", "peer", "name", "other")):
        ip("link", "add", INTERFACE, "type", *kind)
        ip("link", "set", INTERFACE, "mtu", "1300")
        before = brief()
        cell.start(ready=False)
        said = cell.wait_problem(INTERFACE, kind[0], "not ours")
        check_in("wireguard.interface", said, "what to do")
        check_equal(cell.conditions("cell/alpha")["Ready"]["status"], "False", "Ready of the Cell")
        stays("the interface as it was", lambda was=before: brief() == was, 1)
        cell.kill()
        check_equal(brief(), before, "the interface afterwards")
        cell.start(ready=False)
        ip("link", "delete", INTERFACE)
        cell.wait_on_device(key)
        cell.kill()
        run("ip", "link", "delete", INTERFACE)
        wait("wireguard-go has ended", lambda: not processes("wireguard-go"))


def foreign_objects_are_not_touched(cell):
    """Other interfaces, their addresses, rules and routes: before, during, and after teardown."""
    ip("link", "add", "foreign0", "type", "bridge")
    ip("addr", "add", "10.99.0.1/24", "dev", "foreign0")
    ip("link", "set", "foreign0", "up")
    ip("route", "add", "192.0.2.0/24", "via", "10.99.0.2")
    ip("rule", "add", "fwmark", "7", "lookup", "100")

    def foreign():
        rules = [rule for rule in ip("rule").splitlines() if "proto 87" not in rule]
        return (ip("-brief", "link", "show", "foreign0"), addresses("foreign0"), rules,
                ip("route", "show", "dev", "foreign0"))

    before = foreign()
    cell.family()
    cell.control("resync")
    check_equal(foreign(), before, "what is foreign, while we run")
    cell.teardown()
    check_equal(foreign(), before, "what is foreign, after teardown")
    check("proto 87" not in ip("rule") + ip("-6", "rule"), "none of our rules is left after teardown")
    ip("link", "delete", "foreign0")
    ip("rule", "delete", "fwmark", "7", "lookup", "100")


def observe_only_tells(cell):
    keys = cell.family(2)
    cell.peer("p0", keys[0], reconcile="observe")
    wait("it is in force", lambda: cell.resource("peer/p0")["spec"].get("reconcile") == "observe")
    run("wg", "set", INTERFACE, "peer", keys[0], "remove")
    run("wg", "set", INTERFACE, "peer", keys[1], "remove")
    cell.wait_on_device(keys[1])
    cell.wait_problem("p0", "observe")
    check(keys[0] not in wg_peers(), "reconcile: observe should not repair")
    cell.peer("p0", keys[0])
    cell.wait_on_device(keys[0])


if __name__ == "__main__":
    main(broken_file_stops_only_itself, broken_document_stops_only_itself, bad_from_the_start_is_never_live,
         emptied_file_is_an_order, emptied_directory_prunes_nothing,
         guard_holds_many_and_prune_confirm_lets_go, confirmed_removal_of_the_cell,
         vanished_directory_prunes_nothing, removed_and_made_again, unmounted_volume_prunes_nothing,
         unreadable_directory_prunes_nothing,
         state_and_interface_deleted, state_deleted_in_a_crowded_network,
         secrets_lost_while_the_interface_lives, key_lost_makes_nothing,
         another_key_is_not_taken_in_silence, interface_repaired, peers_repaired,
         foreign_interface_is_not_touched, foreign_objects_are_not_touched, observe_only_tells)
