#!/usr/bin/env python3
"""From a saved manifest to WireGuard, back again, and through the death of picd."""
import time

from checks import check, check_equal, check_in, measured, stays, wait
from lab import INTERFACE, addresses, link, main, processes, random_key, run, wg_peers

ROUNDS = 20


def is_on(key):
    return key in wg_peers()


def renamed_in_within_200_ms(cell):
    cell.cell()
    cell.start()
    times = []
    for i in range(ROUNDS):
        key = cell.peer(f"p{i}", address=f"10.10.0.{10 + i}")
        times.append(wait("the peer is on the device", lambda k=key: is_on(k)))
    check(measured("renamed in, on the device", times) < 0.2, "the median should be below 200 ms")
    check_equal(len(wg_peers()), ROUNDS, "peers on the device")


def device_is_as_written(cell):
    cell.cell(wireguard={"listenPort": 4242, "mtu": 1380})
    key = cell.peer("laptop", address="10.10.0.34", subnets="[192.168.7.0/24]")
    cell.start()
    cell.wait_on_device(key)
    peer = wg_peers()[key]
    check_equal(peer["allowed"], {"10.10.0.34/32", "fd10:a1fa:ce11::22/128", "192.168.7.0/24"},
                "allowed IPs")
    check_equal(peer["preshared"], "(none)", "preshared key")
    check_equal(addresses(), {"10.10.0.1/24", "fd10:a1fa:ce11::1/64"}, "addresses of the interface")
    check_equal(run("wg", "show", INTERFACE, "listen-port").strip(), "4242", "listen port")
    check_equal((link()["mtu"], link()["group"]), (1380, "87"), "MTU and link group")
    check("UP" in link()["flags"], "the interface should be up")
    check(link()["ifalias"].startswith("pic:"), "the interface should carry our alias")


def removed_by_hand_is_back_within_a_second(cell):
    cell.cell()
    keys = [cell.peer(f"p{i}") for i in range(3)]
    cell.start()
    times = []
    for i in range(10):
        run("wg", "set", INTERFACE, "peer", keys[i % 3], "remove")
        check(not is_on(keys[i % 3]), "wg has removed the peer")
        times.append(wait("the peer is back", lambda k=keys[i % 3]: is_on(k)))
    check(measured("removed by hand, back", times) < 1.0, "the median should be below a second")
    drift = [d["object"] for d in cell.status()["drift"]]
    check("peer p0" in drift, f"the repair should be told as drift: {drift}")


def changed_in_place(cell):
    cell.cell()
    key = cell.peer("laptop", address="10.10.0.34")
    cell.start()
    cell.peer("laptop", key, address="10.10.0.35")
    took = wait("the new address is allowed", lambda: "10.10.0.35/32" in wg_peers()[key]["allowed"])
    check("10.10.0.34/32" not in wg_peers()[key]["allowed"], "the old address should be gone")
    measured("address changed", [took])
    newer = random_key()
    cell.peer("laptop", newer, address="10.10.0.35")
    wait("the new key has the address", lambda: is_on(newer) and not is_on(key))


def file_deleted_goes(cell):
    cell.cell()
    kept, gone = cell.peer("kept"), cell.peer("gone")
    cell.start()
    cell.wait_on_device(kept, gone)
    (cell.manifests / "gone.yaml").unlink()
    measured("file deleted, gone", [wait("the peer goes", lambda: not is_on(gone))])
    check(is_on(kept), "the other peer should stay")


def deleted_while_down_goes(cell):
    """Also what left its file before the file was deleted."""
    cell.cell()
    kept, gone, first, second = (cell.peer("kept"), cell.peer("gone"), random_key(), random_key())
    both = "".join(f"---\napiVersion: pic/v1\nkind: Peer\nmetadata:\n  name: {n}\nspec:\n  publicKey: {k}\n"
                   for n, k in (("first", first), ("second", second)))
    cell.save("both.yaml", both)
    cell.start()
    cell.wait_on_device(kept, gone, first, second)
    cell.stop()
    check(all(map(is_on, (kept, gone, first, second))), "stopping picd should leave all peers")
    (cell.manifests / "gone.yaml").unlink()
    cell.save("both.yaml", both[:both.rindex("---")])
    (cell.manifests / "both.yaml").unlink()
    cell.start()
    wait("what was deleted goes", lambda: set(wg_peers()) == {kept})


def last_file_deleted_goes(cell):
    """A directory that is read and has one file less is an order; only an emptied one is not."""
    cell.cell()
    only = cell.peer("only")
    cell.start()
    cell.wait_on_device(only)
    (cell.manifests / "only.yaml").unlink()
    wait("the last peer goes", lambda: not wg_peers())
    check(link() is not None, "the interface should stay")


def kill_9_takes_nothing_down(cell):
    cell.cell()
    keys = [cell.peer(f"p{i}") for i in range(5)]
    cell.start()
    cell.wait_on_device(*keys)
    index, server = link()["ifindex"], processes("wireguard-go")
    for _ in range(3):
        cell.kill()
        stays("interface, addresses and peers without picd",
              lambda: link()["ifindex"] == index and len(addresses()) == 2 and set(wg_peers()) == set(keys),
              0.3)
        cell.start()
        check_equal(processes("wireguard-go"), server, "what serves the interface")
        check_equal(link()["ifindex"], index, "index of the interface")
        check_equal(cell.metric("pic_system_writes_total"), 0, "writes after a restart")


def second_pass_writes_nothing(cell):
    cell.cell()
    keys = [cell.peer(f"p{i}", subnets=f"[192.168.{i}.0/24]") for i in range(60)]
    cell.start()
    cell.wait_on_device(*keys)
    check_equal(cell.look_again(), 0, "writes of a second pass")
    writes = cell.metric("pic_system_writes_total")
    time.sleep(3)
    check_equal(cell.metric("pic_system_writes_total"), writes, "writes after three idle seconds")
    cell.restart()
    check_equal(cell.look_again(), 0, "writes of a second pass after a restart")
    check_equal(len(cell.get("/v1/resources/peers")["items"]), 60, "peers that picd lists")


def idle_costs_nothing(cell):
    """Context switches of the process: it sleeps when nothing is to be done."""
    cell.cell()
    cell.peer("laptop")
    cell.start()
    time.sleep(1)

    def switches():
        with open(f"/proc/{cell.picd.pid}/status", encoding="ascii") as status:
            return sum(int(line.split()[1]) for line in status if "voluntary_ctxt" in line)

    before = switches()
    time.sleep(5)
    per_second = (switches() - before) / 5
    print(f"    wake-ups when idle: {per_second:.1f} a second")
    check(per_second < 20, f"{per_second} context switches a second are no sleep")


def once_converges_and_says_so(cell):
    cell.cell()
    key = cell.peer("laptop")
    said = cell.once(status=0)
    check("laptop" in said, f"--once should print what it did, and printed:\n{said}")
    check(is_on(key), "the peer should be on the device")
    check_equal(cell.once(status=0), "", "what a second --once prints")


def diff_exits_as_promised(cell):
    """0 none, 1 pending, 2 drift, 3 both; above 3 an error."""
    cell.cell()
    kept = cell.peer("kept")
    cell.start()
    cell.wait_on_device(kept)
    cell.stop()
    cell.picctl("diff", status=0)
    run("wg", "set", INTERFACE, "peer", kept, "remove")
    said = cell.picctl("diff", status=2)
    check("kept" in said, f"diff should name the peer:\n{said}")
    cell.peer("newcomer")
    said = cell.picctl("diff", status=3)
    check("kept" in said and "newcomer" in said, f"diff should name both:\n{said}")
    cell.start()
    cell.picctl("diff", status=0)
    cell.stop()
    cell.peer("another")
    said = cell.picctl("diff", status=1)
    check("another" in said and "kept" not in said, f"diff should name the one:\n{said}")
    check_equal(len(wg_peers()), 2, "peers after diff, which changes nothing")
    cell.manifests.rename(cell.root / "away")
    status, said = cell.picctl_status("diff")
    check(status > 3, f"without manifests diff should end with an error, and ended with {status}")
    check_in("manifests", said, "its message")


def written_during_start_is_read(cell):
    """Files that appear while picd starts: the watch comes before the listing."""
    cell.cell()
    for i in range(10):
        cell.start(ready=False)
        key = cell.peer(f"p{i}")
        cell.wait_on_device(key)
        cell.kill()


if __name__ == "__main__":
    main(renamed_in_within_200_ms, device_is_as_written, removed_by_hand_is_back_within_a_second,
         changed_in_place, file_deleted_goes, deleted_while_down_goes, last_file_deleted_goes,
         kill_9_takes_nothing_down, second_pass_writes_nothing, idle_costs_nothing,
         once_converges_and_says_so, written_during_start_is_read, diff_exits_as_promised)
