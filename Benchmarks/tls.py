#!/usr/bin/env python3
"""What TLS costs a broker: processor time of a handshake, memory of a connection; beside mosquitto.

    Benchmarks/tls.py [--broker 'NAME=COMMAND with {conf}']... [--connections 2000] [--seconds 10]

Handshakes are made by two `openssl s_time -new`; they are counted a second of the broker's own processor time, because
the two sides share this machine's. Memory is what 1,000s of idle clients add to the resident set, each after its CONNACK.
Certificate: RSA 2048, made anew. Loopback only, bounded in time. Prints JSON.
"""
import argparse, json, os, pathlib, re, resource, shlex, signal, socket, ssl, subprocess, tempfile, time

CONNECT = bytes.fromhex("10 10 0004 4d515454 04 02 0000 0004".replace(" ", ""))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def status(pid, key):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Broker:
    def __init__(self, command, folder, plain=False):
        self.port = free_port()
        conf = folder / "broker.conf"
        tls = "" if plain else f"certfile {folder}/server.crt\nkeyfile {folder}/server.key\n"
        conf.write_text(f"log_type error\nlistener {self.port} 127.0.0.1\nallow_anonymous true\n{tls}")
        self.process = subprocess.Popen(
            shlex.split(command.replace("{conf}", str(conf))), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        end = time.monotonic() + 15
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise SystemExit(f"{command} does not listen")
                time.sleep(0.05)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(15)


def handshakes(broker, seconds, version):
    before, start = processor_seconds(broker.process.pid), time.monotonic()
    runs = [subprocess.Popen(
        ["openssl", "s_time", "-connect", f"127.0.0.1:{broker.port}", "-new", "-time", str(seconds), version],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for _ in range(2)]
    count = 0
    for run in runs:
        text = run.communicate(timeout=seconds * 3 + 20)[0]
        found = re.search(r"(\d+) connections in [\d.]+ real seconds", text)
        count += int(found.group(1)) if found else 0
    used = processor_seconds(broker.process.pid) - before
    return {"handshakes": count, "per_processor_second": round(count / used) if used else None,
            "per_second": round(count / (time.monotonic() - start))}


def memory(broker, count, context):
    """Bytes a connection adds. The clients live in a process of their own kind: plain sockets wrapped one by one."""
    clients = []

    def connect(number):
        plain = socket.create_connection(("127.0.0.1", broker.port), 10)
        client = context.wrap_socket(plain) if context else plain
        identifier = f"{number:04x}".encode()
        client.sendall(CONNECT + identifier)
        assert client.recv(4) == bytes.fromhex("20020000")
        clients.append(client)

    for number in range(100):  # what the first ones cost once
        connect(number)
    before = status(broker.process.pid, "VmRSS")
    for number in range(100, 100 + count):
        connect(number)
    time.sleep(0.5)
    after = status(broker.process.pid, "VmRSS")
    for client in clients:
        client.close()
    return round((after - before) / count)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", action="append")
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--seconds", type=int, default=10)
    o = parser.parse_args()
    brokers = o.broker or ["martlet=.build/release/martlet broker -c {conf}", "mosquitto=/usr/sbin/mosquitto -c {conf}"]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, o.connections + 1000), hard))
    results = {}
    with tempfile.TemporaryDirectory(prefix="martlet-tls-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out",
                        "server.crt", "-days", "2", "-subj", "/CN=localhost"], cwd=folder, check=True, capture_output=True)
        (folder / "server.key").chmod(0o644)  # mosquitto started by root becomes its own user first
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for entry in brokers:
            label, command = entry.split("=", 1)
            result = results[label] = {}
            for version in ("-tls1_2", "-tls1_3"):
                broker = Broker(command, folder)
                result[version[1:]] = handshakes(broker, o.seconds, version)
                broker.stop()
            for kind, wrapped in (("tls", context), ("plain", None)):
                broker = Broker(command, folder, plain=wrapped is None)
                result[f"{kind}_bytes_a_connection"] = memory(broker, o.connections, wrapped)
                broker.stop()
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
