"""The seeds' configurations with our ports and paths, and certificates made as the seeds make them or by `martlet certs`."""

import pathlib
import re
import shlex
import subprocess

from broker import COMMAND, Broker, free_port, until

SEEDS = pathlib.Path(__file__).resolve().parent / "seeds"


class SeedBroker(Broker):
    """Starts `name` from the folder `seeds`. Each port becomes a free one (`ports`), each path of `paths` another; lines
    in `extra` are added at the end, and nothing else is changed. Listeners stay on every interface, as they are written."""

    def __init__(self, name, paths, extra=""):
        text = (SEEDS / name).read_text()
        self.ports = {number: free_port() for number in re.findall(r"^listener (\d+)", text, re.MULTILINE)}
        first, *others = self.ports
        text = text.replace("{", "{{").replace("}", "}}")
        for old, new in paths.items():
            assert old in text, f"{old} is not in {name}"
            text = text.replace(old, str(new))
        for number in others:
            text = text.replace(f"listener {number}\n", f"listener {self.ports[number]}\n")
        super().__init__(text.replace(f"listener {first}\n", "listener {port}\n"), extra=extra)
        self.ports[first] = self.port


def command(folder, line, stdin=None):
    subprocess.run(
        shlex.split(line), cwd=folder, check=True, capture_output=True, timeout=60, input=stdin,
        stdin=None if stdin else subprocess.DEVNULL)


def martlet(folder, line):
    """Runs a line that begins with `martlet certs`."""
    program = shlex.split(COMMAND)[0]
    command(folder, line.replace("martlet", shlex.quote(program), 1))


class Recipe:
    """The tutorial's openssl commands: certificates of version 1, without alternative names. The authority's key is
    encrypted, as `req -new -x509` leaves it."""

    def __init__(self, folder, ca="ca", subject="/C=DE/O=Seeds/CN=Seed CA"):
        self.folder, self.ca = pathlib.Path(folder), ca
        self._openssl(f"req -new -x509 -days 365 -extensions v3_ca -newkey rsa:2048 -keyout {ca}.key -out {ca}.crt"
                      f" -subj '{subject}' -passout pass:secret")

    def _openssl(self, line):
        command(self.folder, f"openssl {line}")

    def issue(self, name, subject, days=365):
        """`days=-1` has expired."""
        self._openssl(f"genrsa -out {name}.key 2048")
        self._openssl(f"req -out {name}.csr -key {name}.key -new -subj '{subject}'")
        self._openssl(f"x509 -req -in {name}.csr -CA {self.ca}.crt -CAkey {self.ca}.key -passin pass:secret"
                      f" -CAcreateserial -out {name}.crt -days {days}")
        (self.folder / f"{name}.key").chmod(0o600)

    def server(self, name, host):
        self.issue(name, f"/C=DE/O=Seeds/CN={host}")

    def client(self, name, user):
        self.issue(name, f"/C=DE/O=Seeds/CN={user}")

    def revoke(self, *names):
        (self.folder / "index.txt").write_text("")
        (self.folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=30\n")
        ca = f"ca -config ca.cnf -cert {self.ca}.crt -keyfile {self.ca}.key -passin pass:secret"
        for name in names:
            self._openssl(f"{ca} -revoke {name}.crt")
        self._openssl(f"{ca} -gencrl -out {self.ca}.crl")


class OurTool:
    """The same by `martlet certs`, with its own defaults."""

    def __init__(self, folder, ca="ca", subject="/O=Seeds/CN=Seed CA"):
        self.folder, self.ca = pathlib.Path(folder), ca
        martlet(folder, f"martlet certs ca --out {ca}.crt --subject '{subject}'")

    def issue(self, name, subject, days=365):
        """By request and signature; OpenSSL signs what is to have expired, for we refuse to."""
        martlet(self.folder, f"martlet certs key {name}.key")
        martlet(self.folder, f"martlet certs csr --key {name}.key --subject '{subject}' --out {name}.csr")
        if days > 0:
            martlet(self.folder, f"martlet certs sign {name}.csr --ca {self.ca}.crt --days {days} --out {name}.crt")
        else:
            command(self.folder, f"openssl x509 -req -in {name}.csr -CA {self.ca}.crt -CAkey {self.ca}.key"
                                 f" -CAcreateserial -out {name}.crt -days {days}")

    def server(self, name, host):
        martlet(self.folder, f"martlet certs server {host} --ca {self.ca}.crt --out {name}.crt")

    def client(self, name, user):
        martlet(self.folder, f"martlet certs client {user} --ca {self.ca}.crt --out {name}.crt")

    def revoke(self, *names):
        martlet(self.folder, f"martlet certs revoke {' '.join(name + '.crt' for name in names)} --ca {self.ca}.crt")


MAKERS = {"openssl": Recipe, "martlet": OurTool}


def logged(broker, text):
    """Waits for a line with the text, and returns it."""
    return until(
        lambda: next((line for line in broker.log.splitlines() if text in line), None),
        lambda: f"no line with {text!r} in:\n{broker.log}")
