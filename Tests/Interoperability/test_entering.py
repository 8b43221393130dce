"""Certificates made by the seeds' openssl recipe and by `martlet certs`, four clients: the right one comes in; none, a foreign,
an expired and a revoked one do not, nor does a client come to a server that it should not trust; both sides say why.

Each test has a broker of its own, because a broker writes at most twenty lines about strangers in ten seconds."""

from concurrent.futures import ThreadPoolExecutor

import pytest

import entering
from broker import IS_MOSQUITTO, Broker, free_port
from seeds import MAKERS

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="log lines are Martlet's")

CLIENTS = {
    "mosquitto_pub 1.2": lambda *options: entering.mosquitto_pub(*options, version="tlsv1.2"),
    "mosquitto_pub 1.3": entering.mosquitto_pub,
    "s_client 1.2": lambda *options: entering.openssl(*options, version="tlsv1.2"),
    "s_client 1.3": entering.openssl,
    "paho": entering.paho_client,
    "mqtt.js": entering.mqtt_js,
}


@pytest.fixture(scope="module", params=MAKERS)
def folder(request, tmp_path_factory):
    """Certificates of one maker."""
    folder = tmp_path_factory.mktemp(request.param)
    authority = MAKERS[request.param](folder)
    authority.server("server", "localhost")
    authority.server("other", "other.example")
    authority.issue("late", "/CN=localhost", days=-1)
    authority.client("good", "good")
    authority.client("revoked", "revoked")
    authority.issue("expired", "/CN=expired", days=-1)
    authority.revoke("revoked")
    MAKERS[request.param](folder, "foreign", "/CN=Foreign CA").client("mallory", "mallory")
    return folder


class Attempts:
    """All clients at once at a broker with such a server certificate, one listener for MQTT and one for WebSocket."""

    def __init__(self, folder, server="server", ca="ca", certificate="good"):
        self.ports = {kind: free_port() for kind in ("mqtt", "websockets")}
        conf = "log_type all\nallow_anonymous true\nlistener {port} 127.0.0.1\n" + "".join(
            f"listener {port} 127.0.0.1\nprotocol {kind}\ncafile {folder}/ca.crt\ncertfile {folder}/{server}.crt\n"
            f"keyfile {folder}/{server}.key\nrequire_certificate true\ncrlfile {folder}/ca.crl\n"
            for kind, port in self.ports.items())

        def run(client):
            return CLIENTS[client](self.port(client), folder / f"{ca}.crt", certificate and folder / certificate)

        with Broker(conf) as broker:
            with ThreadPoolExecutor(max_workers=len(CLIENTS)) as workers:
                self.made = dict(zip(CLIENTS, workers.map(run, CLIENTS)))
            broker.terminate()
            self.log = broker.log

    def port(self, client):
        return self.ports["websockets" if client == "mqtt.js" else "mqtt"]

    def stayed_out(self, theirs):
        """`theirs`: words by the beginning of the client's name, the most exact one first."""
        for client, made in self.made.items():
            assert not made.entered, client
            words = next(words for name, words in theirs.items() if client.startswith(name))
            assert words in made.words, (client, words, made)

    def told(self, words, clients):
        """The broker's log has one line for each of the clients."""
        for kind, port in self.ports.items():
            lines = [line for line in self.log.splitlines()
                     if "TLS Error: " in line and words in line and f" on port {port})" in line]
            assert len(lines) == sum(self.port(client) == port for client in clients), (kind, words, self.log)
            assert all("(from 127.0.0.1:" in line for line in lines)


def test_the_right_certificate_comes_in(folder):
    attempts = Attempts(folder)
    assert all(made.entered for made in attempts.made.values()), (attempts.made, attempts.log)


# What the library of each client says. mosquitto_pub has one sentence for everything that happens behind the client's own
# part of the handshake, and BoringSSL one alert for every certificate that we refuse: our log has the reason.
LOST = "Error: The connection was lost."
NO_CERTIFICATE = {"s_client 1.2": "sslv3 alert handshake failure", "mosquitto": LOST, "paho": "CERTIFICATE_REQUIRED", "": "certificate required"}
REFUSED = {"mosquitto": LOST, "paho": "CERTIFICATE_UNKNOWN", "": "alert certificate unknown"}


@pytest.mark.parametrize(
    "certificate, theirs, ours",
    [
        (None, NO_CERTIFICATE, "the client showed no certificate, and require_certificate asks for one"),
        ("mallory", REFUSED, "unable to get local issuer certificate: nobody trusted is called CN=Foreign CA"),
        ("expired", REFUSED, "certificate of CN=expired: certificate has expired on "),
        ("revoked", REFUSED, "certificate was revoked on "),
    ])
def test_other_certificates_stay_out(folder, certificate, theirs, ours):
    attempts = Attempts(folder, certificate=certificate)
    attempts.stayed_out(theirs)
    attempts.told(ours, CLIENTS)


MISTRUST = {"mosquitto": "certificate verify failed", "mqtt.js": "unable to verify the first certificate",
            "": "unable to get local issuer certificate"}
WRONG_NAME = {"mosquitto": "host name verification failed", "s_client": "hostname mismatch",
              "paho": "Hostname mismatch, certificate is not valid for 'localhost'",
              "mqtt.js": "Hostname/IP does not match certificate's altnames"}
LATE = {"mosquitto": "certificate verify failed", "": "certificate has expired"}


@pytest.mark.parametrize(
    "server, ca, theirs, ours",
    [
        ("server", "foreign", MISTRUST, "the client said 'unknown ca'"),
        ("other", "ca", WRONG_NAME, "its name is not the host "),
        ("late", "ca", LATE, "the client said 'certificate expired'"),
    ])
def test_clients_do_not_come_to_a_server_they_should_not_trust(folder, server, ca, theirs, ours):
    attempts = Attempts(folder, server, ca)
    attempts.stayed_out(theirs)
    # node hangs up without a word: the broker can say no more than that.
    attempts.told(ours, [client for client in CLIENTS if client != "mqtt.js"])
    attempts.told("", CLIENTS)
