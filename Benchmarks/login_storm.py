#!/usr/bin/env python3
"""A storm of logins with passwords: is everyone let in, and what do those feel who are there already?

    Benchmarks/login_storm.py [--broker 'NAME=COMMAND with {conf}']... [--clients 10000] [--iterations 101]
        [--addresses 200] [--check]
    Benchmarks/login_storm.py --overload

Every client has its own user and password ($7$, so many iterations), connects with keep-alive 60 and stays. Half speak 3.1.1, half
5.0. They come from so many addresses of the loopback, all at once, each with its CONNECT right behind its connection; afterwards each is asked with PINGREQ whether it is still there. Beside them a process of its
own sends messages from one client to another, `--rate` a second, and measures how long each takes, from the first CONNECT to
the last CONNACK. With --check the exit status is 1 unless everyone is in, nobody was timed out, and the p99 of those messages is below
50 ms. --overload sends more logins than wait at most, with hashes that take long: those beyond must hear 3 (3.1.1) or 0x89
(5.0), and nobody may go without an answer. Loopback only, bounded in time. Prints JSON.
"""
import argparse, base64, hashlib, json, multiprocessing, os, pathlib, resource, select, shlex, signal, socket
import statistics, struct, subprocess, tempfile, time

from loopback import free_port
from wire import packet, text

KEEP_ALIVE = 60
STEADY = "steady"
WAITING_MAX = 16_384  # LoginPool.waitingMax


def connect_packet(name, version):
    return packet(0x10, text(b"MQTT") + bytes([version, 0xC2]) + struct.pack(">H", KEEP_ALIVE)
                  + (b"\0" if version == 5 else b"") + text(name) + text(name) + text(b"password of " + name))


def password_line(name, iterations):
    salt = hashlib.sha256(name).digest()[:12]
    digest = hashlib.pbkdf2_hmac("sha512", b"password of " + name, salt, iterations)
    return f"{name.decode()}:$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}\n"


class Broker:
    def __init__(self, command, lines, extra=""):
        self.folder = tempfile.TemporaryDirectory(prefix="martlet-storm-")
        folder = pathlib.Path(self.folder.name)
        folder.chmod(0o755)
        (folder / "pw").write_text(lines)
        (folder / "pw").chmod(0o644)  # mosquitto started by root becomes its own user first
        self.port = free_port()
        conf = folder / "broker.conf"
        conf.write_text(f"log_type error\nlistener {self.port} 127.0.0.1\npassword_file {folder}/pw\n{extra}")
        self.process = subprocess.Popen(
            shlex.split(command.replace("{conf}", str(conf))), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise SystemExit(f"{command} does not listen")
                time.sleep(0.05)

    def seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)


def talk(port, rate, ready, stop, results):
    """One client publishes, another receives; what each message took, with the moment it left."""
    def client(name):
        s = socket.create_connection(("127.0.0.1", port), 30)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.sendall(connect_packet(name, 4))
        assert s.recv(4) == b"\x20\x02\x00\x00", "the steady client is let in"
        return s

    name = STEADY.encode()
    reader, writer = client(name), client(name + b"2")
    reader.sendall(packet(0x82, b"\x00\x01" + text(b"t") + b"\x00"))
    assert reader.recv(5) == b"\x90\x03\x00\x01\x00"
    message = packet(0x30, text(b"t") + b"x" * 16)
    samples = []
    ready.set()
    due = time.monotonic()
    while not stop.is_set():
        left = time.monotonic()
        writer.sendall(message)
        got = 0
        while got < len(message):
            got += len(reader.recv(len(message) - got))
        samples.append((left, time.monotonic() - left))
        due = max(due + 1 / rate, time.monotonic() - 1)
        time.sleep(max(0, due - time.monotonic()))
    results.put(samples)


class Storm:
    """All clients in one thread: an epoll set, a CONNECT each, and what came back."""

    def __init__(self, port, names, addresses):
        self.port = port
        self.addresses = [f"127.1.{n // 250}.{n % 250 + 1}" for n in range(addresses)]
        self.packets = [connect_packet(name, 5 if i % 2 else 4) for i, name in enumerate(names)]
        self.sockets = [None] * len(names)
        self.answers = {}  # index -> (code, seconds)
        self.closed = set()
        self.epoll = select.epoll()

    def run(self, seconds):
        numbers = {}
        start = time.monotonic()
        for i in range(len(self.packets)):
            s = socket.socket()
            s.setblocking(False)
            s.bind((self.addresses[i % len(self.addresses)], 0))
            s.connect_ex(("127.0.0.1", self.port))
            self.sockets[i] = s
            numbers[s.fileno()] = i
            try:  # on the loopback it is connected by now, unless the broker's backlog is full
                s.send(self.packets[i])
                self.epoll.register(s.fileno(), select.EPOLLIN)
            except OSError:
                self.epoll.register(s.fileno(), select.EPOLLOUT)
        self.sent = time.monotonic()
        self.numbers = numbers
        self.begun = start
        waiting = len(self.packets)
        while waiting and time.monotonic() - start < seconds:
            for number, events in self.epoll.poll(0.5, 1024):
                i = numbers[number]
                if events & select.EPOLLOUT and not events & (select.EPOLLERR | select.EPOLLHUP):
                    self.sockets[i].send(self.packets[i])
                    self.epoll.modify(number, select.EPOLLIN)
                    continue
                try:
                    data = self.sockets[i].recv(4096)
                except OSError:
                    data = b""
                waiting -= 1
                if len(data) < 4 or data[0] != 0x20:
                    self.closed.add(i)
                else:
                    self.answers[i] = (data[3], time.monotonic() - start)
                self.epoll.unregister(number)
        self.ended = time.monotonic()

    def still_there(self, seconds=30):
        """How many answer a PINGREQ."""
        admitted = [i for i, (code, _) in self.answers.items() if code == 0]
        for i in admitted:
            self.sockets[i].send(b"\xc0\x00")
            self.epoll.register(self.sockets[i].fileno(), select.EPOLLIN)
        left, end = set(admitted), time.monotonic() + seconds
        there = 0
        while left and time.monotonic() < end:
            for number, _ in self.epoll.poll(0.5, 1024):
                i = self.numbers[number]
                self.epoll.unregister(number)
                left.discard(i)
                try:
                    there += self.sockets[i].recv(64)[:2] == b"\xd0\x00"
                except OSError:
                    pass
        return there

    def close(self):
        for s in self.sockets:
            if s:
                s.close()


def quantile(values, q):
    values = sorted(values)
    return round(values[min(len(values) - 1, int(len(values) * q))] * 1000, 2) if values else None


def storm(command, o):
    names = [f"u{i}".encode() for i in range(o.clients)]
    steady = [STEADY.encode(), STEADY.encode() + b"2"]
    lines = "".join(password_line(name, o.iterations) for name in names + steady)
    broker = Broker(command, lines, o.extra.replace("\\n", "\n"))
    try:
        ready, stop, results = multiprocessing.Event(), multiprocessing.Event(), multiprocessing.Queue()
        talker = multiprocessing.Process(target=talk, args=(broker.port, o.rate, ready, stop, results))
        talker.start()
        if not ready.wait(30):
            raise SystemExit("the steady clients are not let in")
        time.sleep(1)
        before = broker.seconds()
        all_of_them = Storm(broker.port, names, o.addresses)
        all_of_them.run(120)
        used = broker.seconds() - before
        time.sleep(0.2)
        stop.set()
        samples = results.get(timeout=30)
        talker.join(10)
        there = all_of_them.still_there()
        all_of_them.close()
    finally:
        broker.stop()
    waits = [seconds for code, seconds in all_of_them.answers.values() if code == 0]
    meanwhile = [taken for left, taken in samples if all_of_them.begun <= left <= all_of_them.ended]
    quiet = [taken for left, taken in samples if left < all_of_them.begun]
    return {
        "clients": o.clients, "admitted": len(waits), "still_there": there, "closed": len(all_of_them.closed),
        "refused": sum(code != 0 for code, _ in all_of_them.answers.values()),
        "unanswered": o.clients - len(all_of_them.answers) - len(all_of_them.closed),
        "sent_after_s": round(all_of_them.sent - all_of_them.begun, 2), "last_after_s": round(max(waits, default=0), 2), "median_after_s": round(statistics.median(waits or [0]), 2),
        "broker_cpu_s": round(used, 2), "messages_meanwhile": len(meanwhile),
        "meanwhile_ms": {"p50": quantile(meanwhile, 0.5), "p99": quantile(meanwhile, 0.99), "max": quantile(meanwhile, 1)},
        "before_ms": {"p50": quantile(quiet, 0.5), "p99": quantile(quiet, 0.99)},
    }


def overload(command, o):
    """More at once than wait at most: one thread checks, a hash takes a tenth of a second and more."""
    count = WAITING_MAX + 600
    names = [f"u{i}".encode() for i in range(count)]
    # They share one hash's cost, not one hash: nobody is known from memory. Their passwords are wrong, and not found out in time.
    line = password_line(b"u0", 300_000).split(":", 1)[1]
    broker = Broker(command, "".join(f"{name.decode()}:{line}" for name in names), o.extra.replace("\\n", "\n"))
    try:
        all_of_them = Storm(broker.port, names, o.addresses)
        all_of_them.run(20)
        codes = {}
        for code, _ in all_of_them.answers.values():
            codes[code] = codes.get(code, 0) + 1
        wrong = [i for i, (code, _) in all_of_them.answers.items() if code not in (0, 5, 0x87, 0x89 if i % 2 else 3)]
        busy = codes.get(3, 0) + codes.get(0x89, 0)
        all_of_them.close()
    finally:
        broker.stop()
    return {"clients": count, "waiting_max": WAITING_MAX, "told_to_come_again": busy, "wrong_code": len(wrong),
            "closed_without_an_answer": len(all_of_them.closed),
            "waiting": count - len(all_of_them.answers) - len(all_of_them.closed), "codes": codes}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", action="append")
    parser.add_argument("--clients", type=int, default=10_000)
    parser.add_argument("--iterations", type=int, default=101)
    parser.add_argument("--addresses", type=int, default=200)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--p99", type=float, default=50, help="milliseconds, for --check")
    parser.add_argument("--extra", default="", help="more lines of the configuration, \\n between them")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--overload", action="store_true")
    o = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = (WAITING_MAX + 600 if o.overload else o.clients) + 200
    if hard < wanted:
        raise SystemExit(f"{wanted} open files are needed, {hard} are allowed (ulimit -n)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    results, isGood = {}, True
    for entry in o.broker or ["martlet=.build/release/martlet broker -c {conf}"]:
        label, command = entry.split("=", 1)
        result = results[label] = overload(command, o) if o.overload else storm(command, o)
        if o.overload:
            isGood &= result["told_to_come_again"] > 0 and not result["wrong_code"] and not result["closed_without_an_answer"]
        else:
            isGood &= (result["still_there"] == result["clients"] == result["admitted"]
                       and result["meanwhile_ms"]["p99"] < o.p99 and result["last_after_s"] < KEEP_ALIVE)
    print(json.dumps(results, indent=1))
    if o.check and not isGood:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
