"""Each of Examples/ against the broker, as a person runs it. Not collected with the others: `make examples` builds them first."""

import pathlib
import subprocess
import tempfile
import time

import pytest

from authority import Authority
from broker import ROOT, WAIT, Broker, end_process, free_port
from peers import Peer

BUILT = pathlib.Path(ROOT) / ".build/examples/debug"


class Example:
    """A running example; what it prints comes line by line."""

    def __init__(self, name, *arguments, **options):
        command = ["stdbuf", "-oL", BUILT / name, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)

    def line(self):
        return self.process.stdout.readline()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end_process(self.process)
        self.process.stdout.close()


def hears(peer, topic, text, example, seconds=WAIT):
    """Publishes until the example prints: its subscription may still be on its way."""
    import select

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        peer.client.publish(topic, text, qos=1)
        if select.select([example.process.stdout], [], [], 0.2)[0]:
            return example.line()
    raise AssertionError("nothing printed")


def test_subscriber(broker):
    with Example("Subscriber", "rooms/#", "127.0.0.1", broker.port) as example:
        assert hears(Peer(broker.port), "rooms/1", "21.5", example) == "rooms/1 21.5\n"


def test_publisher(broker):
    reader = Peer(broker.port)
    assert reader.subscribe("lines", qos=1) == [1]
    with Example("Publisher", "lines", "127.0.0.1", broker.port) as example:
        said, _ = example.process.communicate("one\ntwo\nthree\n", timeout=WAIT)
        assert (example.process.returncode, said) == (0, "")
    assert [message.payload for message in reader.take(3)] == [b"one", b"two", b"three"]


def test_mosquittos_clients_on_the_other_side(broker):
    """A retained message from mosquitto_pub, and mosquitto_sub for ours."""
    name = ["-h", "127.0.0.1", "-p", str(broker.port)]
    subprocess.run(["mosquitto_pub", *name, "-t", "old/1", "-m", "kept", "-r", "-q", "2"], check=True, timeout=WAIT)
    with Example("Subscriber", "old/#", "127.0.0.1", broker.port) as example:
        assert example.line() == "old/1 kept\n"
    reader = subprocess.Popen(
        ["stdbuf", "-oL", "mosquitto_sub", *name, "-t", "new/#", "-t", "ready", "-v", "-C", "3", "-W", "60"],
        stdout=subprocess.PIPE, text=True)
    peer = Peer(broker.port)
    peer.subscribe("new/#", qos=1)
    peer.publish("ready", b"go", qos=1, retain=True)
    assert reader.stdout.readline().startswith("ready")
    with Example("Publisher", "new/1", "127.0.0.1", broker.port) as example:
        example.process.communicate("one\ntwo\n", timeout=WAIT)
    assert reader.communicate(timeout=WAIT)[0] == "new/1 one\nnew/1 two\n"


def test_publisher_says_that_nobody_listens(broker):
    with Example("Publisher", "nobody/listens", "127.0.0.1", broker.port) as example:
        said, _ = example.process.communicate("one\n", timeout=WAIT)
        assert said == "nobody listens to nobody/listens\n"


def test_callbacks(broker):
    """The paho script's flow: what it prints, in its words."""
    with Example("Callbacks", "127.0.0.1", broker.port) as example:
        assert example.line() == "Connected with result code 0\n"
        assert hears(Peer(broker.port), "test/topic", "Hello, MQTT", example) == "test/topic Hello, MQTT\n"


def test_request_and_response(broker):
    with Example("RequestResponse", "127.0.0.1", broker.port) as example:
        said, _ = example.process.communicate(timeout=WAIT)
        assert said == "1 doubled is 2\n2 doubled is 4\n3 doubled is 6\n"
        assert example.process.returncode == 0


@pytest.fixture
def open_folder():
    """One that mosquitto's own user may read."""
    with tempfile.TemporaryDirectory(prefix="martlet-examples-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        yield folder


def test_tls(open_folder):
    """Mutual TLS with an authority of our own; without a certificate, and with another authority, the example says what is wrong."""
    folder = open_folder
    authority = Authority(folder)
    authority.issue("server", "/CN=localhost", "subjectAltName=DNS:localhost\n")
    authority.issue("me", "/CN=me", "extendedKeyUsage=clientAuth\n")
    Authority(folder, "foreign", "/CN=Foreign CA")
    for path in folder.iterdir():
        path.chmod(0o644)
    port = free_port()
    configuration = (
        f"listener {{port}} 127.0.0.1\nlog_type all\nallow_anonymous true\nlistener {port} 127.0.0.1\ncertfile {folder}/server.crt\n"
        f"keyfile {folder}/server.key\ncafile {folder}/ca.crt\nrequire_certificate true\n")
    with Broker(configuration):
        for trust, word in (("ca", "secure/example nobody else reads this\n"), ("foreign", "→")):
            with Example(
                "Secure", folder / f"{trust}.crt", "localhost", port, folder / "me.crt", folder / "me.key") as example:
                said, _ = example.process.communicate(timeout=WAIT)
                assert word in said and example.process.returncode == 0, said
