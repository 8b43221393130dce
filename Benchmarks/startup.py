#!/usr/bin/env python3
"""How long until a broker with much in its store serves?

    Benchmarks/startup.py [--broker '.build/release/martlet broker -c {conf}'] [--queued 1000000] [--sessions 100]
                          [--retained 1000000] [--loops 1] [--check]

Fills queues of offline sessions (each message waits for one of them) and retained messages, ends the broker by SIGTERM
and by kill -9, and measures each time from its start to the first CONNACK. --check fails where that takes more than
5 s. Reads the retained set back at the end. Loopback only, bounded in time.
"""
import argparse, json, signal, sys

from durable import Broker, Folder, Loader, megabytes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", default=".build/release/martlet broker -c {conf}")
    parser.add_argument("--queued", type=int, default=1_000_000)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--retained", type=int, default=1_000_000)
    parser.add_argument("--payload", type=int, default=100)
    parser.add_argument("--loops", type=int, default=1)
    parser.add_argument("--check", action="store_true")
    o = parser.parse_args()
    result = {"queued": o.queued, "sessions": o.sessions, "retained": o.retained, "loops": o.loops}
    with Folder() as folder:
        load = Loader(folder)
        broker = Broker(o.broker, folder, loops=o.loops)
        try:
            for i in range(o.sessions):
                load("subscribe", "--port", broker.port, "--id", "s%d" % i, "--filter", "q/%d" % i)
            result["fill_rate"] = load(
                "publish", "--port", broker.port, "--topic", "q", "--topics", o.sessions, "--count", o.queued,
                "--payload", o.payload)["rate"]
            result["retain_rate"] = load(
                "publish", "--port", broker.port, "--topic", "r", "--topics", max(2, o.retained), "--count", o.retained,
                "--payload", o.payload, "--retain")["rate"]
            result["store_mb"] = megabytes(broker.store_bytes())
            for name, how in (("terminated", signal.SIGTERM), ("killed", signal.SIGKILL)):
                broker.stop(how)
                broker = Broker(o.broker, folder, loops=o.loops)
                result["seconds_after_" + name] = round(broker.seconds_to_serve, 3)
                result["resident_mb_after_" + name] = megabytes(broker.resident())
            result["retained_read_rate"] = load(
                "retained", "--port", broker.port, "--filter", "r/#", "--count", o.retained)["rate"]
        finally:
            broker.stop()
    print(json.dumps(result, indent=1))
    slow = max(result["seconds_after_terminated"], result["seconds_after_killed"])
    if o.check and slow > 5:
        sys.exit("serving after %.1f s; 5 are promised" % slow)


if __name__ == "__main__":
    main()
