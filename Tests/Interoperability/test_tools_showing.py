"""What `sub` and `rr` show and what they leave out: options of mosquitto 2.1, which Debian's 2.0 cannot be asked about, and filters."""

import re
import time

import pytest

from authority import Authority
from our_tools import OURS, HouseBroker, Listener, run


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("showing")
    authority = Authority(folder)
    authority.issue("server", "/CN=localhost", "subjectAltName=DNS:localhost")
    for path in folder.iterdir():
        path.chmod(0o644)
    conf = f"""
listener {{port}} 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 0
cafile {folder}/ca.crt
certfile {folder}/server.crt
keyfile {folder}/server.key
"""
    with HouseBroker("martlet", conf) as broker:
        broker.options = f"-h localhost -p {broker.port} --cafile {folder}/ca.crt"
        yield broker


def publish(broker, topic, count):
    text = "".join(f"{number}\n" for number in range(count)).encode()
    assert run(OURS, f"mosquitto_pub {broker.options} -q 1 -t {topic} -l", stdin=text).returncode == 0


def test_the_latency_of_an_answer(broker, topic):
    with Listener(OURS, f"mosquitto_sub {broker.options} -d -t {topic}") as listener:
        listener.until("Subscribed")
        # Whoever asks where it listens hears itself.
        done = run(OURS, f"mosquitto_rr {broker.options} -t {topic} -e {topic} -m echo --latency -W 60", seconds=90)
    assert done.returncode == 0
    assert re.fullmatch(r"echo\nLatency: \d+\.\d{3} ms\n", done.stdout.decode())


def test_messages_a_second_instead_of_messages(broker, topic):
    with Listener(OURS, f"mosquitto_sub {broker.options} -d -t {topic} --message-rate") as listener:
        listener.until("Subscribed")
        publish(broker, topic, 7)
        end, rates = time.monotonic() + 60, []
        while sum(rates) < 7 and time.monotonic() < end:
            time.sleep(0.05)
            rates = [int(line) for line in listener.output.splitlines() if line.isdigit()]
        assert sum(rates) == 7


@pytest.mark.parametrize("share,least,most", [("100", 400, 400), ("50", 100, 300)])
def test_some_of_the_messages(broker, topic, share, least, most):
    with Listener(OURS, f"mosquitto_sub {broker.options} -d -q 1 -t {topic} --random-filter {share} -F =%p") as listener:
        listener.until("Subscribed")
        publish(broker, topic, 400)
        # The one behind them shows that all has been written.
        assert run(OURS, f"mosquitto_pub {broker.options} -t {topic} -n").returncode == 0
        listener.until("received PUBLISH", count=401)
        shown = len(re.findall(r"^=\d+$", listener.output, re.M))
        assert least <= shown <= most


@pytest.mark.parametrize("option", ["-w", "--watch"])
def test_a_line_a_topic(broker, topic, option):
    with Listener(OURS, f"mosquitto_sub {broker.options} -d -t {topic}/# {option}") as listener:
        listener.until("Subscribed")
        for name, text in (("a", "first"), ("b", "second"), ("a", "third")):
            assert run(OURS, f"mosquitto_pub {broker.options} -t {topic}/{name} -m {text}").returncode == 0
        listener.until("third")
        assert "\x1b[" in listener.output and f"{topic}/a" in listener.output and f"{topic}/b" in listener.output


def test_retained_and_other_messages_are_left_out(broker, topic):
    run(OURS, f"mosquitto_pub {broker.options} -r -t {topic}/kept -m old")
    with Listener(OURS, f"mosquitto_sub {broker.options} -d -v -t {topic}/# -R -T {topic}/not -C 1") as listener:
        listener.until("received PUBLISH")
        for name in ("not", "yes"):
            assert run(OURS, f"mosquitto_pub {broker.options} -q 1 -t {topic}/{name} -m new").returncode == 0
        assert listener.end(60) == 0
        shown = [line for line in listener.output.splitlines() if line.startswith(topic)]
        assert shown == [f"{topic}/yes new"]


def test_the_secrets_of_a_connection_for_wireshark(broker, topic, tmp_path):
    log = tmp_path / "keys.log"
    assert run(OURS, f"mosquitto_pub {broker.options} -t {topic} -m x --tls-keylog {log}").returncode == 0
    assert "CLIENT_TRAFFIC_SECRET_0 " in log.read_text()


def test_enough_time_has_passed(broker, topic):
    done = run(OURS, f"mosquitto_sub {broker.options} -t {topic} -W 1")
    assert (done.returncode, done.stdout) == (27, b"")
    done = run(OURS, f"mosquitto_rr {broker.options} -t {topic} -e {topic}/none -m x -W 1")
    assert (done.returncode, done.stdout) == (27, b"")
