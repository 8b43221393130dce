"""Our tools under mosquitto's names, beside Debian's own; and brokers of either house for them."""

import os
import pathlib
import shlex
import signal
import subprocess
import tempfile
import time

from broker import ROOT, WAIT, answers, end_process, free_port, says_that_it_runs, until, whole_lines

PROGRAM = pathlib.Path(os.environ.get("MARTLET_PROGRAM") or ROOT / ".build/debug/martlet").resolve()
_links = tempfile.TemporaryDirectory(prefix="martlet-names-")
for _name in ("mosquitto_pub", "mosquitto_sub", "mosquitto_rr"):
    (pathlib.Path(_links.name) / _name).symlink_to(PROGRAM)

#: Where the programs of that house lie; a path to put before a name.
OURS, DEBIANS = f"{_links.name}/", "/usr/bin/"

GOLDEN = pathlib.Path(__file__).parent / "golden"

#: No file of options of whoever runs the tests.
ENVIRONMENT = {**os.environ, "HOME": "/nonexistent", "XDG_CONFIG_HOME": "/nonexistent", "TZ": "UTC"}


def run(house, line, stdin=b"", seconds=WAIT):
    """Runs `mosquitto_pub …` of a house; a list is taken as it is."""
    words = shlex.split(line) if isinstance(line, str) else list(line)
    return subprocess.run(
        [house + words[0], *words[1:]], input=stdin, capture_output=True, timeout=seconds, env=ENVIRONMENT)


class Listener:
    """A tool that runs beside the test, its output in files."""

    def __init__(self, house, line):
        words = shlex.split(line)
        self.folder = tempfile.TemporaryDirectory(prefix="martlet-listener-")
        self.paths = [pathlib.Path(self.folder.name) / name for name in ("out", "err")]
        self.files = [open(path, "wb") for path in self.paths]
        # mosquitto's keep their lines in a buffer when they do not write to a terminal.
        self.process = subprocess.Popen(
            ["stdbuf", "-oL", house + words[0], *words[1:]], stdin=subprocess.DEVNULL, stdout=self.files[0],
            stderr=self.files[1], env=ENVIRONMENT)

    @property
    def output(self):
        return self.paths[0].read_text(errors="replace")

    @property
    def errors(self):
        return self.paths[1].read_text(errors="replace")

    def until(self, text, count=1, seconds=WAIT):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.output.count(text) >= count:
                return self
            time.sleep(0.01)
        raise AssertionError(f"{text!r} did not come {count} times; there is:\n{self.output}{self.errors}")

    def end(self, seconds=WAIT):
        return self.process.wait(timeout=seconds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end_process(self.process)
        for file in self.files:
            file.close()
        self.folder.cleanup()


class HouseBroker:
    """A broker of a house: `martlet` or `mosquitto`, with a configuration that has `{port}` in it."""

    def __init__(self, house, conf="listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"):
        self.port = free_port()
        self.folder = tempfile.TemporaryDirectory(prefix="martlet-house-")
        pathlib.Path(self.folder.name).chmod(0o755)
        path = pathlib.Path(self.folder.name) / "broker.conf"
        path.write_text(conf.format(port=self.port))
        command = [PROGRAM, "broker", "-c", path] if house == "martlet" else ["/usr/sbin/mosquitto", "-c", path]
        self.log_path = pathlib.Path(self.folder.name) / "log"
        self.log_file = open(self.log_path, "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log_file, stderr=self.log_file)
        end = time.monotonic() + WAIT
        while (says_that_it_runs(conf) and " running\n" not in self.log) or not answers("127.0.0.1", self.port):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{house} does not listen:\n{self.log}")
            time.sleep(0.02)

    @property
    def log(self):
        return whole_lines(self.log_path)

    def subscribed(self, name):
        """Waits until the client of that name has its SUBACK; `log_type subscribe` has to be on."""
        until(lambda: f"Sending SUBACK to {name}\n" in self.log, lambda: f"no SUBACK to {name}:\n{self.log}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end_process(self.process, signal.SIGTERM)
        self.log_file.close()
        self.folder.cleanup()
