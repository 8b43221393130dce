"""MQTT over WebSocket with MQTT.js and paho, and what browsers and other strangers are told; Unix sockets and proxies."""

import os
import pathlib
import socket
import struct
import subprocess
import urllib.error
import urllib.request

import paho.mqtt.client as paho
import pytest

from authority import Authority
from broker import COMMAND, IS_MOSQUITTO, WAIT, Broker, free_port, has_ipv6, until
from peers import Peer
from seeds import logged as logged_by
from tools import run

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="Debian's mosquitto 2.0.11 has other limits and answers")

HERE = pathlib.Path(__file__).parent
NEEDS_MQTT_JS = pytest.mark.skipif(
    not pathlib.Path("/usr/share/nodejs/mqtt/package.json").exists(), reason="apt install node-mqtt (scripts/setup)")
CONNECT = bytes.fromhex("100d00044d5154540402003c000161")
CONNACK = bytes.fromhex("20020000")


class World:
    def __init__(self, folder):
        self.folder = folder
        authority = Authority(folder)
        authority.issue("server", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        self.ports = {name: free_port() for name in ["ws", "wss", "origin", "v1", "v2", "v2tls", "v2name", "v2cert", "device"]}
        self.unix = folder / "m.sock"

    def configuration(self):
        ports, f = self.ports, self.folder
        return (
            "log_type all\nallow_anonymous true\nlistener {port} 127.0.0.1\n"
            f"listener {ports['ws']} 127.0.0.1\nprotocol websockets\n"
            f"listener {ports['wss']} 127.0.0.1\nprotocol websockets\ncertfile {f}/server.crt\nkeyfile {f}/server.key\n"
            f"listener {ports['origin']} 127.0.0.1\nprotocol websockets\nwebsockets_origin http://good.example\n"
            "websockets_origin http://also.example\n"
            f"listener {ports['v1']} 127.0.0.1\nenable_proxy_protocol 1\n"
            f"listener {ports['v2']} 127.0.0.1\nenable_proxy_protocol 2\n"
            f"listener {ports['v2tls']} 127.0.0.1\nenable_proxy_protocol 2\nproxy_protocol_v2_require_tls true\n"
            f"listener {ports['v2name']} 127.0.0.1\nenable_proxy_protocol 2\nuse_identity_as_username true\n"
            f"listener {ports['v2cert']} 127.0.0.1\nenable_proxy_protocol 2\nrequire_certificate true\n"
            f"listener {ports['device']} 127.0.0.1\nbind_interface lo\n"
            f"listener 0 {self.unix}\n")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("ws"))
    with Broker(world.configuration()) as world.broker:
        yield world
        assert world.broker.process.poll() is None, world.broker.log[-4000:]
    assert not world.unix.exists(), "the socket's file is there after the end"


def logged(world, text):
    logged_by(world.broker, text)


# ---- Clients of others


@NEEDS_MQTT_JS
@pytest.mark.parametrize("count, size", [(20, 10), (30, 200), (10, 70_000), (3, 600_000)])
@pytest.mark.parametrize("kind", ["ws", "wss"])
def test_mqtt_js(world, kind, count, size):
    command = ["node", str(HERE / "websocket_peer.js"), f"{kind}://localhost:{world.ports[kind]}/mqtt", f"t/{kind}/{size}",
               str(count), str(size)] + ([str(world.folder / "ca.crt")] if kind == "wss" else [])
    # Wherever this node comes from, its modules are Debian's.
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT,
                          env={**os.environ, "NODE_PATH": "/usr/share/nodejs"})
    assert done.stdout.strip() == f"received {count}", (done, world.broker.log[-2000:])


@pytest.mark.parametrize("kind", ["ws", "wss"])
def test_paho(world, kind):
    peer = Peer(world.ports[kind], connect=False, host="localhost")
    plain = peer.client
    peer.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="paho-" + kind, transport="websockets",
                              reconnect_on_failure=False)
    for name in ("on_message", "on_connect", "on_disconnect", "on_subscribe", "on_unsubscribe"):
        setattr(peer.client, name, getattr(plain, name))
    if kind == "wss":
        peer.client.tls_set(str(world.folder / "ca.crt"))
    peer.connect()
    peer.subscribe(f"t/paho/{kind}", qos=2)
    payload = os.urandom(200_000)
    peer.client.publish(f"t/paho/{kind}", payload, 2)
    assert peer.messages.get(timeout=WAIT).payload == payload
    peer.close()


# ---- Frames by hand


class WebSocket:
    def __init__(self, port, origin=None, subprotocol="mqtt"):
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT)
        lines = ["GET /mqtt HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                 f"Sec-WebSocket-Protocol: {subprotocol}"]
        if origin:
            lines.append(f"Origin: {origin}")
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        self.reader = self.socket.makefile("rb")
        self.status = int(self.reader.readline().split()[1])
        self.headers = {}
        while (line := self.reader.readline().strip()):
            name, _, value = line.decode().partition(": ")
            self.headers[name.lower()] = value

    def send(self, payload, first=0x82, mask=b"\x01\x02\x03\x04"):
        length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack(">H", len(payload))
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.socket.sendall(bytes([first]) + length + mask + masked)

    def frame(self):
        """First byte and payload of the next frame; `None` at the end."""
        try:
            head = self.reader.read(2)
        except ConnectionError:
            return None
        if len(head) < 2:
            return None
        length = head[1]
        assert length < 128, "a server's frames are not masked"
        if length == 126:
            length = struct.unpack(">H", self.reader.read(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self.reader.read(8))[0]
        return head[0], self.reader.read(length)


def test_packets_in_pieces_and_several_in_one_frame(world):
    client = WebSocket(world.ports["ws"])
    assert client.status == 101 and client.headers["sec-websocket-protocol"] == "mqtt"
    assert client.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    client.send(CONNECT[:3], first=0x02)
    client.send(b"hello", first=0x89)
    client.send(CONNECT[3:9], first=0x00)
    client.send(CONNECT[9:] + bytes.fromhex("c000c000"), first=0x80)
    seen = [client.frame(), client.frame()]
    assert (0x8A, b"hello") in seen  # pong
    assert (0x82, CONNACK + bytes.fromhex("d000d000")) in seen  # one frame for all that was answered at once
    client.send(b"\x03\xe8", first=0x88)
    assert client.frame() == (0x88, b"\x03\xe8")
    assert client.frame() is None


@pytest.mark.parametrize("first, code", [(0x81, 1003), (0xC2, 1002), (0x80, 1002)])
def test_what_is_not_allowed_ends_in_a_close_frame(world, first, code):
    client = WebSocket(world.ports["ws"])
    client.send(b"x", first=first)
    kind, payload = client.frame()
    assert kind == 0x88 and struct.unpack(">H", payload[:2])[0] == code
    assert client.frame() is None


def test_frames_without_a_mask_are_refused(world):
    client = WebSocket(world.ports["ws"])
    client.socket.sendall(b"\x82\x02\xc0\x00")
    kind, payload = client.frame()
    assert kind == 0x88 and payload[:2] == struct.pack(">H", 1002)
    logged(world, "WebSocket Error: a frame without a mask (from 127.0.0.1:")


def test_the_broker_says_goodbye(world):
    """A second CONNECT is a protocol error: MQTT closes, WebSocket says so."""
    client = WebSocket(world.ports["ws"])
    client.send(CONNECT + CONNECT)
    frames = [client.frame() for _ in range(2)]
    assert frames[-1][0] == 0x88
    assert client.frame() is None


def test_origin(world):
    for origin in ("http://good.example", "http://also.example"):
        assert WebSocket(world.ports["origin"], origin).status == 101
    for origin in ("http://good.example.evil", None):
        assert WebSocket(world.ports["origin"], origin).status == 403
    logged(world, "is not in websockets_origin")


def test_subprotocol(world):
    assert WebSocket(world.ports["ws"], subprotocol="mqttv3.1").headers["sec-websocket-protocol"] == "mqttv3.1"
    assert WebSocket(world.ports["ws"], subprotocol="chat").status == 400


@pytest.mark.parametrize("path, status", [("/", 426), ("/mqtt", 426), ("/favicon.ico", 404)])
def test_browsers_are_told_what_this_is(world, path, status):
    # Whatever proxy the machine has is not asked.
    browser = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError) as answer:
        browser.open(f"http://localhost:{world.ports['ws']}{path}", timeout=WAIT)
    assert answer.value.code == status
    assert "MQTT" in answer.value.read().decode()


def test_plain_mqtt_on_a_websocket_port(world):
    assert run("mosquitto_pub -h localhost -t a -m x", world.ports["ws"]).returncode != 0
    logged(world, "a client without WebSocket on this port?")


# ---- Unix sockets


def test_unix_socket(world):
    assert world.unix.stat().st_mode & 0o777 == 0o660
    done = subprocess.run(["mosquitto_pub", "--unix", str(world.unix), "-t", "a", "-m", "x"], timeout=WAIT)
    assert done.returncode == 0
    logged(world, f"New connection from a local process on {world.unix}.")


def start(folder, text):
    path = pathlib.Path(folder) / "unix.conf"
    path.write_text(text)
    return subprocess.Popen(COMMAND.replace("{conf}", str(path)).split(), stderr=subprocess.PIPE, text=True,
                            stdin=subprocess.DEVNULL)


def test_a_stale_socket_is_replaced_and_a_living_one_is_not(world, tmp_path):
    second = start(tmp_path, f"listener 0 {world.unix}\n")
    assert second.wait(timeout=WAIT) == 1 and "somebody answers there" in second.stderr.read()
    stale = tmp_path / "stale.sock"
    with socket.socket(socket.AF_UNIX) as abandoned:
        abandoned.bind(str(stale))
    third = start(tmp_path, f"listener 0 {stale}\nallow_anonymous true\n")
    try:
        publish = ["mosquitto_pub", "--unix", str(stale), "-t", "a", "-m", "x"]
        until(lambda: subprocess.run(publish, capture_output=True, timeout=WAIT).returncode == 0, lambda: f"ended: {third.poll()}")
    finally:
        third.terminate()
        third.communicate(timeout=WAIT)
    assert not stale.exists()
    file = tmp_path / "file"
    file.write_text("precious")
    fourth = start(tmp_path, f"listener 0 {file}\n")
    assert fourth.wait(timeout=WAIT) == 1 and "is no socket" in fourth.stderr.read()
    assert file.read_text() == "precious"


# ---- Proxies


def through(port, header, rest=CONNECT):
    with socket.create_connection(("127.0.0.1", port), WAIT) as proxy:
        proxy.sendall(header + rest)
        proxy.settimeout(WAIT)
        try:
            return proxy.recv(100)
        except ConnectionError:
            return b""


SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
ADDRESSES = bytes([203, 0, 113, 9, 10, 0, 0, 1]) + struct.pack(">HH", 4711, 1883)


def v2(extensions=b"", command=0x21):
    body = ADDRESSES + extensions
    return SIGNATURE + bytes([command, 0x11]) + struct.pack(">H", len(body)) + body


TLS = b"\x20" + struct.pack(">H", 5) + b"\x01\x00\x00\x00\x00"


def test_proxy_version_1(world):
    assert through(world.ports["v1"], b"PROXY TCP4 203.0.113.7 10.0.0.1 5555 1883\r\n") == CONNACK
    logged(world, "New connection from 203.0.113.7:5555 on")
    assert through(world.ports["v1"], b"PROXY UNKNOWN\r\n") == CONNACK
    assert through(world.ports["v1"], b"") == b""
    logged(world, "PROXY Error:")


def test_proxy_version_2(world):
    assert through(world.ports["v2"], v2()) == CONNACK
    logged(world, "New connection from 203.0.113.9:4711 on")
    assert through(world.ports["v2"], v2(command=0x20)) == CONNACK  # a health check
    assert through(world.ports["v2"], v2(b"\x20\x00")) == b""
    assert through(world.ports["v2"], b"PROXY UNKNOWN\r\n") == b""


def test_proxy_that_must_have_tls(world):
    assert through(world.ports["v2tls"], v2(TLS)) == CONNACK
    assert through(world.ports["v2tls"], v2()) == b""
    logged(world, "proxy_protocol_v2_require_tls")
    assert through(world.ports["v2tls"], v2(command=0x20)) == b""


def certified(name, shown=b"\x07", verified=b"\x00\x00\x00\x00"):
    """What a proxy says of a certificate that it has looked at."""
    value = shown + verified + b"\x22" + struct.pack(">H", len(name)) + name
    return b"\x20" + struct.pack(">H", len(value)) + value


def test_proxy_that_names_the_client(world):
    assert through(world.ports["v2name"], v2(certified(b"alice"))) == CONNACK
    logged(world, "u'alice').")
    # Nobody verified it, there was none, or no TLS: whatever the client calls itself, it is nobody.
    for extensions in (certified(b"mallory", verified=b"\x00\x00\x00\x01"), certified(b"mallory", shown=b"\x01"), TLS, b""):
        assert through(world.ports["v2name"], v2(extensions)) == b"\x20\x02\x00\x04"
    assert "u'mallory'" not in world.broker.log


def test_proxy_that_must_have_seen_a_certificate(world):
    assert through(world.ports["v2cert"], v2(certified(b"alice"))) == CONNACK
    with socket.create_connection(("127.0.0.1", world.ports["v2cert"]), WAIT) as check:
        before = world.broker.log.count("PROXY Error:")
        check.sendall(v2(command=0x20))
        check.settimeout(1)
        with pytest.raises(TimeoutError):  # a health check is nothing to complain about
            check.recv(1)
        assert world.broker.log.count("PROXY Error:") == before
        check.settimeout(WAIT)
        check.sendall(CONNECT)  # but nobody comes in by one
        try:
            assert check.recv(1) == b""
        except ConnectionError:
            pass
    for extensions in (certified(b"mallory", verified=b"\x00\x00\x00\x01"), TLS, b""):
        assert through(world.ports["v2cert"], v2(extensions)) == b""
    logged(world, "PROXY Error: the proxy has verified no certificate of the client's")


def test_bind_interface(world):
    assert run("mosquitto_pub -h 127.0.0.1 -t a -m x", world.ports["device"]).returncode == 0


def test_an_unknown_device_is_told(tmp_path):
    broker = start(tmp_path, f"listener {free_port()}\nbind_interface nonesuch0\n")
    assert broker.wait(timeout=WAIT) == 1
    assert "bind_interface" in broker.stderr.read()


@pytest.mark.parametrize("domain, host, other", [
    ("ipv4", "127.0.0.1", "::1"),
    pytest.param("ipv6", "::1", "127.0.0.1", marks=pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6"))])
def test_socket_domain(tmp_path, domain, host, other):
    port = free_port()
    broker = start(tmp_path, f"listener {port}\nallow_anonymous true\nsocket_domain {domain}\n")
    try:
        until(lambda: run(f"mosquitto_pub -h {host} -t a -m x", port).returncode == 0, lambda: f"ended: {broker.poll()}")
        assert run(f"mosquitto_pub -h {other} -t a -m x", port).returncode != 0
    finally:
        broker.terminate()
        broker.communicate(timeout=WAIT)
