"""paho-mqtt as our tests like to use it: every call waits for its answer, with an end to the waiting."""

import queue
import socket
import threading

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from broker import WAIT

V31, V311, V5 = paho.MQTTv31, paho.MQTTv311, paho.MQTTv5
VERSIONS = [V31, V311, V5]
VERSION_NAMES = {V31: "3.1", V311: "3.1.1", V5: "5"}
QUIET = 0.3  # seconds for what must not come, where no later message can prove it


def properties(packet, **values):
    """MQTT 5 properties of a packet: `properties("PUBLISH", ContentType="text/plain")`."""
    made = Properties(getattr(PacketTypes, packet))
    for name, value in values.items():
        setattr(made, name, value)
    return made


class Peer:
    def __init__(self, port, version=V311, client_id=None, clean=True, will=None, connect=True, expiry=None,
                 keepalive=30, username=None, password=None, reconnect=False, connect_properties=None, host="127.0.0.1"):
        self.version, self.port, self.host, self.keepalive = version, port, host, keepalive
        if client_id is None:
            # 3.1 wants a name of the client's own; later versions may leave that to the broker.
            client_id = f"p{threading.get_ident() % 10**6}-{id(self) % 10**9}"
        options = {} if version == V5 else {"clean_session": clean}
        self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=version,
            reconnect_on_failure=reconnect, **options)
        self.clean = clean
        self.connect_properties = connect_properties or {}
        if expiry is not None:
            self.connect_properties["SessionExpiryInterval"] = expiry
        self.messages = queue.Queue()
        self.connacks, self.disconnects, self.acks = queue.Queue(), queue.Queue(), queue.Queue()
        self.client.on_message = lambda c, u, message: self.messages.put(message)
        self.client.on_connect = lambda c, u, flags, reason, props: self.connacks.put((flags, reason, props))
        self.client.on_disconnect = lambda c, u, flags, reason, props: self.disconnects.put((flags, reason, props))
        self.client.on_subscribe = lambda c, u, mid, reasons, props: self.acks.put((mid, reasons))
        self.client.on_unsubscribe = lambda c, u, mid, reasons, props: self.acks.put((mid, reasons))
        if username is not None:
            self.client.username_pw_set(username, password)
        if will is not None:
            self.client.will_set(**will)
        if connect:
            self.connect()

    def connect(self):
        """Connects and returns the CONNACK: flags, reason code, properties."""
        options = {}
        if self.version == V5:
            options = {"clean_start": self.clean, "properties": properties("CONNECT", **self.connect_properties)}
        self.client.connect(self.host, self.port, keepalive=self.keepalive, **options)
        self.client.loop_start()
        self.flags, self.reason, self.connack = self.connacks.get(timeout=WAIT)
        return self

    def subscribe(self, *filters, qos=0, identifier=None, **options):
        """Subscribes and returns the reason codes' values. `options` are SubscribeOptions of MQTT 5."""
        if self.version == V5:
            wanted = [(name, SubscribeOptions(qos=qos, **options)) for name in filters]
            extra = {"properties": properties("SUBSCRIBE", SubscriptionIdentifier=identifier)} if identifier else {}
        else:
            wanted, extra = [(name, qos) for name in filters], {}
        return self._acknowledged(self.client.subscribe(wanted, **extra))

    def unsubscribe(self, *filters):
        return self._acknowledged(self.client.unsubscribe(list(filters)))

    def _acknowledged(self, sent):
        result, mid = sent
        assert result == paho.MQTT_ERR_SUCCESS
        answered, reasons = self.acks.get(timeout=WAIT)
        assert answered == mid
        return [reason.value for reason in reasons]

    def publish(self, topic, payload=b"", qos=0, retain=False, **props):
        """Publishes and waits until it is sent (QoS 0) or fully acknowledged."""
        extra = {"properties": properties("PUBLISH", **props)} if props else {}
        info = self.client.publish(topic, payload, qos=qos, retain=retain, **extra)
        info.wait_for_publish(timeout=WAIT)
        assert info.is_published(), f"no acknowledgement within {WAIT} s"
        return info

    def next(self, seconds=WAIT):
        """The next message to arrive."""
        return self.messages.get(timeout=seconds)

    def take(self, count):
        return [self.next() for _ in range(count)]

    def nothing(self, seconds=QUIET):
        """Asserts that no message comes. Where a later message can prove it, ask for that one instead."""
        try:
            message = self.messages.get(timeout=seconds)
        except queue.Empty:
            return
        raise AssertionError(f"unexpected message on {message.topic}: {message.payload[:80]!r}")

    def gone(self, seconds=WAIT):
        """Waits until the broker has ended the connection; returns the reason code's value."""
        return self.disconnects.get(timeout=seconds)[1].value

    def vanish(self):
        """Loses the connection without a DISCONNECT, as a dead machine would."""
        self.client.on_disconnect = None
        link = self.client.socket()
        try:
            link.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.client.loop_stop()

    def disconnect(self, **options):
        self.client.disconnect(**options)
        self.client.loop_stop()

    def close(self):
        self.client.on_disconnect = None
        try:
            self.client.disconnect()
        finally:
            self.client.loop_stop()
