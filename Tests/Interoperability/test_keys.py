"""Keys of listeners that need certificates or HTTP, each with what it changes. Docs/configuration-keys.md names them."""

import socket
import ssl

import pytest

from authority import Authority, openssl
from broker import WAIT, Broker
from tools import run

CLIENT = "extendedKeyUsage=clientAuth\n"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    authority, foreign = Authority(folder), Authority(folder, "foreign", "/CN=Foreign CA")
    authority.issue("server", "/CN=localhost", "subjectAltName=DNS:localhost\n")
    authority.issue("alice", "/CN=alice", CLIENT)
    foreign.issue("mallory", "/CN=mallory", CLIENT)
    return folder


def test_capath(certificates):
    """Authorities are looked up in a folder, by the names that `openssl rehash` gives them."""
    f = certificates
    known = f / "known"
    known.mkdir()
    (known / "one.pem").write_bytes((f / "ca.crt").read_bytes())
    openssl(f, "rehash", str(known))
    f.chmod(0o755)
    with Broker(f"listener {{port}} 127.0.0.1\nallow_anonymous true\ncertfile {f}/server.crt\nkeyfile {f}/server.key\n"
                f"capath {known}\nrequire_certificate true\nlog_type all\n") as broker:
        def publish(name):
            return run(f"mosquitto_pub -h localhost --cafile {f}/ca.crt --cert {f}/{name}.crt --key {f}/{name}.key "
                       "-t t -m x -q 1", broker.port).returncode
        assert publish("alice") == 0
        assert publish("mallory") != 0


def test_ciphers(certificates):
    """Of TLS 1.2's cipher suites only those of the list are spoken."""
    f = certificates
    with Broker(f"listener {{port}} 127.0.0.1\nallow_anonymous true\ncertfile {f}/server.crt\nkeyfile {f}/server.key\n"
                "ciphers ECDHE-RSA-AES256-GCM-SHA384\n") as broker:
        def spoken(offer):
            context = ssl.create_default_context(cafile=str(f / "ca.crt"))
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(offer)
            with socket.create_connection(("127.0.0.1", broker.port), WAIT) as plain:
                with context.wrap_socket(plain, server_hostname="localhost") as peer:
                    return peer.cipher()[0]
        assert spoken("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384") == "ECDHE-RSA-AES256-GCM-SHA384"
        with pytest.raises(ssl.SSLError):
            spoken("ECDHE-RSA-AES128-GCM-SHA256")


@pytest.mark.beyond_mosquitto("its WebSockets are libwebsockets', with limits of their own")
@pytest.mark.parametrize("size, is_taken", [(None, True), (1024, False), (8000, True)])
def test_websockets_headers_size(size, is_taken):
    """How long the request that opens a WebSocket may be."""
    line = f"websockets_headers_size {size}\n" if size else ""
    with Broker(f"{line}listener {{port}} 127.0.0.1\nprotocol websockets\nallow_anonymous true\n") as broker:
        with socket.create_connection(("127.0.0.1", broker.port), WAIT) as peer:
            peer.sendall(b"GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                         b"Sec-WebSocket-Protocol: mqtt\r\nX-Long: " + b"x" * 2000 + b"\r\n\r\n")
            peer.settimeout(WAIT)
            try:
                answer = peer.recv(4096)
            except ConnectionResetError:
                answer = b""
        assert answer.startswith(b"HTTP/1.1 101") == is_taken, answer
