#!/usr/bin/env python3
"""The client library beside Paho's C library (MQTTAsync): one publisher and one subscriber in one process, through the same broker, in turns.

    Benchmarks/library.py [--rounds 3] [--messages 100000,50000,25000] [--inflight 1,20,1000] [--bytes 64]
        [--broker 'COMMAND -c {conf}'] [--json FILE]

MQTT 3.1.1; as many messages in flight on both sides as at the broker. Both programs are told when each message is complete: ours by `await
publish` in so many tasks, Paho's by its callback. Seconds from the first message given to the library to the last one received; CPU seconds of that
time and the largest resident set are the process's, without the broker. All rounds must be complete and in order.
"""
import argparse
import json
import pathlib
import socket
import statistics
import subprocess
import tempfile
import time

from loopback import free_port

#: Every message must arrive, so the publisher waits for the subscriber and no queue is full.
CONF = """
listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 0
max_inflight_messages {inflight}
log_type none
{more}
"""
ROOT = pathlib.Path(__file__).resolve().parents[1]
HERE = ROOT / "Benchmarks" / "Library"


def await_port(port, broker):
    end = time.monotonic() + 30
    while time.monotonic() < end and broker.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the broker does not answer")


def numbers(text):
    return [int(word) for word in text.split(",")]


def build():
    """Paho's side; ours is a target of the package."""
    program = ROOT / ".build" / "bench" / "paho"
    source = HERE / "paho.c"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        program.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-o", program, source, "-lpaho-mqtt3a"], check=True)
    return program


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--messages", type=numbers, default=[100_000, 50_000, 25_000], help="at QoS 0, 1 and 2")
    options.add_argument("--inflight", type=numbers, default=[1, 20, 1000])
    options.add_argument("--bytes", type=int, default=64)
    options.add_argument("--broker", default=f"{ROOT}/.build/release/martlet broker -c {{conf}}")
    options.add_argument("--ours", default=f"{ROOT}/.build/release/library-benchmark")
    options.add_argument("--timeout", type=float, default=300)
    options.add_argument("--json")
    chosen = options.parse_args()
    programs = {"martlet": chosen.ours, "paho": str(build())}
    more = "slow_reader_wait 60000" if "martlet" in chosen.broker else ""

    results, bad = {}, 0
    for inflight in chosen.inflight:
        port = free_port()
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
            conf.write(CONF.format(port=port, inflight=inflight, more=more))
            conf.flush()
            broker = subprocess.Popen(
                chosen.broker.format(conf=conf.name).split(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            try:
                await_port(port, broker)
                for _ in range(chosen.rounds):
                    for qos, messages in enumerate(chosen.messages):
                        for name, program in programs.items():
                            line = [program, *map(str, (port, qos, messages, inflight, chosen.bytes))]
                            done = subprocess.run(line, capture_output=True, text=True, timeout=chosen.timeout)
                            if done.returncode != 0:
                                raise SystemExit(f"{' '.join(line)}: {done.returncode} {done.stderr}")
                            result = json.loads(done.stdout)
                            result["per_second"] = messages / result["seconds"]
                            result["us_cpu"] = result["cpu_s"] / messages * 1e6
                            bad += result["arrived"] != messages or result["late"] > 0 or result["failures"] > 0
                            results.setdefault((inflight, qos), {}).setdefault(name, []).append(result)
                            print(f"inflight {inflight} q{qos} {name}: {json.dumps(result)}", flush=True)
            finally:
                broker.terminate()
                broker.wait()

    print("\n| in flight | QoS | figure | martlet | paho | martlet / paho |\n|---|---|---|---|---|---|")
    for (inflight, qos), by_name in results.items():
        for key, words, form in (
            ("per_second", "messages a second", ",.0f"), ("us_cpu", "CPU a message, µs", ".1f"),
            ("peak_kb", "largest resident set, KB", ",.0f"),
        ):
            ours, theirs = (statistics.median(r[key] for r in by_name[name]) for name in programs)
            print(f"| {inflight} | {qos} | {words} | {ours:{form}} | {theirs:{form}} | {ours / theirs:.2f} |")
    print(f"\nrounds with lost, late or failed messages: {bad}")
    if chosen.json:
        pathlib.Path(chosen.json).write_text(json.dumps({str(k): v for k, v in results.items()}, indent=1))
    raise SystemExit(bad > 0)


if __name__ == "__main__":
    main()
