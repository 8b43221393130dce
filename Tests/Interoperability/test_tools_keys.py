"""Keys that our tools must ask somebody for: in a PKCS#11 token (SoftHSM's), and in a file behind a password."""

import os
import pathlib
import pty
import select
import subprocess
import time

import pytest

from authority import Authority
from our_tools import ENVIRONMENT, OURS, PROGRAM, HouseBroker, Listener, run

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "4711"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A folder with an authority, a server, a client whose key is encrypted, and two tokens that hold keys of RSA and of P-256."""
    folder = tmp_path_factory.mktemp("tokens")
    authority = Authority(folder)
    authority.issue("server", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    authority.issue("client", "/CN=locked")
    subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-in", "client.key", "-out", "locked.key", "-v2", "aes256", "-passout", "pass:open"],
        cwd=folder, check=True, capture_output=True)
    (folder / "password").write_text("open\n")
    (folder / "pin").write_text(PIN + "\n")
    (folder / "wrong").write_text("1234\n")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    environment = {**os.environ, "SOFTHSM2_CONF": f"{folder}/softhsm2.conf"}

    def do(*words):
        subprocess.run(list(map(str, words)), cwd=folder, env=environment, check=True, capture_output=True)

    for token, kind in (("rsa", "rsa"), ("curve", "p256")):
        do("softhsm2-util", "--init-token", "--free", "--label", token, "--so-pin", "12345678", "--pin", PIN)
        place = ["--pkcs11-module", MODULE, "--token", token, "--pin-file", "pin"]
        do(PROGRAM, "provision", "generate", "--key-type", kind, *place)
        do(PROGRAM, "provision", "csr", "--subject", f"/CN={token}", "--out", f"{token}.csr", *place)
        do("openssl", "x509", "-req", "-in", f"{token}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out",
           f"{token}.crt", "-days", "5")
        do(PROGRAM, "provision", "import", "--cert", f"{token}.crt", *place)
    return folder


@pytest.fixture(scope="module")
def broker(keys):
    conf = f"""
persistence false
log_dest stdout
listener {{port}} 127.0.0.1
cafile {keys}/ca.crt
certfile {keys}/server.crt
keyfile {keys}/server.key
require_certificate true
use_identity_as_username true
"""
    with HouseBroker("martlet", conf) as broker:
        yield broker


@pytest.fixture(autouse=True)
def tokens(keys, monkeypatch):
    monkeypatch.setitem(ENVIRONMENT, "SOFTHSM2_CONF", f"{keys}/softhsm2.conf")
    monkeypatch.setitem(ENVIRONMENT, "TOOLS_PIN", PIN)


@pytest.mark.parametrize("way", [
    "--pkcs11-module {module} --token rsa --pin-file {keys}/pin",
    "--pkcs11-module {module} --token curve --pin-env TOOLS_PIN",
    "--pkcs11-module {module} --token rsa --pin-file {keys}/pin --tls-version tlsv1.2",
    "--pkcs11-uri pkcs11:token=curve;object=Device%20Priv%20TLS%20Key?module-path={module}&pin-source={keys}/pin",
    "--pkcs11-module {module} --token curve --pin-file {keys}/pin --key-label Device\\ Priv\\ TLS\\ Key --cert-label Device\\ Cert",
    "--pkcs11-module {module} --token curve --pin-file {keys}/pin --cert {keys}/curve.crt"])
def test_a_token_signs_for_all_three(broker, keys, way):
    way = f"-h localhost -p {broker.port} --cafile {keys}/ca.crt " + way.format(module=MODULE, keys=keys).replace(";", "\\;")
    with Listener(OURS, f"mosquitto_sub -d {way} -t keys -C 1") as listener:
        listener.until("Subscribed")
        done = run(OURS, f"mosquitto_pub {way} -t keys -m signed")
        assert (done.returncode, done.stderr) == (0, b"")
        assert listener.end(60) == 0
        assert "\nsigned\n" in listener.output
    with Listener(OURS, f"mosquitto_sub -d {way} -V 5 -t ask -C 1") as service:
        service.until("Subscribed")
        done = run(OURS, f"mosquitto_rr {way} -t ask -e ask -m echo -W 60", seconds=90)
        assert (done.returncode, done.stdout) == (0, b"echo\n")
    assert f"u'{'rsa' if 'rsa' in way else 'curve'}'" in broker.log


@pytest.mark.parametrize("way,words", [
    ("--pkcs11-module /nowhere.so --pin-file {keys}/pin", "the PKCS#11 module /nowhere.so cannot be loaded"),
    ("--pkcs11-module {module} --token nobody --pin-file {keys}/pin", "no token with the label 'nobody'"),
    ("--pkcs11-module {module} --token rsa --pin-file {keys}/wrong", "refused the PIN"),
    ("--pkcs11-module {module} --token rsa --pin-file {keys}/nowhere", "nowhere"),
    ("--pkcs11-module {module} --token rsa --pin-env TOOLS_NO_PIN", "TOOLS_NO_PIN"),
    ("--pkcs11-module {module} --token rsa --pin-file {keys}/pin --key-label other", "no private key 'other'"),
    ("--pkcs11-module {module} --token rsa --pin-file {keys}/pin --cert {keys}/curve.crt", "is not for the private key"),
    ("--pkcs11-module {module} --token rsa --pin-file {keys}/pin --cert {keys}/nowhere", "--cert: "),
    ("--pkcs11-uri nonsense", "Error: "),
    # Nobody is there to be asked.
    ("--pkcs11-module {module} --token rsa", "PIN"),
    ("--cert {keys}/client.crt --key {keys}/locked.key", "--key-password-file")])
def test_says_what_is_wrong_with_a_key(broker, keys, way, words):
    way = way.format(module=MODULE, keys=keys)
    line = ["setsid", "-w", OURS + "mosquitto_pub", "-h", "localhost", "-p", str(broker.port), "--cafile", f"{keys}/ca.crt", *way.split(),
            "-t", "keys", "-m", "x"]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, env=ENVIRONMENT)
    assert done.returncode == 1
    assert words in done.stderr.decode()
    assert PIN not in done.stderr.decode() and "1234" not in done.stderr.decode()


def at_terminal(line, question, answer, stdin=None, seconds=60):
    """Runs a line at a terminal of its own, answers one question; returns the exit status and all that was shown."""
    reader, writer = os.pipe()
    pid, terminal = pty.fork()
    if pid == 0:
        os.dup2(reader, 0) if stdin is not None else None
        os.close(writer)
        os.execve(line[0], line, ENVIRONMENT)
    os.close(reader)
    if stdin is not None:
        os.write(writer, stdin)
    os.close(writer)
    shown, end, answered = b"", time.monotonic() + seconds, False
    while time.monotonic() < end:
        ready, _, _ = select.select([terminal], [], [], 0.2)
        if ready:
            try:
                piece = os.read(terminal, 4096)
            except OSError:
                break
            shown += piece
        if not answered and question in shown:
            answered = True
            os.write(terminal, answer)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), shown.decode(errors="replace")


def test_an_encrypted_key_is_asked_for_at_the_terminal(broker, keys):
    """Also where standard input is the payload, as OpenSSL does it for mosquitto's."""
    common = [OURS + "mosquitto_pub", "-h", "localhost", "-p", str(broker.port), "--cafile", f"{keys}/ca.crt", "--cert",
              f"{keys}/client.crt", "--key", f"{keys}/locked.key", "-t", "keys"]
    status, shown = at_terminal([*common, "-m", "x"], b"Enter PEM pass phrase:", b"open\n")
    assert status == 0 and "Enter PEM pass phrase:" in shown and "open" not in shown
    status, shown = at_terminal([*common, "-s"], b"Enter PEM pass phrase:", b"open\n", stdin=b"piped")
    assert status == 0, shown
    status, shown = at_terminal([*common, "-m", "x"], b"Enter PEM pass phrase:", b"wrong\n")
    assert status == 1 and "the password is wrong" in shown
    status, shown = at_terminal([*common, "-m", "x"], b"Enter PEM pass phrase:", b"\n")
    assert status == 1 and "--key-password-file" in shown


def test_a_pin_is_asked_for_at_the_terminal(broker, keys):
    line = [OURS + "mosquitto_pub", "-h", "localhost", "-p", str(broker.port), "--cafile", f"{keys}/ca.crt", "--pkcs11-module", MODULE,
            "--token", "rsa", "-t", "keys", "-m", "x"]
    status, shown = at_terminal(line, b"PIN of the token 'rsa': ", PIN.encode() + b"\n")
    assert status == 0, shown
    assert PIN not in shown


def test_a_pin_in_a_uri_does_not_stay_in_the_process_list(broker, keys):
    uri = f"pkcs11:token=rsa?module-path={MODULE}&pin-value={PIN}"
    line = f"mosquitto_sub -d -h localhost -p {broker.port} --cafile {keys}/ca.crt --pkcs11-uri '{uri}' -t keys"
    with Listener(OURS, line) as listener:
        listener.until("Subscribed")
        shown = pathlib.Path(f"/proc/{listener.process.pid}/cmdline").read_bytes()
        assert PIN.encode() not in shown and b"pin-value=****" in shown
