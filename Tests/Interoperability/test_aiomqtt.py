"""aiomqtt: twenty clients in one asyncio program."""

import asyncio

import aiomqtt
import pytest

from broker import WAIT

CLIENTS = 20
EACH = 10


def client(broker, name, version=aiomqtt.ProtocolVersion.V311, **options):
    return aiomqtt.Client("127.0.0.1", broker.port, identifier=name, protocol=version, timeout=WAIT, **options)


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", [aiomqtt.ProtocolVersion.V31, aiomqtt.ProtocolVersion.V311, aiomqtt.ProtocolVersion.V5],
                         ids=["3.1", "3.1.1", "5"])
def test_twenty_clients_hear_all_of_each_other(broker, topic, version, qos):
    ready = asyncio.Event()
    waiting = CLIENTS

    async def member(number):
        nonlocal waiting
        heard = {}
        async with client(broker, f"{topic[2:]}-{number}", version) as mine:
            await mine.subscribe(f"{topic}/+", qos=qos)
            waiting -= 1
            if waiting == 0:
                ready.set()
            await ready.wait()

            async def talk():
                for index in range(EACH):
                    await mine.publish(f"{topic}/{number}", str(index), qos=qos)

            talking = asyncio.create_task(talk())
            async for message in mine.messages:
                speaker = int(str(message.topic).rsplit("/", 1)[1])
                heard.setdefault(speaker, []).append(int(message.payload))
                if sum(map(len, heard.values())) == CLIENTS * EACH:
                    break
            await talking
        return heard

    async def everybody():
        return await asyncio.gather(*(member(number) for number in range(CLIENTS)))

    expected = {number: list(range(EACH)) for number in range(CLIENTS)}
    for heard in asyncio.run(asyncio.wait_for(everybody(), 4 * WAIT)):
        assert heard == expected, "everything, once, in each speaker's order"


def test_a_will_and_a_retained_message(broker, topic):
    async def story():
        async with client(broker, f"{topic[2:]}-w") as watcher:
            await watcher.subscribe(f"{topic}/state", qos=1)
            will = aiomqtt.Will(f"{topic}/state", b"offline", qos=1, retain=True)
            with pytest.raises(RuntimeError):
                async with client(broker, f"{topic[2:]}-d", will=will) as device:
                    await device.publish(f"{topic}/state", b"online", qos=1, retain=True)
                    device._client.socket().shutdown(2)  # the cable is pulled
                    raise RuntimeError("the program dies with it")
            states = []
            async for message in watcher.messages:
                states.append(message.payload)
                if len(states) == 2:
                    break
        async with client(broker, f"{topic[2:]}-l") as late:
            await late.subscribe(f"{topic}/state")
            async for message in late.messages:
                states.append(message.payload)
                break
            await late.publish(f"{topic}/state", b"", retain=True)
        return states

    assert asyncio.run(asyncio.wait_for(story(), 4 * WAIT)) == [b"online", b"offline", b"offline"]
