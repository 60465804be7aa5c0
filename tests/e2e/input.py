#!/usr/bin/env python3
"""Bad input: a message that says what, where and what to do; all else keeps working, nothing live is lost.

Each row of WRONG replaces the manifest of a live peer, `wrong`, next to its neighbour, `good`. Both must
stay on the device as they were. `picctl validate` and picd must name the place and the words.
"""
import json
import os
import time

from checks import Failure, check, check_equal, check_in, measured, stays, wait
from lab import (allowed_ips, cell_manifest, link, main, peer_manifest, random_key, run, save, wg_device,
                 wg_peers)
from mistakes import ENDPOINTS_RIGHT, ENDPOINTS_WRONG, GOOD, KEY, OWN, WRONG, keyed, peer, prepared


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def validate(cell, where, words, what):
    began = time.monotonic()
    said = cell.picctl("validate", status=1)
    took = time.monotonic() - began
    line = [x for x in said.splitlines() if f"wrong.yaml:{where}" in x or (not where and "wrong.yaml" in x)]
    check(line, f"{what}: picctl validate should name wrong.yaml:{where}\n{said[:2000]}")
    for word in words:
        check(any(word in x for x in line), f"{what}: picctl validate should say {word!r}\n{said[:2000]}")
    return took


def wrong_is_named_and_harms_nothing(cell):
    prepared(cell)
    before = allowed_ips()
    times, failed = [], []
    for what, text, where, words in WRONG:
        try:
            cell.save("wrong.yaml", text)
            cell.wait_problem(f"wrong.yaml:{where}" if where else "wrong.yaml", *words)
            times.append(validate(cell, where, words, what))
            check_equal(allowed_ips(), before, f"{what}: peers on the device")
            cell.save("wrong.yaml", peer())
            wait(f"{what}: nothing is wrong any more", lambda: not cell.status()["problems"])
        except Failure as failure:
            failed.append(f"{what}: {failure}")
            cell.save("wrong.yaml", peer())
    print(f"    {len(WRONG)} mistakes, picd now has {memory(cell.picd.pid):.0f} MiB")
    measured("picctl validate", times)
    check(not failed, "\n".join([f"{len(failed)} mistakes are not told as they should be"] + failed))
    check(memory(cell.picd.pid) < 64, "mistakes should not cost memory for long")
    check(max(times) < 2, "no mistake should take long to find")
    check_equal(cell.look_again(), 0, "writes after all that")


def one_mistake_after_another(cell):
    """Only what is wrong now is told."""
    prepared(cell)
    for text, word, former in ((peer(address="10.11.0.5"), "not inside", "zzz"),
                               (peer("  adress6: fd00::1\n"), "adress6", "not inside"),
                               (peer(address="10.10.0.1"), "the cell's own", "adress6"),
                               (peer("  internet: no\n"), "internet", "the cell's own")):
        cell.save("wrong.yaml", text)
        cell.wait_problem("wrong.yaml:", word)
        check(former not in cell.problems(), f"{former} is not wrong any more:\n{cell.problems()}")
        check_equal(len(cell.status()["diags"]), 1, "findings")
    check({KEY, GOOD} == set(wg_peers()), "both peers should stay")


def own_key_is_refused(cell):
    """Known from the secrets by picd, and from wireguard.publicKey by everybody."""
    prepared(cell)
    cell.save("wrong.yaml", keyed(OWN))
    cell.wait_problem("wrong.yaml:6:14", "publicKey", "the cell's own key")
    cell.cell(wireguard={"publicKey": OWN})
    validate(cell, "6:14", ["publicKey", "the cell's own key"], "the cell's own key")
    check({KEY, GOOD} == set(wg_peers()), "both peers should stay")


def right_though_it_looks_wrong(cell):
    """Byte order mark, CRLF, empty documents, comments, odd separators, words that YAML 1.1 retypes."""
    prepared(cell)
    keys = [random_key() for _ in range(12)]

    def one(i, name):
        return f"apiVersion: pic/v1\nkind: Peer\nmetadata:\n  name: {name}\nspec:\n  publicKey: {keys[i]}\n"

    cell.save("bom.yaml", b"\xef\xbb\xbf" + one(0, "bom").encode())
    cell.save("crlf.yaml", one(1, "crlf").replace("\n", "\r\n"))
    cell.save("final.yaml", one(2, "final") + "---\n\n")
    cell.save("comments.yaml", f"# licence\n---\n{one(3, 'first')}---\n# only this\n---\n"
              f"# tail\n{one(4, 'second')}")
    cell.save("separators.yaml", f"{one(5, 'a')}--- # phones\n{one(6, 'b')}...\n---\n{one(7, 'c')}...\n")
    cell.save("empty.yaml", "")
    cell.save("nothing.yaml", "# nothing\n---\n---\n")
    cell.save("on.yaml", one(8, "on").replace(
        "metadata:", "metadata:\n  labels: {no: yes, version: 1.10, mode: 0640, big: 20190612073634,"
        " null: ~x, off: 'true', nothing: \"\"}"))
    cell.save("status.yaml", one(9, "served").replace("metadata:", "metadata:\n  generation: 7\n  uid: x") +
              "status:\n  conditions: []\n")
    cell.save("json.json", json.dumps({"apiVersion": "pic/v1", "kind": "Peer", "metadata": {"name": "flow"},
                                       "spec": {"publicKey": keys[10]}}))
    cell.save("empty-fields.yaml", one(11, "empty") +
              "  subnets: []\n  presharedKey: null\n  address: ~\n  expires:\n")
    cell.wait_on_device(*keys, KEY, GOOD)
    check_equal(cell.status()["diags"], [], "findings")
    cell.picctl("validate")
    labels = cell.resource("peer/on")["metadata"]["labels"]
    check_equal(labels, {"no": "yes", "version": "1.10", "mode": "0640", "big": "20190612073634",
                         "null": "~x", "off": "true", "nothing": ""}, "labels")
    check_equal(cell.look_again(), 0, "writes of a second pass")


def host_bits_are_normalised_once(cell):
    prepared(cell)
    cell.save("wrong.yaml", peer("  subnets: [10.2.0.1/24, 10.3.0.5, \"fd00:7::1/64\", \"fd00:8::5\"]\n"))
    subnets = {"10.2.0.0/24", "10.3.0.5/32", "fd00:7::/64", "fd00:8::5/128"}
    wait("the subnets are on the device", lambda: subnets < wg_peers()[KEY]["allowed"])
    said = cell.picctl("validate")
    check_in("wrong.yaml:8:13: warning", said, "picctl validate")
    check_in("10.2.0.1/24 has host bits: taken as 10.2.0.0/24", said, "picctl validate")
    for _ in range(3):
        check_equal(cell.look_again(), 0, "writes of a look")


def same_hash_for_empty_and_absent(cell):
    prepared(cell)
    writes = cell.metric("pic_system_writes_total")
    generation = cell.resource("peer/wrong")["metadata"]["generation"]
    for extra in ("  subnets: []\n", "  presharedKey:\n", "  access: {}\n", "  internet: true\n",
                  "# comment\n"):
        cell.save("wrong.yaml", peer(extra))
        time.sleep(0.1)
    cell.save("wrong.yaml", peer().replace("spec:", "  labels: {}\n  annotations:\nspec:"))
    time.sleep(0.3)
    check_equal(cell.metric("pic_system_writes_total"), writes, "writes for manifests that mean the same")
    check_equal(cell.resource("peer/wrong")["metadata"]["generation"], generation, "generation")


def conflicts_do_not_depend_on_order(cell):
    """The one in force stays; on a fresh start the lower file name wins, whatever was written first."""
    prepared(cell)
    second = random_key()
    cell.save("zz.yaml", peer_manifest("zz", second, subnets="[10.13.47.0/24]"))
    cell.wait_on_device(second)
    cell.save("aa.yaml", peer_manifest("aa", random_key(), subnets="[10.13.47.9/24]"))
    cell.wait_problem("aa.yaml:1:1", "10.13.47.0/24", "Peer/zz")
    check_equal(cell.conditions("peer/aa")["Conflict"]["status"], "True", "Conflict")
    check_in("10.13.47.0/24", wg_peers()[second]["allowed"], "the first peer's prefixes")
    cell.restart(ready=False)
    cell.wait_problem("aa.yaml:1:1", "Peer/zz")
    check_in("10.13.47.0/24", wg_peers()[second]["allowed"], "the first peer's prefixes after a restart")
    (cell.manifests / "zz.yaml").unlink()
    wait("the other comes into force when the first is gone",
         lambda: cell.conditions("peer/aa")["Ready"]["status"] == "True" and not cell.status()["problems"])
    cell.stop()
    cell.save("a0.yaml", peer_manifest("aa", random_key()))
    for name in (cell.state, cell.secrets):
        run("rm", "-rf", name)
    run("ip", "link", "delete", "pic0")
    cell.start(ready=False)
    cell.wait_problem("aa.yaml:1:1", "same kind and name", "a0.yaml:1")
    check_equal(cell.resource("peer/aa")["status"]["source"], "a0.yaml", "the document in force")


# ---- the Cell itself ------------------------------------------------------------------------------


def wrong_cell_changes_nothing(cell):
    prepared(cell)
    right = cell_manifest()
    device, before = wg_device(), wg_peers()
    rows = [
        (right.replace("  domain: alpha.cell\n", ""), ["domain is missing"]),
        (right.replace("10.10.0.0/24", "8.8.8.0/24"), ["network.vpn", "private"]),
        (right.replace("10.10.0.0/24", "10.10.0.0/31"), ["network.vpn", "/29"]),
        (right.replace("fd10:a1fa:ce11::/64", "2001:db8::/64"), ["network.vpn6", "unique local"]),
        (right.replace("    vpn6", "    containers: 10.10.0.0/20\n    vpn6"),
         ["network.containers", "overlap"]),
        (right.replace("    vpn6", "    services: 10.11.0.0/28\n    vpn6"), ["network.services", "inside"]),
        (right + "  wireguard:\n    interface: a-name-of-16-cha\n", ["wireguard.interface", "15 characters"]),
        (right + f"  wireguard:\n    interface: {'x' * 100}\n", ["wireguard.interface", "15 characters"]),
        (right + "  wireguard:\n    interface: pl-x\n", ["wireguard.interface", "pl-"]),
        (right + "  wireguard:\n    listenPort: 70000\n", ["wireguard.listenPort", "65535"]),
        (right + "  wireguard:\n    listenPort: 51830\n", ["wireguard.linkPorts", "listenPort"]),
        (right + "  wireguard:\n    mtu: 1000\n", ["wireguard.mtu", "1280"]),
        (right + "  wireguard:\n    privateKey: {file: ../../etc/shadow}\n", ["wireguard.privateKey"]),
        (right + "  enabled: false\n", ["enabled", "picctl teardown"]),
        (right + "  log:\n    level: loud\n", ["log.level", "error|warning|info|debug"]),
        (right + "  prune:\n    guard:\n      fraction: half\n", ["prune.guard.fraction", "50%"]),
        (right + "  api:\n    listen: [everywhere]\n", ["api.listen", "address:port"]),
    ] + [(right + f"  wireguard:\n    endpoint: \"{e}\"\n", ["wireguard.endpoint", "host:port"])
         for e in ENDPOINTS_WRONG]
    for text, words in rows:
        cell.save("cell.yaml", text)
        cell.wait_problem("cell.yaml:", *words)
        said = cell.picctl("validate", status=1)
        for word in words:
            check_in(word, said, "picctl validate")
        check_equal((wg_device(), wg_peers()), (device, before), f"the device with {words}")
    for endpoint in ENDPOINTS_RIGHT:
        cell.save("cell.yaml", right + f"  wireguard:\n    endpoint: \"{endpoint}\"\n")
        cell.picctl("validate")
        wait("nothing is wrong any more", lambda: not cell.status()["problems"])
        check_equal(cell.resource("cell/alpha")["spec"]["wireguard"]["endpoint"], endpoint, "the endpoint")
    check_equal((wg_device(), wg_peers()), (device, before), "the device after all that")


def cell_changes_in_place(cell):
    """Port, MTU, prefix, key: on the interface that is there."""
    prepared(cell)
    index = link()["ifindex"]
    cell.cell(wireguard={"listenPort": 4000, "mtu": 1300})
    wait("port and MTU are changed", lambda: wg_device()["port"] == "4000" and link()["mtu"] == 1300)
    cell.cell(wireguard={"listenPort": 4000, "mtu": 1300}, network={"vpn": "10.10.0.0/16"})
    wait("the prefix is larger", lambda: "10.10.0.1/16" in run("ip", "addr", "show", "pic0"))
    check("10.10.0.1/24" not in run("ip", "addr", "show", "pic0"), "the old length should be gone")
    check_equal(link()["ifindex"], index, "the interface")
    check({KEY, GOOD} == set(wg_peers()), "the peers should stay")
    for i in range(6):
        cell.peer(f"more{i}", address=f"10.10.0.{60 + i}")
    wait("more peers", lambda: len(wg_peers()) == 8)
    cell.cell(network={"vpn": "10.20.0.0/16"})
    cell.wait_problem("8 of 8", "change them too")
    check_equal(len(wg_peers()), 8, "a Cell that would throw out most peers should not come into force")


# ---- odd files ------------------------------------------------------------------------------------


def odd_files(cell):
    """Pipes, sockets, links to nothing or in a circle, a directory with a manifest's name."""
    prepared(cell)
    os.mkfifo(cell.manifests / "pipe.yaml")
    (cell.manifests / "nothing.yaml").symlink_to("nowhere")
    (cell.manifests / "circle.yaml").symlink_to("circle.yaml")
    (cell.manifests / "zero.yaml").symlink_to("/dev/zero")
    (cell.manifests / "README").symlink_to("nowhere")
    (cell.manifests / "folder.yaml").mkdir()
    (cell.manifests / "self").symlink_to(".")
    (cell.manifests / "folder.yaml" / "up").symlink_to("..")
    key = random_key()
    save(cell.manifests / "folder.yaml" / "late.yaml", peer_manifest("late", key))
    cell.wait_on_device(key, KEY, GOOD)
    cell.control("resync")
    for name in ("nothing.yaml", "circle.yaml"):
        cell.wait_problem(name, "link")
    ignored = "\n".join(cell.status()["ignored"])
    for name in ("pipe.yaml", "zero.yaml", "README", "self", "folder.yaml/up"):
        check_in(f"{name}: ", ignored, "what is ignored")
    said = cell.picctl("validate", status=1)
    check_in("nothing.yaml: error", said, "picctl validate")
    check_in("circle.yaml: error", said, "picctl validate")
    cell.restart(ready=False)
    stays("all peers on the device", lambda: {key, KEY, GOOD} <= set(wg_peers()), 1)
    late = cell.peer("late2")
    cell.wait_on_device(late, seconds=2)


def link_that_leads_nowhere_is_no_order(cell):
    prepared(cell)
    aside = cell.root / "aside"
    aside.mkdir()
    (cell.manifests / "wrong.yaml").rename(aside / "wrong.yaml")
    (cell.manifests / "wrong.yaml").symlink_to(aside / "wrong.yaml")
    stays("a manifest that became a link", lambda: set(wg_peers()) == {KEY, GOOD}, 0.6)
    aside.rename(cell.root / "away")
    cell.control("resync")
    cell.wait_problem("wrong.yaml", "link to nothing")
    stays("its peer while the link leads nowhere", lambda: set(wg_peers()) == {KEY, GOOD}, 0.6)
    cell.restart(ready=False)
    stays("its peer after a restart", lambda: set(wg_peers()) == {KEY, GOOD}, 0.6)
    (cell.manifests / "wrong.yaml").unlink()
    wait("the link removed is an order", lambda: set(wg_peers()) == {GOOD})


def largest_legal_names(cell):
    """Everything as long as it may be: nothing is cut off."""
    prepared(cell)
    name = "n" * 63
    labels = ", ".join(f"{'l' * 60}{i}: {'v' * 1000}" for i in range(100))
    subnets = ", ".join(f"10.{100 + i // 250}.{i % 250}.0/24" for i in range(500))
    key = random_key()
    cell.save("long.yaml", peer_manifest(name, key, subnets=f"[{subnets}]").replace(
        "spec:", f"  labels: {{{labels}}}\nspec:"))
    cell.wait_on_device(key)
    wait("all its subnets are allowed", lambda: len(wg_peers()[key]["allowed"]) == 502)
    check_in(name, cell.picctl("get", "peers"), "picctl get peers")
    check_equal(len(cell.resource(f"peer/{name}")["metadata"]["labels"]), 100, "labels")
    check_equal(cell.look_again(), 0, "writes of a second pass")


if __name__ == "__main__":
    main(wrong_is_named_and_harms_nothing, right_though_it_looks_wrong, host_bits_are_normalised_once,
         same_hash_for_empty_and_absent, one_mistake_after_another, own_key_is_refused,
         conflicts_do_not_depend_on_order, wrong_cell_changes_nothing, cell_changes_in_place,
         odd_files, link_that_leads_nowhere_is_no_order, largest_legal_names)
