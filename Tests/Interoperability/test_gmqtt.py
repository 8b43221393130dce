"""gmqtt: MQTT 5 in plain asyncio, and a thousand clients at once."""

import asyncio
import resource
import time

import gmqtt
import pytest
from gmqtt.mqtt.constants import MQTTv50, MQTTv311

from broker import WAIT


class Member:
    def __init__(self, name, **options):
        self.client = gmqtt.Client(name, **options)
        self.client.set_config({"reconnect_retries": 0})
        self.messages, self.subscribed = asyncio.Queue(), asyncio.Queue()
        self.client.on_message = self._arrived
        self.client.on_subscribe = lambda client, mid, qos, properties: self.subscribed.put_nowait(qos)

    async def _arrived(self, client, topic, payload, qos, properties):
        self.messages.put_nowait((topic, bytes(payload), qos, properties))
        return 0

    async def connect(self, broker, version=MQTTv50):
        await asyncio.wait_for(self.client.connect("127.0.0.1", broker.port, version=version, keepalive=30), WAIT)
        return self

    async def subscribe(self, topic, **options):
        self.client.subscribe(topic, **options)
        return await asyncio.wait_for(self.subscribed.get(), WAIT)

    async def next(self):
        return await asyncio.wait_for(self.messages.get(), WAIT)

    async def disconnect(self):
        await asyncio.wait_for(self.client.disconnect(), WAIT)


def story(coroutine, seconds=4 * WAIT):
    return asyncio.run(asyncio.wait_for(coroutine, seconds))


@pytest.mark.parametrize("version", [MQTTv311, MQTTv50], ids=["3.1.1", "5"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_publish_and_subscribe(broker, topic, version, qos):
    async def run():
        reader, writer = await Member(f"{topic[2:]}-r").connect(broker, version), await Member(f"{topic[2:]}-w").connect(broker, version)
        assert tuple(await reader.subscribe(topic, qos=qos)) == (qos,)
        # gmqtt raises when more are under way than the broker's Receive Maximum, so they go in fours.
        got = []
        for index in range(0, 20, 4):
            for number in range(index, index + 4):
                writer.client.publish(topic, str(number), qos=qos)
            got += [await reader.next() for _ in range(4)]
        await reader.disconnect()
        await writer.disconnect()
        return got

    got = story(run())
    assert [(name, int(payload), level) for name, payload, level, _ in got] == [(topic, index, qos) for index in range(20)]


def test_properties(broker, topic):
    async def run():
        reader, writer = await Member(f"{topic[2:]}-r").connect(broker), await Member(f"{topic[2:]}-w").connect(broker)
        await reader.subscribe(topic, qos=1, subscription_identifier=42)
        writer.client.publish(
            topic, "x", qos=1, content_type="text/plain", response_topic="answers", correlation_data=b"\x00\xff",
            message_expiry_interval=60, user_property=[("b", "1"), ("a", "2"), ("b", "3")])
        got = await reader.next()
        await reader.disconnect()
        await writer.disconnect()
        return got[3]

    begin = time.monotonic()
    properties = story(run())
    assert properties["content_type"] == ["text/plain"]
    assert properties["response_topic"] == ["answers"]
    assert [bytes(value) for value in properties["correlation_data"]] == [b"\x00\xff"]
    assert properties["subscription_identifier"] == [42]
    assert [tuple(pair) for pair in properties["user_property"]] == [("b", "1"), ("a", "2"), ("b", "3")]
    assert 59 - (time.monotonic() - begin) <= properties["message_expiry_interval"][0] <= 60


def test_a_session_with_expiry_keeps_its_messages(broker, topic):
    async def run():
        name = f"{topic[2:]}-s"
        options = {"clean_session": False, "session_expiry_interval": 60}
        away = await Member(name, **options).connect(broker)
        await away.subscribe(topic, qos=1)
        await away.disconnect()
        writer, witness = [await Member(f"{topic[2:]}-{role}").connect(broker) for role in "wv"]
        await witness.subscribe(topic, qos=1)
        for index in range(5):
            writer.client.publish(topic, str(index), qos=1)
        for _ in range(5):
            await witness.next()
        await writer.disconnect()
        await witness.disconnect()
        back = await Member(name, **options).connect(broker)
        got = [int((await back.next())[1]) for _ in range(5)]
        await back.disconnect()
        return got

    assert story(run()) == list(range(5))


def test_a_thousand_clients_exchange_messages(broker, topic):
    """Row C1: 500 who publish, 500 who subscribe, all connected at once, each pair on a topic of its own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2_000:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(2_000, hard), hard))

    async def run():
        members = [Member(f"{topic[2:]}-{index}") for index in range(1_000)]
        for start in range(0, 1_000, 50):  # in batches: a backlog of connections is another test's business
            await asyncio.gather(*(member.connect(broker) for member in members[start:start + 50]))
        readers, writers = members[:500], members[500:]
        await asyncio.gather(*(reader.subscribe(f"{topic}/{index}", qos=1) for index, reader in enumerate(readers)))
        for count in range(10):
            for index, writer in enumerate(writers):
                writer.client.publish(f"{topic}/{index}", f"{index} {count}", qos=1)
            await asyncio.sleep(0)
        for index, reader in enumerate(readers):
            got = [(await reader.next())[1].decode() for _ in range(10)]
            assert got == [f"{index} {count}" for count in range(10)]
        assert all(member.client.is_connected for member in members)
        await asyncio.gather(*(member.disconnect() for member in members))

    story(run())
