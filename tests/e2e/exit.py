#!/usr/bin/env python3
"""The exit relay: a peer of cell a leaves through b or c, and never otherwise."""
import os
import signal
import time

from checks import check, check_equal, check_in, measured, stays, wait
from relay import SEEN, WEB4, WEB6, main
from topology import inside, ip, namespace


def ping(host, to, count=1):
    return " 0% packet loss" in inside(host, "ping", "-c", str(count), "-i", "0.05", "-W", "1", to, check=False)


# ---- it works -------------------------------------------------------------------------------------


def world_sees_the_exit(relay):
    for exit_cell in (None, "b", "c", "b", None):
        relay.via(exit_cell)
        relay.check_seen(relay.laptop, exit_cell or "a", f"via {exit_cell}")
        check_in(f"via {exit_cell}" if exit_cell else "direct", relay.leaves(), "how it leaves")


def several_exits_at_once(relay):
    relay.via("b", "laptop")
    relay.via("c", "phone")
    for _ in range(3):
        relay.check_seen(relay.laptop, "b")
        relay.check_seen(relay.phone, "c")
    relay.via("b", "phone")
    relay.check_seen(relay.laptop, "b")
    relay.check_seen(relay.phone, "b")
    rules = [r for r in ip("a", "rule").splitlines() if r.startswith("88:")]
    check_equal(len(rules), 1, "rules of two peers over one exit")


def each_others_exit(relay):
    """a leaves through b while b leaves through a; then in a circle over c. Nothing is relayed twice: what
    came out of a tunnel leaves by the uplink."""
    relay.via("b", "laptop")
    relay.via("a", "tablet", relay.b)
    relay.check_seen(relay.laptop, "b")
    relay.check_seen(relay.tablet, "a")
    relay.via("c", "tablet", relay.b)
    relay.via("c", "phone")
    for _ in range(3):
        relay.check_seen(relay.laptop, "b")
        relay.check_seen(relay.tablet, "c")
        relay.check_seen(relay.phone, "c")
    check(ping("tablet", "10.10.0.1") and ping("laptop", "10.20.0.1"), "each still reaches the other cell")


def own_things_are_still_reached(relay):
    relay.via("b")
    for what, to in (("its cell", "10.10.0.1"), ("its cell, IPv6", "fd10:10:10::1"), ("its LAN", "192.168.40.10"),
                     ("the other peer", "10.10.0.35"), ("a linked cell", "10.20.0.1"), ("another", "10.30.0.1"),
                     ("a linked cell, IPv6", "fd10:20:20::1")):
        check(ping("laptop", to), f"the laptop should reach {what}, {to}")


def relay_is_not_entered(relay):
    relay.via("b")
    for what, to in (("b's LAN", "192.168.50.10"), ("b's LAN address", "192.168.50.1"), ("link-local", "169.254.1.1"),
                     ("the router of a", "192.0.2.1"), ("c over b", "10.30.0.99")):
        check(not ping("laptop", to), f"the laptop should not reach {what}, {to}")
    refused = inside("laptop", "curl", "-s", "-m", "2", "-o", "/dev/null", "-w", "%{time_total} %{exitcode}",
                     "http://10.20.0.1:22/", check=False)
    took, code = refused.split()
    check(code == "7" and float(took) < 0.5, f"b's own ports should be refused at once: {refused}")


# ---- it fails closed ------------------------------------------------------------------------------


def commands(*lines):
    def harm(relay):
        for line in lines:
            inside("a", "sh", "-c", line)
    return harm


def number_of(relay):
    """The exit's table, from the rule."""
    (rule,) = [r for r in ip("a", "rule").splitlines() if r.startswith("88:")]
    return rule.split("lookup ")[1].split()[0]


def flush_tables_by_number(*tables):
    for family in ("-4", "-6"):
        for table in tables:
            ip("a", family, "route", "flush", "table", table, check=False)


def flush_tables(relay):
    flush_tables_by_number(number_of(relay), 870000, 870100)


def delete_rules(relay):
    for family in ("-4", "-6"):
        for rule in ip("a", family, "rule").splitlines():
            if "proto 87" in rule:
                ip("a", family, "rule", "del", "priority", rule.split(":")[0], "protocol", "87", check=False)


def kill_wireguard_of(host, interface):
    """The process that serves the interface: its name stands on the command line."""
    def harm(_):
        for pid in relay_pids(host, "wireguard-go"):
            with open(f"/proc/{pid}/cmdline", "rb") as line:
                if interface.encode() in line.read():
                    os.kill(pid, signal.SIGKILL)
    return harm


def relay_pids(host, name):
    import topology
    found = []
    for pid in topology.sh("ip", "netns", "pids", namespace(host)).split():
        with open(f"/proc/{pid}/comm", encoding="ascii") as comm:
            if comm.read().strip() == name:
                found.append(int(pid))
    return found


HARMS = (
    ("nft flush ruleset", commands("nft flush ruleset")),
    ("our table deleted", commands("nft delete table inet pic")),
    ("our rules deleted", delete_rules),
    ("our tables flushed", flush_tables),
    ("premark emptied", commands("nft flush chain inet pic premark")),
    ("forward emptied", commands("nft flush chain inet pic forward")),
    ("link down", commands("ip link set pl-b down")),
    ("wireguard-go of the link killed", kill_wireguard_of("a", "pl-b")),
    ("the relay's end of the link killed", kill_wireguard_of("b", "pl-a")),
    ("the relay's uplink down", lambda relay: ip("b", "link", "set", "dev", "eth0", "down")),
)


def relay_is_back(relay):
    if "state DOWN" in ip("b", "link", "show", "eth0"):
        ip("b", "link", "set", "dev", "eth0", "up")
        ip("b", "address", "replace", "2001:db8:b::2/64", "dev", "eth0", "nodad")
        ip("b", "route", "replace", "default", "via", "192.0.2.1")
        ip("b", "-6", "route", "replace", "default", "via", "2001:db8:b::1")


def count_leaks(relay, what, during):
    """No packet of the laptop on a's uplink while something happens under its stream."""
    watch = relay.watch()
    stream = relay.stream()
    time.sleep(0.1)
    during()
    time.sleep(0.4)
    stream.kill()
    stream.wait(5)
    lines = watch.lines()
    check(not lines, f"{what}: {len(lines)} packets on a's uplink, such as\n" + "\n".join(lines[:5]))


def watch_can_see(relay):
    """The count itself: a peer that is direct is seen by it."""
    watch = relay.watch()
    stream = relay.stream()
    time.sleep(0.5)
    stream.kill()
    check(len(watch.lines()) > 100, "the packets of a direct peer should be counted")


def nothing_leaks_while_we_live(relay):
    relay.via("b")
    for rp_filter in ("0", "1", "2"):
        inside("a", "sysctl", "-qw", f"net.ipv4.conf.all.rp_filter={rp_filter}")
        for what, harm in HARMS:
            count_leaks(relay, f"{what}, rp_filter {rp_filter}", lambda harm=harm: harm(relay))
            relay_is_back(relay)
            wait(f"{what}: healed", lambda: relay.a.converged() and relay.laptop.seen_as("v4") == SEEN["b"][0], 12)
    inside("a", "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0")
    relay.check_seen(relay.laptop, "b", "after all harm")


def nothing_leaks_while_we_are_dead(relay):
    relay.via("b")
    for what, harm in HARMS:
        for cell in (relay.a, relay.b):
            cell.end(signal.SIGKILL)
        time.sleep(0.1)
        count_leaks(relay, f"{what}, both daemons dead", lambda harm=harm: harm(relay))
        for cell in (relay.a, relay.b):
            relay.started.append(cell.start())
        relay_is_back(relay)
        relay.settle()
        wait(f"{what}: healed by the start", lambda: relay.laptop.seen_as("v4") == SEEN["b"][0], 12)


def changes_leak_nothing(relay):
    relay.via("b")

    def change():
        for i in range(400):
            relay.peer("laptop", "c" if i % 2 else "b")
            time.sleep(0.01)

    count_leaks(relay, "400 changes of the exit", change)
    wait("the last one is in force", lambda: relay.leaves() == "via c")
    relay.settle()
    relay.check_seen(relay.laptop, "c")


def offer_withdrawn(relay):
    relay.via("b")
    relay.b.link(relay.a, exit={"offer": False})

    def withdraw():
        wait("blocked", lambda: (relay.settle() or relay.leaves().startswith("blocked")), 5)

    count_leaks(relay, "offer withdrawn", withdraw)
    check_in("b does not offer an exit", relay.leaves(), "how it leaves")
    check_equal(relay.laptop.seen_as("v4", 1), "", "what the web server sees of a blocked peer")
    relay.b.link(relay.a, exit={"offer": True})
    wait("offered again", lambda: (relay.settle() or relay.leaves() == "via b"), 5)
    relay.check_seen(relay.laptop, "b")


def boot_before_picd(relay):
    """Nothing of ours is there yet; the first that comes is what closes the way."""
    relay.via("b")
    relay.a.end(signal.SIGKILL)
    for pid in relay_pids("a", "wireguard-go"):
        os.kill(pid, signal.SIGKILL)
    delete_rules(relay)
    flush_tables_by_number(870000, 870100)
    inside("a", "nft", "flush", "ruleset")

    def boot():
        time.sleep(0.5)
        relay.started.append(relay.a.start())
        wait("ready", relay.a.ready, 10)

    count_leaks(relay, "boot", boot)
    relay.settle()
    # The laptop notices after fifteen seconds of silence that its session is gone: WireGuard's own time.
    wait("it works again", lambda: relay.laptop.seen_as("v4") == SEEN["b"][0], 60)


def no_such_link(relay):
    relay.peer("laptop", "nowhere")
    wait("blocked", lambda: relay.leaves().startswith("blocked"))
    count_leaks(relay, "no such link", lambda: None)
    for to in (WEB4, f"[{WEB6}]"):
        said = [inside("laptop", "curl", "-s", "-m", "2", "-o", "/dev/null", "-w", "%{exitcode} %{time_total}",
                       f"http://{to}/", check=False).split() for _ in range(30)]
        at_once = [words for words in said if words[0] == "7" and float(words[1]) < 0.2]
        check_equal(len(at_once), 30, f"connects to {to} that were refused at once (TCP reset), of 30")


# ---- it goes on -----------------------------------------------------------------------------------


def works_without_daemons(relay):
    relay.via("b")
    for cell in relay.cells.values():
        cell.end(signal.SIGKILL)
    time.sleep(0.2)
    relay.check_seen(relay.laptop, "b", "with all daemons dead")
    stays("it goes on", lambda: relay.laptop.seen_as("v4") == SEEN["b"][0], 1)
    for cell in relay.cells.values():
        relay.started.append(cell.start())
    relay.settle()


def restarts_lose_nothing(relay):
    relay.via("b")
    log = relay.root / "ping"
    with open(log, "w", encoding="ascii") as out:
        pinging = relay.spawn(["ip", "netns", "exec", namespace("laptop"), "ping", "-i", "0.001", "-c", "8000",
                                "-W", "1", WEB4],
                              stdout=out)
    for i in range(20):
        cell = (relay.a, relay.b)[i % 2]
        cell.end(signal.SIGKILL if i % 4 < 2 else signal.SIGTERM)
        time.sleep(0.05)
        relay.started.append(cell.start())
        wait("ready again", cell.ready)
    check(pinging.poll() is None, "the pings should last longer than the restarts")
    pinging.wait(60)
    (line,) = [text for text in log.read_text().splitlines() if "packet loss" in text]
    check_in(" 0% packet loss", line, "the pings during 20 restarts")
    print(f"    20 restarts: {line}")


# ---- it heals -------------------------------------------------------------------------------------


DRIFT = (
    ("rule removed", "ip rule del priority 89 protocol 87", lambda: "89:" in ip("a", "rule")),
    ("rule removed, IPv6", "ip -6 rule del priority 89 protocol 87", lambda: "89:" in ip("a", "-6", "rule")),
    ("exit rule removed", "ip rule del priority 88 protocol 87", lambda: "88:" in ip("a", "rule")),
    ("alien route in our table", "ip route add 198.51.100.0/25 via 192.168.40.1 table 870000",
     lambda: "192.168.40.1" not in ip("a", "route", "show", "table", "870000")),
    ("route removed", "ip route del 10.20.0.0/24 dev pl-b table 870100",
     lambda: "10.20.0.0/24 dev pl-b" in ip("a", "route", "show", "table", "870100")),
    ("table flushed", "nft delete table inet pic", lambda: "chain premark" in inside("a", "nft", "list", "ruleset")),
    ("chain flushed", "nft flush chain inet pic premark",
     lambda: "goto" in inside("a", "nft", "list", "chain", "inet", "pic", "premark")),
    ("element removed", "nft delete element inet pic peer_all4 { 10.10.0.34 }",
     lambda: "10.10.0.34" in inside("a", "nft", "list", "set", "inet", "pic", "peer_all4")),
    ("alien element", "nft add element inet pic peer_internet4 { 10.10.0.99 }",
     lambda: "10.10.0.99" not in inside("a", "nft", "list", "set", "inet", "pic", "peer_internet4")),
    ("alien rule", "nft add rule inet pic forward accept",
     lambda: "accept" not in inside("a", "nft", "list", "chain", "inet", "pic", "forward").split("policy")[1][7:]),
    ("rp_filter reset", "sysctl -qw net.ipv4.conf.pl-b.rp_filter=1",
     lambda: inside("a", "sysctl", "-n", "net.ipv4.conf.pl-b.rp_filter").strip() == "2"),
    ("forwarding switched off", "sysctl -qw net.ipv4.ip_forward=0",
     lambda: inside("a", "sysctl", "-n", "net.ipv4.ip_forward").strip() == "1"),
)


def drift_is_repaired(relay):
    relay.via("b")
    for what, harm, is_right in DRIFT:
        times = []
        for _ in range(3):
            inside("a", "sh", "-c", harm)
            times.append(wait(f"{what}: repaired", is_right))
            time.sleep(0.1)
        check(measured(what, times) < 1.0, f"{what}: the median should be below a second (tools/bench: 100 ms)")
    wait("converged", relay.a.converged)
    recorded = str(relay.a.get("/v1/status")["drift"])
    for word in ("rule 89", "table inet pic", "10.20.0.0/24"):
        check_in(word, recorded, "the record of drift")
    relay.check_seen(relay.laptop, "b", "after all drift")


def second_pass_writes_nothing(relay):
    relay.via("b")
    for cell in relay.cells.values():
        before = cell.get("/v1/status")["counters"]
        cell.request("/v1/control/resync", "PUT")
        wait("looked again", lambda c=cell, n=before["reads"]: c.get("/v1/status")["counters"]["reads"] > n)
        wait("converged", cell.converged)
        check_equal(cell.get("/v1/status")["counters"]["writes"], before["writes"], f"writes of {cell.name}")


# ---- others on the same machine -------------------------------------------------------------------


def docker_drops_forwarding(relay):
    relay.via("b")
    for iptables in ("iptables", "ip6tables"):
        for words in ("-N DOCKER-USER", "-A FORWARD -j DOCKER-USER", "-A DOCKER-USER -j RETURN", "-P FORWARD DROP"):
            inside("a", iptables, *words.split())
            inside("b", iptables, *words.split())
    wait("our rule stands first", lambda: all(
        "0x40000000" in inside(host, "iptables", "-S", "DOCKER-USER") for host in ("a", "b")))
    relay.check_seen(relay.laptop, "b", "with Docker's FORWARD policy DROP")
    for host in ("a", "b"):
        for family in ("ip", "ip6"):
            inside(host, "nft", "delete", "table", family, "filter")


def foreign_drop_is_named(relay):
    inside("b", "nft", "-f", "-", text="table inet other {\nchain gate {\n"
           "type filter hook forward priority 10\ndrop\n}\n}\n")
    wait("the condition names it", lambda: any("other" in p["what"] for p in relay.b.get("/v1/status")["problems"]))
    inside("b", "nft", "delete", "table", "inet", "other")
    wait("it goes", lambda: not any("other" in p["what"] for p in relay.b.get("/v1/status")["problems"]))


if __name__ == "__main__":
    main(world_sees_the_exit, several_exits_at_once, each_others_exit, own_things_are_still_reached, relay_is_not_entered,
         watch_can_see, nothing_leaks_while_we_live, nothing_leaks_while_we_are_dead, changes_leak_nothing,
         offer_withdrawn, boot_before_picd, no_such_link, works_without_daemons, restarts_lose_nothing, drift_is_repaired,
         second_pass_writes_nothing, docker_drops_forwarding, foreign_drop_is_named)
