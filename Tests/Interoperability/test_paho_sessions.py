"""paho-mqtt in 3.1, 3.1.1 and 5: sessions outlive connections, wills speak for the dead, and nobody is doubled."""

import time

import pytest

from peers import V5, V311, VERSION_NAMES, VERSIONS

each_version = pytest.mark.parametrize("version", VERSIONS, ids=VERSION_NAMES.get)
DAY = 86_400


def lasting(peer, version, name, **options):
    """A client whose session stays when it goes."""
    return peer(version, client_id=name, clean=False, expiry=DAY if version == V5 else None, **options)


@each_version
@pytest.mark.parametrize("qos", [1, 2])
def test_a_session_keeps_its_messages(peer, topic, version, qos):
    name = topic[2:14]
    away, publisher = lasting(peer, version, name), peer(version)
    away.subscribe(topic, qos=qos)
    away.disconnect()
    for index in range(30):
        publisher.publish(topic, str(index), qos=qos)

    back = lasting(peer, version, name)
    if version == V311 or version == V5:
        assert back.flags.session_present
    messages = back.take(30)
    assert [int(message.payload) for message in messages] == list(range(30))
    assert {message.qos for message in messages} == {qos}
    publisher.publish(topic, b"live", qos=qos)
    assert back.next().payload == b"live"


@each_version
def test_a_clean_start_forgets(peer, topic, version):
    name = topic[2:14]
    away, publisher = lasting(peer, version, name), peer(version)
    away.subscribe(topic, qos=1)
    away.disconnect()
    publisher.publish(topic, b"lost", qos=1)
    fresh = peer(version, client_id=name, clean=True)
    assert not fresh.flags.session_present
    publisher.publish(topic, b"nobody listens", qos=1)
    fresh.nothing()


@each_version
def test_a_lost_connection_keeps_the_session(peer, topic, version):
    name = topic[2:14]
    away, publisher = lasting(peer, version, name), peer(version)
    away.subscribe(topic, qos=1)
    away.vanish()
    publisher.publish(topic, b"1", qos=1)
    assert lasting(peer, version, name).next().payload == b"1"


def will(topic, **more):
    return {"topic": topic, "payload": b"gone", "qos": 1, **more}


@each_version
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_the_will_of_a_lost_client_is_published(peer, topic, version, qos):
    watcher = peer(version)
    watcher.subscribe(topic, qos=2)
    peer(version, will=will(topic, qos=qos)).vanish()
    message = watcher.next()
    assert (message.payload, message.qos, message.retain) == (b"gone", qos, False)


@each_version
def test_a_retained_will_is_retained(peer, topic, version):
    watcher = peer(version)
    watcher.subscribe(topic)
    peer(version, will=will(topic, retain=True)).vanish()
    assert watcher.next().payload == b"gone"
    late = peer(version)
    late.subscribe(topic)
    assert late.next().retain
    watcher.publish(topic, b"", retain=True)


@each_version
def test_who_says_goodbye_has_no_will(peer, topic, version):
    watcher = peer(version)
    watcher.subscribe(topic, f"{topic}/end")
    peer(version, will=will(topic)).disconnect()
    time.sleep(0.2)
    peer(version).publish(f"{topic}/end", b"", qos=1)
    assert watcher.next().topic == f"{topic}/end"


@each_version
def test_a_second_client_of_a_name_takes_over(peer, topic, version):
    name = topic[2:14]
    first = peer(version, client_id=name)
    second = peer(version, client_id=name)
    first.gone()
    second.subscribe(topic)
    second.publish(topic, b"here")
    assert second.next().payload == b"here"


@each_version
def test_a_taken_over_session_keeps_its_subscriptions(peer, topic, version):
    name = topic[2:14]
    lasting(peer, version, name).subscribe(topic, qos=1)
    second = lasting(peer, version, name)
    if version != VERSIONS[0]:
        assert second.flags.session_present
    peer(version).publish(topic, b"x", qos=1)
    assert second.next().payload == b"x"


@pytest.mark.parametrize("version", [V311, V5], ids=VERSION_NAMES.get)
def test_a_client_without_a_name_is_given_one(peer, version):
    client = peer(version, client_id="")
    assert client.reason == 0
    if version == V5:
        assert client.connack.AssignedClientIdentifier


@each_version
def test_keep_alive_holds_a_quiet_client(peer, topic, version):
    """Keep-alive of 1 s, two and a half seconds of silence: paho's pings are answered, nobody is dropped."""
    for _ in range(10):  # where the machine is busy paho's ping is late, and who sends none for 1.5 s has to go
        quiet = peer(version, keepalive=1)
        quiet.subscribe(topic)
        time.sleep(2.5)
        if quiet.disconnects.empty():
            break
    peer(version).publish(topic, b"still there")
    assert quiet.next().payload == b"still there"
