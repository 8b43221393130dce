"""A broker on a store of its own, and its loader: what drain.py and startup.py share."""
import json, os, shlex, shutil, signal, socket, subprocess, tempfile, threading, time

HERE = os.path.dirname(os.path.abspath(__file__))
CONF = """listener {port} 127.0.0.1
allow_anonymous true
max_queued_messages 0
max_inflight_messages {inflight}
persistence true
persistence_location {store}/
event_loops {loops}
sys_interval 0
"""


def megabytes(count):
    return round(count / 1e6, 1)


class Broker:
    """Started on `store`; samples its resident memory four times a second until it ends."""

    def __init__(self, command, store, inflight=1000, loops=1, wait=120, settings=""):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.store = store
        conf = os.path.join(store, "broker.conf")
        with open(conf, "w") as f:
            f.write(CONF.format(port=self.port, store=store, inflight=inflight, loops=loops) + settings)
        log = open(os.path.join(store, "broker.log"), "ab")
        started = time.monotonic()
        self.process = subprocess.Popen(
            shlex.split(command.format(conf=conf)), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while True:
            try:
                connect(self.port).close()
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() - started > wait:
                    self.stop()
                    raise SystemExit("the broker does not serve:\n" + open(log.name).read()[-2000:])
                time.sleep(0.005)
        self.seconds_to_serve = time.monotonic() - started
        self.samples = []
        threading.Thread(target=self._sample, daemon=True).start()

    def _sample(self):
        start = time.monotonic()
        while self.process.poll() is None:
            self.samples.append((round(time.monotonic() - start, 2), self.resident()))
            time.sleep(0.25)

    def resident(self):
        try:
            with open("/proc/%d/statm" % self.process.pid) as f:
                return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):
            return 0

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def store_bytes(self):
        return sum(os.path.getsize(os.path.join(self.store, name))
                   for name in os.listdir(self.store) if name.startswith("martlet.db"))


def connect(port):
    """Serving means: CONNECT is answered."""
    s = socket.create_connection(("127.0.0.1", port), 60)
    s.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x00\x00\x04look")
    s.settimeout(60)
    if s.recv(4) != b"\x20\x02\x00\x00":
        raise OSError("no CONNACK")
    return s


class Loader:
    """queueload.c, built for this run."""

    def __init__(self, folder):
        self.program = os.path.join(folder, "queueload")
        subprocess.run(["cc", "-O2", "-o", self.program, os.path.join(HERE, "queueload.c")], check=True)

    def __call__(self, *arguments):
        done = subprocess.run([self.program] + [str(a) for a in arguments], stdout=subprocess.PIPE, text=True)
        result = json.loads(done.stdout or '{"error": "nothing said"}')
        if "error" in result:
            raise SystemExit("queueload %s: %s" % (" ".join(map(str, arguments)), result["error"]))
        return result


class Folder:
    """A temporary folder with room for a large store."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="martlet-durable-")
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)
