"""Reloads under load: many clients, some by TLS with certificates, some by password, exchange numbered messages while every kind of
file changes, for good and broken. Nobody who may stay is dropped, no message is lost, a broken file changes nothing.

A short part here; the whole by `make reload`. MARTLET_RELOAD_CLIENTS, _RATE (messages a second), _SECONDS, _SEED, _LATENCY (the longest
that a message may take, in seconds)."""

import asyncio
import base64
import hashlib
import os
import pathlib
import random
import signal
import ssl
import struct
import time

import pytest

from authority import Authority, openssl
from broker import IS_MOSQUITTO, WAIT, Broker, free_port

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="mosquitto 2.0.11 does not reload CAs and CRLs, nor check first")

CLIENTS = int(os.environ.get("MARTLET_RELOAD_CLIENTS", 200))
RATE = int(os.environ.get("MARTLET_RELOAD_RATE", 1000))
SECONDS = float(os.environ.get("MARTLET_RELOAD_SECONDS", 4))
SEED = int(os.environ.get("MARTLET_RELOAD_SEED", 4))
LATENCY_MAX = float(os.environ.get("MARTLET_RELOAD_LATENCY", WAIT))
UNDER_WAY_MAX = max(500, RATE // 2)  # unacknowledged messages: where the machine is slower than the rate, publishers wait
TURN = 0.02  # seconds between two rounds of publishing
CERTIFICATES, USERS, VICTIMS = 10, 50, 6


def packet(kind, body):
    length, size = bytearray(), len(body)
    while True:
        size, digit = size >> 7, size & 0x7F
        length.append(digit | (0x80 if size else 0))
        if not size:
            return bytes([kind]) + bytes(length) + body


def text(value):
    value = value.encode()
    return struct.pack(">H", len(value)) + value


class Client(asyncio.Protocol):
    """MQTT 3.1.1 as bytes: CONNECT, one subscription, QoS 1 both ways. It counts what it gets from whom."""

    def __init__(self, name, user=None, password=None):
        self.name, self.user, self.password = name, user, password
        self.buffer, self.transport, self.lost = b"", None, False
        self.identifier, self.unacknowledged, self.acknowledged = 0, set(), 0
        self.next, self.received, self.slowest = {}, 0, 0.0
        self.faults = []
        self.ready = asyncio.get_running_loop().create_future()
        self.gone = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        flags, credentials = 0x02, b""
        if self.user:
            flags, credentials = 0xC2, text(self.user) + text(self.password)
        transport.write(packet(0x10, text("MQTT") + bytes([4, flags]) + struct.pack(">H", 300) + text(self.name) + credentials))

    def connection_lost(self, error):
        self.lost = True
        for future in [self.ready, self.gone]:
            if not future.done():
                future.set_result(False)

    def data_received(self, data):
        data, at = self.buffer + data, 0
        acknowledgements = []
        while True:
            size, shift, end = 0, 0, at + 1
            while end < len(data):
                size |= (data[end] & 0x7F) << shift
                shift, end = shift + 7, end + 1
                if data[end - 1] < 0x80:
                    break
            else:
                break
            if len(data) < end + size:
                break
            self.take(data[at], data[end:end + size], acknowledgements)
            at = end + size
        self.buffer = data[at:]
        if acknowledgements:
            self.transport.write(b"".join(acknowledgements))

    def take(self, first, body, acknowledgements):
        kind = first >> 4
        if kind == 2:
            if body[1] == 0:
                self.transport.write(packet(0x82, b"\0\1" + text(f"load/{self.name}") + b"\1"))
            else:
                self.faults.append(f"refused with {body[1]}")
        elif kind == 9:
            self.ready.done() or self.ready.set_result(body[2] == 1)
        elif kind == 4:
            self.unacknowledged.discard(struct.unpack(">H", body[:2])[0])
            self.acknowledged += 1
        elif kind == 3:
            start = 2 + struct.unpack(">H", body[:2])[0]
            acknowledgements.append(b"\x40\x02" + body[start:start + 2])
            publisher, number, sent = struct.unpack(">HId", body[start + 2:start + 16])
            expected = self.next.get(publisher, 0)
            if number != expected:
                self.faults.append(f"{number} instead of {expected} from {publisher}")
            self.next[publisher] = number + 1
            self.received += 1
            self.slowest = max(self.slowest, time.monotonic() - sent)

    def publish(self, topic, payload):
        self.identifier = self.identifier % 65535 + 1
        self.unacknowledged.add(self.identifier)
        return packet(0x32, text(topic) + struct.pack(">H", self.identifier) + payload)


class World:
    """Files, broker and clients; and what of it may change, and who has to go."""

    def __init__(self, folder, loops):
        self.loops = loops
        self.folder, self.random = folder, random.Random(SEED)
        self.authority = Authority(folder)
        Authority(folder, "foreign", "/CN=Foreign CA")
        for name in ["one", "two"]:
            self.issue(name, "/CN=localhost", "subjectAltName=DNS:localhost\n")
        for number in range(CERTIFICATES):
            self.issue(f"client{number}", f"/CN=client{number}")
        for number in range(VICTIMS):
            self.issue(f"victim{number}", f"/CN=victim{number}")
        self.revoked, self.removed, self.extra = [], [], 0
        self.done = []
        self.install("one.crt", "live.crt")
        self.install("one.key", "live.key")
        self.install("ca.crt", "live.ca")
        self.write_crl()
        self.write_passwords()
        self.write_acl()
        self.tls_port, self.side_port = free_port(), free_port()
        self.conf_path = None

    def issue(self, name, subject, extensions=""):
        openssl(self.folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
                "-out", f"{name}.csr", "-subj", subject)
        (self.folder / "ext").write_text(extensions)
        openssl(self.folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", f"{name}.crt", "-days", "20", "-extfile", "ext")

    def put(self, name, content):
        part = self.folder / f"{name}.part"
        part.write_bytes(content if isinstance(content, bytes) else content.encode())
        part.chmod(0o600)
        os.replace(part, self.folder / name)

    def install(self, source, name):
        self.put(name, (self.folder / source).read_bytes())

    def write_crl(self):
        self.authority.revocation_list(*[self.folder / f"{name}.crt" for name in self.revoked])
        self.install("crl.pem", "live.crl")

    def write_passwords(self, broken=""):
        users = [f"user{n}" for n in range(USERS + self.extra)] + [f"victim{n}" for n in range(VICTIMS)]
        lines = []
        for user in users:
            if user in self.removed:
                continue
            salt = hashlib.sha256(user.encode()).digest()[:12]
            key = hashlib.pbkdf2_hmac("sha512", f"secret of {user}".encode(), salt, 101)
            lines.append(f"{user}:$7$101${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}\n")
        self.put("live.passwords", "".join(lines) + broken)

    def write_acl(self, more=""):
        self.put("live.acl", "pattern readwrite load/#\n" + more)

    def configuration(self, more=""):
        f = self.folder
        return (
            "log_type error\nlog_type warning\nlog_type notice\nlog_type information\nconnection_messages false\n"
            "per_listener_settings true\nmax_pending_connections_per_address 1000\ntls_watch_interval 1\n"
            f"max_queued_messages 0\nevent_loops {self.loops}\n{more}listener {{port}} 127.0.0.1\npassword_file {f}/live.passwords\nacl_file {f}/live.acl\n"
            f"listener {self.tls_port} 127.0.0.1\nallow_anonymous true\ncertfile {f}/live.crt\nkeyfile {f}/live.key\n"
            f"cafile {f}/live.ca\nrequire_certificate true\ncrlfile {f}/live.crl\nacl_file {f}/live.acl\n")

    # ---- What happens

    def changes(self):
        """One of each: what is done to the files, and whether that is good."""
        side = f"listener {self.side_port} 127.0.0.1\nallow_anonymous true\n"
        victim = next((n for n in range(VICTIMS) if f"victim{n}" not in self.revoked), None)
        user = next((n for n in range(VICTIMS) if f"victim{n}" not in self.removed), None)
        other = self.random.choice(["one", "two"])

        def certificate():
            self.install(f"{other}.crt", "live.crt")
            self.install(f"{other}.key", "live.key")

        def half():
            self.install("foreign.key", "live.key")

        def revoke():
            if victim is not None:
                self.revoked.append(f"victim{victim}")
            self.write_crl()

        def remove():
            if user is not None:
                self.removed.append(f"victim{user}")
            self.write_passwords()

        def add():
            self.extra += 1
            self.write_passwords()

        def both():
            self.put("live.ca", (self.folder / "ca.crt").read_text() + (self.folder / "foreign.crt").read_text())

        return [
            (certificate, True), (half, False), (lambda: self.put("live.crt", "nothing"), False),
            (both, True), (lambda: self.install("ca.crt", "live.ca"), True), (lambda: self.put("live.ca", b"\xff" * 99), False),
            (revoke, True), (self.write_crl, True), (lambda: self.put("live.crl", "-----BEGIN X509 CRL-----\nAAAA"), False),
            (lambda: self.write_acl("pattern read more/#\n"), True), (lambda: self.write_acl(), True),
            (lambda: self.write_acl("topic sideways x\n"), False),
            (remove, True), (add, True), (lambda: self.write_passwords("somebody:plain\n"), False),
            (lambda: self.configure(self.configuration("sys_interval 3\n")), True),
            (lambda: self.configure(self.configuration() + side), True),
            (lambda: self.configure(self.configuration("no_such_key 1\n")), False),
            (lambda: self.configure(self.configuration()), True),
        ]

    def configure(self, conf):
        self.conf_path.write_text(conf.format(port=self.broker.port))

    def heal(self):
        """Everything as it ought to be, with nothing forgotten that was taken away."""
        self.install("one.crt", "live.crt")
        self.install("one.key", "live.key")
        self.install("ca.crt", "live.ca")
        self.write_crl()
        self.write_passwords()
        self.write_acl()
        self.configure(self.configuration())

    async def said(self, start, *texts, seconds=WAIT):
        end = time.monotonic() + seconds
        while True:
            log = self.broker.log[start:]
            for index, wanted in enumerate(texts):
                if wanted in log:
                    return index
            assert time.monotonic() < end, f"seed {SEED}, after {self.done}: none of {texts} in:\n{log[-3000:]}"
            await asyncio.sleep(0.02)

    async def reload(self):
        start = len(self.broker.log)
        self.broker.process.send_signal(signal.SIGHUP)
        return await self.said(start, "Config reloaded", "Nothing was changed by this reload") == 0

    async def disturb(self, end):
        count = 0
        while time.monotonic() < end or count < 8:
            changes = self.changes()
            number = self.random.randrange(len(changes)) if count >= 6 else [0, 1, 6, 8, 12, 14][count]
            change, is_good = changes[number]
            self.done.append(number)
            change()
            assert await self.reload() == is_good, f"seed {SEED}, after {self.done}:\n{self.broker.log[-3000:]}"
            count += 1
            if not is_good:
                self.heal()
                assert await self.reload()
            await asyncio.sleep(self.random.random() * 0.3)
        return count


async def connect(world, limit, name, user=None, certificate=None):
    async with limit:
        loop = asyncio.get_running_loop()
        client = Client(name, user, user and f"secret of {user}")
        context = None
        if certificate:
            context = ssl.create_default_context(cafile=str(world.folder / "ca.crt"))
            context.load_cert_chain(world.folder / f"{certificate}.crt", world.folder / f"{certificate}.key")
        await loop.create_connection(
            lambda: client, "127.0.0.1", world.tls_port if certificate else world.broker.port, ssl=context,
            server_hostname="localhost" if certificate else None)
        assert await asyncio.wait_for(client.ready, WAIT), f"{name}: {client.faults}"
        return client


async def load(world):
    limit = asyncio.Semaphore(40)
    names = [(f"c{n}", None, f"client{n % CERTIFICATES}") if n % 4 == 0 else (f"c{n}", f"user{n % USERS}", None)
             for n in range(CLIENTS)]
    clients = await asyncio.gather(*[connect(world, limit, *name) for name in names])
    by_user = await asyncio.gather(*[connect(world, limit, f"u{n}", f"victim{n}") for n in range(VICTIMS)])
    by_proof = await asyncio.gather(*[connect(world, limit, f"r{n}", None, f"victim{n}") for n in range(VICTIMS)])
    publishers = clients[:max(4, CLIENTS // 20)]
    receivers = clients
    sent = {}
    total = 0
    begin = time.monotonic()
    disturbing = asyncio.create_task(world.disturb(begin + SECONDS))
    while not disturbing.done():
        under_way = sum(len(one.unacknowledged) for one in publishers)
        due = min(int((time.monotonic() - begin) * RATE) - total, UNDER_WAY_MAX - under_way)
        for index in range(len(publishers)):
            burst = []
            for _ in range(index, due, len(publishers)):
                receiver = receivers[total % len(receivers)]
                number = sent.get((index, receiver.name), 0)
                sent[index, receiver.name] = number + 1
                total += 1
                burst.append(publishers[index].publish(
                    f"load/{receiver.name}", struct.pack(">HId", index, number, time.monotonic())))
            if burst and not publishers[index].lost:
                publishers[index].transport.write(b"".join(burst))
        await asyncio.sleep(TURN)
    reloads = disturbing.result()
    elapsed = time.monotonic() - begin
    end = time.monotonic() + WAIT
    while time.monotonic() < end and (
            sum(one.received for one in receivers) < total or sum(one.acknowledged for one in publishers) < total):
        await asyncio.sleep(0.05)
    lost = [(one.name, one.user) for one in clients if one.lost]
    assert not lost, f"seed {SEED}: dropped: {lost}\n{world.broker.log[-3000:]}"
    assert not [one.faults for one in clients if one.faults], f"seed {SEED}"
    assert sum(one.received for one in receivers) == total
    assert sum(one.acknowledged for one in publishers) == total
    for victims, gone in [(by_user, world.removed), (by_proof, world.revoked)]:
        for number, victim in enumerate(victims):
            if f"victim{number}" in gone:
                await asyncio.wait_for(victim.gone, WAIT)
            assert victim.lost == (f"victim{number}" in gone), f"seed {SEED}: {victim.name}\n{world.broker.log[-3000:]}"
    slowest = max(one.slowest for one in receivers)
    for one in clients + list(by_user) + list(by_proof):
        one.transport.close()
    print(f"{world.loops} event loops, {CLIENTS} clients, {total} messages in {elapsed:.1f} s ({total / elapsed:.0f}/s), {reloads} changes, "
          f"{len(world.removed)} users and {len(world.revoked)} certificates taken away, slowest message {slowest * 1000:.0f} ms")
    assert slowest < LATENCY_MAX


@pytest.mark.parametrize("loops", [1, 2])
def test_nobody_is_dropped_and_nothing_is_lost(tmp_path, loops):
    world = World(tmp_path, loops)
    with Broker(world.configuration()) as world.broker:
        world.conf_path = pathlib.Path(world.broker.folder.name) / "broker.conf"
        asyncio.run(load(world))
        assert world.broker.process.poll() is None, world.broker.log[-4000:]
