"""SIGHUP, and files that change by themselves: all of it or nothing, and nobody goes but who has no right to stay."""

import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest

from authority import Authority, openssl
from broker import IS_MOSQUITTO, ROOT, Broker, end_process, free_port, until
from peers import V5, V311, Peer

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="mosquitto 2.0.11 neither checks first nor reloads all of this")

MARTLET = str(ROOT / ".build/debug/martlet")
CLIENT = "extendedKeyUsage=clientAuth\n"
SERVER = "subjectAltName=DNS:localhost,IP:127.0.0.1\n"
ADMINISTRATIVE_ACTION, NOT_AUTHORIZED = 0x98, 0x87


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Certificates that the tests of this file copy from."""
    folder = tmp_path_factory.mktemp("reload")
    authority = Authority(folder)
    Authority(folder, "foreign", "/CN=Foreign CA")
    for name in ["old", "new"]:
        authority.issue(name, f"/CN=localhost/O={name}", SERVER)
    authority.issue("ended", "/CN=localhost/O=ended", SERVER, days=-1)
    for name in ["alice", "bob", "carol"]:
        authority.issue(name, f"/CN={name}", CLIENT)
    shutil.copy(authority.revocation_list(), folder / "empty.crl")
    shutil.copy(authority.revocation_list(folder / "bob.crt"), folder / "bob.crl")
    return folder


class Running:
    """A broker with a configuration that the test rewrites. `{port}` is its first listener's."""

    def __init__(self, folder, conf, extra=""):
        self.folder = folder
        self.broker = Broker("log_type all\n" + conf, extra)
        self.path = pathlib.Path(self.broker.folder.name) / "broker.conf"
        self.said = 0

    def write(self, conf):
        self.path.write_text("log_type all\n" + conf.format(port=self.broker.port))

    def until(self, *texts):
        """Waits for lines with each of the texts that have come since the last reload, and returns all lines since."""
        def found():
            new = self.new
            return new if all(text in new for text in texts) else None

        return until(found, lambda: f"not all of {texts} in:\n{self.new}")

    @property
    def new(self):
        return self.broker.log[self.said:]

    def reload(self, *expected):
        self.said = len(self.broker.log)
        self.broker.process.send_signal(signal.SIGHUP)
        return self.until(*expected)

    def install(self, **files):
        """Copies files into the broker's folder under other names: `live="old.crt"` becomes `live`."""
        for name, source in files.items():
            name = name.replace("_", ".")
            shutil.copy(self.folder / source, f"{self.path.parent}/{name}.tmp")
            os.replace(f"{self.path.parent}/{name}.tmp", self.path.parent / name)

    def text(self, name, text, mode=0o600):
        path = self.path.parent / name
        path.write_text(text)
        path.chmod(mode)
        return path


@pytest.fixture
def run(world):
    started = []

    def make(conf, extra=""):
        running = Running(world, conf, extra)
        started.append(running.broker)
        return running

    yield make
    for broker in started:
        alive = broker.process.poll() is None
        log = broker.log
        broker.stop()
        assert alive, log[-4000:]


def stays(peer, topic="t/stays"):
    """The client is served still."""
    peer.subscribe(topic, qos=1)
    peer.publish(topic, b"here", qos=1)
    assert peer.next().payload == b"here"


OPEN = "listener {port} 127.0.0.1\nallow_anonymous true\n"
REFUSED = "Nothing was changed by this reload"


# ---- The configuration itself


def test_nothing_changed_touches_nobody(run):
    running = run(OPEN)
    peer = Peer(running.broker.port)
    lines = running.reload("Config reloaded: nothing has changed.")
    assert "Reloading config." in lines
    stays(peer)
    peer.close()


def test_one_line_says_what_changed(run):
    running = run(OPEN)
    running.write(OPEN + "max_queued_messages 5\nsys_interval 1\nevent_loops 2\n")
    running.reload(
        "Config reloaded; changed: max_queued_messages, sys_interval.\n", "Warning: event_loops will hold from the next start on")
    # What waits is said again, and nothing else has changed.
    running.reload("nothing has changed", "event_loops will hold from the next start on")


def test_mistakes_are_told_with_their_lines_and_change_nothing(run):
    running = run(OPEN)
    peer = Peer(running.broker.port)
    running.write(OPEN + "max_queued_messages many\nno_such_key 1\nsys_interval 1\n")
    lines = running.reload(REFUSED)
    assert f"Error: {running.path}:4: " in lines and f"Error: {running.path}:5: " in lines
    stays(peer)
    running.write(OPEN)
    running.reload("nothing has changed")
    running.path.unlink()
    assert f"Error: {running.path}: " in running.reload(REFUSED)
    stays(peer)
    peer.close()


def test_limits_hold_at_once(run):
    running = run(OPEN)
    peer = Peer(running.broker.port, V5)
    peer.subscribe("t/size", qos=1)
    running.write(OPEN + "message_size_limit 10\nsys_interval 1\nmax_keepalive 20\n")
    running.reload("Config reloaded; changed: max_keepalive, message_size_limit, sys_interval.")
    peer.publish("t/size", b"x" * 10, qos=1)
    assert peer.next().payload == b"x" * 10
    later = Peer(running.broker.port, V5, keepalive=60)
    assert later.connack.ServerKeepAlive == 20
    later.subscribe("$SYS/broker/uptime")
    assert len(later.take(3)) == 3  # every second now
    for one in [peer, later]:
        one.close()


def test_the_log_follows(run):
    running = run(OPEN)
    other = running.path.parent / "other.log"
    running.write(OPEN + f"log_dest file {other}\nlog_timestamp_format %Y\nlog_dest stderr\n")
    running.reload("Config reloaded; changed: log_dest, log_timestamp_format.")
    Peer(running.broker.port, client_id="noted").close()
    until(lambda: "as noted" in other.read_text(), other.read_text)
    assert other.read_text().startswith("20")
    running.write(OPEN + "log_dest file /no/such/folder/x.log\n")
    assert "/no/such/folder/x.log: cannot open it for writing" in running.reload(REFUSED)
    os.rename(other, f"{other}.1")
    running.write(OPEN + f"log_dest file {other}\nlog_timestamp_format %Y\nlog_dest stderr\n")
    running.reload("nothing has changed")
    until(lambda: "nothing has changed" in other.read_text(), other.read_text)


# ---- Listeners


def test_listeners_come_and_go_and_others_notice_nothing(run):
    first, second, third = free_port(), free_port(), free_port()
    conf = "allow_anonymous true\nlistener {port} 127.0.0.1\n"
    running = run(conf + f"listener {first} 127.0.0.1\nlistener {second} 127.0.0.1\nmax_qos 1\n")
    stay, leave, last = Peer(running.broker.port), Peer(first, V5), Peer(second, V5)
    old = Peer(first, V311)
    running.write(conf + f"listener {second} 127.0.0.1\nmax_qos 1\nlistener {third} 127.0.0.1\n")
    lines = running.reload("Config reloaded;")
    assert f"added: port {third} on 127.0.0.1; removed: port {first} on 127.0.0.1" in lines
    assert "clients sent away: 2" in lines
    assert leave.gone() == ADMINISTRATIVE_ACTION
    old.gone()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", first), timeout=1)
    stays(stay)
    stays(last)
    new = Peer(third, V5)
    stays(new)
    # The one behind the gap has kept its own rules, the new one has its own, and numbers come round.
    assert Peer(second, V5).connack.MaximumQoS == 1
    assert not hasattr(new.connack, "MaximumQoS")
    for _ in range(3):
        running.write(conf + f"listener {second} 127.0.0.1\nmax_qos 1\n")
        running.reload("removed: ")
        running.write(conf + f"listener {second} 127.0.0.1\nmax_qos 1\nlistener {third} 127.0.0.1\nmax_qos 0\n")
        running.reload("added: ")
        again = Peer(third, V5)
        assert again.connack.MaximumQoS == 0
        again.close()
    stays(stay, "t/again")
    stays(last, "t/again")


def test_a_port_that_is_taken_changes_nothing(run):
    running = run(OPEN)
    peer = Peer(running.broker.port)
    free = free_port()
    with socket.socket() as taken:
        port = free_port()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        running.write(OPEN + f"sys_interval 1\nlistener {free} 127.0.0.1\nlistener {port} 127.0.0.1\n")
        lines = running.reload(REFUSED)
        assert f"broker.conf:6: cannot listen on port {port}: Address already in use" in lines
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", free), timeout=1)
    stays(peer)
    peer.close()
    # The port has become free: the same file is good now.
    running.reload("Config reloaded; changed: sys_interval; added: ")
    Peer(free).close()


def test_the_same_port_at_another_address(run):
    running = run(OPEN)
    port = free_port()
    running.write(OPEN + f"listener {port}\n")
    running.reload("added: ")
    peer = Peer(port, V5)
    running.write(OPEN + f"listener {port} 127.0.0.1\n")
    lines = running.reload("Config reloaded;")
    assert f"added: port {port} on 127.0.0.1; removed: port {port} on every interface" in lines
    assert peer.gone() == ADMINISTRATIVE_ACTION
    stays(Peer(port))


def test_what_is_spoken_changes(run, world):
    port = free_port()
    plain = OPEN + f"listener {port} 127.0.0.1\n"
    running = run(plain)
    stay, leave = Peer(running.broker.port), Peer(port, V5)
    running.write(plain + f"certfile {world}/old.crt\nkeyfile {world}/old.key\n")
    assert f"opened anew: port {port} on 127.0.0.1 (TLS); clients sent away: 1" in running.reload("Config reloaded;")
    assert leave.gone() == ADMINISTRATIVE_ACTION
    secure = tls_peer(port, world)
    stays(secure)
    running.write(plain)
    running.reload("opened anew")
    secure.gone()
    stays(Peer(port))
    stays(stay)


def test_a_unix_socket_comes_and_goes(run):
    running = run(OPEN)
    path = running.path.parent / "martlet.sock"
    running.write(OPEN + f"listener 0 {path}\n")
    running.reload("added: ")
    with socket.socket(socket.AF_UNIX) as there:
        there.connect(str(path))
    running.write(OPEN)
    running.reload("removed: ")
    assert not path.exists()


# ---- Who may be here


def passwords(running, **users):
    path = running.path.parent / "passwords"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    for user, password in users.items():
        subprocess.run(["mosquitto_passwd", "-b", str(path), user, password], check=True, capture_output=True)
    return path


def test_users_go_and_change(run):
    conf = OPEN.replace("allow_anonymous true", "allow_anonymous false") + "password_file {folder}/passwords\n"
    running = run(OPEN)
    conf = conf.replace("{folder}", str(running.path.parent))
    anonymous = Peer(running.broker.port, V5)
    unchecked = Peer(running.broker.port, V5, username="ann", password="one")
    path = passwords(running, ann="one", bea="two", cyd="three")
    running.write(conf)
    assert "other rules: " in running.reload("clients sent away: 2")
    assert anonymous.gone() == NOT_AUTHORIZED
    assert unchecked.gone() == NOT_AUTHORIZED  # nobody has asked for its password yet
    ann, bea, cyd = (Peer(running.broker.port, V5, username=name, password=word)
                     for name, word in [("ann", "one"), ("bea", "two"), ("cyd", "three")])
    lines = path.read_text().splitlines()
    passwords(running, ann="other")
    path.write_text(path.read_text() + lines[2] + "\n")
    said = running.reload("clients sent away: 2")
    assert f"files: {path}" in said
    assert ann.gone() == NOT_AUTHORIZED and bea.gone() == NOT_AUTHORIZED
    assert "its user's password is another now" in said
    assert "its user is not in the password file any more" in said
    stays(cyd)
    path.write_text("cyd:plain\n")
    assert f"Error: {path}:1: " in running.reload(REFUSED)
    stays(cyd)
    stays(Peer(running.broker.port, V5, username="ann", password="other"))


def test_rights_change_for_those_who_are_here(run):
    running = run(OPEN)
    acl = running.text("acl", "topic readwrite t/#\n")
    conf = OPEN + f"acl_file {acl}\n"
    running.write(conf)
    running.reload("other rules: ")
    peer = Peer(running.broker.port, V5)
    stays(peer)
    acl.write_text("topic readwrite other/#\n")
    assert f"files: {acl}" in running.reload("Config reloaded;")
    peer.publish("t/stays", b"nobody hears this", qos=0)
    stays(peer, "other/a")
    acl.write_text("topic readwrite t/#\nuser\n")
    assert f"Error: {acl}:2: " in running.reload(REFUSED)
    stays(peer, "other/b")


def test_offline_sessions_go_on_receiving(run):
    running = run(OPEN)
    sleeper = Peer(running.broker.port, clean=False, client_id="sleeper")
    sleeper.subscribe("t/sleep", qos=1)
    sleeper.disconnect()
    acl = running.text("acl", "topic readwrite t/#\n")
    running.write(OPEN + f"max_queued_messages 500\nacl_file {acl}\n")
    running.reload("Config reloaded;")
    writer = Peer(running.broker.port)
    for number in range(5):
        writer.publish("t/sleep", str(number).encode(), qos=1)
        if number == 2:
            acl.write_text("topic readwrite t/#\ntopic read x/#\n")
            running.reload("Config reloaded; files: ")
    back = Peer(running.broker.port, clean=False, client_id="sleeper")
    assert [message.payload for message in back.take(5)] == [b"0", b"1", b"2", b"3", b"4"]


# ---- Certificates


def tls_peer(port, world, name=None, version=V5, **options):
    peer = Peer(port, version, connect=False, host="localhost", **options)
    if name:
        peer.client.tls_set(str(world / "ca.crt"), str(world / f"{name}.crt"), str(world / f"{name}.key"))
    else:
        peer.client.tls_set(str(world / "ca.crt"))
    return peer.connect()


def served(port):
    return ssl.get_server_certificate(("127.0.0.1", port)).split()


def pem(world, name):
    return (world / f"{name}.crt").read_text().split()


def secure(running, port, *more):
    """A TLS listener whose files lie in the broker's own folder under fixed names."""
    f = running.path.parent
    return OPEN + f"listener {port} 127.0.0.1\ncertfile {f}/live.crt\nkeyfile {f}/live.key\n" + "".join(
        line.replace("@", str(f)) + "\n" for line in more)


def mutual(running, port, *more):
    return secure(running, port, "cafile @/live.ca", "require_certificate true", "crlfile @/live.crl", *more)


@pytest.fixture
def tls(run):
    """A broker with a listener that asks for certificates and has an empty CRL."""

    def make(*more, port=None):
        running = run(OPEN)
        running.install(live_crt="old.crt", live_key="old.key", live_ca="ca.crt", live_crl="empty.crl")
        running.port = port or free_port()
        running.write(mutual(running, running.port, *more))
        running.reload("added: ")
        return running

    return make


def test_a_revoked_certificate_goes_and_the_others_stay(tls, world):
    running = tls()
    alice, bob, carol = (tls_peer(running.port, world, name) for name in ["alice", "bob", "carol"])
    running.install(live_crl="bob.crl")
    lines = running.reload("clients sent away: 1")
    assert f"files: {running.path.parent}/live.crl" in lines
    assert bob.gone() == NOT_AUTHORIZED
    assert "disconnected: certificate of CN=bob: certificate was revoked on" in lines
    stays(alice)
    stays(carol)
    with pytest.raises(Exception):
        tls_peer(running.port, world, "bob", reconnect=False)


def test_an_authority_that_is_not_trusted_any_more(tls, world):
    running = tls()
    alice = tls_peer(running.port, world, "alice")
    running.text("live.ca", (world / "ca.crt").read_text() + (world / "foreign.crt").read_text())
    assert "sent away" not in running.reload("Config reloaded; files: ")
    stays(alice)
    running.install(live_ca="foreign.crt")
    running.reload("clients sent away: 1")
    assert alice.gone() == NOT_AUTHORIZED


def test_certificates_are_asked_for_only_now(run, world):
    running = run(OPEN)
    running.install(live_crt="old.crt", live_key="old.key", live_ca="ca.crt", live_crl="empty.crl")
    port = free_port()
    running.write(secure(running, port))
    running.reload("added: ")
    nameless = tls_peer(port, world)
    running.write(mutual(running, port))
    assert "require_certificate asks for one now" in running.reload("clients sent away: 1")
    assert nameless.gone() == NOT_AUTHORIZED
    stays(tls_peer(port, world, "alice"))


def test_pre_shared_keys(run):
    running = run(OPEN)
    keys = running.text("keys", "dev1:00112233\ndev2:44556677\n")
    port = free_port()
    running.write(OPEN + f"psk_file {keys}\nlistener {port} 127.0.0.1\npsk_hint martlet\n")
    running.reload("added: ")
    devices = [
        subprocess.Popen(
            ["mosquitto_sub", "-h", "localhost", "-p", str(port), "--psk-identity", name, "--psk", key, "-t", "t/psk",
             "-i", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for name, key in [("dev1", "00112233"), ("dev2", "44556677")]]
    try:
        for name in ["dev1", "dev2"]:
            running.until(f"as {name} (")
            running.until(f"Sending SUBACK to {name}")
        keys.write_text("dev2:44556677\n")
        assert "its identity 'dev1' is not in psk_file any more" in running.reload("clients sent away: 1")
        keys.write_text("dev2:4455\n")
        assert "the pre-shared key of 'dev2' is another now" in running.reload("clients sent away: 1")
    finally:
        for device in devices:
            end_process(device)


@pytest.mark.parametrize(
    "files, reason",
    [
        ({"live_key": "new.key"}, "it is not the key of the certificate"),
        ({"live_crt": "new.key", "live_key": "new.key"}, "no certificate in it, only PRIVATE KEY"),
        ({"live_crt": "ended.crt", "live_key": "ended.key"}, "has expired on"),
        ({"live_ca": "new.key"}, "no certificate in it, only PRIVATE KEY"),
        ({"live_crl": "new.key"}, "crlfile"),
    ])
def test_a_broken_file_changes_nothing(tls, world, files, reason):
    running = tls()
    alice = tls_peer(running.port, world, "alice")
    running.install(**files)
    assert reason in running.reload(REFUSED)
    stays(alice)
    assert served(running.port) == pem(world, "old")
    second = tls_peer(running.port, world, "carol")
    stays(second)


@pytest.mark.parametrize("line", ["ciphers NONSENSE", "ciphers_tls1.3 NONSENSE"])
def test_nonsense_ciphers_change_nothing(tls, world, line):
    running = tls()
    alice = tls_peer(running.port, world, "alice")
    running.write(mutual(running, running.port, line, "max_connections 1"))
    assert "NONSENSE" in running.reload(REFUSED)
    stays(alice)
    stays(tls_peer(running.port, world, "carol"))


# ---- By itself


def test_changed_files_are_noticed(tls, world):
    running = tls()
    running.write(mutual(running, running.port) + "tls_watch_interval 1\n")
    running.reload("changed: tls_watch_interval")
    alice, bob = tls_peer(running.port, world, "alice"), tls_peer(running.port, world, "bob")
    running.said = len(running.broker.log)
    running.install(live_crt="new.crt")  # the key does not fit yet
    running.until("cannot be used like this")
    assert served(running.port) == pem(world, "old")
    time.sleep(3)
    assert running.new.count("it is not the key of the certificate") == 1
    running.install(live_key="new.key")
    lines = running.until("were read again")
    assert f"{running.path.parent}/live.crt, {running.path.parent}/live.key" in lines
    assert served(running.port) == pem(world, "new")
    running.said = len(running.broker.log)
    running.install(live_crl="bob.crl")
    assert "clients sent away: 1" in running.until("were read again")
    assert bob.gone() == NOT_AUTHORIZED
    stays(alice)
    # A reload has nothing left to do.
    running.reload("nothing has changed")


def test_what_martlet_certs_revokes_is_noticed(run, tmp_path):
    """The authority, its certificates and its CRL are all martlet's, and the broker is given them as they lie."""
    def certs(*arguments):
        done = subprocess.run([MARTLET, "certs", *arguments], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    certs("demo-set", ".")
    certs("revoke", "--ca", "ca.crt", "--ca-key", "ca.key")  # nobody yet
    port = free_port()
    running = run(OPEN + f"tls_watch_interval 1\nlistener {port} 127.0.0.1\ncertfile {tmp_path}/server.crt\n"
                  f"keyfile {tmp_path}/server.key\ncafile {tmp_path}/ca.crt\nrequire_certificate true\n"
                  f"crlfile {tmp_path}/ca.crl\n")
    peer = tls_peer(port, tmp_path, "client")
    stays(peer)
    certs("revoke", "client.crt", "--ca", "ca.crt", "--ca-key", "ca.key")
    running.until("clients sent away: 1")
    assert peer.gone() == NOT_AUTHORIZED


def test_what_runs_out_is_said(run, tmp_path):
    openssl(tmp_path, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "soon.key", "-out", "soon.crt", "-days",
            "5", "-subj", "/CN=soon")
    port = free_port()
    conf = OPEN + f"listener {port} 127.0.0.1\ncertfile {tmp_path}/soon.crt\nkeyfile {tmp_path}/soon.key\n"
    running = run(OPEN)
    running.write(conf)
    lines = running.reload("expires in")
    assert re.search("Warning: certfile .*/soon.crt: the certificate of CN=soon expires in [45] days, on ", lines)
    assert "expires" not in running.reload("nothing has changed")
    # At a start it is said too.
    assert "certificate of CN=soon expires in" in run(conf.replace(str(port), str(free_port()))).until("expires in")


# ---- Who the process is


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_only_root_may_read_or_open(run, world):
    """Root reads the key and opens the port, then becomes somebody who may do neither."""
    port = free_port()
    running = run(OPEN)
    running.install(live_crt="old.crt", live_key="old.key")
    for name in ["live.crt", "live.key"]:
        (running.path.parent / name).chmod(0o600)
    conf = "user nobody\n" + secure(running, port)
    started = run(conf)
    assert f"may not read {running.path.parent}/live.crt, {running.path.parent}/live.key" in started.until("may not read")
    peer = tls_peer(port, world)
    started.reload("nothing has changed")
    started.write(conf + "listener 999 127.0.0.1\n")
    assert "cannot listen on port 999: only root may open ports below 1024" in started.reload(REFUSED)
    started.write(conf + "max_qos 1\n")
    assert "Config reloaded; other rules: " in started.reload("Config reloaded")
    stays(peer)
    running.install(live_crt="new.crt", live_key="new.key")
    for name in ["live.crt", "live.key"]:
        (running.path.parent / name).chmod(0o600)
    assert "this user may not read it" in started.reload(REFUSED)
    stays(peer)


def test_names_from_certificates_are_not_looked_for_in_password_files(tls, world):
    running = tls("use_identity_as_username true")
    path = passwords(running, somebody="else")
    running.write(mutual(running, running.port, "use_identity_as_username true") + f"password_file {path}\n")
    alice = tls_peer(running.port, world, "alice")
    running.reload("Config reloaded; other rules: ")
    passwords(running, somebody="new")
    assert "sent away" not in running.reload("Config reloaded; files: ")
    stays(alice)
    # Where names come from is another matter: they would be somebody else.
    running.write(mutual(running, running.port))
    running.reload("clients sent away: 1")
    assert alice.gone() == ADMINISTRATIVE_ACTION
