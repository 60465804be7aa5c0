"""The rows S1, S2, S3, S7, S8, S9, and the table of all: how much the cell costs, beside what the public tools cost in the same run.

A figure of another program is compared only as far as picd does its work: while it keeps no firewall,
the nft part is measured and printed, but does not count in our favour.
"""
import os
import random
import time

from . import exits, lab, peers
from .cell import Cell
from .devices import Devices

FEW = 100


class Bench:
    """What all rows need. say() is for the person who waits."""

    def __init__(self, picd, directory, many, say):
        self.picd, self.directory, self.many, self.say = picd, directory, many, say
        self.trees = 0
        self.private_key = lab.run("wg", "genkey")  # one for all: another costs wireguard-go every peer

    def cell(self, numbers, file_each=False):
        self.trees += 1
        directory = os.path.join(self.directory, str(self.trees))
        peers.write_tree(os.path.join(directory, "manifests"), numbers, file_each)
        return Cell(self.picd, directory)

    def wg_config(self, name, numbers, moved=None):
        """A file for wg; `moved`: this number has the addresses of the one after the last."""
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="ascii") as file:
            file.write("[Interface]\nPrivateKey = " + self.private_key)
            for number in numbers:
                file.write(peers.section(number, len(numbers) if number == moved else number))
        return path

    def nft_set(self, numbers):
        return lab.NftSet([str(peers.address(number)) for number in numbers],
                          os.path.join(self.directory, "set.nft"))


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def compared(wireguard, nft):
    """The milliseconds that count as baseline, and their name."""
    return (wireguard + nft, "wireguard and nft") if lab.firewall_is_ours() else (wireguard, "wireguard")


# ---- S1

CHANGES, ROUNDS, PING_SECONDS = 300, 6, 6


def change_one(bench):
    """One peer among many gets another address.

    From just before the rename() of its manifest until the line has been read in which picd says that
    WireGuard acknowledged the step. The error, the wake-up of the reader, counts against picd.
    """
    last = bench.many - 1
    pauses = random.Random(1)
    wireguard, nft, ours, cpu = [], [], [], []
    with Devices(range(last - 3, last)) as devices, lab.Device("wg0"):
        cell = bench.cell(range(last - 3))
        peers.write(os.path.join(cell.manifests, "peers", "devices.yaml"), devices.manifests())
        change = Change(cell, last)
        cell.start(told=True)
        devices.open()
        configs = [bench.wg_config("a.conf", range(bench.many)),
                   bench.wg_config("b.conf", range(bench.many), last)]
        lab.run("wg", "setconf", "wg0", configs[0])
        nft_set = bench.nft_set(range(bench.many))
        nft_set.load()
        for part in range(ROUNDS):
            bench.say(f"S1: part {part + 1} of {ROUNDS}")
            before = cell.cpu_ms()
            for _ in range(CHANGES // ROUNDS):
                ours.append(change())
                time.sleep(pauses.uniform(0.01, 0.06))
            cpu.append((cell.cpu_ms() - before) * ROUNDS / CHANGES)
            for i in (1, 0):
                wireguard.append(lab.milliseconds_of("wg", "syncconf", "wg0", configs[i]))
                nft.append(nft_set.add(str(peers.address(bench.many))))
                nft_set.remove(str(peers.address(bench.many)))
        change.check()
        bench.say("S1: counting lost packets")
        made = len(change.made)
        sent, lost = devices.ping_while(change, PING_SECONDS)
        base, name = compared(lab.median(wireguard), lab.median(nft))
        cell.teardown()
        nft_set.unload()
    p50, p99 = lab.median(ours), lab.percentile(ours, 0.99)
    return {
        "ours": {"p50Ms": p50, "p99Ms": p99, "changes": len(ours), "cpuMsPerChange": lab.median(cpu),
                 "pingsOfOthers": sent, "pingsLost": lost, "changesWhilePinged": len(change.made) - made},
        "baseline": {"wg syncconf ms": lab.median(wireguard), "nft add element ms": lab.median(nft),
                     "compared": name},
        "ratio": {"p50": p50 / base, "p99": p99 / base},
        "holds": p50 <= base / 20 and p99 <= base / 8 and lost == 0,
    }


class Change:
    """Called: moves the peer to its other addresses, and back the next time; milliseconds."""

    def __init__(self, cell, number):
        self.cell, self.number, self.made = cell, number, []
        self.path = os.path.join(cell.manifests, "peers", f"peer-{number}.yaml")
        peers.write(self.path, peers.manifest(number))

    def at(self):
        return self.number + len(self.made) % 2

    def __call__(self):
        self.made.append(None)
        aside = self.path + ".new"
        with open(aside, "w", encoding="ascii") as file:
            file.write(peers.manifest(self.number, at=self.at()))
        begin = time.perf_counter_ns()
        os.rename(aside, self.path)
        end = self.cell.wait_log(b"event=step", b"verb=~", b'"peer peer-%d"' % self.number, b"error=-")
        self.made[-1] = (end - begin) / 1e6
        return self.made[-1]

    def check(self):
        """What picd said is what the device has."""
        allowed = lab.run("wg", "show", "pic0", "allowed-ips")
        line = next(line for line in allowed.splitlines() if line.startswith(peers.key(self.number)))
        if f"{peers.address(self.at())}/32" not in line:
            raise RuntimeError(f"the device says {line}, not {peers.address(self.at())}")


# ---- S2

COLD_STARTS = 5


def start_cold(bench):
    """From the exec of picd, with no interface and nothing remembered, until it says that it is ready."""
    wall, cpu, wireguard, nft = [], [], [], []
    config = bench.wg_config("cold.conf", range(bench.many))
    nft_set = bench.nft_set(range(bench.many))
    for start in range(COLD_STARTS):
        bench.say(f"S2: start {start + 1} of {COLD_STARTS}")
        cell = bench.cell(range(bench.many))
        wall.append(cell.start())
        cpu.append(cell.cpu_ms())
        on_device = len(lab.run("wg", "show", "pic0", "peers").split())
        if on_device != bench.many or cell.ask("/readyz")[0] != 200:
            raise RuntimeError(f"ready with {on_device} of {bench.many} peers")
        with lab.Device("wg0"):
            wireguard.append(lab.milliseconds_of("wg", "setconf", "wg0", config))
        nft.append(nft_set.load())
        nft_set.unload()
        base, name = compared(lab.median(wireguard), lab.median(nft))
        cell.teardown()
    wall_ms, cpu_ms = lab.median(wall), lab.median(cpu)
    return {
        "ours": {"p50Ms": wall_ms, "cpuMs": cpu_ms},
        "baseline": {"wg setconf ms": lab.median(wireguard), "nft -f ms": lab.median(nft), "compared": name},
        "ratio": {"wall": wall_ms / base, "cpu": cpu_ms / base},
        "holds": wall_ms <= 1.15 * base and cpu_ms <= 0.25 * base,
    }


# ---- S3

LOOKS = 15
LOOK_SECONDS = 0.3


def look_at_all(bench):
    """A full look with nothing to do.

    The kernel is made to report a change of pic0 that is none of ours (its queue length). While picd
    looks, its endpoint is silent: the longest of many /healthz, asked one after the other, is the look.
    """
    looks, cpu, wireguard, bare, nft = [], [], [], [], []
    cell = bench.cell(range(bench.many))
    cell.start()
    cell.settle()
    bench.say("S3: looking")
    writes = cell.metrics()["pic_system_writes_total"]
    with lab.Device("wg0") as device:
        lab.run("wg", "setconf", "wg0", bench.wg_config("look.conf", range(bench.many)))
        nft_set = bench.nft_set(range(bench.many))
        nft_set.load()
        for number in range(LOOKS):
            lab.run("ip", "link", "set", "pic0", "txqueuelen", str(600 + number))
            wall_ms, cpu_ms = longest_silence(cell)
            looks.append(wall_ms)
            cpu.append(cpu_ms)
            wireguard.append(lab.milliseconds_of("wg", "show", "wg0", "dump"))
            bare.append(device.read_bare())
            nft.append(nft_set.list())
        nft_set.unload()
    writes = cell.metrics()["pic_system_writes_total"] - writes
    base, name = compared(lab.median(wireguard), lab.median(nft))
    cell.teardown()
    return {
        "ours": {"p50Ms": lab.median(looks), "cpuMs": lab.median(cpu), "writes": writes},
        "baseline": {"wg show dump ms": lab.median(wireguard), "nft -j list ms": lab.median(nft),
                     "bare read of the UAPI socket ms": lab.median(bare), "compared": name},
        "ratio": lab.median(looks) / base,
        "holds": lab.median(looks) <= 0.4 * base and writes == 0,
    }


def longest_silence(cell):
    """Its milliseconds, and those of picd's CPU in it."""
    longest, end = (0, 0), time.monotonic() + LOOK_SECONDS
    while time.monotonic() < end:
        cpu, begin = cell.cpu_ms(), time.perf_counter_ns()
        cell.ask("/healthz")
        took = (time.perf_counter_ns() - begin) / 1e6
        longest = max(longest, (took, cell.cpu_ms() - cpu))
    return longest


# ---- S7

CHURN_WARM, CHURN = 5, 15  # thousands of changes


def weigh(bench):
    """Memory of picd alone, converged and asleep."""
    bench.say(f"S7: {FEW} peers")
    few = weigh_once(bench, FEW, True)
    per_peer = {}
    for name, file_each in (("inOneFile", False), ("inAFileEach", True)):
        bench.say(f"S7: {bench.many} peers {name}")
        many = weigh_once(bench, bench.many, file_each)["Anonymous"]
        per_peer[name] = 1024 * (many - few["Anonymous"]) / (bench.many - FEW)
    slope = weigh_churn(bench)
    return {
        "ours": {"anonymousKiB": few["Anonymous"], "pssKiB": few["Pss"], "rssKiB": few["Rss"],
                 "bytesPerFurtherPeer": per_peer, "churnBytesPer1000Changes": slope},
        "baseline": {"published": "Tailscale 66 MB, NetBird 36 MB, calico-node 72-92 MiB"},
        "ratio": None,
        "holds": few["Anonymous"] <= 3 * 1024 and few["Pss"] <= 12 * 1024
                 and max(per_peer.values()) <= 2048 and slope < 1024,
    }


def weigh_once(bench, count, file_each):
    cell = bench.cell(range(count), file_each)
    cell.start()
    cell.settle()
    weight = cell.memory_kib()
    cell.teardown()
    return weight


def weigh_churn(bench):
    """The growth per 1,000 changes of peers that come, move and go, once the first ones are past.

    Memory comes and goes by pages of 4 KiB: the least of the later half is compared with the least of
    the earlier one.
    """
    cell = bench.cell(range(FEW), True)
    cell.start()
    chance = random.Random(7)
    weights = []
    for thousand in range(CHURN_WARM + CHURN):
        bench.say(f"S7: change {1000 * thousand} of {1000 * (CHURN_WARM + CHURN)}")
        change_thousand(cell, chance)
        cell.settle()
        weights.append(cell.memory_kib()["Anonymous"])
    cell.teardown()
    earlier, later = weights[CHURN_WARM:-CHURN // 2], weights[-CHURN // 2:]
    return 1024 * (min(later) - min(earlier)) / (CHURN / 2)


def change_thousand(cell, chance):
    """Peers beside the first ones come, move and go; at the end all of them are there."""
    numbers = range(FEW, FEW + 50)
    paths = {number: os.path.join(cell.manifests, "peers", f"peer-{number}.yaml") for number in numbers}
    for _ in range(1000):
        number = chance.choice(numbers)
        if os.path.exists(paths[number]) and chance.random() < 0.5:
            os.unlink(paths[number])
        else:
            peers.write(paths[number], peers.manifest(number, at=number + 100 * chance.randrange(2)))
        time.sleep(0.003)
    for number, path in paths.items():
        peers.write(path, peers.manifest(number))


# ---- S8

IDLE_SECONDS = 20


def do_nothing(bench):
    """Converged and left alone. A wake-up is a voluntary context switch: it slept, and was woken."""
    cell = bench.cell(range(FEW), True)
    cell.start()
    cell.settle()
    bench.say(f"S8: {IDLE_SECONDS} s of nothing")
    before = cell.metrics()
    time.sleep(0.3)
    cpu, sleeps, begin = cell.cpu_ms(), cell.sleeps(), time.monotonic()
    time.sleep(IDLE_SECONDS)
    cpu, sleeps, took = cell.cpu_ms() - cpu, cell.sleeps() - sleeps, time.monotonic() - begin
    after = cell.metrics()
    cell.teardown()
    writes = after["pic_system_writes_total"] - before["pic_system_writes_total"]
    reads = after["pic_system_reads_total"] - before["pic_system_reads_total"]
    share = cpu / took / 10
    return {
        "ours": {"writes": writes, "reads": reads, "wakeUpsPerSecond": sleeps / took, "cpuPercent": share},
        "baseline": {"published": "felix rewrote rules every 90 s"},
        "ratio": None,
        "holds": writes == 0 and sleeps / took <= 2 and share <= 0.1,
    }


# ---- S9

RESTARTS = 10


def restart(bench):
    """picd ended and started again, everything live and right: exec until it says that it is ready."""
    cell = bench.cell(range(FEW), True)
    cell.start()
    cell.settle()
    bench.say("S9: restarting")
    took, cpu = [], []
    for _ in range(RESTARTS):
        cell.stop()
        took.append(cell.start())
        cpu.append(cell.cpu_ms())
    cell.teardown()
    return {
        "ours": {"p50Ms": lab.median(took), "longestMs": max(took), "cpuMs": lab.median(cpu)},
        "baseline": {},
        "ratio": None,
        "holds": lab.median(took) <= 60,
    }


# name: (how it is measured, what is aimed at)
ROWS = {
    "S1": (change_one, "p50 <= 1/20, p99 <= 1/8 of the baseline; other peers lose 0 packets"),
    "S2": (start_cold, "<= 1.15 x the baseline; our own CPU <= 0.25 of it"),
    "S3": (look_at_all, "<= 0.4 x the baseline, 0 writes"),
    "S4": (exits.route_many, "<= 1/30 of one ip rule a peer; as many rules as exits"),
    "S6": (exits.repair, "p99 <= 100 ms for every kind"),
    "RELAY": (exits.relay, "within 10 % of the same path by hand, median of 9 alternating pairs"),
    "S7": (weigh, "at 100 peers <= 3 MiB anonymous, <= 12 MiB PSS; <= 2 KiB per further peer; "
                  "< 1 KiB per 1,000 changes"),
    "S8": (do_nothing, "0 writes, <= 2 wake-ups a second, <= 0.1 % of a core"),
    "S9": (restart, "<= 60 ms"),
}
