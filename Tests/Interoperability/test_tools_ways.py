"""Every way to a broker that the tools know: TLS with all its options, WebSocket, Unix socket, proxy, passwords kept out of `ps`."""

import pathlib
import socket
import subprocess
import threading

import pytest

from authority import Authority
from broker import free_port
from our_tools import DEBIANS, OURS, ENVIRONMENT, HouseBroker, Listener, run


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    folder.chmod(0o755)
    authority = Authority(folder)
    authority.issue("server", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    authority.issue("client", "/CN=tools")
    Authority(folder, "other", "/CN=Another CA")
    subprocess.run(
        ["openssl", "pkcs12", "-export", "-in", "client.crt", "-inkey", "client.key", "-out", "client.p12", "-passout", "pass:open"],
        cwd=folder, check=True, capture_output=True)
    (folder / "p12.password").write_text("open\n")
    (folder / "passwords").write_text("")
    subprocess.run(["mosquitto_passwd", "-b", "-c", folder / "passwords", "alice", "right"], check=True, capture_output=True)
    (folder / "psk").write_text("me:00112233445566778899aabbccddeeff\n")
    (folder / "right").write_text("right\n")
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


@pytest.fixture(scope="module")
def ports(keys):
    """What the broker listens on, by name."""
    names = ("tls", "mutual", "ws", "wss", "psk", "login")
    ports = {name: free_port() for name in names}
    certificates = f"cafile {keys}/ca.crt\ncertfile {keys}/server.crt\nkeyfile {keys}/server.key\n"
    conf = f"""
per_listener_settings true
persistence false
listener {{port}} 127.0.0.1
allow_anonymous true
listener {ports['tls']} 127.0.0.1
allow_anonymous true
{certificates}
listener {ports['mutual']} 127.0.0.1
allow_anonymous true
require_certificate true
{certificates}
listener {ports['ws']} 127.0.0.1
protocol websockets
allow_anonymous true
listener {ports['wss']} 127.0.0.1
protocol websockets
allow_anonymous true
{certificates}
listener {ports['psk']} 127.0.0.1
allow_anonymous true
psk_hint hint
psk_file {keys}/psk
listener {ports['login']} 127.0.0.1
password_file {keys}/passwords
listener 0 {keys}/broker.sock
allow_anonymous true
"""
    with HouseBroker("martlet", conf) as broker:
        ports["plain"] = broker.port
        yield ports


def exchange(port, way, house=OURS):
    """Both tools over that way: the message arrives."""
    with Listener(house, f"mosquitto_sub -d -p {port} {way} -t ways -C 1") as listener:
        listener.until("Subscribed")
        done = run(house, f"mosquitto_pub -p {port} {way} -t ways -m arrived")
        assert (done.returncode, done.stderr) == (0, b"")
        assert listener.end() == 0
        assert "\narrived\n" in listener.output


@pytest.mark.parametrize("way", [
    "tls --cafile {keys}/ca.crt", "tls --cafile {keys}/server.crt", "tls --capath {keys}", "tls --cafile {keys}/ca.crt --insecure",
    "tls --insecure-no-verify", "tls --cafile {keys}/ca.crt -h 127.0.0.1", "tls --cafile {keys}/ca.crt --tls-version tlsv1.2",
    "tls --cafile {keys}/ca.crt --tls-version tlsv1.3", "tls --cafile {keys}/ca.crt --tls-alpn mqtt",
    "tls --cafile {keys}/ca.crt --ciphers ECDHE-RSA-AES128-GCM-SHA256 --tls-version tlsv1.2",
    "mutual --cafile {keys}/ca.crt --cert {keys}/client.crt --key {keys}/client.key --keyform pem",
    "mutual --cafile {keys}/ca.crt --p12 {keys}/client.p12 --p12-password-file {keys}/p12.password",
    "mutual --cafile {keys}/ca.crt --p12 {keys}/client.p12 --p12-password-env TOOLS_PASSWORD",
    "ws --ws", "wss --ws --cafile {keys}/ca.crt", "psk --psk 00112233445566778899aabbccddeeff --psk-identity me",
    "plain -A 127.0.0.1", "plain -h broker.invalid --resolve broker.invalid:127.0.0.1", "plain --nodelay",
    "plain --unix {keys}/broker.sock", "login -u alice -P right", "login -u alice --password-file {keys}/right",
    "login -u alice --password-env TOOLS_RIGHT", "tls --cafile {keys}/ca.crt --no-tls --unix {keys}/broker.sock"])
def test_arrives(ports, keys, way, monkeypatch):
    monkeypatch.setitem(ENVIRONMENT, "TOOLS_PASSWORD", "open")
    monkeypatch.setitem(ENVIRONMENT, "TOOLS_RIGHT", "right")
    name, options = way.format(keys=keys).split(" ", 1)
    exchange(ports[name], options)


@pytest.mark.parametrize("line", ["mqtt://localhost:{plain}/ways", "ws://localhost:{ws}/ways"])
def test_urls(ports, line):
    url = line.format(**ports)
    with Listener(OURS, f"mosquitto_sub -d -L {url} -C 1") as listener:
        listener.until("Subscribed")
        assert run(OURS, f"mosquitto_pub -L {url} -m here").returncode == 0
        assert listener.end() == 0


@pytest.mark.parametrize("way,status,words", [
    ("tls --cafile {keys}/other.crt", 8, "Error: A TLS error occurred."),
    ("tls --cafile {keys}/ca.crt -h broker.invalid --resolve broker.invalid:127.0.0.1", 8, "host name verification failed."),
    ("tls --cafile {keys}/nowhere.crt", 1, "Problem setting TLS options: "),
    ("tls --cafile {keys}/ca.crt --cert {keys}/client.crt --key {keys}/server.key", 1, "Problem setting TLS options: "),
    ("psk --psk ffffffffffffffffffffffffffffffff --psk-identity me", 8, "Error: A TLS error occurred."),
    ("plain --cafile {keys}/ca.crt", 8, "Error: A TLS error occurred."),
    ("login -u alice -P wrong", 5, "Connection error: Connection Refused: not authorised."),
    ("login -t x", 5, "Connection error: Connection Refused: not authorised."),
    ("mutual --p12 {keys}/client.p12", 1, "--p12-password-file"),
    ("tls --cafile {keys}/ca.crt --tls-engine pkcs11", 1, "--pkcs11-module"),
])
def test_is_refused_with_reason_and_status(ports, keys, way, status, words):
    name, options = way.format(keys=keys).split(" ", 1)
    done = run(OURS, f"mosquitto_pub -p {ports[name]} {options} -t ways -m x")
    assert done.returncode == status
    assert words in done.stderr.decode()


@pytest.mark.parametrize("way", ["login -u alice -P wrong", "login -u nobody -P right", "login -V 5 -u alice -P wrong"])
@pytest.mark.parametrize("tool", ["pub -m x", "sub"])
def test_a_refused_login_reads_as_mosquittos(ports, way, tool):
    name, options = way.split(" ", 1)
    lines = [run(house, f"mosquitto_{tool} -d -p {ports[name]} {options} -t ways") for house in (OURS, DEBIANS)]
    assert [(done.returncode, done.stdout, done.stderr) for done in lines[:1]] == \
        [(done.returncode, done.stdout, done.stderr) for done in lines[1:]]


def test_no_secret_is_printed(ports, keys):
    done = run(OURS, f"mosquitto_pub -d -p {ports['login']} -u alice -P hunter2hunter2 -t ways -m x")
    assert b"hunter2" not in done.stdout + done.stderr


class Proxy:
    """SOCKS5 without or with a password, as far as one connection to a name needs it."""

    def __init__(self, login=None):
        self.login = login
        self.names = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client):
        methods = client.recv(2)[1]
        client.recv(methods)
        client.sendall(b"\x05\x02" if self.login else b"\x05\x00")
        if self.login:
            client.recv(1)
            user = client.recv(client.recv(1)[0])
            password = client.recv(client.recv(1)[0])
            client.sendall(b"\x01\x00" if (user, password) == self.login else b"\x01\x01")
        head = client.recv(4)
        if head[3] == 3:
            name = client.recv(client.recv(1)[0]).decode()
        else:
            name = socket.inet_ntop(socket.AF_INET, client.recv(4))
        port = int.from_bytes(client.recv(2), "big")
        self.names.append(name)
        server = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")

        def copy(source, target):
            try:
                while data := source.recv(65536):
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        threading.Thread(target=copy, args=(server, client), daemon=True).start()
        copy(client, server)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@pytest.mark.parametrize("login,user", [(None, ""), ((b"u", b"p"), "u:p@")])
def test_through_a_proxy_that_looks_names_up(ports, login, user):
    with Proxy(login) as proxy:
        exchange(ports["plain"], f"-h broker.invalid --proxy socks5h://{user}127.0.0.1:{proxy.port}")
        assert set(proxy.names) == {"broker.invalid"}


def test_a_proxy_that_is_not_there(ports):
    done = run(OURS, f"mosquitto_pub -p {ports['plain']} --proxy socks5h://127.0.0.1:1 -t a -m b")
    assert done.returncode != 0 and done.stderr


def test_passwords_do_not_stay_in_the_process_list(ports):
    line = f"mosquitto_sub -d -p {ports['login']} -u alice -P right -t a"
    with Listener(OURS, line) as listener:
        listener.until("Subscribed")
        shown = pathlib.Path(f"/proc/{listener.process.pid}/cmdline").read_bytes().split(b"\0")
        assert shown[0].endswith(b"mosquitto_sub")
        assert b"right" not in shown and b"*****" in shown and b"alice" in shown


@pytest.mark.parametrize("tool", ["mosquitto_pub -t a -m b", "mosquitto_sub -t a"])
def test_a_certificate_that_is_missing_is_named_each_time(ports, keys, tool):
    """TLS 1.3: the server says so after the handshake, and resets the connection because of the CONNECT it never reads."""
    for _ in range(10):
        done = run(OURS, f"{tool} -p {ports['mutual']} --cafile {keys}/ca.crt --tls-version tlsv1.3")
        assert done.returncode == 7
        said = done.stderr.decode()
        assert "the server said 'certificate required': it demands a client certificate; give an identity" in said, said
        assert said.endswith("\nError: The connection was lost.\n")
