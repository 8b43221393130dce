"""Examples/chat-broker as its one command makes it, with a broker on it."""

import os
import re
import shlex
import signal
import subprocess

from broker import ROOT, answers, end_process, free_port, whole_lines
from our_tools import PROGRAM
from seeds import logged

PREPARE = ROOT / "Examples/chat-broker/prepare"
#: How one comes in: in the clear, over TLS, by certificate.
ENTERING = ["plain", "tls", "certificate"]


def prepare(folder, *options, ports=None):
    """The one command, with martlet where it is built."""
    command = [PREPARE, folder, *options, *(["--ports", ",".join(map(str, ports))] if ports else [])]
    return subprocess.run(command, env={**os.environ, "MARTLET": str(PROGRAM)}, capture_output=True, text=True, timeout=120)


class ChatBroker:
    """A prepared folder, and the broker on it: started as `prepare` says."""

    def __init__(self, folder, ports=()):
        """`ports` are taken if all of them are free."""
        self.folder = folder
        wanted = ports if ports and not any(answers("localhost", port) for port in ports) else (free_port() for _ in ENTERING)
        self.ports = dict(zip(ENTERING, wanted))
        self.told = prepare(folder, ports=self.ports.values())
        assert self.told.returncode == 0, self.told
        self.line = re.search(r"^Start it: +(.*)$", self.told.stdout, re.MULTILINE)[1]
        self.start()

    def start(self):
        self.log_file = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(
            shlex.split(self.line), stdin=subprocess.DEVNULL, stdout=self.log_file, stderr=self.log_file)
        logged(self, " running")

    def restart(self, how):
        """Ends it by that signal, and starts it again on the same folder."""
        end_process(self.process, how)
        self.log_file.close()
        self.start()

    @property
    def log(self):
        return whole_lines(self.folder / "log")

    def where(self, entering, user=None):
        """Options by which a tool comes to one of the three ports, as the exercise has them."""
        options = f"-h localhost -p {self.ports[entering]}"
        if entering != "plain":
            options += f" --cafile {self.folder}/certs/mqtt_ca.crt"
        return options + (f" -u {user} -P {self.password(user)}" if user else "")

    def password(self, user):
        return (self.folder / "admin-password").read_text().strip() if user == "admin" else user

    def stop(self):
        end_process(self.process, signal.SIGTERM)
        self.log_file.close()
