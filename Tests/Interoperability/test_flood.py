"""A TLS port while somebody floods it with connections that come to nothing: it stays open and healthy.

The flood comes from other addresses of the loopback, because one address has a limit of its own."""

import socket
import threading
import time

import pytest

from authority import Authority
from broker import IS_MOSQUITTO, WAIT, Broker, free_port, until
from peers import Peer
from seeds import logged
from tools import run

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="limits and log lines are Martlet's")

# The beginning of a ClientHello that never goes on.
HALF = bytes.fromhex("1603010200010001fc0303")


class World:
    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        Authority(folder).issue("server", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1\n")

    def configuration(self):
        f = self.folder
        return ("log_type all\nallow_anonymous true\nlistener {port} 127.0.0.1\n"
                f"listener {self.port} 127.0.0.1\ncertfile {f}/server.crt\nkeyfile {f}/server.key\n")

    def comes_and_goes(self):
        """A client that was not here before: how long that took."""
        start = time.monotonic()
        done = run(f"mosquitto_pub -h localhost --cafile {self.folder}/ca.crt -t t/new -m x -q 1", self.port)
        assert done.returncode == 0, (done.stderr, self.broker.log[-2000:])
        return time.monotonic() - start

    def peer(self):
        peer = Peer(self.port, connect=False, host="localhost")
        peer.client.tls_set(str(self.folder / "ca.crt"))
        return peer.connect()


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    with Broker(world.configuration()) as world.broker:
        yield world
        assert world.broker.process.poll() is None, world.broker.log[-4000:]


def half(address, port, said):
    opened = socket.socket()
    opened.settimeout(WAIT)
    opened.bind((address, 0))
    try:
        opened.connect(("127.0.0.1", port))
        opened.sendall(said)
    except OSError:
        pass  # one too many of this address: closed at once
    return opened


def test_half_handshakes_end_at_their_deadline(world):
    """400 of them; beside them clients come and go, and afterwards the log has not one line for each."""
    begin = time.monotonic()
    flood = [half(f"127.0.0.{2 + index % 8}", world.port, HALF[: index % len(HALF)]) for index in range(400)]
    try:
        assert min(world.comes_and_goes() for _ in range(5)) < 3
        end = time.monotonic() + WAIT
        for opened in flood:
            opened.settimeout(max(0.1, end - time.monotonic()))
            try:
                assert opened.recv(100) == b""
            except ConnectionError:
                pass
        windows = 2 + int((time.monotonic() - begin) / 10)  # of ten seconds, with twenty lines at most
        assert world.broker.log.count("nothing came of it within 10 s") <= 20 * windows
        logged(world.broker, "are not written one by one")
        world.comes_and_goes()
    finally:
        for opened in flood:
            opened.close()


def test_a_flood_that_goes_on_from_many_addresses(world):
    """Forty addresses hold as many half handshakes as they are given and ask for more all the time: there is room for others,
    and who is there is served."""
    stop, opened, tried = threading.Event(), [], 0
    peer = world.peer()

    def flood():
        nonlocal tried
        while not stop.is_set() and tried < 500_000:
            opened.append(half(f"127.0.1.{1 + tried % 40}", world.port, HALF))
            tried += 1
            if len(opened) > 1500:
                opened.pop(0).close()
                time.sleep(0.002)  # room is what they take, not the machine

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        until(lambda: tried >= 1500, lambda: f"{tried} tried")
        peer.subscribe("t/here", qos=1)
        served, entered = [], []
        for number in range(10):
            start = time.monotonic()
            peer.publish("t/here", str(number).encode(), qos=1)
            assert peer.next().payload == str(number).encode()
            served.append(time.monotonic() - start)
            entered.append(world.comes_and_goes())
        # A busy machine may be late now and then; who had to wait for the end of others would be so each time, by ten seconds.
        assert sorted(served)[3] < 2 and sorted(entered)[3] < 8, (served, entered)
        logged(world.broker, "are not written one by one")
    finally:
        stop.set()
        thread.join(timeout=WAIT)
        for one in opened:
            one.close()
        peer.close()
    world.comes_and_goes()
