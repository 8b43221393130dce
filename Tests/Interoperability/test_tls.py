"""TLS listeners and other people's clients: who comes in, who does not, and what both sides say about it."""

import os
import pathlib
import signal
import socket
import ssl
import subprocess

import pytest

from authority import Authority, openssl
from broker import COMMAND, IS_MOSQUITTO, WAIT, Broker, free_port, until
from peers import Peer
from seeds import logged as logged_by
from tools import run

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="log lines and several keys are Martlet's")

CLIENT = "extendedKeyUsage=clientAuth\n"


class World:
    """The certificates, and a broker with a listener of each kind."""

    def __init__(self, folder):
        self.folder = folder
        self.authority = Authority(folder)
        self.foreign = Authority(folder, "foreign", "/CN=Foreign CA")
        self.authority.issue("server", "/C=DE/O=Martlet/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        self.authority.issue("other", "/CN=other.example", "subjectAltName=DNS:other.example\n")
        self.authority.issue("plain", "/CN=localhost")  # no SAN: by common name
        self.authority.issue("alice", "/C=DE/O=Martlet/OU=Dev/CN=alice", CLIENT)
        self.authority.issue("expired", "/CN=expired", CLIENT, days=-1)
        self.authority.issue("revoked", "/CN=revoked", CLIENT)
        self.foreign.issue("mallory", "/CN=mallory", CLIENT)
        openssl(folder, "rsa", "-aes256", "-in", "server.key", "-passout", "pass:secret", "-out", "server.enc.key")
        openssl(folder, "rsa", "-aes128", "-traditional", "-in", "server.key", "-passout", "pass:secret", "-out", "server.dek.key")
        (folder / "passphrase").write_text("secret\n")
        (folder / "passphrase").chmod(0o600)
        (folder / "keys.psk").write_text("# devices\ndev1:001122aabbcc\n")
        self.crl = self.authority.revocation_list(folder / "revoked.crt")
        names = ["identity", "subject", "pskname", "server", "mutual", "listed", "undated", "wrong", "cn", "encrypted", "dek", "modern", "psk", "old"]
        self.ports = {name: free_port() for name in names}

    def configuration(self):
        f, ports = self.folder, self.ports

        def tls(name, certificate="server", key=None):
            key = key or f"{certificate}.key"
            return f"listener {ports[name]} 127.0.0.1\ncertfile {f}/{certificate}.crt\nkeyfile {f}/{key}\n"

        mutual = f"cafile {f}/ca.crt\nrequire_certificate true\n"
        return (
            "log_type all\nallow_anonymous true\n" f"psk_file {f}/keys.psk\nlistener {{port}} 127.0.0.1\n"
            + tls("server") + tls("mutual") + mutual + tls("listed") + mutual + f"crlfile {self.crl}\n"
            + tls("undated") + mutual + "disable_client_cert_date_checks true\n"
            + tls("wrong", "other") + tls("cn", "plain")
            + tls("encrypted", key="server.enc.key") + f"keyfile_password_file {f}/passphrase\n"
            + tls("dek", key="server.dek.key") + f"keyfile_password_file {f}/passphrase\n"
            + tls("modern") + "tls_version tlsv1.3\n"
            + tls("old") + "ciphers ECDHE-RSA-AES256-GCM-SHA384\n"
            + tls("identity") + mutual + "use_identity_as_username true\n"
            + tls("subject") + mutual + "use_subject_as_username true\n"
            + f"listener {ports['psk']} 127.0.0.1\npsk_hint martlet\n"
            + f"listener {ports['pskname']} 127.0.0.1\npsk_hint martlet\nuse_identity_as_username true\n")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("tls"))
    with Broker(world.configuration()) as world.broker:
        yield world
        assert world.broker.process.poll() is None, world.broker.log[-4000:]


def publish(world, listener, options, topic="t/tls", host="localhost"):
    options = options.format(f=world.folder)
    return run(f"mosquitto_pub -h {host} {options} -t {topic} -m x -q 1", world.ports[listener])


def logged(world, text):
    """Waits for a line with the text, and returns it."""
    return logged_by(world.broker, text)


# ---- Who comes in


@pytest.mark.parametrize("listener", ["server", "cn", "encrypted", "dek", "modern", "old"])
def test_server_authentication(world, listener):
    done = publish(world, listener, "--cafile {f}/ca.crt")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("version", ["tlsv1.2", "tlsv1.3"])
def test_versions(world, version):
    assert publish(world, "server", f"--cafile {{f}}/ca.crt --tls-version {version}").returncode == 0


@pytest.mark.parametrize("listener", ["mutual", "listed"])
def test_right_certificate(world, listener):
    done = publish(world, listener, "--cafile {f}/ca.crt --cert {f}/alice.crt --key {f}/alice.key")
    assert done.returncode == 0, done.stderr


def test_expired_certificate_where_dates_do_not_count(world):
    done = publish(world, "undated", "--cafile {f}/ca.crt --cert {f}/expired.crt --key {f}/expired.key")
    assert done.returncode == 0, done.stderr


def test_pre_shared_key(world):
    first = world.broker.log.splitlines()[0]
    assert f"port {world.ports['psk']} on 127.0.0.1 (TLS): everybody, each with a key of {world.folder}/keys.psk" in first
    assert f"port {world.ports['pskname']} on 127.0.0.1 (TLS): who has a key of {world.folder}/keys.psk" in first
    done = publish(world, "psk", "--psk 001122aabbcc --psk-identity dev1")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "listener, name", [("identity", "alice"), ("subject", "CN=alice,OU=Dev,O=Martlet,C=DE")])
def test_the_certificate_says_who_it_is(world, listener, name):
    client = f"id-{listener}"
    done = publish(world, listener, f"--cafile {{f}}/ca.crt --cert {{f}}/alice.crt --key {{f}}/alice.key -i {client}")
    assert done.returncode == 0, done.stderr
    assert f"u'{name}'" in logged(world, f"as {client} (")


def test_the_pre_shared_key_says_who_it_is(world):
    assert publish(world, "pskname", "--psk 001122aabbcc --psk-identity dev1 -i id-psk").returncode == 0
    assert "u'dev1'" in logged(world, "as id-psk (")


def test_paho(world):
    peer = Peer(world.ports["mutual"], connect=False, host="localhost")
    peer.client.tls_set(str(world.folder / "ca.crt"), str(world.folder / "alice.crt"), str(world.folder / "alice.key"))
    peer.connect()
    peer.close()


def test_large_messages_both_ways(world):
    """Several records, several reads, and a writer that has to wait."""
    peer = Peer(world.ports["server"], connect=False, host="localhost")
    peer.client.tls_set(str(world.folder / "ca.crt"))
    peer.connect()
    payload = os.urandom(1_500_000)
    peer.subscribe("t/large", qos=1)
    for _ in range(3):
        peer.client.publish("t/large", payload, 1)
    for _ in range(3):
        assert peer.messages.get(timeout=WAIT).payload == payload
    peer.close()


# ---- Who does not, and what is said


@pytest.mark.parametrize("version", ["tlsv1.2", "tlsv1.3"])
def test_no_certificate(world, version):
    done = publish(world, "mutual", f"--cafile {{f}}/ca.crt --tls-version {version}")
    assert done.returncode != 0 and done.stderr
    line = logged(world, "the client showed no certificate")
    assert "TLS Error:" in line and f"port {world.ports['mutual']}" in line and "127.0.0.1:" in line


@pytest.mark.parametrize(
    "listener, name, reason",
    [
        ("mutual", "mallory", "certificate of CN=mallory: unable to get local issuer certificate"),
        ("mutual", "expired", "certificate of CN=expired: certificate has expired"),
        ("listed", "revoked", "certificate of CN=revoked: certificate was revoked"),
    ])
def test_wrong_certificate(world, listener, name, reason):
    done = publish(world, listener, f"--cafile {{f}}/ca.crt --cert {{f}}/{name}.crt --key {{f}}/{name}.key")
    assert done.returncode != 0 and done.stderr
    logged(world, reason)


@pytest.mark.parametrize("version", ["tlsv1.2", "tlsv1.3"])
def test_the_client_does_not_trust_us(world, version):
    done = publish(world, "server", f"--cafile {{f}}/foreign.crt --tls-version {version}")
    assert done.returncode != 0
    assert "TLS error" in done.stderr or "certificate verify failed" in done.stderr
    logged(world, "the client said 'unknown ca'")


def test_wrong_name(world):
    done = publish(world, "wrong", "--cafile {f}/ca.crt")
    assert done.returncode != 0
    assert publish(world, "wrong", "--cafile {f}/ca.crt --insecure").returncode == 0
    logged(world, f"on port {world.ports['wrong']}")


def test_openssl_says_why(world):
    told = subprocess.run(
        ["openssl", "s_client", "-connect", f"localhost:{world.ports['mutual']}", "-CAfile", str(world.folder / "ca.crt"),
         "-cert", str(world.folder / "mallory.crt"), "-key", str(world.folder / "mallory.key"), "-tls1_2"],
        input="", capture_output=True, text=True, timeout=WAIT)
    assert "alert" in told.stderr


def test_wrong_pre_shared_key(world):
    assert publish(world, "psk", "--psk 001122aabbcd --psk-identity dev1").returncode != 0
    logged(world, "the client's pre-shared key is not ours")
    assert publish(world, "psk", "--psk 001122aabbcc --psk-identity dev9").returncode != 0
    logged(world, "PSK identity is not in psk_file")


def test_plain_client_and_browser_on_a_tls_port(world):
    assert publish(world, "server", "").returncode != 0
    logged(world, "what came is not TLS")
    with socket.create_connection(("127.0.0.1", world.ports["server"])) as browser:
        browser.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        browser.settimeout(WAIT)
        try:
            while browser.recv(1000):
                pass
        except ConnectionError:
            pass
    logged(world, "an HTTP request came to a TLS port")


def test_old_versions_are_refused(world):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", world.ports["modern"]), WAIT) as plain:
        context.wrap_socket(plain)
    logged(world, f"(from 127.0.0.1")


def test_resumed_sessions_are_judged_again(world):
    """A ticket proves only that somebody was good once; both connections here are."""
    session = world.folder / "session.pem"
    common = ["openssl", "s_client", "-connect", f"localhost:{world.ports['mutual']}", "-CAfile",
              str(world.folder / "ca.crt"), "-cert", str(world.folder / "alice.crt"), "-key",
              str(world.folder / "alice.key"), "-tls1_2", "-quiet"]
    connect = bytes.fromhex("100d00044d5154540402003c000161e000")
    for option in (["-sess_out", str(session)], ["-sess_in", str(session)]):
        told = subprocess.run([*common, *option], input=connect, capture_output=True, timeout=WAIT)
        assert told.stdout.startswith(bytes.fromhex("20020000")), (option, told, world.broker.log[-2000:])


# ---- The start


def refused_start(folder, text):
    path = pathlib.Path(folder) / "bad.conf"
    path.write_text(text)
    command = COMMAND.replace("{conf}", str(path)).split()
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT, stdin=subprocess.DEVNULL)
    return done.returncode, done.stderr, str(path)


@pytest.mark.parametrize(
    "lines, told",
    [
        ("certfile {f}/missing.crt\nkeyfile {f}/server.key\n", ":2: certfile {f}/missing.crt: there is no such file"),
        ("certfile {f}/server.crt\nkeyfile {f}/alice.key\n", ":3: keyfile {f}/alice.key: it is not the key of"),
        ("certfile {f}/server.crt\nkeyfile {f}/server.crt\n", ":3: keyfile {f}/server.crt: there is no PEM private key"),
        ("certfile {f}/server.crt\nkeyfile {f}/server.enc.key\n", ":3: keyfile {f}/server.enc.key: it is encrypted"),
        ("certfile {f}/server.crt\nkeyfile {f}/server.enc.key\nkeyfile_password_file {f}/keys.psk\n",
         ":4: keyfile_password_file {f}/keys.psk: others than its owner may read it"),
        ("certfile {f}/server.crt\nkeyfile {f}/server.key\nciphers nonsense\n", ":4: ciphers nonsense: there is no"),
        ("certfile {f}/server.crt\nkeyfile {f}/server.key\nciphers_tls1.3 AES128-SHA\n", ":4: ciphers_tls1.3 AES128-SHA"),
        ("psk_hint h\n", ":2: psk_hint h: there is no psk_file"),
    ])
def test_what_cannot_be_used_is_told_with_its_line(world, lines, told):
    status, text, path = refused_start(world.folder, f"listener {free_port()} 127.0.0.1\n" + lines.format(f=world.folder))
    assert status == 3, text
    assert path + told.format(f=world.folder) in text


def test_an_anonymous_tls_listener_is_warned_about(world):
    assert "admits anonymous clients" in logged(world, f"port {world.ports['server']} admits")


def test_key_log(world):
    port, log = free_port(), world.folder / "keys.log"
    conf = world.folder / "keylog.conf"
    conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\ncertfile {world.folder}/server.crt\n"
                    f"keyfile {world.folder}/server.key\n")
    broker = subprocess.Popen(
        [*COMMAND.replace("{conf}", str(conf)).split(), "--tls-keylog", str(log)], stderr=subprocess.PIPE, text=True,
        stdin=subprocess.DEVNULL)
    try:
        publish = f"mosquitto_pub -h localhost --cafile {world.folder}/ca.crt -t a -m x"
        until(lambda: run(publish, port).returncode == 0, lambda: "it does not listen")
        assert "CLIENT_TRAFFIC_SECRET_0 " in log.read_text()
        assert log.stat().st_mode & 0o777 == 0o600
    finally:
        broker.terminate()
        assert "reads along" in broker.communicate(timeout=WAIT)[1]


def test_sighup_reads_certificates_again_or_changes_nothing(tmp_path):
    authority = Authority(tmp_path)
    authority.issue("old", "/CN=localhost")
    authority.issue("new", "/CN=localhost")
    live = {kind: tmp_path / f"live.{kind}" for kind in ("crt", "key")}

    def install(name):
        for kind, path in live.items():
            path.write_bytes((tmp_path / f"{name}.{kind}").read_bytes())

    def served(port):
        return ssl.get_server_certificate(("127.0.0.1", port)).split()

    def pem(name):
        return (tmp_path / f"{name}.crt").read_text().split()

    install("old")
    port = free_port()
    with Broker(f"log_type all\nlistener {{port}} 127.0.0.1\nallow_anonymous true\nlistener {port} 127.0.0.1\n"
                f"certfile {live['crt']}\nkeyfile {live['key']}\n") as broker:

        peer = Peer(port, connect=False, host="localhost")
        peer.client.tls_set(str(tmp_path / "ca.crt"))
        peer.connect()
        assert served(port) == pem("old")
        install("new")
        broker.process.send_signal(signal.SIGHUP)
        logged_by(broker, "Config reloaded; files: ")
        assert served(port) == pem("new")
        live["key"].write_text("no key")
        broker.process.send_signal(signal.SIGHUP)
        logged_by(broker, "Nothing was changed by this reload")
        assert "there is no PEM private key" in broker.log
        assert served(port) == pem("new")
        peer.subscribe("t/alive", qos=1)  # who was there is there
        peer.close()
