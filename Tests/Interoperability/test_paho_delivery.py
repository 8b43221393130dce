"""paho-mqtt in 3.1, 3.1.1 and 5: what is published arrives, as it was, as often as its QoS says."""

import pathlib
import subprocess
import sys

import pytest

from broker import WAIT, Broker, end_process
from peers import V5, VERSION_NAMES, VERSIONS

each_version = pytest.mark.parametrize("version", VERSIONS, ids=VERSION_NAMES.get)


@each_version
@pytest.mark.parametrize("published", [0, 1, 2])
@pytest.mark.parametrize("granted", [0, 1, 2])
def test_quality_of_service_is_the_lower_of_both(peer, topic, version, published, granted):
    subscriber, publisher = peer(version), peer(version)
    assert subscriber.subscribe(topic, f"{topic}/end", qos=granted) == [granted, granted]
    publisher.publish(topic, b"payload", qos=published)
    publisher.publish(f"{topic}/end", b"", qos=published)
    message, end = subscriber.take(2)
    assert (message.topic, message.payload, message.qos) == (topic, b"payload", min(published, granted))
    assert not message.dup and not message.retain
    assert end.topic == f"{topic}/end", "the message came twice"


@pytest.mark.parametrize("to", VERSIONS, ids=VERSION_NAMES.get)
@pytest.mark.parametrize("origin", VERSIONS, ids=VERSION_NAMES.get)
def test_versions_understand_each_other(peer, topic, origin, to):
    subscriber, publisher = peer(to), peer(origin)
    subscriber.subscribe(topic, qos=2)
    publisher.publish(topic, "grüße".encode(), qos=2)
    assert subscriber.next().payload.decode() == "grüße"


@each_version
@pytest.mark.parametrize("size", [0, 12, 200_000])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_payloads_of_every_size_arrive_unchanged(peer, topic, version, size, qos):
    payload = bytes(index * 7 % 251 for index in range(size))
    subscriber, publisher = peer(version), peer(version)
    subscriber.subscribe(topic, qos=qos)
    publisher.publish(topic, payload, qos=qos)
    assert subscriber.next().payload == payload


@each_version
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_order_is_kept(peer, topic, version, qos):
    count = 500
    subscriber, publisher = peer(version), peer(version)
    subscriber.subscribe(topic, qos=qos)
    infos = [publisher.client.publish(topic, str(index), qos=qos) for index in range(count)]
    infos[-1].wait_for_publish(timeout=WAIT)
    assert [int(message.payload) for message in subscriber.take(count)] == list(range(count))


@each_version
def test_a_retained_message_meets_late_subscribers(peer, topic, version):
    publisher = peer(version)
    publisher.publish(topic, b"first", qos=1, retain=True)
    publisher.publish(topic, b"last", qos=1, retain=True)
    late = peer(version)
    late.subscribe(topic, qos=1)
    message = late.next()
    assert (message.payload, message.retain, message.qos) == (b"last", True, 1)

    # To those who were there it is an ordinary message.
    publisher.publish(topic, b"live", qos=1, retain=True)
    message = late.next()
    assert (message.payload, message.retain) == (b"live", False)

    # An empty one takes it away, and is itself delivered to those who are there.
    publisher.publish(topic, b"", qos=1, retain=True)
    assert late.next().payload == b""
    later = peer(version)
    later.subscribe(topic)
    later.nothing()


@each_version
def test_retained_messages_answer_wildcards(peer, topic, version):
    publisher = peer(version)
    for name in ["a", "b", "c/d"]:
        publisher.publish(f"{topic}/{name}", name, qos=1, retain=True)
    for filter, expected in [(f"{topic}/+", {"a", "b"}), (f"{topic}/#", {"a", "b", "c/d"}), (f"{topic}/c/+", {"c/d"})]:
        late = peer(version)
        late.subscribe(filter)
        assert {message.payload.decode() for message in late.take(len(expected))} == expected
        late.nothing(0.1)
    for name in ["a", "b", "c/d"]:
        publisher.publish(f"{topic}/{name}", b"", qos=1, retain=True)


# filter, topic, whether it matches; both stand below a topic of the test's own.
WILDCARDS = [
    ("#", "a", True), ("#", "a/b/c", True), ("a/#", "a", True), ("a/#", "a/b", True), ("a/#", "ab", False),
    ("+", "a", True), ("+", "a/b", False), ("+/+", "a/b", True), ("+/b", "a/b", True), ("a/+", "a/", True),
    ("a/+", "a", False), ("+/+/c", "a/b/c", True), ("+/b/#", "a/b", True), ("a//b", "a//b", True),
    ("a/+/b", "a//b", True), ("A", "a", False), ("a/b", "a/b/c", False), ("a/b", "a/b", True),
]


@each_version
@pytest.mark.parametrize("filter,name,matches", WILDCARDS, ids=[f"{f} {n}" for f, n, _ in WILDCARDS])
def test_wildcards(peer, topic, version, filter, name, matches):
    subscriber, publisher = peer(version), peer(version)
    subscriber.subscribe(f"{topic}/w/{filter}", f"{topic}/end")
    publisher.publish(f"{topic}/w/{name}", b"x")
    publisher.publish(f"{topic}/end", b"")
    arrived = [message.topic for message in subscriber.take(2 if matches else 1)]
    assert arrived == ([f"{topic}/w/{name}"] if matches else []) + [f"{topic}/end"]


@each_version
def test_wildcards_at_the_top_do_not_see_the_brokers_own_topics(peer, topic, version):
    subscriber, own, publisher = peer(version), peer(version), peer(version)
    own.subscribe("$SYS/broker/version")
    assert own.next().topic == "$SYS/broker/version"
    subscriber.subscribe("+/broker/version", "#")
    publisher.publish(topic, b"end")
    while (message := subscriber.next()).topic != topic:
        assert not message.topic.startswith("$")


@each_version
def test_several_filters_are_answered_in_their_order(peer, topic, version):
    subscriber = peer(version)
    sent = subscriber.client.subscribe([(f"{topic}/{index}", index) for index in range(3)]) if version != V5 else None
    if sent:
        assert subscriber._acknowledged(sent) == [0, 1, 2]
    else:
        assert subscriber.subscribe(f"{topic}/0", f"{topic}/1", f"{topic}/2", qos=2) == [2, 2, 2]


@each_version
def test_nothing_comes_after_unsubscribing(peer, topic, version):
    subscriber, publisher = peer(version), peer(version)
    subscriber.subscribe(topic, f"{topic}/end")
    publisher.publish(topic, b"before")
    assert subscriber.next().payload == b"before"
    subscriber.unsubscribe(topic)
    publisher.publish(topic, b"after")
    publisher.publish(f"{topic}/end")
    assert subscriber.next().topic == f"{topic}/end"


@each_version
def test_a_publisher_hears_itself_once(peer, topic, version):
    client = peer(version)
    client.subscribe(topic, qos=1)
    client.publish(topic, b"1", qos=1)
    client.publish(topic, b"2", qos=1)
    assert [message.payload for message in client.take(2)] == [b"1", b"2"]


def test_the_seeds_paho_script_prints_what_it_says():
    """The script of the Mosquitto guide as it is printed (row C9), with nothing changed but the host: a broker on port 1883 of an
    address of its own, and mosquitto_pub beside it."""
    script = (pathlib.Path(__file__).parent / "seeds/paho_script.py").read_text()
    assert script.count("broker.hivemq.com") == 1
    host = "127.83.18.83"
    with Broker(f"listener 1883 {host}\nlistener {{port}} 127.0.0.1\nallow_anonymous true\nlog_type all\n"):
        process = subprocess.Popen(
            [sys.executable, "-u", "-W", "ignore", "-c", script.replace("broker.hivemq.com", host)],
            stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout.readline() == "Connected with result code 0\n"
            # The script subscribes in its callback and says nothing of it: what is retained comes whenever that is.
            subprocess.run(
                ["mosquitto_pub", "-h", host, "-t", "test/topic", "-m", "Hello, MQTT", "-r"], check=True, timeout=WAIT)
            assert process.stdout.readline() == "test/topic Hello, MQTT\n"
        finally:
            end_process(process)
            process.stdout.close()
