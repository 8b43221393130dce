"""`martlet chat` as a script drives it: a command a line in, an event a line out."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time

from broker import WAIT, end_process
from our_tools import PROGRAM


class Chat:
    """One `martlet chat --json`. Each event is a dict; `next` waits for one that has all the fields named."""

    def __init__(self, name, where, *options, folder=None):
        self.name = name
        self._folder = None if folder else tempfile.TemporaryDirectory(prefix="martlet-chat-")
        environment = {**os.environ, "XDG_STATE_HOME": str(folder or self._folder.name), "TZ": "UTC"}
        self.process = subprocess.Popen(
            [PROGRAM, "chat", "-u", name, "--json", "--explain", *where, *options], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        self.events, self._changed, self._taken = [], threading.Condition(), 0
        self._errors = []
        self._threads = [threading.Thread(target=self._read, daemon=True), threading.Thread(target=self._read_errors, daemon=True)]
        for thread in self._threads:
            thread.start()

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                self.events.append({**json.loads(line), "at": time.monotonic()})
                self._changed.notify_all()
        with self._changed:
            self.events.append({"event": "end of output"})
            self._changed.notify_all()

    def _read_errors(self):
        self._errors.append(self.process.stderr.read().decode())

    @property
    def errors(self):
        self._threads[1].join(WAIT)
        return "".join(self._errors)

    def say(self, *lines):
        for line in lines:
            self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        return self

    def next(self, event, **fields):
        """The next event of that kind with those fields, behind the one that was found last; others are passed over."""
        end = time.monotonic() + WAIT
        with self._changed:
            while True:
                while self._taken < len(self.events):
                    found = self.events[self._taken]
                    self._taken += 1
                    if found["event"] == event and all(found.get(key) == value for key, value in fields.items()):
                        return found
                if not self._changed.wait(max(0.0, end - time.monotonic())):
                    raise AssertionError(f"{self.name}: no {event} with {fields}; there is:\n" + "\n".join(map(str, self.events[-40:])))

    def all(self, event, **fields):
        """All of that kind so far."""
        with self._changed:
            return [found for found in self.events
                    if found["event"] == event and all(found.get(key) == value for key, value in fields.items())]

    def until(self, count, event, **fields):
        """Waits until so many have come, wherever between others, and returns them: people and groups have no order together."""
        end = time.monotonic() + WAIT
        while len(found := self.all(event, **fields)) < count:
            assert time.monotonic() < end, f"{self.name}: {len(found)} of {count} {event} with {fields}"
            time.sleep(0.02)
        return found

    def arrived(self):
        """Waits until the list of people has come."""
        self.next("who")
        return self

    def here(self):
        """Asks who is here."""
        self.say("/who")
        return [person["name"] for person in self.next("who")["people"]]

    def until_here(self, *names):
        """Asks until these are here, and nobody else."""
        end = time.monotonic() + WAIT
        while (seen := self.here()) != sorted(names):
            assert time.monotonic() < end, f"{self.name} sees {seen}"
            time.sleep(0.05)

    def quit(self):
        """By the command; returns the exit status."""
        self.say("/quit")
        return self.end()

    def end(self):
        self.process.stdin.close()
        return self.process.wait(timeout=WAIT)

    def kill(self, how=signal.SIGKILL):
        end_process(self.process, how, WAIT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except (BrokenPipeError, ValueError):
                pass


def packets(event):
    """`→ PUBLISH 2` for each packet of an event."""
    arrows = {"sent": "→", "received": "←"}
    return [f"{arrows[packet['direction']]} {packet['type']}" + (f" {packet['qos']}" if packet["type"] == "PUBLISH" else "")
            for packet in event.get("packets", [])]


class Terminal:
    """`martlet chat` on a terminal: tmux holds it, types into it and reads it."""

    def __init__(self, columns, rows, *arguments, folder):
        self.socket = str(pathlib.Path(folder) / "tmux")
        command = " ".join(f"'{word}'" for word in [str(PROGRAM), "chat", *arguments])
        # A shell stands below, so that what the chat leaves behind can be seen.
        self._run("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows),
                  f"export XDG_STATE_HOME={folder} TZ=UTC PS1='$ '; {command}; echo \"status $?\"; exec sh")

    def _run(self, *words):
        environment = {key: value for key, value in os.environ.items() if key not in ("TMUX", "TMUX_PANE")}
        return subprocess.run(
            ["tmux", "-u", "-S", self.socket, *words], check=True, capture_output=True, text=True, timeout=WAIT,
            env={**environment, "LC_ALL": "C.UTF-8"}).stdout

    def type(self, text):
        self._run("send-keys", "-l", text)
        return self

    def press(self, *keys):
        self._run("send-keys", *keys)
        return self

    def resize(self, columns, rows):
        self._run("resize-window", "-x", str(columns), "-y", str(rows))
        return self

    @property
    def screen(self):
        return self._run("capture-pane", "-p").split("\n")[:-1]

    @property
    def painted(self):
        """The screen with its colours, and the cursor's column and row."""
        cursor = self._run("display-message", "-p", "#{cursor_x} #{cursor_y}").split()
        return self._run("capture-pane", "-e", "-N", "-p"), tuple(map(int, cursor))

    @property
    def process_id(self):
        """Of the chat: the one child of the shell."""
        shell = self._run("display-message", "-p", "#{pane_pid}").strip()
        for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                # `pid (name) state parent …`; the name may hold anything but is closed by the last bracket.
                if status.read_text().rpartition(")")[2].split()[1] == shell:
                    return int(status.parent.name)
            except (FileNotFoundError, ProcessLookupError):
                continue
        raise AssertionError(f"the shell {shell} has no child")

    def until(self, test):
        """Waits until the screen (a list of rows) passes; a text has to stand somewhere in it. Returns the screen."""
        end = time.monotonic() + WAIT
        passes = (lambda rows: any(test in row for row in rows)) if isinstance(test, str) else test
        while not passes(screen := self.screen):
            assert time.monotonic() < end, f"not {test if isinstance(test, str) else ''}:\n" + "\n".join(screen)
            time.sleep(0.05)
        return screen

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self._run("kill-server")
        except subprocess.CalledProcessError:
            pass
