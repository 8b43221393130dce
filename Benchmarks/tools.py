#!/usr/bin/env python3
"""martlet pub and sub beside Debian's mosquitto_pub and mosquitto_sub, through the same broker, in turns.

    Benchmarks/tools.py [--lines 1000000] [--rounds 3] [--tools FOLDER] [--broker 'COMMAND -c {conf}'] [--json FILE]

`lines`: so many go in at `pub -l` and come out of `sub`; seconds from the start of `pub` to the end of `sub`, the CPU seconds
and the largest resident set of both. At QoS 1 at most 60,000: `mosquitto_pub -l` takes the first PUBACK that has its last line's
packet identifier for its last line's, and beyond 65,535 lines ends before its time, with status 0. `start`: from the start of the process to its first message at a server that answers at
once. --tools is a folder with mosquitto_pub and mosquitto_sub as `make install` puts it.
"""
import argparse
import atexit
import itertools
import json
import os
import pathlib
import random
import socket
import statistics
import subprocess
import tempfile
import threading
import time

from wire import packet

from loopback import free_port

#: Every line must arrive, so the publisher waits for the subscriber and no queue is full.
CONF = """
listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 0
slow_reader_wait 60000
log_type none
"""
ROOT = pathlib.Path(__file__).resolve().parents[1]


def wait(process, seconds):
    """Its exit status and what it used, as wait4 tells."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, used
        time.sleep(0.002)
    process.kill()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return None, used


#: More lines than packet identifiers, and mosquitto_pub ends too early.
ACKNOWLEDGED_LINES_MAX = 60_000
#: A subscriber that has got nothing for so many seconds has lost lines, and would wait for ever.
STILL_SECONDS = 20


def wait_while_it_grows(process, path):
    """Waits for the end of a process that writes to a file, as long as there comes more."""
    size, since = -1, time.monotonic()
    while time.monotonic() - since < STILL_SECONDS:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, used
        if (now := os.path.getsize(path)) != size:
            size, since = now, time.monotonic()
        time.sleep(0.002)
    return wait(process, 0)


def lines(tools, port, qos, path, count, seconds):
    """One pass of all lines."""
    with tempfile.NamedTemporaryFile() as out, open(path) as source:
        sub = subprocess.Popen(
            [tools / "mosquitto_sub", "-p", str(port), "-q", str(qos), "-t", "bench/lines", "-C", str(count)], stdout=out)
        time.sleep(0.5)
        begin = time.monotonic()
        pub = subprocess.Popen(
            [tools / "mosquitto_pub", "-p", str(port), "-q", str(qos), "-t", "bench/lines", "-l"], stdin=source)
        pub_status, pub_used = wait(pub, seconds)
        sub_status, sub_used = wait_while_it_grows(sub, out.name)
        taken = time.monotonic() - begin
        with open(out.name, "rb") as result, open(path, "rb") as wanted:
            came = sum(1 for _ in result)
            result.seek(0)
            same = sub_status == 0 and all(a == b for a, b in zip(result, wanted))
    return {
        "seconds": taken, "lines": came, "in_order": same, "status": [pub_status, sub_status],
        "pub_cpu_s": pub_used.ru_utime + pub_used.ru_stime, "sub_cpu_s": sub_used.ru_utime + sub_used.ru_stime,
        "pub_rss_kb": pub_used.ru_maxrss, "sub_rss_kb": sub_used.ru_maxrss}


class Server:
    """Answers CONNECT and SUBSCRIBE at once, and says when the first PUBLISH or SUBSCRIBE came."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.first = None
        self.came = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            connection, _ = self.socket.accept()
            connection.recv(4096)
            connection.sendall(packet(0x20, b"\0\0"))
            data = connection.recv(4096)
            self.first = time.monotonic()
            self.came.set()
            if data[:1] == b"\x82":
                connection.sendall(packet(0x90, data[2:4] + b"\0"))
            while connection.recv(4096):
                pass
            connection.close()


def first(path, count):
    """The path of a file with its first lines; the whole where it has no more."""
    part = f"{path}.{count}"
    if not os.path.exists(part):
        with open(path) as source, open(part, "w") as target:
            target.writelines(itertools.islice(source, count))
        atexit.register(os.unlink, part)
    return part


def start(tools, server, line):
    server.came.clear()
    begin = time.monotonic()
    process = subprocess.Popen(
        [tools / line[0], "-p", str(server.port), *line[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if not server.came.wait(10):
        raise SystemExit(f"{line} sent nothing")
    taken = server.first - begin
    process.wait(timeout=10)
    return taken


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--lines", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--starts", type=int, default=31)
    options.add_argument("--tools", type=pathlib.Path, required=True)
    options.add_argument("--theirs", type=pathlib.Path, default=pathlib.Path("/usr/bin"))
    options.add_argument("--broker", default=f"{ROOT}/.build/release/martlet broker -c {{conf}}")
    options.add_argument("--qos", default="0,1")
    options.add_argument("--timeout", type=float, default=600)
    options.add_argument("--json")
    chosen = options.parse_args()
    houses = {"martlet": chosen.tools, "mosquitto": chosen.theirs}
    results = {"lines": {}, "start": {}}

    port = free_port()
    conf = tempfile.NamedTemporaryFile("w", suffix=".conf")
    conf.write(CONF.format(port=port))
    conf.flush()
    broker = subprocess.Popen(
        chosen.broker.format(port=port, conf=conf.name).split(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    time.sleep(1)
    try:
        with tempfile.NamedTemporaryFile("w") as source:
            chance = random.Random(1)
            for number in range(chosen.lines):
                source.write(f"{number} {chance.random():.6f} line\n")
            source.flush()
            for qos in map(int, chosen.qos.split(",")):
                count = chosen.lines if qos == 0 else min(chosen.lines, ACKNOWLEDGED_LINES_MAX)
                results["lines"][f"q{qos}"] = {"count": count}
                for _ in range(chosen.rounds):
                    for house, tools in houses.items():
                        done = lines(tools, port, qos, first(source.name, count), count, chosen.timeout)
                        results["lines"][f"q{qos}"].setdefault(house, []).append(done)
                        print(f"lines q{qos} {house}: {json.dumps(done)}", flush=True)
    finally:
        broker.terminate()
        broker.wait()

    server = Server()
    commands = {
        "pub": ["mosquitto_pub", "-t", "a", "-m", "b"], "sub": ["mosquitto_sub", "-t", "a", "-E"]}
    for _ in range(chosen.starts):
        for name, line in commands.items():
            for house, tools in houses.items():
                results["start"].setdefault(name, {}).setdefault(house, []).append(start(tools, server, line))

    print("\n| what | martlet | mosquitto | times |\n|---|---|---|---|")
    for qos, by_house in results["lines"].items():
        ours, theirs = (statistics.median(r["seconds"] for r in by_house[h]) for h in houses)
        count = by_house["count"]
        print(f"| {count} lines, {qos}, s | {ours:.2f} | {theirs:.2f} | {theirs / ours:.2f} |")
        for key in ("pub_cpu_s", "sub_cpu_s", "pub_rss_kb", "sub_rss_kb"):
            ours, theirs = (statistics.median(r[key] for r in by_house[h]) for h in houses)
            print(f"| … {key} | {ours:.2f} | {theirs:.2f} | {theirs / ours:.2f} |")
        for house in houses:
            bad = [r for r in by_house[house] if r["lines"] != count or not r["in_order"]]
            if bad:
                print(f"| … {house}: {len(bad)} of {len(by_house[house])} rounds lost lines or order | | | |")
    for name, by_house in results["start"].items():
        ours, theirs = (statistics.median(by_house[h]) * 1_000 for h in houses)
        print(f"| start of {name} to its first message, ms | {ours:.1f} | {theirs:.1f} | {theirs / ours:.2f} |")
    if chosen.json:
        pathlib.Path(chosen.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
