"""Examples/chat-broker: made by its one command, and entered as the exercise has it. [D6] to [D8] [D20] [D22] to [D28]"""

import os
import re
import shlex
import signal
import subprocess

import pytest

import private_machine
from broker import IS_MOSQUITTO, ROOT, until
from chat_broker import ENTERING, PREPARE, ChatBroker, prepare
from chatting import Chat
from our_tools import DEBIANS, ENVIRONMENT, OURS, PROGRAM, Listener, run
from seeds import logged

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="the folder is made by martlet, and the log lines are Martlet's")

GUIDE = (ROOT / "Docs/guides/chat.md").read_text()
HOUSES = pytest.mark.parametrize("house", [DEBIANS, OURS], ids=["mosquitto's tools", "our tools"])


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    broker = ChatBroker(tmp_path_factory.mktemp("chat") / "broker")
    try:
        yield broker
        assert broker.process.poll() is None, broker.log[-4000:]
    finally:
        broker.stop()


def test_a_second_time_changes_nothing_but_what_is_asked(tmp_path):
    """What is there stays; names and hosts are added; a folder with a space in its name is as good."""
    folder = tmp_path / "my chat"
    assert prepare(folder).returncode == 0
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = prepare(folder)
    assert again.returncode == 0 and "0 new users" in again.stdout
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == kept
    more = prepare(folder, "--user", "dave", "--host", "chat.example", "--strict", "--lan")
    assert "1 new users: dave" in more.stdout and "for mqttchat.dahahm.de localhost 127.0.0.1 ::1 chat.example" in more.stdout
    changed = {str(path.relative_to(folder)) for path in kept if path.read_bytes() != kept[path]}
    assert changed == {"broker.conf", "passwd", "certs/server.crt", "certs/server.key", "certs/mqtt_ca.srl"}
    configuration = (folder / "broker.conf").read_text()
    assert "listener 1883\n" in configuration and f"acl_file {folder}/acl-strict\n" in configuration
    assert (folder / "passwd").read_bytes().startswith(kept[folder / "passwd"])
    (folder / "certs/mqtt_ca.key").unlink()
    refused = prepare(folder)
    assert refused.returncode == 1 and "without its key" in refused.stderr
    assert prepare(folder, "--fresh").returncode == 0
    for wrong in (["--ports", "1,2"], ["--user", "a/b"], ["--nonsense"]):
        assert prepare(folder, *wrong).returncode == 1


def test_secrets_are_not_for_others(chat):
    """D28: the folder may be put under version control as it is; what is secret stays out, and is its owner's alone."""
    secrets = ["passwd", "admin-password", "certs/mqtt_ca.key", "certs/server.key", "certs/me.key", "certs/me.p12"]
    (chat.folder / "certs/me.key").touch(mode=0o600)
    (chat.folder / "certs/me.p12").touch(mode=0o600)
    for name in secrets:
        assert (chat.folder / name).stat().st_mode & 0o077 == 0, name
    (chat.folder / "certs/me.crt").touch()
    subprocess.run(["git", "init", "-q", chat.folder], check=True, timeout=60)
    listed = subprocess.run(
        ["git", "-C", chat.folder, "ls-files", "--others", "--exclude-standard"], check=True, capture_output=True, text=True,
        timeout=60).stdout.split()
    assert "certs/me.crt" in listed and not set(secrets) & set(listed)


@HOUSES
@pytest.mark.parametrize("entering", ENTERING)
def test_nobody_without_a_name(chat, entering, house):
    """Anonymous clients are refused on all three ports; wrong passwords too; 8884 asks for a certificate instead."""
    for who in ("", "-u alice -P wrong", "-u nobody -P nobody") if entering != "certificate" else ("", "-u alice -P alice"):
        done = run(house, f"mosquitto_pub {chat.where(entering)} {who} -t /test -m x")
        assert done.returncode in ((5,) if entering != "certificate" else (1, 7, 8)), done
        assert b"not authorised" in done.stderr or b"lost" in done.stderr or b"TLS" in done.stderr, done
    refused = "it gave no user name" if entering != "certificate" else "the client showed no certificate"
    logged(chat, refused)


TEST = 'mosquitto_sub -u foobar -P foobar -t "/test" -h mqttchat.dahahm.de', \
    'mosquitto_pub -u foobar -P foobar -t "/test" -h mqttchat.dahahm.de -m "MESSAGE"'

VERBATIM = """
set -eu
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
until_there() { for _ in $(seq 600); do grep -q "$1" "$2" && return; sleep 0.1; done; echo "no $1 in $2"; cat "$2"; exit 1; }
MARTLET={martlet} {prepare} {folder} >/dev/null
{martlet} broker -c {folder}/broker.conf >{folder}/log 2>&1 &
until_there ' running$' {folder}/log
for house in {debians} {ours}; do
    PATH=$house:$PATH
    : >{folder}/heard
    stdbuf -oL {sub} >{folder}/heard &
    until_there 'Sending SUBACK' {folder}/log
    {pub}
    until_there '^MESSAGE$' {folder}/heard
    kill $!
    : >{folder}/log
done
"""


def test_the_seeds_commands_word_for_word(tmp_path):
    """D7: with the line `127.0.0.1 mqttchat.dahahm.de` in the hosts file; on a machine of its own, for 1883 to be free. It has
    no network, so this is also what `prepare` needs of one: nothing."""
    if not private_machine.available():
        pytest.skip("this machine does not let its users have name spaces of their own (unshare)")
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n127.0.0.1 mqttchat.dahahm.de\n")
    script = VERBATIM
    for name, value in {
            "martlet": PROGRAM, "prepare": PREPARE, "folder": tmp_path / "broker", "debians": DEBIANS, "ours": OURS,
            "sub": TEST[0], "pub": TEST[1]}.items():
        script = script.replace("{%s}" % name, str(value))
    done = subprocess.run(
        private_machine.command(hosts, ["bash", "-c", script]), env=ENVIRONMENT, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("entering", ["plain", "tls"])
def test_the_seeds_commands_without_a_hosts_line(chat, entering):
    """D7, D22: our tools are told the address instead; the certificate has the name all the same."""
    where = chat.where(entering).replace("localhost", "mqttchat.dahahm.de") + " --resolve mqttchat.dahahm.de:127.0.0.1"
    with Listener(OURS, f"mosquitto_sub {where} -u foobar -P foobar -t /test -d") as listener:
        listener.until("Subscribed")
        assert run(OURS, f"mosquitto_pub {where} -u foobar -P foobar -t /test -m MESSAGE").returncode == 0
        listener.until("MESSAGE")


# Topic, then what alice (a user), bob (another) and admin may: r read, w write.
MATRIX = {
    "/test": ("rw", "rw", "rw"),
    "/chat/login": ("rw", "rw", "rw"),
    "/chat/user/alice/status": ("rw", "r", "rw"),
    "/chat/user/alice/message/bob": ("rw", "w", "rw"),
    "/chat/group/g/message/alice": ("rw", "r", "rw"),
    "/foo": ("", "", "rw"),
}
ROLES = ("alice", "bob", "admin")


def expected(matrix):
    """What each role hears, and who is denied what, when every role writes to every topic once."""
    written = [(topic, role) for role in ROLES for topic in matrix if "w" in matrix[topic][ROLES.index(role)]]
    heard = {role: [f"{topic} from {who}" for topic, who in written if "r" in matrix[topic][ROLES.index(role)]] for role in ROLES}
    return heard, {(topic, role) for role in ROLES for topic in matrix} - set(written)


def tried(chat, house):
    """Every role writes to every topic by a house's tool, and listens to all there is."""
    heard, denied = {}, set()
    listeners = {role: Listener(house, f"mosquitto_sub {chat.where('plain', role)} -q 1 -t # -t $SYS/none -d -v") for role in ROLES}
    try:
        for listener in listeners.values():
            listener.until("Subscribed")
        for role in ROLES:
            for topic in MATRIX:
                done = run(house, f"mosquitto_pub {chat.where('plain', role)} -V 5 -q 1 -t {topic} -m 'from {role}'")
                assert done.returncode == 0, done
                if b"Not authorized" in done.stderr:
                    denied.add((topic, role))
        run(house, f"mosquitto_pub {chat.where('plain', 'admin')} -t /test -q 1 -m end")
        for role, listener in listeners.items():
            listener.until("/test end")
            heard[role] = [line for line in listener.output.splitlines() if re.search(r"^/.* from \w+$", line)]
    finally:
        for listener in listeners.values():
            listener.__exit__()
    return heard, denied


def test_the_matrix_of_rights(chat):
    """D8, D20: three roles by six topics, read and write; what is denied says so (0x87), and the log says why. Then the strict
    rights, taken over by the broker that runs."""
    assert tried(chat, OURS) == expected(MATRIX)
    logged(chat, "'/foo', ... (10 bytes))")
    logged(chat, "(user 'bob') may not publish to '/chat/user/alice/status': no line of")
    assert prepare(chat.folder, "--strict", ports=chat.ports.values()).returncode == 0
    try:
        chat.process.send_signal(signal.SIGHUP)
        logged(chat, "Config reloaded")
        strict = {**MATRIX, "/chat/user/alice/status": ("rw", "", "rw")}
        assert tried(chat, DEBIANS) == expected(strict)
    finally:
        prepare(chat.folder, ports=chat.ports.values())
        before = chat.log.count("Config reloaded")
        chat.process.send_signal(signal.SIGHUP)
        until(lambda: chat.log.count("Config reloaded") > before, lambda: chat.log[-4000:])


def guides(heading):
    """The commands of a section of the guide."""
    section = re.split(r"^## ", GUIDE, flags=re.MULTILINE)
    return "".join(re.findall(r"^```sh\n(.*?)^```", next(one for one in section if one.startswith(heading)), re.MULTILINE | re.DOTALL))


def followed(chat, commands):
    """Runs commands of the guide in the folder's `certs`, with martlet on the PATH."""
    return subprocess.run(
        ["bash", "-euc", commands], cwd=chat.folder / "certs", capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
        env={**ENVIRONMENT, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"})


def certified(chat, maker):
    """Key, request and signature for foobar, by the lines of the guide that begin so."""
    lines = guides("A certificate of your own").replace("\\\n", " ").splitlines()
    commands = [line for line in lines if line.startswith(maker) or "sign" in line]
    assert len(commands) >= 3, commands
    done = followed(chat, "\n".join(["rm -f foobar.*", *commands]))
    assert done.returncode == 0, done


@HOUSES
@pytest.mark.parametrize("maker", ["openssl", "martlet certs"])
def test_a_certificate_of_ones_own(chat, maker, house):
    """D25 to D27: key, request and signature as the guide has them; OpenSSL verifies the chain; the user is the common name."""
    certified(chat, maker)
    verified = followed(chat, "openssl verify -CAfile mqtt_ca.crt -purpose sslclient foobar.crt")
    assert verified.stdout == "foobar.crt: OK\n", verified
    mine = f"--cert {chat.folder}/certs/foobar.crt --key {chat.folder}/certs/foobar.key"
    name = f"by-{maker.split()[-1]}-{len(house)}"
    done = run(house, f"mosquitto_pub {chat.where('certificate')} {mine} -i {name} -t /test -q 1 -m hello")
    assert done.returncode == 0, done
    assert "u'foobar'" in logged(chat, f" as {name} (")


def test_a_key_behind_a_passphrase(chat):
    """D26: setting a password is optional; a key below 2048 bits is refused."""
    (chat.folder / "certs/word").write_text("secret\n")
    done = followed(chat, """martlet certs key locked.key --encrypt --passphrase-file word
        martlet certs csr --key locked.key --passphrase-file word --subject /CN=foobar --out locked.csr
        martlet certs sign locked.csr --ca mqtt_ca.crt --client --out locked.crt""")
    assert done.returncode == 0, done
    mine = f"--cert {chat.folder}/certs/locked.crt --key {chat.folder}/certs/locked.key"
    line = f"mosquitto_pub {chat.where('certificate')} {mine} --key-password-file {chat.folder}/certs/%s -t /test -q 1 -m hello"
    assert run(OURS, line % "word").returncode == 0
    (chat.folder / "certs/wrong").write_text("wrong\n")
    assert run(OURS, line % "wrong").returncode != 0
    weak = followed(chat, """openssl genrsa -out weak.key 1024
        openssl req -new -key weak.key -subj /CN=foobar -out weak.csr
        martlet certs sign weak.csr --ca mqtt_ca.crt --client --out weak.crt""")
    assert weak.returncode != 0 and "2048" in weak.stderr, weak
    assert not (chat.folder / "certs/weak.crt").exists()


@HOUSES
def test_an_own_authority_is_not_trusted(chat, house, tmp_path):
    """D24: the client refuses a broker that its authority did not sign, publishes nothing and says why; the broker refuses a client's
    certificate of that authority."""
    done = followed(chat, f"""martlet certs ca --subject '/CN=My own CA' --out {tmp_path}/own.crt
        martlet certs client alice --ca {tmp_path}/own.crt --out {tmp_path}/alice.crt""")
    assert done.returncode == 0, done
    before = chat.log.count("New client connected")
    wrong = chat.where("tls", "alice").replace(f"{chat.folder}/certs/mqtt_ca.crt", f"{tmp_path}/own.crt")
    done = run(house, f"mosquitto_pub -d {wrong} -t /test -m secret")
    assert done.returncode != 0 and b"certificate" in done.stdout + done.stderr, done
    foreign = f"--cert {tmp_path}/alice.crt --key {tmp_path}/alice.key"
    assert run(house, f"mosquitto_pub {chat.where('certificate')} {foreign} -t /test -m secret").returncode != 0
    logged(chat, "the client said 'unknown ca'")
    logged(chat, "unable to get local issuer certificate")
    assert chat.log.count("New client connected") == before


def test_the_rights_of_a_chat(chat, tmp_path):
    """D20 by the chat itself: the name is bob's throughout, the login is bob's, another user's, or admin's. Another user reads and
    writes what is everybody's, is told which messages were refused and why, and hears nothing of bob's letters. (A status goes out at
    QoS 0, which nobody answers: there the log has to say it.)"""
    for name in ("bob", "alice", "admin"):
        assert followed(chat, f"martlet certs client {name} --ca mqtt_ca.crt --out {tmp_path}/{name}.crt").returncode == 0

    def by_admin(topic, text):
        assert run(OURS, f"mosquitto_pub {chat.where('plain', 'admin')} -q 2 -t {topic} -m '{text}'").returncode == 0

    with Listener(DEBIANS, f"mosquitto_sub {chat.where('plain', 'admin')} -q 2 -t # -d -v") as everything:
        everything.until("Subscribed")
        for login in ("bob", "alice", "admin"):
            where = f"{chat.where('certificate')} -V --cert {tmp_path}/{login}.crt --key {tmp_path}/{login}.key"
            with Chat("bob", shlex.split(where)) as bob:
                may = login != "alice"
                bob.arrived().say(f"/msg dora a letter {login}", f"/group tea to all {login}", "/join tea", "/status away")
                for text in (f"a letter {login}", f"to all {login}"):
                    event = bob.next("sent" if may else "notSent", text=text)
                    assert may or "not authorized" in event["why"].lower() and "no right" in event["why"], event
                bob.next("joined", group="tea")
                by_admin("/chat/login", "dora")
                bob.next("login", name="dora")
                by_admin("/chat/user/bob/message/dora", "a letter")
                by_admin("/chat/user/dora/status", "AWAY")
                bob.next("status", name="dora", status="AWAY")
                by_admin("/chat/group/tea/message/dora", "to the group")
                bob.next("group", text="to the group")
                assert len(bob.all("private")) == may
                assert bob.quit() == 0
            by_admin("/test", f"end {login}")
            everything.until(f"/test end {login}")
            for line in (f"/chat/user/dora/message/bob a letter {login}", f"/chat/group/tea/message/bob to all {login}"):
                assert (line in everything.output) == may, everything.output
        # Everybody is heard coming and going, and is answered.
        for topic in ("login", "logout", "active"):
            assert everything.output.count(f"\n/chat/{topic} bob\n") == 3, everything.output
        assert "\n/chat/user/bob/status AWAY\n" in everything.output
    logged(chat, "(user 'alice') may not publish to '/chat/user/bob/status'")


def test_a_chat_where_the_folder_is(chat):
    """D10, D22, D25, D27: `-u foobar` alone, with `-v`, and with `-V` and a certificate signed as the guide has it; the exercise's names
    of files are found by themselves."""
    certified(chat, "openssl")
    for entering, option in zip(ENTERING, ([], ["-v"], ["-V"])):
        done = subprocess.run(
            [PROGRAM, "chat", "-h", "localhost", "-p", str(chat.ports[entering]), "-u", "foobar", *option], cwd=chat.folder,
            input=b"/who\n", capture_output=True, timeout=90, env=ENVIRONMENT)
        assert done.returncode == 0 and b"[who] foobar (you)" in done.stdout, done
    assert chat.log.count("as chat-foobar (p5") == 3 and "u'foobar'" in logged(chat, " as chat-foobar (")
