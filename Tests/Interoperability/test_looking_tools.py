"""`martlet doctor`, `martlet wiretap` and `martlet bench`, run as a person would, against our broker, Debian's and things that are none."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading

import pytest

from authority import Authority
from broker import IS_MOSQUITTO, ROOT, WAIT, Broker, answers, end_process, free_port, until
from our_tools import OURS, run

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="these are our tools, and both brokers are started here")

MARTLET = pathlib.Path(ROOT) / ".build/debug/martlet"
HASH = "foobar:$7$101$"


def martlet(*arguments, seconds=60, **options):
    return subprocess.run(
        [MARTLET, *map(str, arguments)], capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL, **options)


class World:
    """A broker with a port in the clear, one with passwords, TLS, mutual TLS, and TLS whose certificate is bad."""

    def __init__(self, folder):
        self.folder = folder
        authority = Authority(folder)
        names = "subjectAltName=DNS:localhost,IP:127.0.0.1\n"
        authority.issue("server", "/CN=localhost", names, days=90)
        authority.issue("ending", "/CN=localhost", names, days=5)
        authority.issue("other", "/CN=other.example", "subjectAltName=DNS:other.example\n", days=90)
        authority.issue("alice", "/CN=alice", "extendedKeyUsage=clientAuth\n")
        Authority(folder, "foreign", "/CN=Foreign CA")
        made = subprocess.run(["mosquitto_passwd", "-b", "-c", folder / "users", "alice", "right"], capture_output=True)
        assert made.returncode == 0, made
        (folder / "users").chmod(0o644)
        (folder / "rules").write_text("user alice\ntopic readwrite mine/#\n")
        self.ports = {name: free_port() for name in ("password", "tls", "mutual", "ending", "other")}

        def tls(name, certificate="server"):
            return (f"listener {self.ports[name]} 127.0.0.1\nallow_anonymous true\n"
                    f"certfile {folder}/{certificate}.crt\nkeyfile {folder}/{certificate}.key\n")

        self.configuration = (
            "per_listener_settings true\nlog_type all\nlistener {port} 127.0.0.1\nallow_anonymous true\n"
            f"listener {self.ports['password']} 127.0.0.1\npassword_file {folder}/users\nacl_file {folder}/rules\n"
            + tls("tls") + tls("mutual") + f"cafile {folder}/ca.crt\nrequire_certificate true\n"
            + tls("ending", "ending") + tls("other", "other"))

    def url(self, scheme, name):
        return f"{scheme}://localhost:{self.ports[name]}"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tools")
    folder.chmod(0o755)
    made = World(folder)
    with Broker(made.configuration) as broker:
        made.ports["plain"] = broker.port
        yield made


def doctor(*arguments, **options):
    """Exit status, and the stages of the document by name."""
    done = martlet("doctor", "--json", *arguments, **options)
    document = json.loads(done.stdout)
    assert document["exitStatus"] == done.returncode
    return done.returncode, {stage["stage"]: stage for stage in document["stages"]}


# ---- doctor


def test_a_healthy_broker(world):
    status, stages = doctor(world.url("mqtt", "plain"))
    assert status == 0
    assert list(stages) == ["DNS", "TCP", "MQTT", "credentials", "subscribe", "round trip"]
    assert {stage["outcome"] for stage in stages.values()} == {"ok"}
    text = martlet("doctor", world.url("mqtt", "plain"))
    assert text.returncode == 0 and "✓ round trip" in text.stdout


def test_a_healthy_broker_of_others(tmp_path):
    port = free_port()
    (tmp_path / "conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    other = subprocess.Popen(["/usr/sbin/mosquitto", "-c", tmp_path / "conf"], stderr=subprocess.DEVNULL)
    try:
        until(lambda: answers("127.0.0.1", port), lambda: "it does not listen")
        status, stages = doctor(f"localhost:{port}", "-V", "311")
        assert status == 0, stages
    finally:
        end_process(other, signal.SIGTERM)


def test_dns():
    status, stages = doctor("mqtt://no.such.host.invalid")
    assert status == 10 and "no.such.host.invalid" in stages["DNS"]["summary"] and stages["DNS"]["remedy"]


def test_tcp():
    status, stages = doctor(f"localhost:{free_port()}")
    assert status == 11 and "refused" in stages["TCP"]["summary"].lower()


def test_tls_is_described(world):
    status, stages = doctor(world.url("mqtts", "tls"), "--cafile", world.folder / "ca.crt")
    assert status == 0 and stages["TLS"]["outcome"] == "ok"
    facts = "\n".join(stages["TLS"]["facts"])
    assert "TLS 1.2 and TLS 1.3" in facts and "localhost" in facts and "days" in facts


@pytest.mark.parametrize("name, trust, word", [
    ("tls", "foreign", "issuer"), ("other", "ca", "other.example"), ("tls", None, "issuer")])
def test_tls_that_is_refused(world, name, trust, word):
    options = ["--cafile", world.folder / f"{trust}.crt"] if trust else []
    status, stages = doctor(world.url("mqtts", name), *options)
    said = json.dumps(stages["TLS"])
    assert status == 12 and stages["TLS"]["remedy"], said
    assert word in said


def test_a_certificate_that_ends_soon(world):
    status, stages = doctor(world.url("mqtts", "ending"), "--cafile", world.folder / "ca.crt")
    assert status == 0 and stages["TLS"]["outcome"] == "warning" and "days" in stages["TLS"]["summary"]


def test_tls_on_a_port_without_it_and_the_other_way_round(world):
    status, stages = doctor(world.url("mqtts", "plain"), "--timeout", 60)
    assert status == 12 and stages["TLS"]["remedy"], stages
    status, stages = doctor(world.url("mqtt", "tls"), "--timeout", 60)
    assert status == 14 and "speaks TLS" in stages["MQTT"]["summary"] and stages["MQTT"]["remedy"], stages


def test_mutual_tls(world):
    trust = ["--cafile", world.folder / "ca.crt"]
    mine = ["--cert", world.folder / "alice.crt", "--key", world.folder / "alice.key"]
    status, stages = doctor(world.url("mqtts", "mutual"), *trust, *mine)
    assert status == 0 and "certificate of ours" in stages["credentials"]["summary"]
    status, stages = doctor(world.url("mqtts", "mutual"), *trust)
    assert status in (12, 14), stages
    assert "certificate" in json.dumps(stages)


def test_credentials(world):
    url = world.url("mqtt", "password")
    for options, word in (([], "-u"), (["-u", "alice", "-P", "wrong"], "password")):
        status, stages = doctor(url, *options)
        assert status == 15 and word in stages["credentials"]["remedy"], stages
    environment = {**os.environ, "SECRET": "right"}
    status, stages = doctor(url, "-u", "alice", "--password-env", "SECRET", "--topic", "mine/x", env=environment)
    assert status == 0, stages
    (world.folder / "secret").write_text("right\n")
    status, stages = doctor(url, "-u", "alice", "--password-file", world.folder / "secret", "--topic", "mine/x")
    assert status == 0, stages


def test_subscribe_and_round_trip(world):
    """An ACL that lets nobody near our topic: mosquitto's way is to grant the subscription and deliver nothing."""
    for patience in (1, 10, 60):  # a busy machine needs longer for what comes before
        status, stages = doctor(
            world.url("mqtt", "password"), "-u", "alice", "-P", "right", "--topic", "theirs/x", "--timeout", patience)
        if status in (16, 17):
            break
    assert status in (16, 17) and stages[list(stages)[-1]]["remedy"], stages


def test_no_broker_at_all():
    """Something listens, and speaks something else."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        def answer():
            while True:
                try:
                    near, _ = server.accept()
                except OSError:
                    return
                near.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                near.close()
        threading.Thread(target=answer, daemon=True).start()
        status, stages = doctor(f"127.0.0.1:{server.getsockname()[1]}", "--timeout", 60)
    assert status == 14 and stages["MQTT"]["remedy"], stages


@pytest.mark.parametrize("arguments", [["http://h"], ["localhost", "-V", "4"], ["localhost", "--cert", "x"], []])
def test_a_wrong_command_line(arguments):
    assert martlet("doctor", *arguments).returncode == 64


# ---- wiretap


class Wiretap:
    def __init__(self, target):
        self.process = subprocess.Popen(
            [MARTLET, "wiretap", "0", str(target)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        said = self.process.stderr.readline()
        self.port = int(said.split(",")[0].rsplit(":", 1)[1])

    def until(self, text):
        lines = []
        while not lines or text not in lines[-1]:
            line = self.process.stdout.readline()
            assert line, lines
            lines.append(line)
        return "".join(lines)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end_process(self.process)
        self.process.stdout.close()
        self.process.stderr.close()


def test_the_text_is_there_in_the_clear_and_not_over_tls(world):
    """D23, with our own tool."""
    seen = {}
    for name, options in (("plain", ""), ("tls", f"--cafile {world.folder}/ca.crt")):
        with Wiretap(world.ports[name]) as tap:
            command = f"mosquitto_pub -h localhost -p {tap.port} -q 1 -t rooms/1 -m nobody-else-reads-this {options}"
            done = subprocess.run(command.split(), capture_output=True, text=True, timeout=WAIT)
            assert done.returncode == 0, done.stderr
            seen[name] = tap.until("the server has closed")
    assert "PUBLISH 1  QoS 1  'rooms/1': \"nobody-else-reads-this\"" in seen["plain"]
    assert "CONNACK  Success" in seen["plain"] and "PUBACK 1" in seen["plain"] and "DISCONNECT" in seen["plain"]
    assert "TLS handshake" in seen["tls"] and "application data, encrypted" in seen["tls"]
    assert "nobody" not in seen["tls"] and "rooms/1" not in seen["tls"]


def test_e51_hello_there(world):
    """Two commands, two captures: the text is in the one on 1883, and not in the one on 8883."""
    captures = {}
    for name, options in (("plain", ""), ("tls", f"--cafile {world.folder}/ca.crt")):
        with Wiretap(world.ports[name]) as tap:
            line = ["mosquitto_pub", "-h", "localhost", "-p", str(tap.port), "-t", "test/topic", "-m", "hello there", *options.split()]
            done = run(OURS, line)
            assert (done.returncode, done.stderr) == (0, b"")
            captures[name] = tap.until("the server has closed")
    assert "hello there" in captures["plain"]
    assert "hello there" not in captures["tls"] and "test/topic" not in captures["tls"]


def test_passwords_are_not_shown(world):
    with Wiretap(f"localhost:{world.ports['password']}") as tap:
        command = f"mosquitto_pub -h localhost -p {tap.port} -t mine/x -m hello -u alice -P right"
        assert subprocess.run(command.split(), timeout=WAIT).returncode == 0
        seen = tap.until("closed")
    assert "user 'alice', a password of 5 bytes" in seen and "right" not in seen


def test_a_target_where_nobody_is():
    with Wiretap(free_port()) as tap:
        with socket.create_connection(("127.0.0.1", tap.port), timeout=WAIT) as client:
            assert client.recv(1) == b""
        assert "cannot be reached" in tap.until("cannot be reached")


# ---- bench


def test_bench_pairs_against_both_brokers(world, tmp_path):
    done = martlet("bench", "pairs", f"localhost:{world.ports['plain']}", "-c", 2, "-n", 300, "-q", 2, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["sent"], document["received"], document["lost"], document["duplicates"]) == (600, 600, 0, 0)
    assert document["latencyMilliseconds"]["p50"] <= document["latencyMilliseconds"]["p99"]


def test_bench_says_how_far_it_is(world):
    done = martlet("bench", "pub", f"localhost:{world.ports['plain']}", "-c", 1, "-s", 2.5, "--rate", 50, "-q", 1)
    assert done.returncode == 0, done.stderr
    said = [int(second) for second in re.findall(r"^(\d+) s: 1 connected", done.stderr, re.MULTILINE)]
    assert said and said == sorted(set(said)), done.stderr
    assert "acknowledged" in done.stdout and "p99.9" in done.stdout


def test_bench_fails_where_nobody_is():
    done = martlet("bench", "conn", f"localhost:{free_port()}", "-c", 2)
    assert done.returncode == 1 and "2 ×" in done.stdout


def test_bench_compares_three_ways(world):
    done = martlet(
        "bench", "compare", "localhost", "--plain-port", world.ports["plain"], "--tls-port", world.ports["tls"],
        "--mutual-port", world.ports["mutual"], "--cafile", world.folder / "ca.crt", "--cert", world.folder / "alice.crt",
        "--key", world.folder / "alice.key", "--connections", 3, "-n", 500, "--json", seconds=120)
    assert done.returncode == 0, done.stderr
    plain, tls, mutual = json.loads(done.stdout)
    assert [row["way"] for row in (plain, tls, mutual)] == ["plain", "TLS", "mutual TLS"]
    assert plain["wireBytesPerMessage"] < tls["wireBytesPerMessage"]
    for row in (plain, tls, mutual):
        assert row["messagesPerSecond"] > 0 and row["connectMilliseconds"]["p50"] > 0
