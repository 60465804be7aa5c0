"""A picd that is measured: started, asked, and looked at from outside. It knows nothing of it.

That it is ready comes as the notification that picd sends to a service manager, so that nobody has to
ask again and again while it works. Its CPU time is that of the scheduler's statistics (nanoseconds);
the clock ticks of /proc/PID/stat are too coarse.
"""
import os
import re
import select
import signal
import socket
import subprocess
import time


class Cell:
    """The directories of a cell below `directory`, with the manifests already in place."""

    def __init__(self, picd, directory):
        self.picd, self.directory = picd, directory
        self.manifests = os.path.join(directory, "manifests")
        self.process = self.log = self.notify = None
        self.unread = b""
        os.makedirs(os.path.join(directory, "run"), exist_ok=True)

    # ---- life

    def start(self, told=False):
        """exec -> ready, in milliseconds. `told`: its log, in all detail, can be read with wait_log()."""
        path = os.path.join(self.directory, "run", "notify")
        if os.path.exists(path):
            os.unlink(path)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(path)
        flags = [word for name in ("manifests", "secrets", "state", "run")
                 for word in ("--" + name, os.path.join(self.directory, name))]
        with open(os.path.join(self.directory, "picd.log"), "ab") as log:
            begin = time.perf_counter_ns()
            self.process = subprocess.Popen(
                [self.picd, *flags, "--log-level", "debug" if told else "warning"],
                stderr=subprocess.PIPE if told else log, env={**os.environ, "NOTIFY_SOCKET": path})
        self.log = self.process.stderr
        self._wait_ready(60)
        return (time.perf_counter_ns() - begin) / 1e6

    def _wait_ready(self, seconds):
        end = time.monotonic() + seconds
        watched = [self.notify] + ([self.log] if self.log else [])
        while time.monotonic() < end and self.process.poll() is None:
            readable, _, _ = select.select(watched, [], [], 0.5)
            if self.log in readable:
                os.read(self.log.fileno(), 1 << 16)  # a full pipe would stop it
            if self.notify in readable and b"READY=1" in self.notify.recv(4096):
                return
        raise RuntimeError(f"picd is not ready after {seconds} s; see {self.directory}/picd.log")

    def stop(self):
        """Ends picd; everything stays live."""
        self.process.send_signal(signal.SIGTERM)
        self._wait_ended()

    def teardown(self):
        """Takes what is live away as well."""
        self.ask("/v1/control/teardown", "PUT")
        self._wait_ended()

    def _wait_ended(self):
        if self.log:
            while os.read(self.log.fileno(), 1 << 16):
                pass
            self.log.close()
        self.process.wait(timeout=30)
        self.notify.close()

    # ---- what it says

    def ask(self, path, method="GET"):
        """(status, body) of its endpoint."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(60)
            connection.connect(os.path.join(self.directory, "run", "picd.sock"))
            connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
                               "Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while chunk := connection.recv(1 << 16):
                answer += chunk
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()

    def metrics(self):
        """The samples without labels."""
        text = self.ask("/metrics")[1]
        return {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", text, re.M)}

    def check_alive(self):
        if self.process.poll() is not None:
            with open(os.path.join(self.directory, "picd.log"), encoding="utf-8") as log:
                raise RuntimeError(f"picd ended with {self.process.returncode}: {log.read()[-2000:]}")

    def wait_log(self, *words, seconds=10):
        """The perf_counter_ns() at which a line with all these words had been read."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not select.select([self.log], [], [], 0.5)[0]:
                continue
            self.unread += os.read(self.log.fileno(), 1 << 16)
            now = time.perf_counter_ns()
            *lines, self.unread = self.unread.split(b"\n")
            if any(all(word in line for word in words) for line in lines):
                return now
        raise RuntimeError(f"picd did not say {words} within {seconds} s")

    # ---- what it costs

    def _proc(self, name):
        with open(f"/proc/{self.process.pid}/{name}", encoding="ascii") as file:
            return file.read()

    def cpu_ms(self):
        return int(self._proc("schedstat").split()[0]) / 1e6

    def sleeps(self):
        """How often it went to sleep and was woken again."""
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", self._proc("status"), re.M)[1])

    def memory_kib(self):
        """Anonymous memory, the proportional share of all pages, all pages."""
        text = self._proc("smaps_rollup")
        return {field: int(re.search(rf"^{field}:\s+(\d+)", text, re.M)[1])
                for field in ("Anonymous", "Pss", "Rss")}

    def settle(self):
        """Waits until it has written down what it remembers and sleeps."""
        quiet = 0
        end = time.monotonic() + 60
        while quiet < 3 and time.monotonic() < end:
            self.check_alive()
            before = self.cpu_ms()
            time.sleep(0.2)
            quiet = quiet + 1 if self.cpu_ms() - before < 1 else 0
