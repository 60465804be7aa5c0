"""Where the benchmarks run: namespaces of their own, and the public tools that run beside us in them.

The process that was started by the user only makes a directory and waits. The work is done by a copy
of it in a new network, mount and process namespace: nothing that it does is seen outside, and when it
ends, however it ends, the kernel ends everything that it started.
"""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

INSIDE = "PIC_BENCH_DIRECTORY"
LONGEST_SECONDS = 3600
TOOLS = ("unshare", "mount", "ip", "wg", "wireguard-go", "nft", "ping")


class Unusable(Exception):
    """This machine cannot run the benchmarks; the message says what to do."""


def check_machine(picd):
    if os.geteuid() != 0:
        raise Unusable("the benchmarks make network namespaces: run as root")
    if not os.access(picd, os.X_OK):
        raise Unusable(f'there is no "{picd}": run tools/setup, or name another with --picd')
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        raise Unusable(f"cannot find {', '.join(missing)}: tools/setup --test installs them")


def die_with_parent():
    """For the new process: SIGKILL when its parent ends, whatever the reason (prctl(2))."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run_isolated():
    """Runs this command line again, inside. Returns its exit status."""
    with tempfile.TemporaryDirectory(prefix="pic-bench-", dir="/var/tmp") as directory:
        command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                   sys.executable, *sys.argv]
        child = subprocess.Popen(command, env={**os.environ, INSIDE: directory}, preexec_fn=die_with_parent)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        try:
            return child.wait(timeout=LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"bench: not done after {LONGEST_SECONDS} s; ended", file=sys.stderr)
            return 1
        finally:
            child.kill()
            child.wait()


def furnish():
    """The first thing inside. Returns the directory to work in."""
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    os.mkdir("/run/wireguard", 0o700)
    run("ip", "link", "set", "lo", "up")
    return os.environ[INSIDE]


def run(*command, text=None):
    """Runs a command that has to succeed; returns what it printed."""
    done = subprocess.run(command, input=text, text=True, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def milliseconds_of(*command):
    """How long the command takes from its start until it has ended; its output goes nowhere."""
    start = time.perf_counter_ns()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    took = (time.perf_counter_ns() - start) / 1e6
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode().strip()}")
    return took


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"not within {seconds} s: {what}")
        time.sleep(0.005)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def median(values):
    return percentile(values, 0.5)


class Device:
    """A WireGuard interface of the public tools, alone in its wireguard-go. Used with `with`."""

    def __init__(self, name, netns=None):
        self.name = name
        self.prefix = ["ip", "netns", "exec", netns] if netns else []
        self.process = subprocess.Popen([*self.prefix, "wireguard-go", "-f", name],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        env={**os.environ, "LOG_LEVEL": "error"})

    def __enter__(self):
        wait_for(lambda: subprocess.run([*self.prefix, "wg", "show", self.name],
                                        capture_output=True).returncode == 0, 5, self.name)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def read_bare(self):
        """Milliseconds to get its state from wireguard-go and throw it away: no reader can be faster."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(f"/run/wireguard/{self.name}.sock")
            start = time.perf_counter_ns()
            connection.sendall(b"get=1\n\n")
            end = b""
            while not end.endswith(b"\n\n"):
                end = connection.recv(1 << 18)[-2:]
            return (time.perf_counter_ns() - start) / 1e6


class NftSet:
    """A table with one set of addresses, in nft's language: what a firewall that knows every peer has."""

    def __init__(self, elements, script):
        self.script = script
        with open(script, "w", encoding="ascii") as file:
            file.write("table inet bench { set peers { type ipv4_addr; elements = {\n"
                       + ",\n".join(elements) + "\n}; }; }\n")

    def load(self):
        return milliseconds_of("nft", "-f", self.script)

    def add(self, element):
        return milliseconds_of("nft", "add", "element", "inet", "bench", "peers", f"{{ {element} }}")

    def remove(self, element):
        run("nft", "delete", "element", "inet", "bench", "peers", f"{{ {element} }}")

    def list(self):
        return milliseconds_of("nft", "-j", "list", "table", "inet", "bench")

    def unload(self):
        run("nft", "delete", "table", "inet", "bench")


def firewall_is_ours():
    """Does picd, as it runs now, also have a firewall to keep?"""
    return "inet pic" in run("nft", "list", "tables")
