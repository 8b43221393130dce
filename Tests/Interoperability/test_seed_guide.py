"""The IoT guide's broker: its configurations, its certificates by mkcert, its commands. [C16] [C19] [C20] [C21] [C22]"""

import subprocess

import pytest

from broker import IS_MOSQUITTO
from seeds import OurTool, Recipe, SeedBroker, logged, martlet
from tools import run

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="log lines are Martlet's")

PRODUCTION = {"/path/to/your/cafile": "ca.crt", "/path/to/your/certfile": "server.crt", "/path/to/your/keyfile": "server.key"}
TLS = {"/path/to/mosquitto.crt": "mosquitto.crt", "/path/to/mosquitto.key": "mosquitto.key"}


def in_folder(paths, folder):
    return {old: folder / new for old, new in paths.items()}


def publish(broker, options):
    return run(f'mosquitto_pub -h localhost -t "test/topic" -m "Hello World" {options}', broker.port)


@pytest.fixture(params=["mkcert", "martlet"])
def mkcert(request, tmp_path, monkeypatch):
    """`mkcert -cert-file mosquitto.crt -key-file mosquitto.key localhost` by Debian's mkcert, and by ours."""
    monkeypatch.setenv("CAROOT", str(tmp_path / "caroot"))
    (tmp_path / "caroot").mkdir()
    line = "-cert-file mosquitto.crt -key-file mosquitto.key localhost"
    if request.param == "mkcert":
        subprocess.run(["mkcert", *line.split()], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    else:
        martlet(tmp_path, f"martlet certs mkcert {line}")
    return tmp_path


def test_production_without_a_password_file_admits_nobody(tmp_path):
    """C16: the block loads as it is, `allow_anonymous false  # …` included."""
    Recipe(tmp_path).server("server", "localhost")
    with SeedBroker("guide-production.conf", in_folder(PRODUCTION, tmp_path)) as broker:
        done = publish(broker, f"--cafile {tmp_path}/ca.crt")
        assert done.returncode == 5 and "not authorised" in done.stderr
        logged(broker, "this listener lets nobody in without (allow_anonymous false)")


@pytest.mark.parametrize("maker", [Recipe, OurTool])
@pytest.mark.parametrize("tool", ["mosquitto_passwd", "martlet passwd"])
def test_login(tmp_path, maker, tool):
    """C21 and C22: the password file of either tool; right, wrong and no password."""
    maker(tmp_path).server("server", "localhost")
    if tool == "mosquitto_passwd":
        subprocess.run(["mosquitto_passwd", "-b", "-c", "passwd", "username", "password"], cwd=tmp_path, check=True, timeout=60)
    else:
        martlet(tmp_path, "martlet passwd -b -c passwd username password")
    extra = f"password_file {tmp_path}/passwd\nlog_type all\n"
    with SeedBroker("guide-production.conf", in_folder(PRODUCTION, tmp_path), extra) as broker:
        right = publish(broker, f"-u username -P password --cafile {tmp_path}/ca.crt")
        assert right.returncode == 0, right.stderr + broker.log
        for options in ("-u username -P wrong", "-u nobody -P password", ""):
            wrong = publish(broker, f"{options} --cafile {tmp_path}/ca.crt")
            assert wrong.returncode == 5 and "Connection Refused: not authorised." in wrong.stderr
        logged(broker, "user 'username', refused")
        logged(broker, "Client <unknown> disconnected, not authorised.")


def test_tls_without_cafile_and_without_anonymous(mkcert):
    """C19 as it is printed: TLS is served, but a written listener admits nobody, and the log names the missing line."""
    with SeedBroker("guide-tls.conf", in_folder(TLS, mkcert)) as broker:
        done = publish(broker, f"--cafile {mkcert}/caroot/rootCA.pem")
        assert done.returncode == 5 and "not authorised" in done.stderr
        assert "(allow_anonymous false)" in logged(broker, "refused: it gave no user name")


def test_tls_without_cafile(mkcert):
    """C19 with the line that the guide leaves out; C20 with the authority's file. With the server's own certificate, as the
    guide prints it, Debian's tools refuse: they want a root. Our own tools pin such a file exactly."""
    with SeedBroker("guide-tls.conf", in_folder(TLS, mkcert), "allow_anonymous true\n") as broker:
        done = publish(broker, f"--cafile {mkcert}/caroot/rootCA.pem")
        assert done.returncode == 0, done.stderr
        pinned = publish(broker, f"-d --cafile {mkcert}/mosquitto.crt")
        assert pinned.returncode != 0 and "certificate verify failed" in pinned.stdout + pinned.stderr
        logged(broker, "the client said 'unknown ca'")
    for options, status in (("--pin --cafile mosquitto.crt", 0), ("--cafile caroot/rootCA.pem", 0), ("--cafile mosquitto.crt", 1)):
        line = f"martlet certs verify mosquitto.crt --host localhost {options}"
        try:
            martlet(mkcert, line)
            assert status == 0, line
        except subprocess.CalledProcessError as refusal:
            assert refusal.returncode == status, (line, refusal.stdout, refusal.stderr)
