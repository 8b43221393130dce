"""mosquitto_pub, mosquitto_sub and mosquitto_rr, run as a person would type them."""

import pathlib
import shlex
import signal
import subprocess
import tempfile
import time

from broker import WAIT, end_process


def run(line, port, stdin=None, seconds=WAIT):
    """Runs a command line to its end. `-p PORT` is put after the program's name; nothing else is changed."""
    program, *arguments = shlex.split(line)
    return subprocess.run(
        [program, "-p", str(port), *arguments], input=stdin, capture_output=True, text=True, timeout=seconds,
        stdin=subprocess.DEVNULL if stdin is None else None)


class Background:
    """A command that goes on while the test does other things; its output goes to a file that we read as it grows."""

    def __init__(self, line, port):
        program, *arguments = shlex.split(line)
        self._folder = tempfile.TemporaryDirectory(prefix="martlet-tools-")
        self._path = pathlib.Path(self._folder.name) / "output"
        self._file = open(self._path, "wb")
        # These tools keep their lines in a buffer when they do not write to a terminal.
        self.process = subprocess.Popen(
            ["stdbuf", "-oL", program, "-p", str(port), *arguments], stdin=subprocess.DEVNULL, stdout=self._file,
            stderr=subprocess.STDOUT)

    @property
    def output(self):
        return self._path.read_text(errors="replace")

    def until(self, text, count=1, seconds=WAIT):
        """Waits until the output holds `text` so many times."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.output.count(text) >= count:
                return self
            if self.process.poll() is not None and self.output.count(text) < count:
                break
            time.sleep(0.02)
        raise AssertionError(f"{text!r} did not come {count} times; there is:\n{self.output}")

    def end(self, seconds=WAIT):
        """Waits for the command's own end; returns its status and all of its output."""
        status = self.process.wait(timeout=seconds)
        return status, self.output

    def kill(self, how=signal.SIGKILL):
        end_process(self.process, how, WAIT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self._file.close()
        self._folder.cleanup()
