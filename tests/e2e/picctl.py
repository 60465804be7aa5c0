#!/usr/bin/env python3
"""The command line, as a user types it: from init to teardown."""
import json
import re

from checks import check, check_equal, check_in, stays, wait
from lab import (INTERFACE, addresses, allowed_ips, ip, link, main, peer_manifest, random_key, run,
                 wg_device, wg_peers)


def files(cell):
    return {str(file.relative_to(cell.manifests)): file.read_text()
            for file in cell.manifests.rglob("*") if file.is_file()}


def from_nothing_to_a_cell(cell):
    """init, picd, peer add, status: everything a new user does."""
    cell.manifests.rmdir()
    said = cell.picctl("init", "home", "--endpoint", "home.example.org")
    check_in("home", said, "what init says")
    text = (cell.manifests / "cell.yaml").read_text()
    check_in("name: home", text, "the manifest")
    vpn = re.search(r"vpn: ['\"]?(10\.\d+\.\d+)\.0/24", text)
    vpn6 = re.search(r"vpn6: ['\"]?(fd\S+)::/64", text)
    check(vpn and vpn6, f"init should write a random prefix of each family:\n{text}")
    cell.picctl("validate")
    before = files(cell)
    check_in("home", cell.picctl("init", "home"), "a second init")
    check_equal(files(cell), before, "manifests after a second init")
    check_equal(cell.picctl_status("status")[0], 1, "status of picctl status without picd")
    cell.start()
    check_equal(addresses(), {f"{vpn[1]}.1/24", f"{vpn6[1].rstrip(':')}::1/64"}, "addresses of the cell")
    config = cell.picctl("peer", "add", "laptop")
    check_in("Endpoint = home.example.org:51820", config, "the config")
    wait("the peer is on the device", lambda: len(wg_peers()) == 1)
    said = cell.picctl("status")
    for part in ("home", "51820/udp", INTERFACE, "1 in the manifests, 1 on the device", "nothing to do"):
        check_in(part, said, "picctl status")


def two_households_differ(cell):
    """The prefixes of init are random, and overlap no route of this host."""
    ip("link", "add", "lan0", "type", "bridge")
    ip("addr", "add", "10.0.0.1/9", "dev", "lan0")
    ip("link", "set", "lan0", "up")
    seen = set()
    for _ in range(12):
        cell.manifests.rmdir()
        cell.picctl("init", "home")
        text = (cell.manifests / "cell.yaml").read_text()
        vpn = re.search(r"vpn: ['\"]?10\.(\d+)\.", text)
        check(vpn and int(vpn[1]) >= 128, f"the prefix should not overlap 10.0.0.0/9:\n{text}")
        seen |= {re.search(r"vpn: (\S+)", text)[1], re.search(r"vpn6: (\S+)", text)[1]}
        (cell.manifests / "cell.yaml").unlink()
    check_equal(len(seen), 24, "different prefixes of twelve households")


def apply_writes_what_is_given(cell):
    """Whole documents, as bytes; the rest of a file stays; a second time nothing changes."""
    cell.cell()
    a, b, c = random_key(), random_key(), random_key()
    cell.save("family.yaml", "# all of us\n" + peer_manifest("ada", a, address="10.10.0.10") +
              "---\n# the phone\n" + peer_manifest("bob", b, address="10.10.0.11") + "# end\n")
    (cell.manifests / "family.yaml").chmod(0o640)
    cell.start()
    cell.wait_on_device(a, b)
    new = cell.root / "new.yaml"
    new.write_text(peer_manifest("bob", b, address="10.10.0.12") + "---\n" + peer_manifest("cleo", c))
    said = cell.picctl("diff", "-f", new, status=1)
    check("bob" in said and "cleo" in said and "ada" not in said, f"diff -f should name both:\n{said}")
    before = files(cell)
    cell.picctl("apply", "-f", new, "--dry-run")
    check_equal(files(cell), before, "manifests after a dry run")
    said = cell.picctl("apply", "-f", new, "--wait")
    check("Peer/bob" in said and "Peer/cleo" in said, f"apply should name both:\n{said}")
    check({a, b, c} == set(wg_peers()), "--wait should wait until all are on the device")
    check_in("10.10.0.12/32", wg_peers()[b]["allowed"], "bob's address")
    text = (cell.manifests / "family.yaml").read_text()
    for part in ("# all of us", "# end", "10.10.0.12", a):
        check_in(part, text, "the file that was changed")
    check_equal(oct((cell.manifests / "family.yaml").stat().st_mode & 0o777), "0o640", "its mode")
    check(re.search(r"address: ['\"]?10\.10\.0\.", (cell.manifests / "peer-cleo.yaml").read_text()),
          "apply should write the address that it chose")
    before, writes = files(cell), cell.metric("pic_system_writes_total")
    cell.picctl("apply", "-f", new)
    check_equal(files(cell), before, "manifests after applying the same again")
    cell.picctl("apply", "-f", "-", text=cell.picctl("get", "all", "-o", "yaml"))
    check_equal(files(cell), before, "manifests after get -o yaml | apply -f -")
    check_equal(cell.look_again(), 0, "writes of a look")
    check_equal(cell.metric("pic_system_writes_total"), writes, "writes for the same again")


def apply_of_a_bad_file_changes_nothing(cell):
    cell.cell()
    key = cell.peer("good", address="10.10.0.10")
    cell.start()
    before = files(cell)
    bad = cell.root / "bad.yaml"
    for text, words in ((peer_manifest("fine") + "---\n" + peer_manifest("bad", "x"),
                         ["bad.yaml:13:14", "publicKey"]),
                        (peer_manifest("bad", adress="10.10.0.5"), ["bad.yaml:7:3", "address"]),
                        (peer_manifest("bad", address="10.99.0.5"), ["10.99.0.5", "network.vpn"]),
                        (peer_manifest("bad", key), ["Peer/good"]),
                        ("\tx: 1\n", ["bad.yaml:1", "tab"]), ("", [])):
        bad.write_text(text)
        status, said = cell.picctl_status("apply", "-f", bad)
        check(status == 1 or not words, f"apply should end with 1, and ended with {status}:\n{said}")
        for word in words:
            check_in(word, said, "the error")
        check_equal(files(cell), before, "manifests afterwards")
    said = cell.picctl_error("apply", "-f", cell.root / "nowhere.yaml")
    check_in("nowhere.yaml", said, "the error")
    check_equal(set(wg_peers()), {key}, "peers on the device")


def delete_takes_one_document(cell):
    cell.cell()
    a, b, c = random_key(), random_key(), random_key()
    cell.save("family.yaml", "# us\n" + "---\n".join(peer_manifest(n, k) for n, k in
                                                     (("ada", a), ("bob", b), ("cleo", c))))
    cell.start()
    cell.wait_on_device(a, b, c)
    cell.picctl("delete", "peer/bob", "--dry-run")
    stays("a dry run deletes nothing", lambda: b in wg_peers(), 0.4)
    said = cell.picctl("delete", "peer/bob")
    check_in("Peer/bob", said, "what delete says")
    wait("bob is gone", lambda: set(wg_peers()) == {a, c})
    check_in("# us", (cell.manifests / "family.yaml").read_text(), "the file that is left")
    cell.picctl("delete", "peer", "ada", "cleo")
    wait("all are gone", lambda: not wg_peers())
    said = cell.picctl_error("delete", "peer/bob")
    check_in("bob", said, "the error")
    status, said = cell.picctl_status("delete", "cell/alpha")
    check(link() is not None, "the interface should stay: deleting the Cell is held")
    check_in("prune", said, f"what delete of the Cell says (status {status})")


def get_in_every_form(cell):
    cell.cell()
    keys = {name: cell.peer(name, address=f"10.10.0.{n}")
            for n, name in enumerate(("ada", "bob", "cleo"), 10)}
    cell.save("dora.yaml", peer_manifest("dora", keys.setdefault("dora", random_key())).replace(
        "spec:", "  labels: {owner: ada, kind: phone}\nspec:"))
    cell.start()
    cell.wait_on_device(*keys.values())
    for kind in ("peers", "peer", "po", "Peer", "PEERS"):
        lines = cell.picctl("get", kind, "--no-headers").splitlines()
        check_equal([x.split()[0] for x in lines], ["ada", "bob", "cleo", "dora"], f"names from get {kind}")
    check_in("10.10.0.11", cell.picctl("get", "peer/bob"), "get peer/bob")
    listed = json.loads(cell.picctl("get", "peers", "-o", "json"))
    check_equal([i["metadata"]["name"] for i in listed["items"]], ["ada", "bob", "cleo", "dora"],
                "names in JSON")
    one = json.loads(cell.picctl("get", "peer/bob", "-o", "json"))
    check_equal(one["spec"]["publicKey"], keys["bob"], "bob's key in JSON")
    check_equal(cell.picctl("get", "peer/bob", "-o", "jsonpath={.spec.publicKey}"), keys["bob"],
                "by jsonpath")
    check_equal(cell.picctl("get", "peers", "-o", "name").lower().split(),
                ["peer/ada", "peer/bob", "peer/cleo", "peer/dora"], "by name")
    check_equal(cell.picctl("get", "peers", "-l", "owner=ada,kind!=laptop", "-o", "name").lower().split(),
                ["peer/dora"], "by label")
    check(cell.picctl("get", "peers", "-o", "wide").count("\n") == 5, "wide should have a line for each")
    check_in("dora", cell.picctl("get", "all"), "get all")
    said = cell.picctl("describe", "peer/dora")
    for part in ("dora", keys["dora"], "owner", "AddressNotPinned", "dora.yaml"):
        check_in(part, said, "describe")
    check_in("alpha", cell.picctl("describe", "cell/alpha"), "describe of the Cell")
    check_in("ada", cell.picctl_error("get", "peer/adda"), "the suggestion")
    check_in("peers", cell.picctl_error("get", "pears", status=64), "the suggestion")
    check_in("po", cell.picctl("api-resources"), "api-resources")
    cell.stop()
    check_in("10.10.0.11", cell.picctl("get", "peers"), "get without picd")
    check_in(keys["bob"], cell.picctl("describe", "peer/bob"), "describe without picd")


def peers_are_changed(cell):
    """set, config, rekey: the manifest follows, and the device."""
    cell.cell(wireguard={"endpoint": "192.0.2.7:4000"})
    cell.start()
    first = cell.picctl("peer", "add", "phone", "--split", "--address", "10.10.0.77")
    key = run("wg", "pubkey", text=re.search(r"PrivateKey = (\S+)", first)[1]).strip()
    cell.wait_on_device(key)
    check_in("10.10.0.77/32", wg_peers()[key]["allowed"], "the address")
    check_in("Endpoint = 192.0.2.7:4000", first, "the config")
    said = cell.picctl_error("peer", "add", "phone")
    check_in("rekey", said, "what to do instead")
    check_in("10.10.0.77", cell.picctl_error("peer", "add", "tablet", "--address", "10.10.0.77"), "the error")
    check_equal(len(files(cell)), 2, "manifests")

    config = cell.picctl("peer", "config", "phone")
    check(not re.search(r"^PrivateKey", config, re.M), "config should not know the private key")
    check_equal([x for x in config.splitlines() if "PrivateKey" not in x],
                [x for x in first.splitlines() if "PrivateKey" not in x], "the rest of the config")
    cell.picctl("peer", "set", "phone", "--full", "--address", "10.10.0.78")
    wait("the address follows", lambda: "10.10.0.78/32" in wg_peers()[key]["allowed"])
    check_in("AllowedIPs = 0.0.0.0/0, ::/0", cell.picctl("peer", "config", "phone"), "the config")
    cell.picctl("peer", "set", "phone", "--enabled", "false")
    wait("a disabled peer leaves", lambda: key not in wg_peers())
    cell.picctl("peer", "set", "phone", "--enabled", "true")
    cell.wait_on_device(key)
    before = files(cell)
    cell.picctl("peer", "set", "phone", "--enabled", "true")
    check_equal(files(cell), before, "manifests after setting the same again")

    second = cell.picctl("peer", "rekey", "phone")
    newer = run("wg", "pubkey", text=re.search(r"PrivateKey = (\S+)", second)[1]).strip()
    wait("the new key takes the place of the old one", lambda: set(wg_peers()) == {newer})
    check_in("10.10.0.78/32", wg_peers()[newer]["allowed"], "the address, which stays")
    for words in ("set nobody --full", "config nobody", "rekey nobody"):
        check_in("nobody", cell.picctl_error("peer", *words.split()), "the error")


def guest_is_confined(cell):
    """On the device, with the internet and nothing else, and that is what the kernel has."""
    cell.cell(wireguard={"endpoint": "192.0.2.7"})
    cell.start()
    cell.picctl("peer", "add", "guest", "--guest")
    wait("it is on the device", lambda: len(wg_peers()) == 1)
    address = cell.resource("peer/guest")["status"]["address"]

    def in_set(name):
        return address in run("nft", "list", "set", "inet", "pic", name)

    check(in_set("peer_internet4"), "a guest may reach the internet")
    check(not in_set("peer_all4") and not in_set("peer_lan4"), "a guest reaches nothing else")
    check("NotEnforced" not in cell.conditions("peer/guest"), "its restrictions are enforced")
    cell.picctl("peer", "set", "guest", "--internet", "false")
    wait("the internet is closed to it", lambda: not in_set("peer_internet4"))


def no_config_without_an_endpoint(cell):
    cell.cell()
    cell.start()
    before = files(cell)
    said = cell.picctl_error("peer", "add", "phone")
    check_in("endpoint", said, "the error")
    check_in("cell.yaml", said, "where to write it")
    check_equal(files(cell), before, "manifests")


def status_says_what_is_wrong(cell):
    cell.cell()
    keys = [cell.peer(f"p{i:02}") for i in range(9)]
    cell.start()
    cell.wait_on_device(*keys)
    check_in("nothing to do", cell.picctl("status"), "status")
    for i, key in enumerate(keys):
        run("wg", "set", INTERFACE, "peer", key, "remove")
        cell.wait_on_device(key)
    latest = [x for x in cell.picctl("status").splitlines() if x.startswith("repaired")]
    check(latest and any("p08" in x for x in latest) and not any("p00" in x for x in latest),
          "status should tell the latest repairs:\n" + "\n".join(latest))
    cell.save("bad.yaml", peer_manifest("bad", "x"))
    (cell.manifests / "copy.yaml~").write_text("x")
    cell.control("resync")
    wait("status says it", lambda: cell.picctl_status("status")[0] == 1)
    said = cell.picctl("status", status=1)
    check_in("bad.yaml:6:14", said, "status")
    check_in("copy.yaml~", said, "what is ignored")
    check("\033[" not in said, "there should be no colour away from a terminal")


def errors_have_their_status(cell):
    """64 for the command line, 1 for the rest; and what to do."""
    cell.cell()
    for words, status, part in (
            ("", 64, "usage"), ("aply", 64, "apply"), ("get", 64, "get"),
            ("get --outptu json", 64, "output"), ("apply", 64, "-f"), ("edit", 64, "file"),
            ("rollback", 64, "version"), ("logs", 64, "journalctl"), ("peer add", 64, "NAME"),
            ("peer add ../x", 64, "a-z"), ("resync", 1, "picd does not run"),
            ("prune --confirm", 1, "picd does not run"), ("teardown", 1, "--yes"),
            ("get peers -o jsonpath={.x[", (1, 64), "jsonpath")):
        is_, said = cell.picctl_status(*words.split())
        check(is_ in (status if isinstance(status, tuple) else (status,)),
              f"picctl {words}: status {is_}, should be {status}\n{said}")
        check_in(part, said, f"what picctl {words} says")
    check_in("picctl 0.", cell.picctl("version"), "version")
    cell.start()
    check_in("picd 0.", cell.picctl("version"), "version while picd runs")
    cell.stop()
    cell.manifests.rename(cell.root / "away")
    for words in (("validate",), ("get", "peers"), ("apply", "-f", "/dev/null")):
        status, said = cell.picctl_status(*words)
        check(status == 1 or words[0] == "apply", f"picctl {words}: status {status}")
        check("error: " in said or words[0] == "apply", f"picctl {words} should say an error:\n{said}")


def suspended_resources_wait(cell):
    cell.cell()
    key = cell.peer("phone", address="10.10.0.10")
    cell.start()
    cell.wait_on_device(key)
    cell.peer("phone", key, address="10.10.0.11", suspend="true")
    stays("a suspended peer stays as it is", lambda: wg_peers()[key]["allowed"] & {"10.10.0.10/32"}, 0.5)
    check_in("10.10.0.11", cell.picctl("diff", status=None), "diff, which tells what waits")
    plan = cell.get("/v1/plan")
    check(plan["pending"] and not plan["drift"], f"what waits should be pending, not drift: {plan['text']}")
    check_in("suspended", cell.problems(), "the status")
    cell.peer("phone", key, address="10.10.0.11")
    wait("resumed, it follows", lambda: "10.10.0.11/32" in wg_peers()[key]["allowed"])


def renamed_cell_keeps_what_it_made(cell):
    """Another name is another Cell: held, until that is confirmed. Then the new one takes over what is
    live, for the marks carry the cell's id, not its name."""
    cell.cell()
    key = cell.peer("phone")
    cell.start()
    cell.wait_on_device(key)
    index, device, alias = link()["ifindex"], wg_device(), link()["ifalias"]
    cell.save("cell.yaml", (cell.manifests / "cell.yaml").read_text().replace("name: alpha", "name: omega"))
    cell.wait_problem("PruneHeld")
    check("directory" not in cell.problems(), f"a new name is no second Cell:\n{cell.problems()}")
    stays("all is as it was", lambda: cell.status()["cell"] == "alpha" and key in wg_peers(), 0.5)
    cell.picctl("prune", "--confirm")
    wait("the new name is in force", lambda: cell.status()["cell"] == "omega")
    stays("the interface, the key and the peer", lambda: link()["ifindex"] == index and
          wg_device() == device and key in wg_peers(), 1)
    check_equal(link()["ifalias"], alias, "the alias")
    cell.teardown()


def teardown_and_back(cell):
    """Everything of ours goes, with picd and without; started again everything is as before."""
    cell.cell()
    keys = [cell.peer(f"p{i}") for i in range(3)]
    cell.start()
    cell.wait_on_device(*keys)
    device, before = wg_device(), allowed_ips()
    manifests = files(cell)
    for running in (True, False):
        if not running:
            cell.stop()
        cell.teardown()
        check(not (run("ls", "/run/wireguard", status=None).strip()), "no socket should be left")
        check_equal(files(cell), manifests, "manifests")
        check((cell.secrets / "wireguard.key").exists(), "the key should stay")
        check_in("nothing", cell.picctl("teardown", "--yes"), "a second teardown")
        cell.start()
        cell.wait_on_device(*keys)
        check_equal((wg_device(), allowed_ips()), (device, before),
                    "the device after starting again")


if __name__ == "__main__":
    main(from_nothing_to_a_cell, two_households_differ, apply_writes_what_is_given,
         apply_of_a_bad_file_changes_nothing, delete_takes_one_document, get_in_every_form, peers_are_changed,
         guest_is_confined, no_config_without_an_endpoint, status_says_what_is_wrong,
         errors_have_their_status, suspended_resources_wait, renamed_cell_keeps_what_it_made,
         teardown_and_back)
