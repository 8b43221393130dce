"""paho-mqtt in MQTT 5: properties, options, expiry, sharing, and the broker's own words."""

import time

import pytest
from paho.mqtt.subscribeoptions import SubscribeOptions

from broker import Broker, until
from peers import V5, V311, Peer, properties


@pytest.fixture
def five(peer):
    return lambda **options: peer(V5, **options)


def test_properties_travel_unchanged(five, topic):
    subscriber, publisher = five(), five()
    subscriber.subscribe(topic, qos=1)
    pairs = [("b", "1"), ("a", "2"), ("b", "3"), ("ü", ""), ("a", "2")]
    publisher.publish(
        topic, b"{}", qos=1, UserProperty=pairs, ContentType="application/json", PayloadFormatIndicator=1,
        ResponseTopic="answers/here", CorrelationData=bytes(range(256)))
    got = subscriber.next().properties
    assert got.UserProperty == pairs, "in their order, doubles too"
    assert got.ContentType == "application/json"
    assert got.PayloadFormatIndicator == 1
    assert got.ResponseTopic == "answers/here"
    assert got.CorrelationData == bytes(range(256))


def test_properties_of_a_retained_message_are_retained(five, topic):
    publisher = five()
    publisher.publish(topic, b"x", qos=1, retain=True, UserProperty=[("k", "v")], ContentType="text/plain")
    late = five()
    late.subscribe(topic)
    got = late.next().properties
    assert (got.UserProperty, got.ContentType) == ([("k", "v")], "text/plain")
    publisher.publish(topic, b"", retain=True)


def test_an_older_reader_gets_the_message_without_properties(five, peer, topic):
    old = peer(V311)
    old.subscribe(topic)
    five().publish(topic, b"x", ContentType="text/plain", UserProperty=[("k", "v")])
    assert old.next().payload == b"x"


def test_request_and_response(five, topic):
    server, client = five(), five()
    server.subscribe(f"{topic}/ask", qos=1)
    client.subscribe(f"{topic}/reply", qos=1)
    client.publish(f"{topic}/ask", b"6*7", qos=1, ResponseTopic=f"{topic}/reply", CorrelationData=b"\x00\x01")
    asked = server.next()
    server.publish(asked.properties.ResponseTopic, b"42", qos=1, CorrelationData=asked.properties.CorrelationData)
    answer = client.next()
    assert (answer.payload, answer.properties.CorrelationData) == (b"42", b"\x00\x01")


def test_expired_messages_are_not_delivered(five, topic):
    name = topic[2:14]
    five(client_id=name, clean=False, expiry=600).subscribe(topic, qos=1)
    away = five(client_id=name, clean=False, expiry=600)
    away.disconnect()
    publisher = five()
    publisher.publish(topic, b"short", qos=1, MessageExpiryInterval=1)
    begin = time.monotonic()
    publisher.publish(topic, b"long", qos=1, MessageExpiryInterval=600)
    publisher.publish(topic, b"forever", qos=1)
    time.sleep(2.2)
    back = five(client_id=name, clean=False, expiry=600)
    long, forever = back.take(2)
    assert (long.payload, forever.payload) == (b"long", b"forever")
    left = long.properties.MessageExpiryInterval
    assert 599 - (time.monotonic() - begin) <= left <= 598, "what is left, not what was set"
    assert not hasattr(forever.properties, "MessageExpiryInterval")


def test_an_expired_retained_message_is_gone(five, topic):
    five().publish(topic, b"x", qos=1, retain=True, MessageExpiryInterval=1)
    time.sleep(2.2)
    late = five()
    late.subscribe(topic)
    late.nothing()


def test_subscription_identifiers_come_with_the_message(five, topic):
    subscriber = five()
    subscriber.subscribe(f"{topic}/+", identifier=7)
    subscriber.subscribe(f"{topic}/#", identifier=268_435_455)
    five().publish(f"{topic}/x", b"x", qos=1)
    # One message with both, or one for each: the standard leaves that to the broker.
    found = list(subscriber.next().properties.SubscriptionIdentifier)
    if len(found) == 1:
        found += subscriber.next().properties.SubscriptionIdentifier
    assert sorted(found) == [7, 268_435_455]


def test_a_publisher_may_use_topic_aliases(five, topic):
    publisher, subscriber = five(), five()
    assert publisher.connack.TopicAliasMaximum >= 1
    subscriber.subscribe(f"{topic}/#", qos=1)
    publisher.publish(f"{topic}/a", b"1", qos=1, TopicAlias=1)
    publisher.publish("", b"2", qos=1, TopicAlias=1)
    publisher.publish(f"{topic}/b", b"3", qos=1, TopicAlias=1)
    publisher.publish("", b"4", qos=1, TopicAlias=1)
    got = [(message.topic[-1], message.payload) for message in subscriber.take(4)]
    assert got == [("a", b"1"), ("a", b"2"), ("b", b"3"), ("b", b"4")]


def test_shared_subscriptions_divide_the_work(five, topic):
    members = [five() for _ in range(3)]
    everything = five()
    for member in members:
        member.subscribe(f"$share/crew/{topic}", qos=1)
    everything.subscribe(topic, qos=1)
    publisher = five()
    for index in range(90):
        publisher.publish(topic, str(index), qos=1)
    assert len(everything.take(90)) == 90
    until(lambda: sum(member.messages.qsize() for member in members) >= 90, lambda: "some came to nobody")
    time.sleep(0.3)  # for those that come twice
    shares = [[member.messages.get().payload for _ in range(member.messages.qsize())] for member in members]
    assert sorted(int(payload) for share in shares for payload in share) == list(range(90)), "each message to one member"
    assert all(shares), "every member has work"


@pytest.mark.beyond_mosquitto("sends retained messages to shared subscriptions, which §4.8.2 forbids")
def test_a_shared_subscription_is_not_sent_what_is_retained(five, topic):
    publisher = five()
    publisher.publish(topic, b"old", qos=1, retain=True)
    member = five()
    member.subscribe(f"$share/crew/{topic}", qos=1)
    publisher.publish(topic, b"new", qos=1)
    assert member.next().payload == b"new"
    publisher.publish(topic, b"", retain=True)


def test_a_session_ends_when_it_expires(five, topic):
    name = topic[2:14]
    five(client_id=name, clean=False, expiry=1).disconnect()
    time.sleep(2.5)
    assert not five(client_id=name, clean=False, expiry=600).flags.session_present
    five(client_id=name, clean=False, expiry=600).disconnect()
    assert five(client_id=name, clean=False, expiry=600).flags.session_present


def test_a_goodbye_may_change_the_expiry(five, topic):
    name = topic[2:14]
    client = five(client_id=name, clean=False, expiry=60)
    client.disconnect(properties=properties("DISCONNECT", SessionExpiryInterval=0))
    assert not five(client_id=name, clean=False, expiry=60).flags.session_present


def test_no_local_spares_the_publisher(five, topic):
    client, other = five(), five()
    client.subscribe(topic, qos=1, noLocal=True)
    client.publish(topic, b"own", qos=1)
    other.publish(topic, b"other's", qos=1)
    assert client.next().payload == b"other's"


def test_retain_as_published(five, topic):
    plain, keeping, publisher = five(), five(), five()
    plain.subscribe(topic)
    keeping.subscribe(topic, retainAsPublished=True)
    publisher.publish(topic, b"x", retain=True)
    assert not plain.next().retain
    assert keeping.next().retain
    publisher.publish(topic, b"", retain=True)


def test_retain_handling(five, topic):
    publisher = five()
    publisher.publish(topic, b"kept", qos=1, retain=True)
    always, once, never = five(), five(), five()
    for _ in range(2):
        always.subscribe(topic, retainHandling=SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE)
        once.subscribe(topic, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        never.subscribe(topic, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
    publisher.publish(topic, b"", qos=1, retain=True)
    assert [message.payload for message in always.take(3)] == [b"kept", b"kept", b""]
    assert [message.payload for message in once.take(2)] == [b"kept", b""]
    assert never.next().payload == b""


def test_a_delayed_will_waits_and_then_speaks(five, topic):
    watcher = five()
    watcher.subscribe(topic)
    late = {"topic": topic, "payload": b"gone", "properties": properties("WILLMESSAGE", WillDelayInterval=1)}
    dying = five(will=late, expiry=60, clean=False)
    begin = time.monotonic()
    dying.vanish()
    assert watcher.next().payload == b"gone"
    assert time.monotonic() - begin > 0.9


def test_a_delayed_will_is_forgotten_when_the_client_returns(five, topic):
    name = topic[2:14]
    watcher = five()
    watcher.subscribe(topic)
    for delay in (1, 5, 25):
        late = {"topic": topic, "payload": b"gone", "properties": properties("WILLMESSAGE", WillDelayInterval=delay)}
        dying = five(client_id=name, will=late, expiry=60, clean=False)
        begin = time.monotonic()
        dying.vanish()
        five(client_id=name, expiry=60, clean=False)
        if time.monotonic() - begin < delay * 0.8:
            return watcher.nothing(delay + 1.2)
        # On a busy machine it may have come back too late.
        if time.monotonic() - begin >= delay:
            watcher.next()
    raise AssertionError("it never came back in time")


def test_a_will_carries_its_properties(five, topic):
    watcher = five()
    watcher.subscribe(topic)
    said = properties("WILLMESSAGE", ContentType="text/plain", UserProperty=[("k", "v"), ("k", "w")])
    five(will={"topic": topic, "payload": b"gone", "properties": said}).vanish()
    got = watcher.next().properties
    assert (got.ContentType, got.UserProperty) == ("text/plain", [("k", "v"), ("k", "w")])


def test_disconnect_with_will(five, topic):
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.reasoncodes import ReasonCode

    watcher = five()
    watcher.subscribe(topic)
    leaving = five(will={"topic": topic, "payload": b"gone"})
    leaving.disconnect(reasoncode=ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))
    assert watcher.next().payload == b"gone"


def test_a_packet_too_large_for_a_reader_is_not_sent_to_it(five, topic):
    small, large = five(connect_properties={"MaximumPacketSize": 200}), five()
    for client in (small, large):
        client.subscribe(topic, qos=1)
    publisher = five()
    publisher.publish(topic, bytes(500), qos=1)
    publisher.publish(topic, b"end", qos=1)
    assert small.next().payload == b"end"
    assert len(large.next().payload) == 500


def test_publishing_to_nobody_says_so(five, topic):
    publisher = five()
    reasons = []
    publisher.client.on_publish = lambda c, u, mid, reason, props: reasons.append(reason.value)
    publisher.publish(topic, b"x", qos=1)
    until(lambda: reasons, lambda: "no callback")
    assert reasons == [0x10], "no matching subscribers"


@pytest.mark.beyond_mosquitto("tells only Topic Alias Maximum and Receive Maximum")
def test_a_connack_tells_the_brokers_limits(five):
    told = five().connack
    assert told.TopicAliasMaximum == 10
    assert told.MaximumPacketSize == 2_000_000
    assert told.ReceiveMaximum == 20


@pytest.mark.beyond_mosquitto("closes a taken-over connection without a DISCONNECT")
def test_a_client_is_told_that_its_session_was_taken_over(five, topic):
    first = five(client_id=topic[2:14])
    five(client_id=topic[2:14])
    assert first.gone() == 0x8E


@pytest.mark.beyond_mosquitto("closes without a DISCONNECT")
def test_clients_are_told_when_the_broker_stops(topic):
    with Broker() as broker:
        client = Peer(broker.port, V5)
        try:
            status = broker.terminate()
            assert status == 0
            assert client.gone() == 0x8B, "server shutting down"
        finally:
            client.close()
