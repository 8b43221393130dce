"""Whoever reads the log may stop reading, and the disk it goes to may be full: clients are served all the same."""

import os
import pathlib
import pty
import re
import resource
import signal
import subprocess
import tempfile
import termios
import time

import pytest

from broker import IS_MOSQUITTO, ROOT, answers, end_process, free_port
from peers import Peer

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="mosquitto 2.0.11 waits until somebody reads its log")

MARTLET = str(ROOT / ".build/debug/martlet")
PATIENCE = 60


class Logging:
    """A broker that logs everything to a destination of the test's own."""

    def __init__(self, settings, **streams):
        self.folder = tempfile.TemporaryDirectory(prefix="martlet-interop-")
        self.path = pathlib.Path(self.folder.name)
        self.port = free_port()
        (self.path / "broker.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nlog_type all\n" + settings.format(path=self.path))
        self.process = subprocess.Popen(
            [MARTLET, "broker", "-c", str(self.path / "broker.conf")], stdin=subprocess.DEVNULL, **streams)
        self.until(lambda: answers("127.0.0.1", self.port))

    def until(self, holds):
        end = time.monotonic() + PATIENCE
        while not holds():
            assert self.process.poll() is None and time.monotonic() < end
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            end_process(self.process)
        self.folder.cleanup()


def chatter(port, messages):
    """Messages at QoS 1, each of which makes four lines of the log, two of them with a topic of 3,000 bytes."""
    talker = Peer(port)
    topic = "t/" + 2998 * "c"
    talker.subscribe(topic, qos=1)
    for number in range(messages):
        talker.publish(topic, b"%d" % number, qos=1)
        assert talker.next().payload == b"%d" % number
    talker.close()


@pytest.mark.parametrize("destination", ["stderr", "stdout"])
def test_a_pipe_that_nobody_reads_holds_nobody_up(destination):
    with Logging(f"log_dest {destination}\n", **{destination: subprocess.PIPE}) as broker:
        chatter(broker.port, 30)  # 180 KB of lines; a pipe holds 64
        chatter(broker.port, 1)
        # It begins to read, and has missed nothing.
        broker.process.send_signal(signal.SIGTERM)
        lines = getattr(broker.process, destination).read().decode().splitlines()
        assert broker.process.wait(PATIENCE) == 0
    published = [line for line in lines if "Received PUBLISH from" in line]
    assert len(published) == 31
    assert any(line.endswith(" terminating") for line in lines)
    assert all(re.match(r"\d{10}: ", line) for line in lines)


def test_it_stops_though_nobody_reads():
    with Logging("log_dest stdout\n", stdout=subprocess.PIPE) as broker:
        chatter(broker.port, 30)
        broker.process.send_signal(signal.SIGTERM)
        assert broker.process.wait(PATIENCE) == 0


def test_a_terminal_that_is_stopped_holds_nobody_up():
    """Ctrl-S, and Ctrl-Q later."""
    reader, terminal = pty.openpty()
    try:
        with Logging("log_dest stderr\n", stderr=terminal) as broker:
            termios.tcflow(terminal, termios.TCOOFF)
            chatter(broker.port, 50)
            termios.tcflow(terminal, termios.TCOON)
            seen = b""
            end = time.monotonic() + PATIENCE
            while seen.count(b"Received PUBLISH from") < 50 and time.monotonic() < end:
                seen += os.read(reader, 65_536)
            assert seen.count(b"Received PUBLISH from") == 50
    finally:
        os.close(reader)
        os.close(terminal)


def test_a_full_disk_stops_nobody_and_what_is_missing_is_told():
    """As a disk that is full and has room again: a limit of the size of files, which only this process has."""
    with Logging("log_dest file {path}/log\n") as broker:
        log = broker.path / "log"
        broker.until(lambda: " running\n" in log.read_text())
        size = log.stat().st_size
        _, highest = resource.prlimit(broker.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(broker.process.pid, resource.RLIMIT_FSIZE, (size + 5000, highest))
        chatter(broker.port, 5)
        assert log.stat().st_size == size + 5000
        resource.prlimit(broker.process.pid, resource.RLIMIT_FSIZE, (highest, highest))
        broker.process.send_signal(signal.SIGHUP)
        broker.until(lambda: "nothing has changed" in log.read_text())
        after = log.read_text()[size + 5000:]
        told = re.match(r"\n?\d{10}: Warning: (\d+) lines are missing here: ", after)
        assert told and int(told[1]) >= 15, after  # the last few may have come when there was room again
        assert end_process(broker.process, signal.SIGTERM, PATIENCE) == 0
