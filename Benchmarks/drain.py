#!/usr/bin/env python3
"""A long queue for one offline session is filled, and drained again: at what rate, with how much memory?

    Benchmarks/drain.py [--broker '.build/release/martlet broker -c {conf}'] [--count 10000000] [--payload 100]
                        [--inflight 1000] [--loops 1] [--restart] [--check]

Prints the rates of both by the wall clock, the broker's resident memory over the drain, and the store's size before,
after, and a while later. --restart starts the broker anew in between. --check fails below what is promised: 200,000
messages a second, memory that stays flat (the second half of the drain within 64 MB of the first), and a store that
gives back its room. Loopback only, bounded in time.
"""
import argparse, json, sys, time

from durable import Broker, Folder, Loader, megabytes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", default=".build/release/martlet broker -c {conf}")
    parser.add_argument("--count", type=int, default=10_000_000)
    parser.add_argument("--payload", type=int, default=100)
    parser.add_argument("--inflight", type=int, default=1000)
    parser.add_argument("--loops", type=int, default=1)
    parser.add_argument("--settle", type=float, default=15, help="seconds for giving room back")
    parser.add_argument("--restart", action="store_true")
    parser.add_argument("--check", action="store_true")
    o = parser.parse_args()
    with Folder() as folder:
        load, result = Loader(folder), {"count": o.count, "payload": o.payload, "inflight": o.inflight, "loops": o.loops}
        broker = Broker(o.broker, folder, o.inflight, o.loops)
        try:
            result["resident_empty_mb"] = megabytes(broker.resident())
            load("subscribe", "--port", broker.port, "--id", "offline", "--filter", "q")
            result["fill_rate"] = load(
                "publish", "--port", broker.port, "--topic", "q", "--count", o.count, "--payload", o.payload)["rate"]
            result["resident_filled_mb"] = megabytes(broker.resident())
            result["store_filled_mb"] = megabytes(broker.store_bytes())
            if o.restart:
                broker.stop()
                broker = Broker(o.broker, folder, o.inflight, o.loops)
                result["seconds_to_serve"] = round(broker.seconds_to_serve, 3)
                result["resident_restarted_mb"] = megabytes(broker.resident())
            first = len(broker.samples)
            result["drain_rate"] = load("drain", "--port", broker.port, "--id", "offline", "--count", o.count)["rate"]
            memory = [bytes for _, bytes in broker.samples[first:]] or [broker.resident()]
            step = max(1, len(memory) // 20)
            result["resident_draining_mb"] = [megabytes(bytes) for bytes in memory[::step]]
            result["store_drained_mb"] = megabytes(broker.store_bytes())
            time.sleep(o.settle)
            result["store_settled_mb"] = megabytes(broker.store_bytes())
            result["resident_settled_mb"] = megabytes(broker.resident())
        finally:
            broker.stop()
        result["store_stopped_mb"] = megabytes(broker.store_bytes())
    print(json.dumps(result, indent=1))
    if o.check:
        half = len(memory) // 2
        failures = []
        if result["drain_rate"] < 200_000:
            failures.append("drains at %.0f/s, 200,000 are promised" % result["drain_rate"])
        if half and max(memory[half:]) > max(memory[:half]) + 64e6:
            failures.append("memory grows while draining")
        if result["store_stopped_mb"] > max(64, result["store_filled_mb"] / 4):
            failures.append("the store keeps %.0f MB" % result["store_stopped_mb"])
        sys.exit("; ".join(failures) or 0)


if __name__ == "__main__":
    main()
