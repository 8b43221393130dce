"""Four clients that try to come in over TLS, and what each says when it cannot."""

import os
import pathlib
import queue
import subprocess

import paho.mqtt.client as paho

from broker import WAIT
from tools import run

HERE = pathlib.Path(__file__).parent
CONNECT_AND_LEAVE = bytes.fromhex("100d00044d5154540402003c0001" + b"s".hex() + "e000")


class Attempt:
    """Whether it got in, and its words."""

    def __init__(self, entered, words):
        self.entered, self.words = entered, words

    def __repr__(self):
        return f"{'in' if self.entered else 'out'}: {self.words}"


def mosquitto_pub(port, ca, certificate=None, version="tlsv1.3"):
    """With `-d`, because without it a wrong name is not told from a wrong authority."""
    shown = f"--cert {certificate}.crt --key {certificate}.key" if certificate else ""
    done = run(f"mosquitto_pub -d -h localhost --tls-version {version} --cafile {ca} {shown} -t /test -m x -q 1", port)
    return Attempt(done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}{done.stderr}")


def openssl(port, ca, certificate=None, version="tlsv1.3"):
    """`s_client`, which checks chain and name, and speaks enough MQTT to see a CONNACK."""
    shown = ["-cert", f"{certificate}.crt", "-key", f"{certificate}.key"] if certificate else []
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"localhost:{port}", "-verify_hostname", "localhost", "-verify_return_error",
         "-CAfile", str(ca), "-" + version.replace("v1.", "1_"), "-quiet", *shown],
        input=CONNECT_AND_LEAVE, capture_output=True, timeout=WAIT)
    return Attempt(done.stdout.startswith(bytes.fromhex("20020000")), done.stderr.decode(errors="replace"))


def paho_client(port, ca, certificate=None):
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
    ends, words = queue.Queue(), []
    client.on_connect = lambda c, u, flags, reason, properties: ends.put(reason.value)
    client.on_disconnect = lambda c, u, flags, reason, properties: ends.put("disconnected")
    client.on_log = lambda c, u, level, message: words.append(message)
    try:
        client.tls_set(str(ca), *([f"{certificate}.crt", f"{certificate}.key"] if certificate else []))
        client.connect("localhost", port)
    except OSError as error:
        return Attempt(False, str(error))
    client.loop_start()
    try:
        return Attempt(ends.get(timeout=WAIT) == 0, "\n".join(words))
    finally:
        client.on_disconnect = None
        client.disconnect()
        client.loop_stop()


def mqtt_js(port, ca, certificate=None):
    """MQTT.js over WebSocket over TLS."""
    shown = [f"{certificate}.crt", f"{certificate}.key"] if certificate else []
    done = subprocess.run(
        ["node", str(HERE / "websocket_entry.js"), f"wss://localhost:{port}/mqtt", str(ca), *shown],
        capture_output=True, text=True, timeout=WAIT, env={**os.environ, "NODE_PATH": "/usr/share/nodejs"})
    return Attempt(done.stdout.strip() == "in", done.stdout + done.stderr)
