"""The Mosquitto and Cedalo tutorial's broker: 1883 with roles, 8883 with client certificates. [E45] [E47] [E41] [E42]"""

import re
import subprocess

import pytest

from broker import IS_MOSQUITTO, WAIT, answers
from peers import Peer
from seeds import MAKERS, SEEDS, SeedBroker, logged
from tools import run

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="log lines are Martlet's, and mosquitto needs the plugin's file")


class World:
    def __init__(self, folder, maker):
        self.folder, self.cert = folder, folder / "mosquitto/config/cert"
        self.cert.mkdir(parents=True)
        authority = MAKERS[maker](self.cert, "ca")
        # The tutorial writes liot.com and an entry in the hosts file; our test has `localhost`, and liot.com beside it.
        authority.server("server", "localhost")
        authority.server("liot", "liot.com")
        authority.client("client", "client.liot.com")
        MAKERS[maker](self.cert, "foreign", "/CN=Foreign CA").client("mallory", "client.liot.com")

    def broker(self, server="server"):
        data = self.folder / f"data-{server}"
        data.mkdir(mode=0o700)
        return SeedBroker("tutorial.conf", {
            "/mosquitto/data/": f"{data}/", "mosquitto/config/cert/ca.crt": self.cert / "ca.crt",
            "mosquitto/config/cert/server.crt": self.cert / f"{server}.crt",
            "mosquitto/config/cert/server.key": self.cert / f"{server}.key"})


@pytest.fixture(scope="module", params=MAKERS)
def world(request, tmp_path_factory):
    world = World(tmp_path_factory.mktemp(request.param), request.param)
    with world.broker() as world.running:
        yield world
        assert world.running.process.poll() is None, world.running.log[-4000:]


def test_both_ports_serve(world):
    """E45: it loads with only ports and paths changed, and says what it makes of the plugin's line."""
    for port in world.running.ports.values():
        assert answers("127.0.0.1", port) and answers("127.0.0.2", port)
    logged(world.running, "the roles of mosquitto's dynamic security plugin are not read by this version")


def subscribe(world, options=""):
    """The tutorial's command; `-h localhost` stands for `-h liot.com` and its entry in the hosts file."""
    return run("mosquitto_sub -d -k 10 -v -i DSN000001 -h localhost --cafile ca.crt --cert client.crt --key client.key"
               f" -t test/topic {options}".replace(" ca.crt", f" {world.cert}/ca.crt")
               .replace("client.", f"{world.cert}/client."), world.running.ports["8883"])


def test_the_denied_subscription(world):
    """E47: what mosquitto_sub prints, and the two lines of the broker, are those of the tutorial."""
    done = subscribe(world)
    assert done.stdout + f"exit={done.returncode}\n" == (SEEDS / "denied.txt").read_text()
    assert done.stderr == (SEEDS / "denied-error.txt").read_text()
    line = logged(world.running, "as DSN000001 (")
    assert re.fullmatch(
        r"\d+: New client connected from 127\.0\.0\.1:\d+ as DSN000001 \(p2, c1, k10, u'client\.liot\.com'\)\.", line)
    assert re.fullmatch(r"\d+: Client DSN000001 disconnected\.", logged(world.running, "Client DSN000001 disc"))
    logged(world.running, "may not subscribe to 'test/topic'")


def test_nothing_is_open_while_roles_are_not_read(world):
    """Neither a password nor a name nor nothing comes in at 1883, and a certificate may not publish: never fail open."""
    for options in ("", "-u test -P 123456", "-u client.liot.com"):
        done = run(f"mosquitto_pub -h localhost -t test/topic -m x {options}", world.running.ports["1883"])
        assert done.returncode == 5 and "not authorised" in done.stderr
    peer = Peer(world.running.ports["8883"], version=5, connect=False, host="localhost")
    peer.client.tls_set(*(str(world.cert / name) for name in ("ca.crt", "client.crt", "client.key")))
    peer.connect()
    try:
        assert peer.subscribe("test/topic") == [0x87]
    finally:
        peer.close()


def test_versions_and_certificates(world):
    """`tls_version tlsv1.2` is the least; none and a foreign certificate stay out."""
    for version in ("tlsv1.2", "tlsv1.3"):
        assert subscribe(world, f"--tls-version {version}").returncode == 0
    none = run(f"mosquitto_sub -h localhost --cafile {world.cert}/ca.crt -t a -W 60", world.running.ports["8883"])
    assert none.returncode != 0 and none.stderr
    logged(world.running, "the client showed no certificate")
    foreign = run(f"mosquitto_sub -h localhost --cafile {world.cert}/ca.crt --cert {world.cert}/mallory.crt"
                  f" --key {world.cert}/mallory.key -t a -W 60", world.running.ports["8883"])
    assert foreign.returncode != 0 and foreign.stderr
    logged(world.running, "nobody trusted is called CN=Foreign CA")


def test_the_common_name_matters(world):
    """E41: with liot.com in the certificate, liot.com is believed and localhost is not."""
    with world.broker("liot") as broker:
        port = broker.ports["8883"]
        common = ["openssl", "s_client", "-connect", f"localhost:{port}", "-CAfile", str(world.cert / "ca.crt"), "-cert",
                  str(world.cert / "client.crt"), "-key", str(world.cert / "client.key"), "-verify_return_error", "-quiet"]
        connect = bytes.fromhex("100d00044d5154540402003c000161e000")
        for name, answer in (("liot.com", bytes.fromhex("20020000")), ("localhost", b"")):
            told = subprocess.run([*common, "-verify_hostname", name], input=connect, capture_output=True, timeout=WAIT)
            assert told.stdout[:4] == answer, (told, broker.log)
        assert b"hostname mismatch" in told.stderr
        told = run(f"mosquitto_sub -d -h localhost --cafile {world.cert}/ca.crt --cert {world.cert}/client.crt"
                   f" --key {world.cert}/client.key -t a -W 60", port)
        assert told.returncode != 0 and "Error: host name verification failed." in told.stdout
        logged(broker, "its name is not the host ")
