"""The rows S4, S6 and RELAY: peers routed through other cells, drift until it is repaired, and how much gets
through a relay."""
import json
import os
import subprocess
import time

from . import lab, peers
from .byhand import ByHand, Ours
from .cell import Cell

EXITS = 3


def link_manifest(number):
    return (f"apiVersion: pic/v1\nkind: Link\nmetadata:\n  name: exit{number}\nspec:\n"
            f"  publicKey: {link_key(number)}\n  vpn: 10.{100 + number}.0.0/24\n  domain: exit{number}.cell\n")


def link_key(number):
    return peers.key(1000000 + number)


def document(number, offered):
    return {"apiVersion": "pic.peersync/v1", "cell": f"exit{number}", "domain": f"exit{number}.cell",
            "publicKey": link_key(number), "generation": 1, "bootId": "bench", "validFor": 604800,
            "vpn": f"10.{100 + number}.0.0/24", "vpn6": None, "networks": [],
            "dns": f"10.{100 + number}.0.1", "endpoint": "", "observed": "", "services": [],
            "exit": {"offered": offered, "ready": offered, "ipv6": offered, "reason": ""},
            "use_as_exit_relay": False}


# ---- S4

ROUTED_TIMES = 7


class Routed:
    """A cell whose peers all leave through three others, which offer, or do not."""

    def __init__(self, bench, many):
        directory = os.path.join(bench.directory, f"routed-{many}")
        manifests = os.path.join(directory, "manifests")
        os.makedirs(os.path.join(manifests, "peers"))
        peers.write(os.path.join(manifests, "cell.yaml"), peers.CELL)
        peers.write(os.path.join(manifests, "links.yaml"),
                    "---\n".join(link_manifest(number) for number in range(EXITS)))
        peers.write(os.path.join(manifests, "peers", "many.yaml"), "---\n".join(
            peers.manifest(number) + f"  routeVia: exit{number % EXITS}\n" for number in range(many)))
        self.links = os.path.join(directory, "state", "links")
        os.makedirs(self.links)
        self.offer(False)
        self.cell = Cell(bench.picd, directory)

    def offer(self, offered):
        for number in range(EXITS):
            peers.write(os.path.join(self.links, f"exit{number}.json"), json.dumps(
                {"received": int(time.time()), "document": document(number, offered)}))

    def change(self, offered):
        """Milliseconds from the request to read what the other cells say until every peer has converged."""
        self.offer(offered)
        begin = time.perf_counter_ns()
        status, said = self.cell.ask("/v1/control/documents", "PUT")
        if status != 200:
            raise RuntimeError(f"picd does not read documents: {said}")
        while self.cell.metrics()["pic_converged"] != 1:
            pass
        return (time.perf_counter_ns() - begin) / 1e6


def rules_of(family):
    return [line for line in lab.run("ip", family, "rule").splitlines() if "proto 87" in line]


def batch_of_rules(bench):
    path = os.path.join(bench.directory, "rules.batch")
    with open(path, "w", encoding="ascii") as file:
        for number in range(bench.many):
            file.write(f"rule add from {peers.address(number)} lookup {200 + number % EXITS} priority 500\n")
    took = lab.milliseconds_of("ip", "-batch", path)
    for _ in range(bench.many // 1000 + 50):
        subprocess.run(["ip", "rule", "flush", "priority", "500"], capture_output=True, check=False)
    return took


def route_many(bench):
    """Many peers get their exits at once: three other cells begin to offer one."""
    took = {}
    for many in (bench.many // 10, bench.many):
        bench.say(f"S4: {many} peers over {EXITS} exits")
        routed = Routed(bench, many)
        routed.cell.start()
        routed.cell.settle()
        times = []
        for i in range(ROUTED_TIMES):
            routed.change(False)
            times.append(routed.change(True))
        took[many] = lab.median(times)
        rules = [len(rules_of(family)) for family in ("-4", "-6")]
        elements = elements_of_exits()
        routed.cell.teardown()
    bench.say(f"S4: {bench.many} ip rules")
    baseline = batch_of_rules(bench)
    ours = took[bench.many]
    return {
        "ours": {"p50Ms": ours, "p50MsOfATenth": took[bench.many // 10], "rulesPerFamily": rules,
                 "elementsOfExits": elements},
        "baseline": {"ip rule, one a peer, ms": baseline},
        "ratio": ours / baseline,
        "holds": ours <= baseline / 30 and rules == [4 + 2 * EXITS] * 2 and elements == bench.many,
    }


def elements_of_exits():
    """How many addresses the sets of the exits have, IPv4."""
    listed = json.loads(lab.run("nft", "-j", "list", "table", "inet", "pic"))["nftables"]
    sets = [entry["set"] for entry in listed if "set" in entry]
    return sum(len(one.get("elem", [])) for one in sets
               if one["name"].startswith("exit_") and one["name"].endswith("4"))


# ---- S6

REPAIRS = 20

DRIFT = {
    "rule": ("ip rule del priority 89 protocol 87", "ip rule", "89:", True),
    "rule, IPv6": ("ip -6 rule del priority 89 protocol 87", "ip -6 rule", "89:", True),
    "route": ("ip route flush table 870100", "ip route show table 870100", "dev pic0", True),
    "chain": ("nft flush chain inet pic premark", "nft list chain inet pic premark", "goto", True),
    "table": ("nft flush ruleset", "nft list tables", "inet pic", True),
    "element": ("nft flush set inet pic peer_all4", "nft list set inet pic peer_all4", "10.64.", True),
    "setting": ("sysctl -qw net.ipv4.ip_forward=0", "sysctl -n net.ipv4.ip_forward", "1", True),
    "address": ("ip addr flush dev pic0", "ip addr show dev pic0", str(peers.CELL_ADDRESS), True),
    "link": ("ip link set pic0 down", "ip link show pic0", "UP", True),
}


def repair(bench):
    """What somebody else took away is back: each kind of object that the kernel tells changes of."""
    cell = bench.cell(range(100))
    cell.start()
    cell.settle()
    took = {}
    for what, (harm, look, word, _) in DRIFT.items():
        bench.say(f"S6: {what}")
        took[what] = [repaired_after(cell, harm, look.split(), word) for _ in range(REPAIRS)]
    cell.teardown()
    worst = {what: lab.percentile(times, 0.99) for what, times in took.items()}
    return {
        "ours": {"p50Ms": {what: lab.median(times) for what, times in took.items()}, "p99Ms": worst},
        "baseline": {"published": "Felix 90-180 s; Tailscale 250 ms, IPv4 rules only"},
        "ratio": None,
        "holds": max(worst.values()) <= 100,
    }


def repaired_after(cell, harm, look, word):
    """From before the program that does the harm is started; calmly, so that it is no fight."""
    time.sleep(1.1)
    repairs = cell.metrics()["pic_drift_repairs_total"]
    begin = time.perf_counter_ns()
    subprocess.run(harm.split(), check=True, capture_output=True)
    while cell.metrics()["pic_drift_repairs_total"] == repairs or word not in lab.run(*look):
        if time.perf_counter_ns() - begin > 5e9:
            raise RuntimeError(f"not repaired: {harm}")
    return (time.perf_counter_ns() - begin) / 1e6


# ---- RELAY

PAIRS, RELAY_SECONDS = 9, 2


def relay(bench):
    """Throughput of a device through its cell and a relay, beside the same path set up by hand."""
    pairs = []
    with Ours(bench) as ours, ByHand(bench) as byhand:
        ours.serve()
        for i in range(PAIRS):
            bench.say(f"RELAY: pair {i + 1} of {PAIRS}")
            order = (ours, byhand) if i % 2 else (byhand, ours)
            result = {path: path.throughput(RELAY_SECONDS) for path in order}
            pairs.append((result[ours], result[byhand]))
    ratios = [ours / byhand for ours, byhand in pairs]
    return {
        "ours": {"mbitPerSecond": lab.median([pair[0] for pair in pairs])},
        "baseline": {"by hand with wg, ip, nft, mbitPerSecond": lab.median([pair[1] for pair in pairs])},
        "ratio": lab.median(ratios),
        "holds": lab.median(ratios) >= 0.9,
    }
