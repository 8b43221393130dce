#!/usr/bin/env python3
"""One stopped subscriber among fifty: how much do the others get?

    Benchmarks/slow_reader.py --broker '.build/release/martlet broker -c {conf}' [--pairs 50] [--seconds 5] [--rounds 3] [--loops 1]

Pairs of publisher and subscriber at QoS 0, each on its own topic, in one process. In turns of A and B: A, all read;
B, the last subscriber stops reading after it has subscribed. Printed is what the others received in B as a share of
what the same ones received in A, by medians, and what the broker says it dropped. Loopback only, bounded in time.
"""
import argparse, json, os, selectors, shlex, signal, socket, statistics, struct, subprocess, tempfile, time

from wire import packet, text

CONF = "listener {port} 127.0.0.1\nallow_anonymous true\nsys_interval 1\nlog_type none\nconnection_messages false\n"


def connect(port, name):
    s = socket.create_connection(("127.0.0.1", port), 5)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.sendall(packet(0x10, text(b"MQTT") + b"\x04\x02\x00\x00" + text(name)))
    assert s.recv(4) == b"\x20\x02\x00\x00", "CONNACK 0 expected"
    return s


def dropped(port):
    s = connect(port, b"reader-of-sys")
    s.settimeout(3)
    s.sendall(packet(0x82, b"\x00\x01" + text(b"$SYS/broker/publish/messages/dropped") + b"\x00"))
    data, end = b"", time.monotonic() + 2.5
    while time.monotonic() < end:
        try:
            data += s.recv(4096)
        except socket.timeout:
            break
    s.close()
    at = data.rfind(b"dropped")
    digits = data[at + 7:].split(b"0")[0] if at < 0 else bytes(c for c in data[at + 7:] if 48 <= c <= 57)
    return int(digits or 0)


def run(command, pairs, seconds, stops, loops):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tempfile.mkdtemp(prefix="slow-reader-")
    conf = os.path.join(folder, "broker.conf")
    with open(conf, "w") as f:
        f.write(CONF.format(port=port))
        if loops > 1:
            f.write(f"event_loops {loops}\n")
    broker = subprocess.Popen(shlex.split(command.format(conf=conf, port=port)), stdin=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                break
            except OSError:
                time.sleep(0.05)
        selector, received = selectors.DefaultSelector(), [0] * pairs
        sockets = []
        for i in range(pairs):
            topic = b"t/%d" % i
            sub, pub = connect(port, b"s%d" % i), connect(port, b"p%d" % i)
            sub.sendall(packet(0x82, b"\x00\x01" + text(topic) + b"\x00"))
            assert len(sub.recv(5)) == 5, "SUBACK expected"
            pub.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
            blob = packet(0x30, text(topic) + b"x" * 64) * 400
            for s in (sub, pub):
                s.setblocking(False)
            if not (stops and i == pairs - 1):
                selector.register(sub, selectors.EVENT_READ, (i, None))
            selector.register(pub, selectors.EVENT_WRITE, (i, [blob, 0]))
            sockets += [sub, pub]
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            for key, _ in selector.select(0.1):
                i, sending = key.data
                try:
                    if sending is None:
                        received[i] += len(key.fileobj.recv(262144))
                    else:
                        blob, at = sending
                        sending[1] = (at + key.fileobj.send(memoryview(blob)[at:])) % len(blob)
                except BlockingIOError:
                    pass
        for s in sockets:
            selector_map = selector.get_map()
            if s.fileno() in selector_map:
                selector.unregister(s)
        drops = dropped(port)
        for s in sockets:
            s.close()
        return sum(received[:pairs - 1]) / (time.monotonic() - begin), drops
    finally:
        broker.send_signal(signal.SIGTERM)
        try:
            broker.wait(10)
        except subprocess.TimeoutExpired:
            broker.kill()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--broker", required=True)
    p.add_argument("--pairs", type=int, default=50)
    p.add_argument("--seconds", type=float, default=5)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--loops", type=int, default=1, help="event_loops of the broker")
    a = p.parse_args()
    all_read, one_stopped, drops = [], [], []
    for _ in range(a.rounds):
        all_read.append(run(a.broker, a.pairs, a.seconds, False, a.loops)[0])
        rate, dropped_messages = run(a.broker, a.pairs, a.seconds, True, a.loops)
        one_stopped.append(rate)
        drops.append(dropped_messages)
    share = statistics.median(one_stopped) / statistics.median(all_read)
    print(json.dumps({
        "others_mb_per_s_all_read": round(statistics.median(all_read) / 1e6, 1),
        "others_mb_per_s_one_stopped": round(statistics.median(one_stopped) / 1e6, 1),
        "share": round(share, 3), "dropped_and_counted": drops}))


if __name__ == "__main__":
    main()
