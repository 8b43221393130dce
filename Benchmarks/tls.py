#!/usr/bin/env python3
"""What TLS costs a broker: messages, handshakes, memory of a connection; beside mosquitto.

    Benchmarks/tls.py [--load .build/bench/mqttload] [--broker 'NAME=COMMAND with {conf}']... [--rounds 3] [--seconds 3]
                      [--parts messages,handshakes,memory] [--scenarios pairs_q0,pairs_q1] [--crowd 0,2] [--connections 2000]
                      [--json FILE]

Messages: mqttload's `pairs_q0` and `pairs_q1` (Benchmarks/RESULTS.md), in the clear and through stunnel4, which makes TLS 1.3
of it. Broker on core 0; generator and stunnel on core 1. There stunnel is the slower side, and the broker wakes for every
record of 16 KiB. So it is measured twice: alone, and with two busy processes (`--crowd`) that share the broker's core, which
makes the broker the slower side, as it is in the clear. Handshakes: full ones by `openssl s_time -new`, resumed ones by
Python's ssl with the session of a first connection. All are counted a second of the broker's own processor time, because the
two sides share the machine's. Memory is what idle clients add to the resident set, each after its CONNACK.
Certificates: RSA 2048 and P-256, made anew. Loopback only, bounded in time. Rounds take turns; medians are printed.
Needs stunnel4 and mqttload; `make bench-tls` sees to both.
"""
import argparse, itertools, json, os, pathlib, re, resource, shlex, shutil, signal, socket, ssl, statistics, subprocess, tempfile, time

from loopback import free_port

CONNECT = bytes.fromhex("10 10 0004 4d515454 04 02 0000 0004".replace(" ", ""))


def status(pid, key):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


SCENARIOS = {  # mqttload's arguments, as in compare.py
    "pairs_q0": "throughput --layout pairs --pubs 50 --qos 0 --seconds 2 --sndbuf 32768",
    "pairs_q1": "throughput --layout pairs --pubs 50 --qos 1 --seconds 2 --window 100",
}
KEYS = {"rsa2048": ["-newkey", "rsa:2048"], "p256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]}
CONF = """listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_inflight_messages 0
max_queued_messages 0
max_queued_bytes 0
set_tcp_nodelay true
sys_interval 0
log_type none
connection_messages false
"""


def listens(process, port, what):
    end = time.monotonic() + 15
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > end or process.poll() is not None:
                raise SystemExit(f"{what} does not listen")
            time.sleep(0.05)


class Broker:
    """On core 0, with the certificate of that kind of key, or in the clear."""

    def __init__(self, command, folder, key=None):
        self.port = free_port()
        conf = folder / "broker.conf"
        tls = f"certfile {folder}/{key}.crt\nkeyfile {folder}/{key}.key\n" if key else ""
        conf.write_text(CONF.format(port=self.port) + tls)
        self.process = subprocess.Popen(
            ["taskset", "-c", "0", *shlex.split(command.replace("{conf}", str(conf)))], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid  # taskset and exec keep it
        listens(self.process, self.port, command)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(15)


class Crowd:
    """Processes that only turn in circles, on the broker's core."""

    def __init__(self, count):
        self.processes = [subprocess.Popen(["taskset", "-c", "0", "sh", "-c", "while :; do :; done"]) for _ in range(count)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait(15)


class Stunnel:
    """Makes TLS of what comes to its port; on core 1, with the generator."""

    def __init__(self, folder, target):
        self.port = free_port()
        conf = folder / "stunnel.conf"
        conf.write_text(f"foreground = yes\npid =\ndebug = 3\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n"
                        f"[mqtt]\nclient = yes\naccept = 127.0.0.1:{self.port}\nconnect = 127.0.0.1:{target}\n")
        self.process = subprocess.Popen(["taskset", "-c", "1", "stunnel4", str(conf)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        listens(self.process, self.port, "stunnel4")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(15)


def messages(command, folder, load, scenario, key):
    with Broker(command, folder, key) as broker:
        def run(port):
            out = subprocess.run(
                ["taskset", "-c", "1", load, *shlex.split(SCENARIOS[scenario]), "--port", str(port), "--pid", str(broker.pid),
                 "--max-seconds", "25"], capture_output=True, text=True, timeout=60).stdout.strip().splitlines()
            return json.loads(out[-1]) if out else {}
        if not key:
            return run(broker.port)
        with Stunnel(folder, broker.port) as tunnel:
            return run(tunnel.port)


def full_handshakes(broker, seconds, version):
    """A processor second of the broker."""
    before = processor_seconds(broker.pid)
    runs = [subprocess.Popen(
        ["taskset", "-c", "1", "openssl", "s_time", "-connect", f"127.0.0.1:{broker.port}", "-new", "-time", str(seconds), version],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for _ in range(2)]
    count = 0
    for run in runs:
        text = run.communicate(timeout=seconds * 3 + 20)[0]
        found = re.search(r"(\d+) connections in [\d.]+ real seconds", text)
        count += int(found.group(1)) if found else 0
    used = processor_seconds(broker.pid) - before
    return round(count / used) if used else None


def connect(broker, context, number, session=None):
    plain = socket.create_connection(("127.0.0.1", broker.port), 10)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or Finished and CONNECT wait for each other
    client = context.wrap_socket(plain, session=session) if context else plain
    client.sendall(CONNECT + f"{number:04x}".encode())
    assert client.recv(4) == bytes.fromhex("20020000")
    return client


def resumed_handshakes(broker, seconds, context):
    """A processor second of the broker; each with a CONNECT, because TLS 1.3 brings its ticket after the handshake."""
    client = connect(broker, context, 0)
    before, count, end = processor_seconds(broker.pid), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        session = client.session
        client.close()
        client = connect(broker, context, count % 65_536, session)
        assert client.session_reused
        count += 1
    used = processor_seconds(broker.pid) - before
    client.close()
    return round(count / used) if used else None


def memory(broker, count, context):
    """Bytes that a connection adds."""
    clients = [connect(broker, context, number) for number in range(100)]  # what the first ones cost once
    before = status(broker.pid, "VmRSS")
    clients += [connect(broker, context, number) for number in range(100, 100 + count)]
    time.sleep(0.5)
    after = status(broker.pid, "VmRSS")
    for client in clients:
        client.close()
    return round((after - before) / count)


def client_context(version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def short(value):
    if value is None:
        return "–"
    if value >= 1e6:
        return f"{value / 1e6:.2f}M"
    return f"{value / 1e3:.1f}k" if value >= 1e4 else f"{value:g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", action="append")
    parser.add_argument("--load", default=".build/bench/mqttload")
    parser.add_argument("--parts", default="messages,handshakes,memory")
    parser.add_argument("--scenarios", default=",".join(SCENARIOS))
    parser.add_argument("--crowd", default="0,2", help="busy processes beside the broker while messages flow, each in turn")
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json")
    o = parser.parse_args()
    brokers = dict(entry.split("=", 1) for entry in o.broker or [
        "martlet=.build/release/martlet broker -c {conf}", "mosquitto=/usr/sbin/mosquitto -c {conf}"])
    parts = o.parts.split(",")
    if "messages" in parts and not (shutil.which("stunnel4") and os.access(o.load, os.X_OK)):
        raise SystemExit("messages: stunnel4 (apt-get install stunnel4) or mqttload (make bench builds it; --load) is missing")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, o.connections + 1000), hard))
    os.sched_setaffinity(0, {1})
    results = {}

    def keep(figure, broker, value):
        results.setdefault(figure, {}).setdefault(broker, []).append(value)

    with tempfile.TemporaryDirectory(prefix="martlet-tls-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        for key, options in KEYS.items():
            subprocess.run(["openssl", "req", "-x509", *options, "-nodes", "-keyout", f"{key}.key", "-out", f"{key}.crt", "-days",
                            "2", "-subj", "/CN=localhost"], cwd=folder, check=True, capture_output=True)
            (folder / f"{key}.key").chmod(0o644)  # mosquitto started by root becomes its own user first
        for _ in range(o.rounds):
            for scenario in o.scenarios.split(",") if "messages" in parts else []:
                for crowd, (label, command) in itertools.product(map(int, o.crowd.split(",")), brokers.items()):
                    for kind, key in (("plain", None), ("tls", "rsa2048")):
                        with Crowd(crowd):
                            run = messages(command, folder, o.load, scenario, key)
                        for figure in ("delivered_per_cpu_s", "delivered_per_s", "lost", "dups", "reordered"):
                            keep(f"{scenario}, crowd {crowd} {kind} {figure}", label, run.get(figure))
            for key in KEYS if "handshakes" in parts else []:
                for label, command in brokers.items():
                    for version, option in (("1.2", ssl.TLSVersion.TLSv1_2), ("1.3", ssl.TLSVersion.TLSv1_3)):
                        with Broker(command, folder, key) as broker:
                            keep(f"full handshakes {key} {version} per_cpu_s", label,
                                 full_handshakes(broker, o.seconds, "-tls1_" + version[2:]))
                            keep(f"resumed {key} {version} per_cpu_s", label,
                                 resumed_handshakes(broker, o.seconds, client_context(option)))
        for label, command in brokers.items() if "memory" in parts else []:
            for kind, key in (("tls", "rsa2048"), ("plain", None)):
                with Broker(command, folder, key) as broker:
                    keep(f"bytes a connection, {kind}", label,
                         memory(broker, o.connections, client_context() if key else None))
    names = list(brokers)
    print("| figure | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 1))
    for figure, values in results.items():
        row = [[value for value in values.get(label, []) if value is not None] for label in names]
        print(f"| {figure} | " + " | ".join(short(statistics.median(one) if one else None) for one in row) + " |")
    for figure in [name for name in results if name.endswith(" tls delivered_per_cpu_s")]:
        plain = results[figure.replace(" tls ", " plain ")]
        parts = [statistics.median(results[figure][label]) / statistics.median(plain[label]) for label in names]
        print(f"| {figure.removesuffix(' tls delivered_per_cpu_s')}: tls of plain | " + " | ".join(f"{part:.2f}" for part in parts) + " |")
    if o.json:
        pathlib.Path(o.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
