#!/usr/bin/env python3
"""Links and what stands around them: networks that are equal, names, IPv6, sites, settings."""
import signal
import sys
import time
from pathlib import Path

from checks import check, check_equal, check_in, stays, wait
from relay import SEEN, main
from topology import inside, ip, namespace


def ping(host, to):
    return " 0% packet loss" in inside(host, "ping", "-c", "1", "-W", "1", to, check=False)


def conditions(cell, name):
    return {c["type"]: c for c in cell.get(f"/v1/resources/{name}")["status"]["conditions"]}


def on_device(relay, link):
    return f"interface: pl-{link}" in relay.a.run("wg", "show")


def network_of_ours_goes_before_a_links(relay):
    """A connected network that equals, or contains, what a link would route: the link waits, and says so."""
    for prefix in ("10.30.0.7/24", "10.30.0.7/20"):
        ip("a", "address", "add", prefix, "dev", "eth0")
        wait("the link says so", lambda: conditions(relay.a, "Link/c")["Ready"]["reason"] == "Collision")
        check_in("10.30.0.0/", conditions(relay.a, "Link/c")["Ready"]["message"], "the condition")
        wait("its tunnel is gone", lambda: not on_device(relay, "c"))
        check("pl-c" not in ip("a", "route", "show", "table", "870100"), "nothing is routed to c")
        relay.check_seen(relay.laptop, "a", "meanwhile")
        ip("a", "address", "del", prefix, "dev", "eth0")
        wait("the link comes back", lambda: on_device(relay, "c") and relay.a.converged())
    ip("a", "address", "add", "10.30.0.7/28", "dev", "eth0")
    stays("a smaller network of ours leaves it alone", lambda: on_device(relay, "c"), 0.5)
    ip("a", "address", "del", "10.30.0.7/28", "dev", "eth0")
    relay.settle()


def relay_without_ipv6(relay):
    relay.via("b")
    relay.check_seen(relay.laptop, "b")
    ip("b", "-6", "route", "del", "default")
    wait("b says that it has no IPv6",
         lambda: not relay.b.get("/v1/documents/a")["exit"]["ipv6"])
    relay.settle()
    check_equal((relay.laptop.seen_as("v4"), relay.laptop.seen_as("v6", 1)), (SEEN["b"][0], ""),
                "what the web server sees without IPv6 at the relay")
    ip("b", "-6", "route", "add", "default", "via", "2001:db8:b::1")
    wait("b has IPv6 again", lambda: relay.b.get("/v1/documents/a")["exit"]["ipv6"])
    relay.settle()
    relay.check_seen(relay.laptop, "b", "with IPv6 again")


def own_services_answer_while_an_exit_is_used(relay):
    """Who comes from outside to the cell's own address gets its answer from there."""
    relay.via("b")
    server = relay.spawn(["ip", "netns", "exec", namespace("a"), sys.executable, "-m", "http.server", "8080",
                          "--bind", "::"],
                         stdout=-3, stderr=-3)
    wait("the server listens", lambda: inside("a", "curl", "-s", "-m", "1", "http://127.0.0.1:8080/", check=False))
    for to in ("http://192.168.40.2:8080/", "http://[2001:db8:a::2]:8080/"):
        check(inside("lan-a", "curl", "-s", "-m", "2", to, check=False), f"the LAN should reach {to}")
    check(inside("web", "curl", "-s", "-m", "2", "http://[2001:db8:a::2]:8080/", check=False),
          "the internet should reach a's own address")
    refused = inside("laptop", "curl", "-s", "-m", "1", "http://10.10.0.1:8080/", check=False)
    check_equal(refused, "", "a port of the cell that hostAccess does not name")
    server.kill()


def no_default_route_from_allowed_ips(relay):
    before = ip("a", "route", "show"), ip("a", "-6", "route", "show")
    relay.via("b")
    check_equal((ip("a", "route", "show"), ip("a", "-6", "route", "show")), before, "main, with an exit in use")


def restarts_leave_one_of_each(relay):
    relay.via("b")

    def ours():
        return (sorted(ip("a", "rule").splitlines()), sorted(ip("a", "-6", "rule").splitlines()),
                inside("a", "nft", "list", "ruleset"))

    before = ours()
    for number in (signal.SIGKILL, signal.SIGTERM) * 3:
        relay.a.end(number)
        time.sleep(0.05)
        relay.started.append(relay.a.start())
        wait("ready again", relay.a.ready)
    check_equal(ours(), before, "rules and ruleset after six restarts")


def site_to_site(relay):
    """b's LAN, when a routes to it and b shares it; the other way round nothing opens."""
    relay.a.link(relay.b, exit={"offer": True}, networks=["192.168.50.0/24"])
    wait("routed", lambda: "192.168.50.0/24 dev pl-b" in ip("a", "route", "show", "table", "870100"))
    relay.settle()
    check(not ping("laptop", "192.168.50.10"), "b does not share its LAN yet")
    relay.b.link(relay.a, exit={"offer": True}, share={"networks": ["192.168.50.0/24"]})
    wait("shared", lambda: ping("laptop", "192.168.50.10"))
    check(not ping("lan-b", "10.10.0.34"), "sharing a LAN does not let it in")
    relay.b.link(relay.a, exit={"offer": True})
    relay.a.link(relay.b, exit={"offer": True})
    wait("closed again", lambda: not ping("laptop", "192.168.50.10"))
    wait("and not routed any more", lambda: "192.168.50" not in ip("a", "route", "show", "table", "870100"))


def subnet_behind_a_peer(relay):
    ip("phone", "address", "add", "192.168.77.1/24", "dev", "lo")
    relay.peer("phone", subnets=["192.168.77.0/24"])
    wait("reached", lambda: ping("laptop", "192.168.77.1"))
    check_in("192.168.77.0/24 dev pic0", ip("a", "route", "show", "table", "870100"), "the routes")
    relay.peer("laptop", access={"peers": []})
    wait("whoever may not reach the peer does not reach what is behind it",
         lambda: not ping("laptop", "192.168.77.1") and not ping("laptop", "10.10.0.35"))
    relay.peer("laptop")
    relay.peer("phone")
    wait("gone", lambda: "192.168.77" not in ip("a", "route", "show", "table", "870100"))
    ip("phone", "address", "del", "192.168.77.1/24", "dev", "lo")


def restricted_peers(relay):
    """Each list of access closes just its own door."""
    doors = {"peers": "10.10.0.35", "links": "10.20.0.1", "lan": "192.168.40.10"}
    for name in doors:
        relay.peer("laptop", access={name: []})
        wait(f"access.{name} is closed", lambda n=name: not ping("laptop", doors[n]))
        for other, to in doors.items():
            check(other == name or ping("laptop", to), f"with access.{name} empty, {other} should stay open")
        relay.check_seen(relay.laptop, "a", f"with access.{name} empty")
    relay.peer("laptop", internet=False)
    wait("the internet is closed", lambda: relay.laptop.seen_as("v4", 1) == "")
    check(all(ping("laptop", to) for to in doors.values()), "and nothing else")


def endpoint_that_is_a_name(relay):
    """DNS dead at the start is no obstacle; a record that becomes right is found."""
    zone = relay.root / "zone"
    zone.write_text("")
    (relay.a.root / "resolv.conf").write_text("nameserver 198.51.100.80\noptions timeout:1\n")
    relay.a.end(signal.SIGTERM)
    relay.a.link(relay.c, endpoint="c.example.org:51822")
    relay.started.append(relay.a.start())
    wait("all but the endpoint is there", lambda: on_device(relay, "c"), 10)
    wait("it is told", lambda: "EndpointResolved" in conditions(relay.a, "Link/c"))
    relay.check_seen(relay.laptop, "a", "meanwhile")
    dns = relay.spawn(["ip", "netns", "exec", namespace("web"), sys.executable,
                       str(Path(__file__).with_name("dns.py")), str(zone)])
    zone.write_text("203.0.113.9\n")
    wait("the first address, which is wrong", lambda: "203.0.113.9:51822" in relay.a.run("wg", "show", "pl-c"), 30)
    zone.write_text("203.0.113.2\n")
    wait("the right one, since nobody answers there",
         lambda: "203.0.113.2:51822" in relay.a.run("wg", "show", "pl-c"), 60)
    wait("they talk", lambda: ping("laptop", "10.30.0.1"), 10)
    dns.kill()
    relay.a.link(relay.c, exit={"offer": True})
    relay.settle()


def what_would_happen(relay):
    relay.via("b")

    def trace(to):
        return relay.a.picctl("trace", "laptop", to)

    check_in("dev pl-b", trace("198.51.100.80"), "trace to the internet")
    check_in("Peer/phone", trace("10.10.0.35"), "trace to a peer")
    check_in("the tunnel to Link/c", trace("10.30.0.9"), "trace to a linked cell")
    check_in("local network", trace("192.168.40.10"), "trace to the LAN")
    relay.peer("laptop", "nowhere")
    wait("blocked", lambda: relay.leaves().startswith("blocked"))
    check_in("refused", trace("198.51.100.80"), "trace of a blocked peer")


def others_see_nothing_of_us(relay):
    """Rules, routes and tables of others are the same before, while and after we take everything away."""
    ip("c", "rule", "add", "priority", "100", "fwmark", "7", "lookup", "100")
    ip("c", "route", "add", "192.0.2.200", "via", "203.0.113.1", "table", "100")
    inside("c", "nft", "add", "table", "ip", "theirs")
    inside("c", "nft", "add", "chain", "ip", "theirs", "gate", "{ type filter hook input priority 5 ; }")
    inside("c", "nft", "add", "rule", "ip", "theirs", "gate", "tcp", "dport", "25", "counter", "drop")

    def theirs():
        rules = [r for r in ip("c", "rule").splitlines() if "proto 87" not in r]
        return rules, ip("c", "route", "show", "table", "all", "proto", "boot"), inside("c", "nft", "list", "table",
                                                                                        "ip", "theirs")

    before = theirs()
    relay.c.request("/v1/control/resync", "PUT")
    relay.settle()
    check_equal(theirs(), before, "what is others', while we run")
    relay.c.picctl("teardown", "--yes")
    check_equal(theirs(), before, "what is others', after teardown")
    left = ip("c", "rule") + ip("c", "-6", "rule") + ip("c", "route", "show", "table", "all") + inside(
        "c", "nft", "list", "tables") + ip("c", "link")
    for ours in ("proto 87", "inet pic", "pl-a", "pic0", "870"):
        check(ours not in left, f"{ours} should be gone after teardown")
    relay.started.append(relay.c.start())
    relay.settle()


if __name__ == "__main__":
    main(network_of_ours_goes_before_a_links, relay_without_ipv6, own_services_answer_while_an_exit_is_used,
         no_default_route_from_allowed_ips, restarts_leave_one_of_each, site_to_site, subnet_behind_a_peer,
         restricted_peers, what_would_happen, endpoint_that_is_a_name, others_see_nothing_of_us)
