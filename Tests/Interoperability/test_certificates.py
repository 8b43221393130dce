"""`martlet certs` as the guide tells it: from nothing to mutual TLS in five commands, with mosquitto's clients."""

import pathlib
import shlex
import subprocess

import pytest

from broker import COMMAND, IS_MOSQUITTO, Broker
from seeds import logged
from tools import run

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="it is our program that makes the certificates")

GUIDE = pathlib.Path(__file__).resolve().parents[2] / "Docs/guides/certificates.md"


def certs(folder, line, status=0):
    """Runs `martlet certs …` in the folder."""
    program = shlex.split(COMMAND)[0]
    done = subprocess.run(
        [program, *shlex.split(line)[1:]], cwd=folder, capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def guide_commands():
    """The `martlet certs` lines of the guide's first block, without their remarks."""
    block = GUIDE.read_text().split("```sh\n", 1)[1].split("```", 1)[0]
    return [line.split("#")[0].strip() for line in block.splitlines() if line.startswith("martlet certs")]


def mutual(folder, extra=""):
    return Broker(
        f"listener {{port}} 127.0.0.1\ncafile {folder}/ca.crt\ncertfile {folder}/server.crt\nkeyfile {folder}/server.key\n"
        f"require_certificate true\nuse_identity_as_username true\nlog_type all\n{extra}")


def publish(folder, port, certificate, options=""):
    return run(
        f"mosquitto_pub -h localhost --cafile {folder}/ca.crt --cert {folder}/{certificate}.crt"
        f" --key {folder}/{certificate}.key -t hello -m world -q 1 {options}", port)


def test_from_nothing_to_mutual_tls(tmp_path):
    commands = guide_commands()
    assert len(commands) == 3
    for command in commands:
        certs(tmp_path, command)
    with mutual(tmp_path) as broker:
        done = publish(tmp_path, broker.port, "sensor1")
        assert done.returncode == 0, done.stderr + broker.log
        logged(broker, "u'sensor1'")  # the common name is the user
        without = run(f"mosquitto_pub -h localhost --cafile {tmp_path}/ca.crt -t hello -m world -q 1", broker.port)
        assert without.returncode != 0


def test_a_revoked_client_stays_out(tmp_path):
    certs(tmp_path, "martlet certs demo-set .")
    certs(tmp_path, "martlet certs client other --key-type p256")
    certs(tmp_path, "martlet certs revoke client.crt --reason keyCompromise")
    with mutual(tmp_path, f"crlfile {tmp_path}/ca.crl\n") as broker:
        assert publish(tmp_path, broker.port, "other").returncode == 0, broker.log
        assert publish(tmp_path, broker.port, "client").returncode != 0
        logged(broker, "revoked")


def test_openssl_and_martlet_take_turns(tmp_path):
    """The tutorial's authority by OpenSSL, its key encrypted; request and signature by us; then a login. [E38] [E42]"""
    def openssl(line):
        subprocess.run(["openssl", *shlex.split(line)], cwd=tmp_path, check=True, capture_output=True, timeout=60)

    openssl("req -new -x509 -days 365 -extensions v3_ca -newkey rsa:2048 -keyout ca.key -out ca.crt -subj /CN=CA"
            " -passout pass:secret")
    (tmp_path / "pass").write_text("secret\n")
    certs(tmp_path, "martlet certs server localhost --ca-passphrase-file pass")
    certs(tmp_path, "martlet certs key DSN000001.key")
    certs(tmp_path, "martlet certs csr --key DSN000001.key --subject /CN=client.liot.com --out DSN000001.csr")
    openssl("x509 -req -in DSN000001.csr -CA ca.crt -CAkey ca.key -passin pass:secret -CAcreateserial -out DSN000001.crt"
            " -days 365")
    with mutual(tmp_path) as broker:
        done = publish(tmp_path, broker.port, "DSN000001", "-i DSN000001")
        assert done.returncode == 0, done.stderr + broker.log
        logged(broker, "u'client.liot.com'")
