#!/usr/bin/env python3
"""How files change: editors, sync tools, half-written files, moved trees, lost notifications."""
import json
import os
import shutil
import signal
import subprocess
import time

from checks import check, check_equal, check_in, measured, stays, wait
from lab import (BUILD, cell_manifest, kill, link, main, peer_manifest, processes, random_key, run, save,
                 wg_peers)


def on(*keys):
    return set(keys) <= set(wg_peers())


def running(cell, count=1):
    cell.cell()
    keys = [cell.peer(f"p{i}", address=f"10.10.0.{10 + i}") for i in range(count)]
    cell.start()
    cell.wait_on_device(*keys)
    return keys


def allowed(key):
    return {a for a in wg_peers().get(key, {"allowed": ()})["allowed"] if "." in a}


# ---- editors --------------------------------------------------------------------------------------


def vim_save(file, text):
    """Its probe 4913, the backup by renaming, the new file, the backup deleted."""
    folder = file.parent
    (folder / "4913").write_text("")
    (folder / "4913").unlink()
    file.rename(folder / f"{file.name}~")
    file.write_text(text)
    (folder / f"{file.name}~").unlink()


def saved_by_vim(cell):
    key, = running(cell)
    file = cell.manifests / "p0.yaml"
    writes = cell.metric("pic_system_writes_total")
    for _ in range(5):
        vim_save(file, file.read_text())
        stays("the peer on the device", lambda: on(key), 0.2)
    time.sleep(0.5)
    check_equal(cell.metric("pic_system_writes_total"), writes, "writes after saving the same content")
    vim_save(file, peer_manifest("p0", key, address="10.10.0.99"))
    wait("the change is live", lambda: allowed(key) == {"10.10.0.99/32"}, 1)
    (cell.manifests / ".p0.yaml.swp").write_text("b0VIM 9.0")
    file.write_text(peer_manifest("p0", key, address="10.10.0.98"))
    (cell.manifests / ".p0.yaml.swp").unlink()
    wait("the change beside a swap file is live", lambda: allowed(key) == {"10.10.0.98/32"}, 1)


def saved_slowly_by_renaming_away(cell):
    """For a moment there is no file at all; that is not an order yet."""
    key, = running(cell)
    file = cell.manifests / "p0.yaml"
    text = file.read_text()
    file.rename(cell.manifests / "p0.yaml~")
    time.sleep(0.15)
    save(file, text)
    stays("the peer on the device", lambda: on(key), 0.8)


def saved_in_place_and_by_sed(cell):
    key, = running(cell)
    file = cell.manifests / "p0.yaml"
    times = []
    for i in range(10):
        before, after = f"10.10.0.{10 + i}", f"10.10.0.{11 + i}"
        if i % 2:
            run("sed", "-i", f"s/{before}/{after}/", file)
        else:
            file.write_text(file.read_text().replace(before, after))
        times.append(wait("the change is live", lambda a=after: allowed(key) == {f"{a}/32"}))
    check(measured("written in place or by sed -i, live", times) < 0.2, "the median should be below 200 ms")
    os.utime(file)
    file.chmod(0o640)
    time.sleep(0.3)
    check_equal(cell.look_again(), 0, "writes after touch and chmod")


def half_written(cell, text, half, keys):
    """Opened with truncation, half of it written, three seconds nothing, then the rest."""
    with open(cell.manifests / "peers.yaml", "w", encoding="ascii") as file:
        file.write(text[:half])
        file.flush()
        stays("all peers while the file is half written", lambda: on(*keys), 3)
        file.write(text[half:])


def half_written_file_waits(cell):
    """The half ends inside a mapping, and, more dangerous, between two documents."""
    cell.cell()
    keys = [random_key() for _ in range(4)]

    def text(last):
        return "---\n".join(peer_manifest(f"p{i}", key, address=f"10.10.0.{last + i}")
                            for i, key in enumerate(keys))

    save(cell.manifests / "peers.yaml", text(10))
    cell.start()
    cell.wait_on_device(*keys)
    for last, half in ((30, len(text(30)) // 2 + 20), (50, text(50).index("---", 200))):
        half_written(cell, text(last), half, keys)
        wait("the whole file is live",
             lambda n=last: [allowed(k) for k in keys] == [{f"10.10.0.{n + i}/32"} for i in range(4)], 1)
        check(not cell.status()["problems"], f"nothing should be wrong: {cell.problems()}")


# ---- many files, trees ----------------------------------------------------------------------------


def checkout_of_many_files(cell):
    """As git does it: each file unlinked and made anew. One change, and nobody leaves meanwhile."""
    cell.cell(network={"vpn": "10.10.0.0/20"})
    keys = [random_key() for _ in range(200)]

    def write(step):
        for i, key in enumerate(keys):
            file = cell.manifests / "peers" / f"p{i}.yaml"
            file.unlink(missing_ok=True)
            file.write_text(peer_manifest(f"p{i}", key, address=f"10.10.{step}.{i + 2}"))

    (cell.manifests / "peers").mkdir()
    write(1)
    cell.start()
    cell.wait_on_device(*keys)
    child = os.fork()
    if child == 0:
        write(2)
        os._exit(0)
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        check(on(*keys), "a peer left the device during the checkout")
    took = wait("all two hundred changes are live",
                lambda: all(p["allowed"] & {f"10.10.2.{i}/32" for i in range(2, 202)}
                            for p in wg_peers().values()))
    measured("two hundred files replaced, all live after the last one", [took])
    check_equal(len(wg_peers()), 200, "peers on the device")
    check(not cell.status()["problems"], f"nothing should be wrong: {cell.problems()}")


def new_directories_are_found(cell):
    running(cell)
    for i in range(10):
        folder = cell.manifests / f"a{i}" / "b" / "c"
        folder.mkdir(parents=True)
        key = random_key()
        (folder / "peer.yaml").write_text(peer_manifest(f"deep{i}", key))
        cell.wait_on_device(key, seconds=1)
    (cell.manifests / "a3").rename(cell.manifests / "moved")
    stays("a peer whose directory was renamed", lambda: on(key), 1)
    check_equal(len(wg_peers()), 11, "peers on the device")
    key = random_key()
    save(cell.manifests / "moved" / "b" / "late.yaml", peer_manifest("late", key))
    cell.wait_on_device(key, seconds=1)
    shutil.rmtree(cell.manifests / "moved")
    wait("the peers of a removed directory go", lambda: len(wg_peers()) == 10)


def symlink_swap(cell):
    """peers.yaml -> ..data/peers.yaml, ..data -> ..v1; then ..data is renamed over."""
    keys = [random_key() for _ in range(6)]
    cell.cell()

    def version(number):
        folder = cell.manifests / f"..v{number}"
        folder.mkdir()
        (folder / "peers.yaml").write_text("---\n".join(
            peer_manifest(f"p{i}", k, address=f"10.10.0.{10 * number + i}") for i, k in enumerate(keys)))
        new = cell.manifests / "..new"
        new.symlink_to(folder.name)
        new.rename(cell.manifests / "..data")

    version(1)
    (cell.manifests / "peers.yaml").symlink_to("..data/peers.yaml")
    cell.start()
    cell.wait_on_device(*keys)
    check_equal(cell.status()["diags"], [], "findings; the versions should not be read themselves")
    for number in (2, 3):
        version(number)
        shutil.rmtree(cell.manifests / f"..v{number - 1}")
        wait("the new version is live", lambda n=number: on(*keys) and
             allowed(keys[5]) == {f"10.10.0.{10 * n + 5}/32"}, 1)
    check_equal(cell.status()["problems"], [], "problems")


def whole_directory_swapped(cell):
    """The manifest directory is itself a link that a sync tool renames over."""
    keys = [random_key() for _ in range(8)]
    cell.manifests.rmdir()

    def version(number):
        folder = cell.root / f"v{number}"
        save(folder / "cell.yaml", cell_manifest())
        for i, key in enumerate(keys):
            save(folder / f"p{i}.yaml", peer_manifest(f"p{i}", key, address=f"10.10.0.{10 * number + i}"))
        new = cell.root / "new"
        new.symlink_to(folder.name)
        new.rename(cell.manifests)

    version(1)
    cell.start()
    cell.wait_on_device(*keys)
    for number in (2, 3):
        version(number)
        wait("the new version is live", lambda n=number: on(*keys) and
             allowed(keys[7]) == {f"10.10.0.{10 * n + 7}/32"}, 1)
    save(cell.root / "v1" / "p0.yaml", peer_manifest("p0", keys[0], address="10.10.0.200"))
    save(cell.root / "v3" / "p0.yaml", peer_manifest("p0", keys[0], address="10.10.0.201"))
    wait("an edit of the version in force is live", lambda: allowed(keys[0]) == {"10.10.0.201/32"}, 1)


def parent_renamed(cell):
    """The watch hangs on the old tree; the path is looked at again every few seconds."""
    etc = cell.root / "etc"
    cell.manifests.rmdir()
    cell.manifests = etc / "manifests"
    key = random_key()
    cell.cell()
    cell.peer("p0", key, address="10.10.0.10")
    cell.start()
    cell.wait_on_device(key)
    save(cell.root / "etc.new" / "manifests" / "cell.yaml", cell_manifest())
    save(cell.root / "etc.new" / "manifests" / "p0.yaml", peer_manifest("p0", key, address="10.10.0.20"))
    etc.rename(cell.root / "etc.bak")
    (cell.root / "etc.new").rename(etc)
    measured("new tree found", [wait("the new tree is used",
                                     lambda: allowed(key) == {"10.10.0.20/32"}, 12)], "s")
    save(cell.root / "etc.bak" / "manifests" / "p0.yaml", peer_manifest("p0", key, address="10.10.0.31"))
    cell.peer("p0", key, address="10.10.0.21")
    wait("an edit of the new tree is live", lambda: allowed(key) == {"10.10.0.21/32"}, 1)
    stays("the old tree does not count", lambda: allowed(key) == {"10.10.0.21/32"}, 1)


# ---- notifications that do not come ---------------------------------------------------------------


def overflow_is_a_rescan(cell):
    running(cell)
    cell.cell(network={"vpn": "10.10.0.0/20"})
    wait("it has converged", cell.converged)
    with open("/proc/sys/fs/inotify/max_queued_events", encoding="ascii") as limit:
        events = int(limit.read())
    noise = cell.manifests / ".noise"
    cell.picd.send_signal(signal.SIGSTOP)
    for _ in range(events // 3 + 100):
        noise.write_text("")
        noise.unlink()
    keys = [cell.peer(f"q{i}") for i in range(200)]
    cell.picd.send_signal(signal.SIGCONT)
    measured("two hundred files after an overflow, all live", [cell.wait_on_device(*keys)])
    check_equal(cell.metric("pic_source_overflows_total"), 1, "overflows that were counted")


def limited(cell, setting, value):
    """picd in a user namespace of its own, where inotify is short; returns a way to set it anew. (There
    wireguard-go is short of it too, and ends: what picd has read is asked, not the device.)"""
    cell.start(ready=False, prefix=[
        "unshare", "--user", "--map-root-user", "--net", "sh", "-c",
        f"echo {value} >/proc/sys/user/{setting}; exec \"$@\"", "sh"])
    wait("picd has read the manifests", lambda: cell.http("/v1/resources/peer/p0")[0] == 200)

    def again(more):
        run("nsenter", f"--user=/proc/{cell.picd.pid}/ns/user", "--preserve-credentials", "sh", "-c",
            f"echo {more} >/proc/sys/user/{setting}")
    return again


def without_inotify_it_polls(cell):
    for setting, value in (("max_inotify_instances", 0), ("max_inotify_watches", 1)):
        cell.cell()
        cell.peer("p0")
        again = limited(cell, setting, value)
        check_equal(cell.status()["source"]["mode"], "polling", f"the mode with {setting} {value}")
        times = []
        for i in range(3):
            cell.peer("p1", address=f"10.10.0.{20 + i}")
            times.append(wait("the change is seen", lambda n=i: cell.http("/v1/resources/peer/p1")[0] == 200
                              and cell.resource("peer/p1")["status"].get("address") == f"10.10.0.{20 + n}"))
        measured(f"{setting} {value}: file renamed, seen", times)
        again(100)
        wait("inotify is tried again", lambda: cell.status()["source"]["mode"] == "events", 12)
        cell.peer("p1", address="10.10.0.77")
        took = wait("an event tells of the change",
                    lambda: cell.resource("peer/p1")["status"].get("address") == "10.10.0.77")
        measured(f"{setting} raised: file renamed, seen", [took])
        check(took < 0.5, "events should have taken over")
        cell.kill()
        for file in cell.manifests.iterdir():
            file.unlink()
        shutil.rmtree(cell.state)
        shutil.rmtree(cell.secrets)
        for pid in processes("wireguard-go"):
            kill(pid)
        shutil.rmtree("/run/wireguard")


def file_systems_without_events(cell):
    """An overlay whose upper side is changed behind its back: the regular sweep finds it."""
    volume, upper = cell.root / "volume", cell.root / "volume" / "upper"
    volume.mkdir()
    run("mount", "-t", "tmpfs", "volume", volume)
    for folder in ("lower", "upper", "work"):
        (volume / folder).mkdir()
    run("mount", "-t", "overlay", "overlay", "-o",
        f"lowerdir={volume / 'lower'},upperdir={upper},workdir={volume / 'work'}", cell.manifests)
    key, = running(cell)
    (upper / "p0.yaml").write_text(peer_manifest("p0", key, address="10.10.0.123"))
    took = wait("a change without an event is live", lambda: allowed(key) == {"10.10.0.123/32"}, 40)
    measured("changed without an event, live", [took], "s")
    cell.kill()
    run("umount", cell.manifests)
    run("umount", volume)


def watched_before_listed(cell):
    """Files that appear between the listing and the watch: every watch is made to take long."""
    cell.cell()
    (cell.manifests / "below").mkdir()
    cell.start(ready=False, prefix=["strace", "-qq", "-o", "/dev/null", "-e",
                                    "inject=inotify_add_watch:delay_enter=300000:delay_exit=300000"])
    keys = []
    for i in range(30):
        key = random_key()
        save(cell.manifests / ("below" if i % 2 else "") / f"p{i}.yaml", peer_manifest(f"p{i}", key))
        keys.append(key)
        time.sleep(0.1)
    cell.wait_on_device(*keys, seconds=5)


# ---- names and cells ------------------------------------------------------------------------------


def copies_and_hidden_files_are_ignored(cell):
    key, = running(cell)
    copy = peer_manifest("p0", key, address="10.10.0.66")
    visible = ("p0.yaml-bak", "p0.yaml.orig", "p0.yaml~", "#p0.yaml#", "p0.yaml.save", "notes.txt")
    for name in (*visible, ".p0.yaml", ".p0.yaml.swp", ".git/p0.yaml"):
        (cell.manifests / name).parent.mkdir(exist_ok=True)
        (cell.manifests / name).write_text(copy)
    also = random_key(), random_key()
    save(cell.manifests / "also.yml", peer_manifest("also", also[0]))
    save(cell.manifests / "json.json", json.dumps({
        "apiVersion": "pic/v1", "kind": "Peer", "metadata": {"name": "json"},
        "spec": {"publicKey": also[1]}}))
    cell.wait_on_device(*also)
    stays("the copies do not count", lambda: allowed(key) == {"10.10.0.10/32"}, 0.5)
    cell.control("resync")
    wait("what is ignored is listed", lambda: len(cell.status()["ignored"]) >= len(visible))
    ignored = "\n".join(cell.status()["ignored"])
    for name in visible:
        check_in(f"{name}: ", ignored, "what is ignored")
    check_equal(cell.status()["diags"], [], "findings")


def peers_of_another_cell_are_not_ours(cell):
    own, other, common, mine = (random_key() for _ in range(4))
    save(cell.manifests / "alpha" / "cell.yaml", cell_manifest("alpha"))
    save(cell.manifests / "alpha" / "own.yaml", peer_manifest("own", own))
    save(cell.manifests / "beta" / "cell.yaml", cell_manifest("beta"))
    save(cell.manifests / "beta" / "other.yaml", peer_manifest("other", other))
    save(cell.manifests / "family" / "phone.yaml", peer_manifest("phone", common))
    cell.start(ready=False)
    cell.wait_problem("2 Cells", "--cell")
    check(link() is None, "without a choice nothing should be made")
    cell.kill()
    cell.start("--cell", "alpha")
    wait("ours and the common ones are live", lambda: set(wg_peers()) == {own, common})
    save(cell.manifests / "alpha" / "phone.yaml", peer_manifest("phone", mine))
    wait("our own replaces the common one", lambda: set(wg_peers()) == {own, mine})
    warned = [d for d in cell.status()["diags"] if d["severity"] == "warning"]
    check_in("alpha/phone.yaml", "\n".join(f"{d['file']} {d['message']}" for d in warned), "the warning")
    (cell.manifests / "alpha" / "phone.yaml").unlink()
    wait("the common one counts again", lambda: set(wg_peers()) == {own, common})
    check_equal([p["metadata"]["name"] for p in cell.get("/v1/resources/peers")["items"]], ["own", "phone"],
                "peers that picd lists")
    cell.kill()
    cell.start("--cell", "gamma", ready=False)
    cell.wait_problem("gamma")
    stays("another name takes nothing away", lambda: set(wg_peers()) == {own, common}, 1)


def second_cell_does_not_take_over(cell):
    key, = running(cell)
    save(cell.manifests / "other" / "cell.yaml", cell_manifest("other"))
    cell.wait_problem("other/cell.yaml", "Cell")
    stays("the Cell in force stays", lambda: on(key) and cell.status()["cell"] == "alpha", 0.5)


def own_files_among_the_manifests_are_refused(cell):
    """State that lies in the manifest directory would be read as manifests, and wake us for ever."""
    cell.cell()
    for name in ("state", "secrets"):
        aside = getattr(cell, name)
        setattr(cell, name, cell.manifests / "inside")
        done = subprocess.run([str(w) for w in (BUILD / "picd", *cell.flags(), "--once")],
                              capture_output=True, text=True, timeout=10, check=False)
        check(done.returncode != 0, f"{name} inside the manifests should be refused")
        check_in(str(cell.manifests / "inside"), done.stderr, "the message")
        setattr(cell, name, aside)
    check(link() is None, "nothing should be made")


if __name__ == "__main__":
    main(saved_by_vim, saved_slowly_by_renaming_away, saved_in_place_and_by_sed, half_written_file_waits,
         checkout_of_many_files, new_directories_are_found, symlink_swap, whole_directory_swapped,
         parent_renamed, overflow_is_a_rescan, without_inotify_it_polls, file_systems_without_events,
         watched_before_listed, copies_and_hidden_files_are_ignored, peers_of_another_cell_are_not_ours,
         second_cell_does_not_take_over, own_files_among_the_manifests_are_refused)
