"""The broker under test: a process of ours, on a free port of the loopback, stopped by its own pid.

`MARTLET_BROKER` is its command line with `{conf}` for the configuration file, e.g. `mosquitto -c {conf}`; without it
the program that `swift build` made last is taken.
"""

import itertools
import os
import pathlib
import random
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = os.environ.get("MARTLET_BROKER") or f"{shlex.quote(str(ROOT / '.build/debug/martlet'))} broker -c {{conf}}"

# Debian's mosquitto 2.0.11 is what these tests were written against; it lacks what 2.1 and Martlet have.
IS_MOSQUITTO = "mosquitto" in os.path.basename(shlex.split(COMMAND)[0])

#: Seconds for whatever is sure to happen: a busy machine may take that much longer. Each test has several of them (pytest.ini).
WAIT = 60.0


_candidates = itertools.cycle(random.Random(os.getpid()).sample(range(10_000, 32_000), 2_000))


def free_port():
    """Free on every interface, and below the ports that the kernel gives to outgoing connections: those of other programs
    on the machine would take it before the broker does."""
    for port in itertools.islice(_candidates, 2_000):
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no port is free")


def answers(host, port, seconds=2.0):
    """Whether something accepts a connection there."""
    try:
        with socket.create_connection((host, port), timeout=seconds):
            return True
    except OSError:
        return False


def until(condition, failure, seconds=WAIT):
    """Asks until `condition()` is true, and returns what it said; `failure()` is what there is instead."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, failure()
        time.sleep(0.02)
    return found


def whole_lines(path):
    """Of a log that somebody is writing: without a last line that is only partly there."""
    text = path.read_text(errors="replace")
    return text[:text.rfind("\n") + 1]


def says_that_it_runs(conf):
    """Whether a broker with that configuration says so where we read. Its listeners open one after another: then all of them are open."""
    types = re.findall(r"^log_type (.*)$", conf, re.MULTILINE)
    destinations = re.findall(r"^log_dest (.*)$", conf, re.MULTILINE)
    return (not types or {"all", "information"} & set(types)) and (not destinations or {"stdout", "stderr"} & set(destinations))


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            return True
    except OSError:
        return False


def end_process(process, how=signal.SIGKILL, seconds=WAIT):
    """Sends that signal to a process of ours, where it still runs, and waits until it is gone; returns its exit status."""
    process.send_signal(how)
    return process.wait(timeout=seconds)


class Broker:
    """`conf` is the configuration's text with `{port}` in it; `conf=None` starts the broker on its embedded defaults."""

    LOOPBACK = "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type all\n"

    def __init__(self, conf=LOOPBACK, extra=""):
        self.port = free_port()
        text = ""
        self.folder = tempfile.TemporaryDirectory(prefix="martlet-interop-")
        folder = pathlib.Path(self.folder.name)
        if conf is None:
            command = COMMAND.replace("-c {conf}", f"-p {self.port}")
        else:
            path = folder / "broker.conf"
            text = conf.format(port=self.port) + extra
            path.write_text(text)
            command = COMMAND.replace("{conf}", shlex.quote(str(path)))
            # mosquitto started by root becomes its own user before it opens files.
            folder.chmod(0o755)
        self._log_path = folder / "broker.log"
        self._log = open(self._log_path, "wb")
        self.process = subprocess.Popen(
            shlex.split(command), stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )
        try:
            self._wait_until_it_listens(everywhere=says_that_it_runs(text))
        except BaseException:
            self.stop()
            raise

    def _wait_until_it_listens(self, everywhere, seconds=WAIT):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                said = self._log_path.read_text(errors="replace")
                raise RuntimeError(f"the broker ended with status {self.process.returncode}:\n{said}")
            if (not everywhere or " running\n" in self.log) and answers("127.0.0.1", self.port):
                return
            time.sleep(0.02)
        raise RuntimeError(f"nothing listens on port {self.port} after {seconds} s:\n{self.log}")

    @property
    def log(self):
        return whole_lines(self._log_path)

    def terminate(self, seconds=WAIT):
        """SIGTERM, and the exit status. A broker that is not gone in time is a failure."""
        return end_process(self.process, signal.SIGTERM, seconds)

    def stop(self):
        if self.process.poll() is None:
            try:
                self.terminate()
            except subprocess.TimeoutExpired:
                end_process(self.process)
        self._log.close()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
