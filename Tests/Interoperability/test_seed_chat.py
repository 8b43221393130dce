"""The chat exercise's broker: 1883 in the clear, 8883 encrypted, 8884 by certificate. [D6] [D7] [D8] [D20] [D22] to [D27]"""

import subprocess

import pytest

from authority import openssl
from broker import IS_MOSQUITTO
from peers import Peer
from relay import Relay
from seeds import MAKERS, SEEDS, SeedBroker, logged
from tools import Background, run

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="log lines are Martlet's")

USERS = ("alice", "bob", "foobar", "admin")


class World:
    def __init__(self, folder, maker):
        self.folder = folder
        authority = MAKERS[maker](folder, "mqtt_ca", "/C=DE/O=FRA-UAS/CN=MQTT CA")
        authority.server("server", "localhost")
        for name in ("alice", "bob", "dave"):
            authority.client(name, name)
        # Setting a password is optional, says the exercise: bob's key has one.
        openssl(folder, "pkcs8", "-topk8", "-in", "bob.key", "-passout", "pass:secret", "-out", "bob.enc.key")
        authority.revoke("dave")
        MAKERS[maker](folder, "own", "/CN=My own CA").client("mallory", "alice")
        for number, user in enumerate(USERS):
            option = ["-c"] if number == 0 else []
            subprocess.run(["mosquitto_passwd", "-b", *option, "passwd", user, user], cwd=folder, check=True, timeout=60)
        (folder / "acl").write_bytes((SEEDS / "chat/acl").read_bytes())
        (folder / "acl").chmod(0o600)


@pytest.fixture(scope="module", params=MAKERS)
def world(request, tmp_path_factory):
    world = World(tmp_path_factory.mktemp(request.param), request.param)
    with SeedBroker("chat/mosquitto.conf", {"/etc/mosquitto/chat": world.folder}) as world.broker:
        yield world
        assert world.broker.process.poll() is None, world.broker.log[-4000:]


def pub(world, number, options, topic="/test", message="hello"):
    return run(f"mosquitto_pub -h localhost -q 1 -t {topic} -m '{message}' {options.format(f=world.folder)}",
               world.broker.ports[number])


WITH = "--cafile {f}/mqtt_ca.crt --cert {f}/%s.crt --key {f}/%s.key"


def test_the_log_says_who_may_enter_where(world):
    first = world.broker.log.splitlines()[0]
    for text in ("port %s on every interface" % world.broker.ports["1883"], "(TLS)", "who has a certificate of"):
        assert text in first


@pytest.mark.parametrize("number, options", [
    ("1883", "-u foobar -P foobar"), ("8883", "-u foobar -P foobar --cafile {f}/mqtt_ca.crt"), ("8884", WITH % ("alice", "alice"))])
def test_the_seeds_two_commands(world, number, options):
    """D7, D10, D22, D25: mosquitto_sub in one console, mosquitto_pub in another, on each of the three ports."""
    with Background(f"mosquitto_sub -d -h localhost -t /test {options.format(f=world.folder)}", world.broker.ports[number]) as heard:
        heard.until("Subscribed (mid: 1): 0")
        done = pub(world, number, options, message=f"MESSAGE {number}")
        assert done.returncode == 0, done.stderr
        heard.until(f"MESSAGE {number}")


def test_only_certain_topics(world):
    """D8"""
    listener = Peer(world.broker.port, username="admin", password="admin")
    try:
        listener.subscribe("#", qos=1)
        assert pub(world, "1883", "-u foobar -P foobar -i who", topic="/foo").returncode == 0
        listener.publish("/test", b"after")
        message = listener.next()
        assert (message.topic, message.payload) == ("/test", b"after")
    finally:
        listener.close()
    logged(world.broker, "Denied PUBLISH from who (d0, q1, r0, m1, '/foo', ... (5 bytes))")


# Topic, then what alice (a user), bob (another) and admin may: r read, w write. Both directions of every cell are tried.
MATRIX = [
    ("/test", "rw", "rw", "rw"),
    ("/chat/login", "rw", "rw", "rw"),
    ("/chat/user/alice/status", "rw", "r", "rw"),
    ("/chat/user/alice/message/bob", "rw", "w", "rw"),
    ("/chat/group/g/message/alice", "rw", "r", "rw"),
    ("/foo", "", "", "rw"),
]


@pytest.mark.parametrize("port", ["1883", "8884"])
def test_the_matrix_of_rights(world, port):
    """D20: three roles by six topics, by password, and users by certificate: the common name is the user in the ACL."""
    number = world.broker.ports[port]

    def enter(user):
        peer = Peer(number, connect=False, host="localhost", username=None if port == "8884" else user, password=user)
        if port == "8884":
            # Not dave, who is revoked; bob's key is encrypted for mosquitto's tools alone.
            peer.client.tls_set(*(str(world.folder / name) for name in ("mqtt_ca.crt", f"{user}.crt", f"{user}.key")))
        return peer.connect()

    admin = Peer(world.broker.port, username="admin", password="admin")
    try:
        admin.subscribe("#", qos=1)
        for position, user in enumerate(("alice", "bob", "admin"), start=1):
            if port == "8884" and user == "admin":
                continue
            peer = enter(user)
            peer.subscribe("#", qos=1)
            for topic, *rights in MATRIX:
                admin.publish(topic, b"read", qos=1)
                admin.publish("/test", b"end", qos=1)
                heard = []
                while (message := peer.next()).payload != b"end":
                    heard.append(message.topic)
                assert heard == ([topic] if "r" in rights[position - 1] else []), (user, topic)
                admin_heard = [admin.next() for _ in range(2)]
                assert [message.payload for message in admin_heard] == [b"read", b"end"]
                peer.publish(topic, b"written", qos=1)
                peer.publish("/test", b"end", qos=1)
                arrived = []
                while (message := admin.next()).payload != b"end":
                    arrived.append(message.topic)
                assert arrived == ([topic] if "w" in rights[position - 1] else []), (user, topic)
                if "r" in rights[position - 1] and "w" in rights[position - 1]:
                    assert peer.next().payload == b"written"
                assert peer.next().payload == b"end"
            peer.close()
    finally:
        admin.close()


def test_messages_are_encrypted(world):
    """D23: what passes between a client and the broker has the text on 1883, and not on 8883."""
    seen = {}
    for number, options in (("1883", ""), ("8883", "--cafile {f}/mqtt_ca.crt")):
        with Relay(world.broker.ports[number], cuts=0) as relay:
            done = run(f"mosquitto_pub -h localhost -q 1 -u foobar -P foobar -t /test -m 'nobody else reads this' "
                       + options.format(f=world.folder), relay.port)
            assert done.returncode == 0, done.stderr
            seen[number] = bytes(relay.carried)
    assert b"nobody else reads this" in seen["1883"] and b"foobar" in seen["1883"]
    assert len(seen["8883"]) > 500
    assert b"nobody" not in seen["8883"] and b"foobar" not in seen["8883"]


def test_an_own_authority_is_detected(world):
    """D24"""
    done = pub(world, "8883", "-d -u foobar -P foobar --cafile {f}/own.crt")
    assert done.returncode != 0 and "certificate verify failed" in done.stdout
    logged(world.broker, "the client said 'unknown ca'")


def test_the_certificate_is_the_user(world):
    """D25, D26: the common name is the user; a key behind a passphrase serves as well; without a certificate nobody enters."""
    done = pub(world, "8884", (WITH % ("alice", "alice")) + " -i by-certificate")
    assert done.returncode == 0, done.stderr
    assert "u'alice'" in logged(world.broker, "as by-certificate (")
    told = subprocess.run(
        ["openssl", "s_client", "-connect", f"localhost:{world.broker.ports['8884']}", "-CAfile", f"{world.folder}/mqtt_ca.crt",
         "-cert", f"{world.folder}/bob.crt", "-key", f"{world.folder}/bob.enc.key", "-pass", "pass:secret", "-quiet"],
        input=bytes.fromhex("100e00044d5154540402003c00026262e000"), capture_output=True, timeout=60)
    assert told.stdout.startswith(bytes.fromhex("20020000")), told
    assert "u'bob'" in logged(world.broker, "as bb (")
    for options in ("--cafile {f}/mqtt_ca.crt", "--cafile {f}/mqtt_ca.crt -u foobar -P foobar"):
        assert pub(world, "8884", options).returncode != 0
    logged(world.broker, "the client showed no certificate")


@pytest.mark.parametrize("name, reason", [("mallory", "unable to get local issuer certificate"), ("dave", "certificate was revoked")])
def test_other_certificates(world, name, reason):
    """D27: only what the authority signed, and has not taken back."""
    done = pub(world, "8884", WITH % (name, name))
    assert done.returncode != 0 and done.stderr
    logged(world.broker, reason)
