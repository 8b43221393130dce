"""Who may come in: the embedded defaults, listeners, and anonymous clients. 127.0.0.2 stands in for the machine's other
addresses: a listener on 127.0.0.1 does not answer there, one on every interface does, and nothing leaves the loopback."""

import os
import shlex
import signal
import subprocess

import pytest

from broker import COMMAND, IS_MOSQUITTO, WAIT, Broker, answers, free_port, has_ipv6, until, whole_lines
from peers import V5, V31, V311, VERSION_NAMES, Peer
from seeds import logged
from tools import run

OTHER = "127.0.0.2"


HAS_IPV6 = has_ipv6()


def test_embedded_defaults_are_local_and_anonymous():
    with Broker(conf=None) as broker:
        assert run("mosquitto_pub -h localhost -t a -m x", broker.port).returncode == 0
        assert not answers(OTHER, broker.port)


def test_embedded_defaults_answer_on_ipv6_too():
    if not HAS_IPV6:
        pytest.skip("this machine has no IPv6")
    with Broker(conf=None) as broker:
        assert answers("::1", broker.port)


def test_a_listener_without_an_address_accepts_on_every_interface():
    with Broker("listener {port}\nallow_anonymous true\n") as broker:
        assert run(f"mosquitto_pub -h {OTHER} -t a -m x", broker.port).returncode == 0
        assert not HAS_IPV6 or answers("::1", broker.port)


def test_a_listener_with_an_address_accepts_only_there():
    with Broker("listener {port} 127.0.0.1\nallow_anonymous true\n") as broker:
        assert run("mosquitto_pub -h 127.0.0.1 -t a -m x", broker.port).returncode == 0
        refused = run(f"mosquitto_pub -h {OTHER} -t a -m x", broker.port)
        assert refused.returncode != 0 and "Connection refused" in refused.stderr


def test_two_listeners_share_their_messages():
    second = free_port()
    with Broker("listener {port} 127.0.0.1\nallow_anonymous true\n", extra=f"listener {second} 127.0.0.1\n") as broker:
        one, two = Peer(broker.port), Peer(second)
        try:
            one.subscribe("a")
            two.publish("a", b"x")
            assert one.next().payload == b"x"
        finally:
            one.close()
            two.close()


# What a refused client is told: 5 "not authorized" before MQTT 5, 0x87 in it. paho gives both as 0x87.
@pytest.mark.parametrize("version", [V31, V311, V5], ids=VERSION_NAMES.get)
@pytest.mark.parametrize("conf", ["listener {port} 127.0.0.1\n", "listener {port} 127.0.0.1\nallow_anonymous false\n"],
                         ids=["default", "false"])
def test_anonymous_clients_are_refused_where_a_listener_is_written(version, conf):
    with Broker(conf) as broker:
        client = Peer(broker.port, version)
        try:
            assert client.reason.value == 0x87
        finally:
            client.close()


def test_mosquitto_pub_says_what_the_refusal_means():
    with Broker("listener {port} 127.0.0.1\nallow_anonymous false\n") as broker:
        old = run("mosquitto_pub -V 311 -t a -m x", broker.port)
        new = run("mosquitto_pub -V 5 -t a -m x", broker.port)
    assert (old.returncode, new.returncode) == (5, 135)
    assert "not authorised" in old.stderr and "Not authorized" in new.stderr


def test_limits_of_the_configuration_are_kept():
    with Broker(extra="max_qos 1\nretain_available false\n") as broker:
        client = Peer(broker.port, V5)
        try:
            assert (client.connack.MaximumQoS, client.connack.RetainAvailable) == (1, 0)
        finally:
            client.close()


def test_the_log_tells_who_came_and_went():
    """The lines people grep for: connection, and disconnection."""
    with Broker(extra="connection_messages true\n") as broker:
        run("mosquitto_pub -i who -k 60 -t a -m x", broker.port)
        # Its goodbye may still be on the way when it has ended.
        logged(broker, "Client who disconnected.")
        broker.terminate()
        log = broker.log
    assert "New connection from 127.0.0.1" in log
    assert " as who (p2, c1, k60)." in log
    assert "Client who disconnected." in log


def test_sigterm_ends_the_broker_cleanly():
    with Broker() as broker:
        client = Peer(broker.port)
        try:
            assert broker.terminate() == 0
            client.gone()
        finally:
            client.close()


# ---- In the background


def daemon(tmp_path, conf, before="exec"):
    """`-d`, as mosquitto has it; returns what its parent said, once that has ended."""
    path = tmp_path / "broker.conf"
    path.write_text(conf)
    tmp_path.chmod(0o755)
    command = COMMAND.replace("-c {conf}", f"-d -c {shlex.quote(str(path))}")
    return subprocess.run(
        ["/bin/sh", "-c", f"{before} {command}"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WAIT, check=False)


@pytest.mark.skipif(IS_MOSQUITTO, reason="mosquitto's parent says 0 before anybody listens")
@pytest.mark.parametrize("before", ["exec", "exec <&- >&- 2>&-"], ids=["", "with all closed"])
def test_in_the_background_it_serves_when_its_parent_ends(tmp_path, before):
    port, pid_file, log = free_port(), tmp_path / "m.pid", tmp_path / "m.log"
    started = daemon(
        tmp_path, f"listener {port} 127.0.0.1\nallow_anonymous true\npid_file {pid_file}\nlog_dest file {log}\n",
        before)
    assert started.returncode == 0, started.stderr
    pid = int(pid_file.read_text())
    try:
        assert run("mosquitto_pub -h 127.0.0.1 -t a -m x", port).returncode == 0
        assert os.getsid(pid) == pid, "it has a session of its own"
        for descriptor in (0, 1, 2):
            assert os.readlink(f"/proc/{pid}/fd/{descriptor}") == "/dev/null"
    finally:
        os.kill(pid, signal.SIGTERM)
    until(lambda: not pid_file.exists() and " terminating\n" in whole_lines(log), log.read_text)


@pytest.mark.skipif(IS_MOSQUITTO, reason="mosquitto's parent says 0 before anybody listens")
def test_in_the_background_what_goes_wrong_is_told_before(tmp_path):
    with Broker() as other:
        taken = daemon(tmp_path, f"listener {other.port} 127.0.0.1\n")
    assert taken.returncode == 1 and "cannot listen on port" in taken.stderr
    missing = daemon(tmp_path, "listener 1883 127.0.0.1\nacl_file /nonexistent\n")
    assert missing.returncode == 3 and "broker.conf:2: acl_file /nonexistent" in missing.stderr
    assert daemon(tmp_path, "bogus\n").returncode == 3
