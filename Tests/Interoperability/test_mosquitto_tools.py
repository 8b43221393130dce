"""Debian's mosquitto_pub, mosquitto_sub and mosquitto_rr, with the command lines people use.

`-d` makes mosquitto_sub tell that its subscription stands, so that no test has to sleep."""

import time

import pytest

from broker import until
from tools import Background, run

each_version = pytest.mark.parametrize("version", ["31", "311", "5"])


def subscriber(broker, line):
    return Background(f"mosquitto_sub -d {line}", broker.port).until("Subscribed (mid: 1)")


def payloads(output):
    """The lines that are no debug lines."""
    return [line for line in output.splitlines() if not line.startswith(("Client ", "Subscribed ", "Unsubscribed "))]


@each_version
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_hello(broker, topic, version, qos):
    with subscriber(broker, f"-h localhost -V {version} -q {qos} -t {topic} -C 1 -v") as sub:
        assert run(f"mosquitto_pub -h localhost -V {version} -q {qos} -t {topic} -m 'Hello, MQTT'", broker.port).returncode == 0
        status, output = sub.end()
    assert status == 0
    assert payloads(output) == [f"{topic} Hello, MQTT"]
    assert f"(d0, q{qos}, r0" in output


def test_the_guides_two_commands(broker):
    with subscriber(broker, '-h localhost -t "test/topic" -C 1') as sub:
        assert run('mosquitto_pub -h localhost -t "test/topic" -m "Hello, MQTT"', broker.port).returncode == 0
        assert payloads(sub.end()[1]) == ["Hello, MQTT"]


@each_version
def test_retained(broker, topic, version):
    """The tutorial's greeting: 26 bytes, kept, and there at once for whoever comes (rows E22, E60)."""
    said = run(
        f"""mosquitto_pub -d -r -V {version} -h localhost -u test -P 123456 -t '{topic}' -m "{{\\"greeting\\": \\"Cool MQTT2\\"}}" """,
        broker.port)
    assert said.returncode == 0
    assert "(26 bytes)" in said.stdout and "received CONNACK (0)" in said.stdout
    got = run(f"mosquitto_sub -d -v -V {version} -h localhost -t {topic} -C 1", broker.port)
    assert payloads(got.stdout) == [f'{topic} {{"greeting": "Cool MQTT2"}}']
    assert ", r1, " in got.stdout

    run(f"mosquitto_pub -V {version} -t {topic} -r -n", broker.port)
    gone = run(f"mosquitto_sub -V {version} -t {topic} -W 1", broker.port)
    assert (gone.returncode, gone.stdout) == (27, ""), "27: timed out, nothing was there"


def test_only_retained_and_removal(broker, topic):
    for name in "ab":
        run(f"mosquitto_pub -t {topic}/{name} -r -m {name}", broker.port)
    # It ends with the first message that is not retained.
    with subscriber(broker, f"-t {topic}/# --retained-only") as sub:
        run(f"mosquitto_pub -t {topic}/live -m live", broker.port)
        assert sorted(payloads(sub.end()[1])) == ["a", "b"]
    with subscriber(broker, f"-t {topic}/# --remove-retained") as sub:
        sub.until("received PUBLISH", count=4)  # and its own two, which removed them
    assert run(f"mosquitto_sub -t {topic}/# -W 1", broker.port).stdout == ""


@each_version
@pytest.mark.parametrize("qos", [1, 2])
def test_a_session_of_its_own(broker, topic, version, qos):
    """`-c -i cid`, and `-x 60` where the version has it (row E21): what was sent meanwhile is there on return."""
    expiry = "-x 60" if version == "5" else ""
    line = f"mosquitto_sub -c {expiry} -i {topic[2:]} -V {version} -q {qos} -t {topic}"
    assert run(f"{line} -E", broker.port).returncode == 0
    for index in range(3):
        run(f"mosquitto_pub -V {version} -q {qos} -t {topic} -m m{index}", broker.port)
    assert run(f"{line} -C 3", broker.port).stdout.split() == ["m0", "m1", "m2"]


@each_version
def test_last_will(broker, topic, version):
    """The tutorial's publisher that repeats itself, killed (row E29)."""
    with subscriber(broker, f"-k 10 -v -V {version} -h localhost -u test -P 123456 -t {topic}/lwt -C 1") as watcher:
        line = (
            f"mosquitto_pub -d -r -q 2 -V {version} --repeat 3 --repeat-delay 30 -h localhost -u test -P 123456 -t {topic} "
            """-m '{"greeting": "Last will and testament test"}' """
            f"--will-topic {topic}/lwt --will-qos 2 --will-payload 'publisher has lost connectivity'")
        with Background(line, broker.port) as publisher:
            publisher.until("received PUBCOMP")
            publisher.kill()
        status, output = watcher.end()
    assert status == 0
    assert payloads(output) == [f"{topic}/lwt publisher has lost connectivity"]
    assert "(31 bytes)" in output
    run(f"mosquitto_pub -t {topic} -r -n", broker.port)


@pytest.mark.parametrize("version", ["311", "5"])
def test_request_and_response(broker, topic, version):
    with subscriber(broker, f"-V {version} -t {topic}/ask -C 1 -F %p,%R") as server:
        with Background(f"mosquitto_rr -d -V {version} -t {topic}/ask -e {topic}/reply -m question", broker.port) as asking:
            server.end()
            assert "question" in server.output
            if version == "5":
                assert f"question,{topic}/reply" in server.output
            run(f"mosquitto_pub -V {version} -t {topic}/reply -m answer", broker.port)
            status, output = asking.end()
    assert (status, payloads(output)) == (0, ["answer"])


def test_properties(broker, topic):
    with subscriber(broker, f"-V 5 -t {topic} -C 1 -F '%p|%P|%C|%R|%D|%E'") as sub:
        begin = time.monotonic()
        run(
            f"mosquitto_pub -V 5 -t {topic} -m x -D publish user-property b 1 -D publish user-property a 2 "
            "-D publish user-property b 3 -D publish content-type text/plain -D publish response-topic answers "
            "-D publish correlation-data id7 -D publish message-expiry-interval 100", broker.port)
        [line] = payloads(sub.end()[1])
    payload, pairs, content, response, correlation, expiry = line.split("|")
    assert (payload, content, response, correlation) == ("x", "text/plain", "answers", "id7")
    assert pairs == "b:1 a:2 b:3"
    assert 99 - (time.monotonic() - begin) <= int(expiry) <= 100


def test_topic_alias_of_a_repeating_publisher(broker, topic):
    with subscriber(broker, f"-V 5 -q 1 -t {topic} -C 3") as sub:
        run(f"mosquitto_pub -V 5 -q 1 -t {topic} -m again --repeat 3 -D publish topic-alias 1", broker.port)
        assert payloads(sub.end()[1]) == ["again"] * 3


def test_lines_from_standard_input(broker, topic):
    lines = [f"line {index}" for index in range(200)]
    with subscriber(broker, f"-q 1 -t {topic} -C {len(lines)}") as sub:
        assert run(f"mosquitto_pub -q 1 -t {topic} -l", broker.port, stdin="\n".join(lines) + "\n").returncode == 0
        assert payloads(sub.end()[1]) == lines


def test_a_file_arrives_whole(broker, topic, tmp_path):
    path = tmp_path / "big"
    path.write_bytes(bytes(range(256)) * 800)
    with subscriber(broker, f"-t {topic} -C 1 -F '%l'") as sub:
        run(f"mosquitto_pub -q 1 -t {topic} -f {path}", broker.port)
        assert payloads(sub.end()[1]) == [str(256 * 800)]


def test_several_topics_and_a_filter_out(broker, topic):
    with subscriber(broker, f"-v -t {topic}/a/# -t {topic}/b -T {topic}/a/noise -C 2") as sub:
        for name in ["a/noise", "c", "a/x", "b"]:
            run(f"mosquitto_pub -t {topic}/{name} -m {name[-1]}", broker.port)
        assert payloads(sub.end()[1]) == [f"{topic}/a/x x", f"{topic}/b b"]


def test_shared_subscription(broker, topic):
    line = f"-V 5 -q 1 -t $share/crew/{topic} -v"
    with subscriber(broker, line) as one, subscriber(broker, line) as two:
        for index in range(10):
            run(f"mosquitto_pub -q 1 -t {topic} -m {index}", broker.port)
        one.until(topic + " ", count=1)
        two.until(topic + " ", count=1)

        def everything():
            return sorted(payloads(one.output) + payloads(two.output))

        until(lambda: len(everything()) >= 10, everything)
        assert everything() == [f"{topic} {index}" for index in range(10)]


def test_keep_alive_pings(broker, topic):
    """`-k 5`, the least the tool allows: a ping goes out and is answered."""
    with subscriber(broker, f"-k 5 -t {topic}") as sub:
        sub.until("received PINGRESP")
        assert sub.output.index("sending PINGREQ") < sub.output.index("received PINGRESP")


def test_the_brokers_own_topics(broker):
    got = run("mosquitto_sub -t '$SYS/broker/version' -C 1 -W 60", broker.port)
    assert got.returncode == 0 and "version" in got.stdout


@pytest.mark.beyond_mosquitto("closes a taken-over connection without a DISCONNECT")
def test_takeover_is_told(broker, topic):
    with subscriber(broker, f"-V 5 -i {topic[2:]} -t {topic}") as first:
        run(f"mosquitto_pub -V 5 -i {topic[2:]} -t {topic}/x -m x", broker.port)
        first.until("eceived DISCONNECT (142)")
