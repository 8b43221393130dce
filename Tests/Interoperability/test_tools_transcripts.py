"""The seeds' transcripts, line by line: our tools against our broker and Debian's; with its dynamic security too."""

import json
import re
import subprocess
import time

import pytest

from authority import Authority
from broker import end_process
from our_tools import GOLDEN, OURS, HouseBroker, Listener, run
from seeds import logged

LOCAL = """
per_listener_settings false
listener {port} 127.0.0.1
allow_anonymous true
persistence false
"""
PAYLOAD = '{"greeting": "Cool MQTT2"}'


@pytest.fixture(params=["martlet", "mosquitto"])
def house(request):
    with HouseBroker(request.param, LOCAL) as broker:
        yield broker


def golden(name):
    return (GOLDEN / name).read_text()


def test_e16_then_e15_with_pings(house):
    published = run(OURS, ["mosquitto_pub", "-d", "-r", "-h", "localhost", "-p", str(house.port), "-u", "u", "-P", "p",
                           "-t", "test/topic", "-m", PAYLOAD])
    assert published.stdout.decode() == golden("e16_pub_retained.txt")
    assert (published.returncode, published.stderr) == (0, b"")
    # The seed waits 10 seconds twice; half of that is the least that mosquitto takes.
    line = f"mosquitto_sub -d -k 5 -v -h localhost -p {house.port} -u u -P p -t test/topic"
    with Listener(OURS, line) as listener:
        listener.until("received PINGRESP", count=2)
        listener.process.terminate()
        assert listener.end() == 0
        # A busy machine may let one more pass before it ends.
        pings = r"(Client \S+ sending PINGREQ\nClient \S+ received PINGRESP\n)"
        assert re.sub(rf"{pings}{{2,}}", r"\1\1", listener.output) == golden("e15_sub_keepalive.txt")


def test_e29_last_will(house):
    sub = f"mosquitto_sub -d -v -p {house.port} -t test/lwt"
    pub = (f"mosquitto_pub -p {house.port} -t test/x -m x --repeat 3 --repeat-delay 30 --will-topic test/lwt "
           "--will-qos 1 --will-payload 'publisher has lost connectivity' -d")
    with Listener(OURS, sub) as listener:
        listener.until("Subscribed")
        with Listener(OURS, pub) as publisher:
            publisher.until("sending PUBLISH")
            end_process(publisher.process)
        listener.until("lost connectivity")
        listener.process.terminate()
        assert listener.end() == 0
        assert listener.output == golden("e29_lwt_sub.txt")


def test_publish_twice_at_qos_2(house):
    done = run(OURS, f"mosquitto_pub -d -q 2 -p {house.port} -t test/y -m abc --repeat 2 --repeat-delay 0.1")
    assert done.stdout.decode() == golden("pub_q2_repeat2.txt")
    assert done.returncode == 0


def test_subscribe_at_qos_2(house):
    with Listener(OURS, f"mosquitto_sub -d -v -q 2 -C 1 -p {house.port} -t test/q2") as listener:
        listener.until("Subscribed")
        assert run(OURS, f"mosquitto_pub -q 2 -p {house.port} -t test/q2 -m q2msg").returncode == 0
        assert listener.end() == 0
        assert listener.output == golden("sub_q2.txt")


def test_pings_come_every_keepalive(house):
    with Listener(OURS, f"mosquitto_sub -d -k 5 -p {house.port} -t test/ping") as listener:
        listener.until("received PINGRESP")
        before = time.monotonic()
        for count in range(2, 12):
            listener.until("received PINGRESP", count=count)
            now = time.monotonic()
            if 3 < now - before < 7:  # a busy machine may show one of them late
                break
            before = now
        assert 3 < now - before < 7


# E47 and E50: mosquitto with its dynamic security, certificates for names.

PLUGIN = "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so"


def dynamic_security(folder, clients, roles):
    folder.chmod(0o755)
    authority = Authority(folder)
    authority.issue("server", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    authority.issue("client", "/CN=client.liot.com")
    authority.issue("admin", "/CN=admin")
    (folder / "dynamic-security.json").write_text(json.dumps({
        "defaultACLAccess": {
            "publishClientSend": True, "publishClientReceive": True, "subscribe": False, "unsubscribe": True},
        "clients": clients, "groups": [], "roles": roles}))
    for path in folder.iterdir():
        path.chmod(0o644)
    return f"""
per_listener_settings false
user root
plugin {PLUGIN}
plugin_opt_config_file {folder}/dynamic-security.json
listener {{port}} 127.0.0.1
cafile {folder}/ca.crt
certfile {folder}/server.crt
keyfile {folder}/server.key
require_certificate true
use_identity_as_username true
persistence false
"""


def secured(folder, port, tool):
    return (f"mosquitto_{tool} -d -h localhost -p {port} -i DSN000001 --cafile {folder}/ca.crt "
            f"--cert {folder}/client.crt --key {folder}/client.key -t test/topic")


def test_e47_denied(tmp_path):
    with HouseBroker("mosquitto", dynamic_security(tmp_path, [], [])) as broker:
        done = run(OURS, secured(tmp_path, broker.port, "sub") + " -k 10 -v")
        transcript = f"{done.stdout.decode()}exit={done.returncode}\n"
        assert transcript == golden("e47_denied_tls_sub.txt")
        assert done.stderr.decode() == golden("e47_denied_tls_sub.stderr.txt")
        logged(broker, "Client DSN000001 disconnected.")
        lines = [re.sub(r"^\d+: ", "", line) for line in broker.log.splitlines() if "DSN000001" in line]
        connected = r"New client connected from [\d.:]+ as DSN000001 \(p2, c1, k10, u'client\.liot\.com'\)\."
        assert any(re.fullmatch(connected, line) for line in lines), broker.log
        assert "Client DSN000001 disconnected." in lines, broker.log


def test_e50_allowed(tmp_path):
    clients = [{"username": "client.liot.com", "roles": [{"rolename": "reader"}]}]
    roles = [{"rolename": "reader", "acls": [
        {"acltype": "subscribePattern", "topic": "#", "priority": 0, "allow": True}]}]
    with HouseBroker("mosquitto", dynamic_security(tmp_path, clients, roles)) as broker:
        published = run(OURS, [*secured(tmp_path, broker.port, "pub").split(), "-r", "-m", PAYLOAD])
        assert published.returncode == 0, published.stderr
        with Listener(OURS, secured(tmp_path, broker.port, "sub") + " -k 10 -v") as listener:
            listener.until("Cool MQTT2")
            listener.process.terminate()
            assert listener.end() == 0
            assert listener.output == golden("e50_allowed_tls_sub.txt")


def test_e50_after_create_client_and_a_role(tmp_path):
    """As the tutorial has it: denied, then a client of the certificate's name with a role, then the same command succeeds."""
    control = "$CONTROL/dynamic-security/#"
    admin = [{"acltype": kind, "topic": control, "priority": 0, "allow": True}
             for kind in ("publishClientSend", "publishClientReceive", "subscribePattern")]
    conf = dynamic_security(tmp_path, [{"username": "admin", "roles": [{"rolename": "admin"}]}], [{"rolename": "admin", "acls": admin}])
    with HouseBroker("mosquitto", conf) as broker:
        denied = run(OURS, secured(tmp_path, broker.port, "sub") + " -k 10 -v")
        assert "Subscribed (mid: 1): 128" in denied.stdout.decode()
        for words in ("createClient client.liot.com -p unused", "createRole client", "addRoleACL client subscribePattern # allow 0",
                      "addClientRole client.liot.com client 0"):
            done = subprocess.run(
                ["mosquitto_ctrl", "-h", "localhost", "-p", str(broker.port), "--cafile", f"{tmp_path}/ca.crt", "--cert",
                 f"{tmp_path}/admin.crt", "--key", f"{tmp_path}/admin.key", "dynsec", *words.split()],
                capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, (words, done.stdout, done.stderr)
        published = run(OURS, [*secured(tmp_path, broker.port, "pub").split(), "-r", "-m", PAYLOAD])
        assert published.returncode == 0, published.stderr
        with Listener(OURS, secured(tmp_path, broker.port, "sub") + " -k 10 -v") as listener:
            listener.until("Cool MQTT2")
            listener.process.terminate()
            assert listener.end() == 0
            assert listener.output == golden("e50_allowed_tls_sub.txt")
