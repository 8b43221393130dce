"""`martlet chat` on the chat's broker: two of ours and a paho script, over each of the three ports. [D10] to [D19] [D21] to [D25]"""

import pathlib
import signal
import subprocess
import time

import pytest

from broker import IS_MOSQUITTO
from chat_broker import ENTERING, ChatBroker
from chatting import Chat, packets
from our_tools import PROGRAM
from peers import Peer
from relay import Relay
from seeds import logged, martlet

pytestmark = [
    pytest.mark.skipif(IS_MOSQUITTO, reason="the folder is made by martlet"),
    pytest.mark.timeout(300),  # each wait has 60 s of its own
]


@pytest.fixture(autouse=True)
def no_groups_of_whoever_runs_the_tests(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    broker = ChatBroker(tmp_path_factory.mktemp("chat") / "broker")
    certify(broker)
    try:
        yield broker
        assert broker.process.poll() is None, broker.log[-4000:]
    finally:
        broker.stop()


def certify(house):
    """Certificates of the three, by the house's authority."""
    for name in ("alice", "bob", "carol"):
        martlet(house.folder / "certs", f"martlet certs client {name} --ca mqtt_ca.crt --out {name}.crt")


def where(house, entering, name="alice", port=None):
    """Options by which the chat comes to one of the three ports, as the exercise has them."""
    certificates = house.folder / "certs"
    options = ["-h", "localhost", "-p", str(port or house.ports[entering])]
    if entering == "tls":
        options += ["-v", "--cafile", certificates / "mqtt_ca.crt"]
    if entering == "certificate":
        options += ["-V", "--cafile", certificates / "mqtt_ca.crt", "--cert", certificates / f"{name}.crt",
                    "--key", certificates / f"{name}.key"]
    return options


class Script(Peer):
    """Carol, who has written her own client with paho: she answers logins as the exercise wants it."""

    def __init__(self, house, entering):
        super().__init__(house.ports[entering], connect=False, host="localhost", username="carol", password="carol",
                         will={"topic": "/chat/logout", "payload": "carol", "qos": 2})
        if entering != "plain":
            names = ["mqtt_ca.crt"] + (["carol.crt", "carol.key"] if entering == "certificate" else [])
            self.client.tls_set(*(str(house.folder / "certs" / name) for name in names))
        self.connect()
        for topic, qos in (("/chat/login", 2), ("/chat/logout", 2), ("/chat/active", 1), ("/chat/user/+/status", 0),
                           ("/chat/user/carol/message/+", 2), ("/chat/group/+/message/+", 1)):
            self.subscribe(topic, qos=qos)
        self.publish("/chat/login", b"carol", qos=2)

    def expect(self, topic, payload, qos):
        """Passes over others until this comes, once, at its level; a login is answered."""
        while True:
            message = self.next()
            if message.topic == "/chat/login" and message.payload != b"carol":
                self.client.publish("/chat/active", "carol", qos=1)
            if message.topic == topic and message.payload.decode() in (payload if isinstance(payload, tuple) else (payload,)):
                assert (message.qos, message.retain) == (qos, 0)
                return


@pytest.mark.parametrize("entering", ENTERING)
def test_three_people(house, entering):
    """D10 to D18, D21, D22, D25: everything of the exercise, with the levels of §4.1 on the wire."""
    carol = Script(house, entering)
    try:
        with Chat("alice", where(house, entering)) as alice, Chat("bob", where(house, entering, "bob")) as bob:
            for _ in range(2):
                carol.expect("/chat/login", ("alice", "bob"), 2)
            alice.until_here("alice", "bob", "carol")
            bob.until_here("alice", "bob", "carol")
            assert len(alice.all("login", name="bob") + alice.all("active", name="bob") + bob.all("login", name="alice")) <= 2

            alice.say("/msg bob hello bob")
            assert packets(alice.next("sent", to="bob")) == ["→ PUBLISH 2", "← PUBREC", "→ PUBREL", "← PUBCOMP"]
            assert packets(bob.next("private", **{"from": "alice"}, text="hello bob"))[0] == "← PUBLISH 2"
            bob.say("/msg carol hello carol")
            carol.expect("/chat/user/carol/message/bob", "hello carol", 2)
            carol.publish("/chat/user/alice/message/carol", b"hello alice", qos=2)
            alice.next("private", **{"from": "carol"}, text="hello alice")

            bob.say("/join g")
            assert packets(bob.next("joined", group="g")) == ["→ SUBSCRIBE", "← SUBACK"]
            alice.say("/group g hello group")
            assert packets(alice.next("sent", group="g")) == ["→ PUBLISH 1", "← PUBACK"]
            assert packets(bob.next("group", group="g", text="hello group"))[0] == "← PUBLISH 1"
            carol.expect("/chat/group/g/message/alice", "hello group", 1)
            bob.say("/group g my own", "/leave g")
            bob.next("sent", group="g", text="my own")
            assert packets(bob.next("left", group="g")) == ["→ UNSUBSCRIBE", "← UNSUBACK"]
            alice.say("/group g too late", "/msg bob after it")
            bob.next("private", text="after it")  # the group is left when the broker has said so; nothing can come behind that
            assert not bob.all("group", text="too late") and not bob.all("group", text="my own") and not alice.all("group")

            alice.say("/status busy", "/status dnd")
            alice.next("refused")
            assert packets(bob.next("status", name="alice", status="DO NOT DISTURB")) == ["← PUBLISH 0"]
            carol.expect("/chat/user/alice/status", "DO NOT DISTURB", 0)
            logged(house, "Received PUBLISH from chat-alice (d0, q0, r0, m0, '/chat/user/alice/status', ... (14 bytes))")

            assert alice.quit() == 0
            assert packets(alice.next("gone"))[0] == "→ PUBLISH 2"
            bob.next("logout", name="alice")
            carol.expect("/chat/logout", "alice", 2)
            bob.kill(signal.SIGTERM)
            assert bob.process.returncode == 0
            carol.expect("/chat/logout", "bob", 2)
    finally:
        carol.close()
    if entering == "certificate":
        logged(house, "u'bob'")


def test_a_newcomer_has_the_list_within_a_second(house):
    """D13: measured between the connection and the list, in the newcomer's own words."""
    with Chat("alice", where(house, "plain")) as alice, Chat("bob", where(house, "plain")) as bob:
        alice.arrived()
        bob.arrived()
        alice.until_here("alice", "bob")
        best = 60.0
        for _ in range(20):  # a busy machine may be late now and then
            with Chat("carol", where(house, "plain")) as carol:
                began = carol.next("connected")["at"]
                listed = carol.next("who")
                if [person["name"] for person in listed["people"]] == ["alice", "bob", "carol"]:
                    best = min(best, listed["at"] - began)
                carol.quit()
            if best < 1.0:
                break
        assert best < 1.0


def test_messages_come_at_once(house):
    """D19: from one pipe to the other in less than a tenth of a second; the best of many, for the machine has other work."""
    with Chat("alice", where(house, "plain")) as alice, Chat("bob", where(house, "plain")) as bob:
        alice.arrived()
        bob.arrived()
        best = 60.0
        for number in range(50):
            began = time.monotonic()
            alice.say(f"/msg bob number {number}")
            best = min(best, bob.next("private", text=f"number {number}")["at"] - began)
            if best < 0.1:
                break
        assert best < 0.1


def test_nobody_reads(house):
    """Whose output is closed logs out and goes, as every program in a pipe."""
    with Chat("alice", where(house, "plain")) as alice:
        alice.arrived()
        command = [PROGRAM, "chat", "-u", "bob", *map(str, where(house, "plain"))]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as bob:
            while not bob.stdout.readline().startswith(b"[who]"):
                assert bob.poll() is None
            bob.stdout.close()
            alice.say("/msg bob hello")
            alice.next("logout", name="bob")
            assert bob.wait(timeout=60) == 0


def test_the_name_alone_is_enough(house):
    """D10, and what is refused: a wrong password, and names that are none."""
    with Chat("foobar", ["-h", "localhost", "-p", str(house.ports["plain"])]) as foobar:
        foobar.arrived()
        assert foobar.quit() == 0
    with Chat("foobar", where(house, "plain"), "-P", "wrong") as foobar:
        assert foobar.process.wait(timeout=60) == 1
        foobar.next("failed")
        assert "not authorized" in foobar.errors.lower() or "bad user name or password" in foobar.errors.lower()
    for name in ("a/b", "+", ""):
        with Chat(name, where(house, "plain")) as nobody:
            assert nobody.process.wait(timeout=60) == 64


@pytest.mark.parametrize("entering", ENTERING)
def test_who_is_killed_is_withdrawn(house, entering):
    """D12: kill -9, and the broker says it by the last will: to ours and to the script."""
    carol = Script(house, entering)
    try:
        with Chat("alice", where(house, entering)) as alice, Chat("bob", where(house, entering, "bob")) as bob:
            for _ in range(2):
                carol.expect("/chat/login", ("alice", "bob"), 2)
            alice.until_here("alice", "bob", "carol")
            bob.kill()
            assert packets(alice.next("logout", name="bob", presumed=False))[0] == "← PUBLISH 2"
            carol.expect("/chat/logout", "bob", 2)
    finally:
        carol.close()


def test_messages_wait_for_somebody_who_is_away(house):
    """Each once, in order, before anything new; what came and went meanwhile is not told."""
    with Chat("bob", where(house, "plain")) as bob:
        bob.arrived()
        assert bob.quit() == 0
    with Chat("alice", where(house, "plain")) as alice:
        alice.arrived()
        alice.say(*(f"/msg bob number {number}" for number in range(30)))
        for number in range(30):
            assert alice.next("sent", text=f"number {number}")["heard"]
        with Chat("bob", where(house, "plain")) as bob:
            assert bob.next("connected")["sessionPresent"]
            for number in range(30):
                bob.next("private", text=f"number {number}")
            bob.until_here("alice", "bob")
            assert len(bob.all("private")) == 30 and not bob.all("login") and not bob.all("logout")
            assert bob.quit() == 0


def test_groups_are_left_or_kept(house, tmp_path):
    """Left at the logout; kept with --stay, and then rejoined and shown; a group that only the broker knows of is left."""
    def bob(*options, folder=tmp_path):
        return Chat("bob", where(house, "plain"), *options, folder=folder)

    with Chat("alice", where(house, "plain")) as alice:
        alice.arrived()
        with bob() as chat:
            chat.arrived().say("/join left")
            chat.next("joined", group="left")
            assert chat.quit() == 0
            chat.next("left", group="left")
        with bob("--stay") as chat:
            chat.arrived().say("/join kept")
            chat.next("joined", group="kept")
            assert chat.quit() == 0
        alice.say("/group left nobody", "/group kept while away")
        assert not alice.next("sent", group="left")["heard"]
        assert alice.next("sent", group="kept")["heard"]
        with bob("--stay") as chat:
            chat.next("joined", group="kept")
            chat.next("group", group="kept", text="while away")
            chat.kill()
        (tmp_path / "elsewhere").mkdir()
        with bob(folder=tmp_path / "elsewhere") as chat:
            chat.arrived()
            alice.say("/group kept from elsewhere")
            alice.next("sent", group="kept")
            chat.next("note")
            chat.say("/msg bob end")
            chat.next("private", text="end")
            assert not chat.all("group") and not chat.all("joined")
            alice.say("/group kept again")
            assert not alice.next("sent", text="again")["heard"]
            assert chat.quit() == 0


@pytest.mark.parametrize("version", ["5", "311"])
def test_what_is_denied_says_so_and_why(house, version):
    """D20 through the client: bob writes under alice's name, which only a client that cheats can do; so the user is another."""
    with Chat("alice", where(house, "plain")) as alice, \
            Chat("alice2", [*where(house, "plain"), "--mqtt-version", version], "-P", "alice2") as nobody:
        alice.arrived()
        assert nobody.process.wait(timeout=60) == 1 and nobody.errors  # not in the password file
    folder = house.folder
    certificates = folder / "certs"
    # By certificate the user is bob, whatever the chat calls itself: every message under alice's name is denied.
    options = ["-h", "localhost", "-p", str(house.ports["certificate"]), "-V", "--cafile", certificates / "mqtt_ca.crt",
               "--cert", certificates / "bob.crt", "--key", certificates / "bob.key", "--mqtt-version", version]
    with Chat("carol", where(house, "plain")) as carol, Chat("mallory", options) as mallory:
        carol.arrived()
        mallory.arrived().say("/msg carol it was me", "/status away", "/group g hello", "/msg mallory self")
        if version == "5":
            for text in ("it was me", "hello"):
                assert "not authorized" in mallory.next("notSent", text=text)["why"].lower()
            assert mallory.quit() == 0
        else:
            assert any("cannot say" in note["text"] for note in mallory.all("note"))
            mallory.next("sent", text="hello")
            assert mallory.quit() == 0
        carol.say("/msg carol end")
        carol.next("private", text="end")
        assert len(carol.all("private")) == 1 and not carol.all("status")
    logged(house, "Denied PUBLISH from chat-mallory")


@pytest.mark.parametrize("entering", ["tls", "certificate"])
def test_an_authority_of_ones_own_is_detected(house, entering, tmp_path):
    """D24: refused, with a status that is not 0; the message names the verification; nothing was published."""
    martlet(tmp_path, "martlet certs ca --out own.crt --subject /CN=own")
    options = where(house, entering)
    options[options.index("--cafile") + 1] = tmp_path / "own.crt"
    before = house.log.count("Received PUBLISH")
    with Chat("alice", options) as alice:
        assert alice.process.wait(timeout=60) == 1
        assert "certificate" in alice.errors and "verif" in alice.errors, alice.errors
        assert not alice.all("connected")
    assert house.log.count("Received PUBLISH") == before


def test_a_key_with_a_password_and_one_without_a_certificate(house, tmp_path):
    """D25, D26: --key-password; without a certificate 8884 lets nobody in; the name is the certificate's where none is given."""
    certificates = house.folder / "certs"
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", certificates / "bob.key", "-passout", "pass:secret", "-out",
                    tmp_path / "bob.key"], check=True, timeout=60)
    options = where(house, "certificate", "bob")
    options[options.index("--key") + 1] = tmp_path / "bob.key"
    command = [PROGRAM, "chat", *map(str, options), "--key-password"]
    done = subprocess.run([*command, "secret"], input=b"/who\n", capture_output=True, timeout=60)
    assert done.returncode == 0 and b"[who] bob (you)" in done.stdout, done
    done = subprocess.run([*command, "wrong"], input=b"", capture_output=True, timeout=60)
    assert done.returncode == 1 and b"password is wrong" in done.stderr, done
    with Chat("bob", [*where(house, "tls", port=house.ports["certificate"])]) as bob:
        assert bob.process.wait(timeout=60) == 1 and "certificate" in bob.errors, bob.errors


def test_a_password_is_not_in_the_list_of_processes(house):
    with Chat("alice", where(house, "plain"), "-P", "alice") as alice:
        alice.arrived()
        words = pathlib.Path(f"/proc/{alice.process.pid}/cmdline").read_bytes().split(b"\0")
        assert words[words.index(b"-P") + 1] == b"*****"


@pytest.mark.parametrize("entering", ENTERING)
def test_a_cut_network_loses_nothing(house, entering):
    """The relay cuts while both talk and a script listens; every message comes once, in order, and both see each other again."""
    least, most = (2_500, 6_000) if entering == "plain" else (9_000, 14_000)  # a handshake is some 5 KB
    carol = Script(house, entering)
    try:
        between_two(house, entering, Relay(house.ports[entering], seed=6, least=least, most=most, cuts=6), carol)
    finally:
        carol.close()


def between_two(house, entering, relay, carol):
    with relay:
        with Chat("alice", where(house, entering, port=relay.port)) as alice, \
                Chat("bob", where(house, entering, "bob", port=relay.port)) as bob:
            alice.arrived()
            bob.arrived()
            bob.say("/join g")
            bob.next("joined", group="g")
            for number in range(40):
                alice.say(f"/msg bob private {number}", f"/group g group {number}")
            for number in range(40):
                bob.next("private", text=f"private {number}")
            alice.next("sent", text="group 39")
            bob.say("/msg bob end")
            bob.next("private", text="end")
            groups = [event["text"] for event in bob.until(40, "group")]
            assert groups == [f"group {number}" for number in range(40)]
            assert len(bob.all("private")) == 41
            assert alice.all("lost") + bob.all("lost")
            carol.expect("/chat/group/g/message/alice", "group 39", 1)
            bob.until_here("alice", "bob", "carol")
            alice.until_here("alice", "bob", "carol")
            assert (alice.quit(), bob.quit()) == (0, 0)


@pytest.mark.parametrize("entering", ENTERING)
def test_a_restarted_broker_loses_nothing(tmp_path, entering):
    """With persistence: what was on its way arrives once, and the names are right again; a script that comes then is seen."""
    house = ChatBroker(tmp_path / "broker")
    certify(house)
    try:
        with Chat("alice", where(house, entering)) as alice, Chat("bob", where(house, entering, "bob")) as bob:
            alice.arrived()
            bob.arrived().say("/join g")
            bob.next("joined", group="g")
            house.restart(signal.SIGKILL)
            alice.say("/msg bob while it was down", "/group g also", "/status away")
            bob.until(1, "private", text="while it was down")
            bob.until(1, "group", text="also")
            carol = Script(house, entering)
            try:
                bob.until_here("alice", "bob", "carol")
                alice.until_here("alice", "bob", "carol")
                alice.say("/group g and on")
                carol.expect("/chat/group/g/message/alice", "and on", 1)
            finally:
                carol.close()
            bob.until(1, "group", text="and on")
            assert len(bob.all("private")) == 1 and len(bob.all("group")) == 2
            assert (alice.quit(), bob.quit()) == (0, 0)
    finally:
        house.stop()


def test_two_programs_of_one_name(house):
    """The second takes over; the first says why it goes. In 3.1.1 nobody tells them: one of the two gives up in the end."""
    with Chat("alice", where(house, "plain")) as first:
        first.arrived()
        with Chat("alice", where(house, "plain")) as second:
            second.arrived()
            assert first.process.wait(timeout=60) == 1 and "another program has logged in as alice" in first.errors
            assert second.quit() == 0
    options = [*where(house, "plain"), "--mqtt-version", "311"]
    with Chat("bob", options) as first, Chat("bob", options) as second:
        end = time.monotonic() + 120
        while first.process.poll() is None and second.process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.05)
        gone, other = (first, second) if first.process.poll() is not None else (second, first)
        assert gone.process.returncode == 1 and "is another program logged in as bob?" in gone.errors
        other.until_here("bob")
        assert other.quit() == 0


def test_lines_for_people(house):
    """Without --json: the kind first, then who and what; a script's end of input is a logout."""
    done = subprocess.run(
        [PROGRAM, "chat", "-u", "alice", *where(house, "plain")], capture_output=True, timeout=60,
        input="/join g\n/group g grüße\n/msg alice \x1b[2Jself\n/nonsense\nno place?".encode())
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0 and done.stderr == b""
    for line in ("[connected] MQTT 5.0, ", "[who] alice (you)", "[joined] g", "[sent] to group g: grüße", "[private] alice: ␛[2Jself",
                 "[refused] there is no command /nonsense; /help lists them", "[left] g", "[gone] you are logged out"):
        assert any(found.startswith(line) for found in lines), (line, lines)
    assert not any("\x1b" in line for line in lines)
