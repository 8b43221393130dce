#!/usr/bin/env python3
"""Writes the seeds of Fuzz/Corpus from the corpora that the tests already carry: run it again when those change.

    python3 Fuzz/seeds.py

`frames` gets every distinct packet of at most 200 bytes, `roundtrip` the same behind the byte that says how to read it,
`shard` scripts that send the clients' packets, `client` scripts that receive them, `configuration` and `transport` what is written below. A seed's name is its content's
hash, so that running this twice changes nothing. `certificates` are made by openssl with keys of their own, and so only where there are
none.
"""
import hashlib
import json
import pathlib
import shlex
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
RESOURCES = HERE.parent / "Tests/MQTTProtocolTests/Resources"
SEED_BYTES_MAX = 200

CONFIGURATIONS = [
    "listener 1883\nallow_anonymous true\n",
    "listener 1883 127.0.0.1\nmax_qos 1\nmax_connections 10\nmax_topic_alias 5\n",
    "per_listener_settings true\nlistener 1884 ::1\nallow_zero_length_clientid false\nauto_id_prefix x-\n",
    "# a comment\n\nmax_packet_size 1000\nmax_inflight_messages 5\nmax_queued_messages 0\nmax_keepalive 60\n",
    "persistence true  # text\npersistence_location /tmp/\npersistent_client_expiration 2w\n",
    "log_dest file /tmp/x.log\nlog_type all\nlog_timestamp_format %Y-%m-%dT%H:%M:%S\nconnection_messages false\n",
    "sys_interval 0\nretain_available false\nupgrade_outgoing_qos true\nqueue_qos0_messages true\npid_file /tmp/p\n",
    "event_loops 2\nslow_reader_wait 100\nconnect_timeout 1\nmax_pending_connections 5\noutput_buffer_bytes 4096\n",
    "include_dir /etc/mosquitto/conf.d\n", "listenr 1883\n", "listener\n", "port 99999\n", "bind_address\n",
    "password_file /etc/passwd\ncafile x\n",
]


def packets():
    """Every distinct packet, with the version it was written for where that is known."""
    found = {}
    for name in ("mochi-tpackets", "mqtt-packet-js"):
        for entry in json.loads((RESOURCES / f"{name}.json").read_text()):
            found[bytes.fromhex(entry["raw"])] = entry.get("version") or 4
    for name in ("fume", "fsecure"):
        for line in (RESOURCES / f"{name}.hex").read_text().splitlines():
            found.setdefault(bytes.fromhex(line.split("#")[0]), 4)
    return {packet: version for packet, version in found.items() if 0 < len(packet) <= SEED_BYTES_MAX}


def script(packet, version):
    """A shard's script: settings, two clients that connect and subscribe, and the packet sent raw by the first."""
    mode = {3: 0, 4: 1, 5: 2}.get(version, 1)
    start = bytes([0x00, 0x00, 0x10, 0x03, mode, 0x00, 0x13, 0x40 | mode, 0x00, 0x15, 0x00, 0x02, 0x00])
    return start + bytes([0x01, len(packet)]) + packet + bytes([0x0C, 0x0A, 0x00, 0x0C, 0x0E, 0x1E, 0x0C])


def session(packet, version):
    """A client's life: CONNECT, CONNACK, a message at each QoS, a subscription, the packet from the server, time, a cut, and back."""
    five = version == 5
    connack = bytes([0x20, 3, 0, 0, 0]) if five else bytes([0x20, 2, 0, 0])
    present = bytes([0x20, 3, 1, 0, 0]) if five else bytes([0x20, 2, 1, 0])
    asks = b"".join(bytes([1, qos, 0, 1, 0x61, 0, 0]) for qos in range(3)) + bytes([3, 0, 2])
    return (bytes([int(five), 0, 8, len(connack)]) + connack + asks + bytes([8, len(packet)]) + packet
            + bytes([6, 200, 9, 1, 0, 8, len(present)]) + present)


def write(target, seeds):
    folder = HERE / "Corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for seed in seeds:
        (folder / hashlib.sha1(seed).hexdigest()[:16]).write_bytes(seed)
    print(f"{target}: {len(list(folder.iterdir()))} seeds")


def frame(first, payload):
    mask = b"\x01\x02\x03\x04"
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    return bytes([first]) + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


PROXY2 = b"\r\n\r\n\x00\r\nQUIT\n"
ADDRESSES = bytes([203, 0, 113, 9, 10, 0, 0, 1, 0x12, 0x67, 0x07, 0x5B])
REQUEST = (b"GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")
TRANSPORT = [
    b"\x00PROXY TCP4 203.0.113.7 10.0.0.1 5555 1883\r\n\x10\x0c", b"\x00PROXY TCP6 2001:db8::7 ::1 65535 0\r\n",
    b"\x00PROXY UNKNOWN\r\n",
    b"\x01" + PROXY2 + b"\x21\x11\x00\x0c" + ADDRESSES, b"\x01" + PROXY2 + b"\x20\x00\x00\x00",
    b"\x01" + PROXY2 + b"\x21\x21\x00\x24" + bytes(36),
    b"\x01" + PROXY2 + b"\x21\x11\x00\x1c" + ADDRESSES + b"\x20\x00\x0d\x07\x00\x00\x00\x00\x22\x00\x05alice",
    b"\x02" + REQUEST, b"\x02" + REQUEST.replace(b"mqtt\r\n\r\n", b"chat, mqttv3.1\r\nOrigin: http://x\r\n\r\n"),
    b"\x02GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    b"\x03\x00" + frame(0x82, b"\xc0\x00"), b"\x03\x04" + frame(0x02, b"a") + frame(0x89, b"p") + frame(0x80, b"b" * 200),
    b"\x03\x01" + frame(0x88, b"\x03\xe8bye"), b"\x03\x02" + frame(0x81, b"text"), b"\x03\x02" + frame(0x82, b"x" * 130),
]

EXTENSIONS = """[v3_all]
basicConstraints=critical,CA:TRUE,pathlen:2
keyUsage=critical,digitalSignature,keyCertSign,cRLSign
extendedKeyUsage=serverAuth,clientAuth
subjectKeyIdentifier=hash
subjectAltName=DNS:a.example,DNS:*.b.example,IP:192.0.2.1,IP:2001:db8::1,email:a@b.example,URI:mqtt://c.example
nameConstraints=permitted;DNS:example,excluded;IP:10.0.0.0/255.0.0.0
crlDistributionPoints=URI:http://crl.example
"""


def certificates():
    """Small ones: P-256, but for one key of RSA 2048. The byte in front says how they are read."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)

        def openssl(line):
            subprocess.run(["openssl", *shlex.split(line)], cwd=folder, check=True, capture_output=True)

        (folder / "all.cnf").write_text("[req]\ndistinguished_name=d\n[d]\n" + EXTENSIONS)
        (folder / "ca.cnf").write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=i\ndefault_md=sha256\ndefault_crl_days=30\ncrlnumber=n\n")
        (folder / "i").write_text("")
        (folder / "n").write_text("01\n")
        key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        openssl(f"req -x509 {key} -keyout ca.key -out ca.pem -days 9999 -subj /CN=ca -config all.cnf -extensions v3_all")
        openssl(f"req {key} -keyout a.key -out a.csr -subj /C=DE/O=x/CN=a.example -addext subjectAltName=DNS:a.example")
        openssl("x509 -req -in a.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out v1.pem -days 9999")
        openssl("x509 -req -in a.csr -CA ca.pem -CAkey ca.key -out v3.pem -days 9999 -copy_extensions copy -extfile all.cnf")
        openssl("ca -config ca.cnf -cert ca.pem -keyfile ca.key -revoke v1.pem -crl_reason keyCompromise")
        openssl("ca -config ca.cnf -cert ca.pem -keyfile ca.key -gencrl -out crl.pem")
        for name in ("ca", "v1", "v3"):
            openssl(f"x509 -in {name}.pem -outform der -out {name}.der")
        openssl("crl -in crl.pem -outform der -out crl.der")
        openssl("req -in a.csr -outform der -out csr.der")
        openssl("pkcs8 -topk8 -nocrypt -in a.key -outform der -out p8.der")
        openssl("ec -in a.key -outform der -out sec1.der")
        openssl("genrsa -traditional -out rsa.pem 2048")
        openssl("rsa -in rsa.pem -traditional -outform der -out rsa.der")
        openssl("pkcs8 -topk8 -in a.key -iter 8 -passout pass:secret -outform der -out sealed.der")
        openssl("ec -in a.key -aes128 -passout pass:secret -out old.pem")
        pack = "pkcs12 -export -in v1.pem -inkey a.key -certfile ca.pem -iter 8 -passout pass:secret"
        openssl(f"{pack} -out new.p12")
        openssl(f"{pack} -legacy -out old.p12")
        openssl(f"{pack} -nomac -certpbe NONE -out open.p12")

        def read(name):
            return (folder / name).read_bytes()

        return [b"\x00" + read(f"{name}.der") for name in ("ca", "v1", "v3")] + [
            b"\x01" + read("crl.der"), b"\x02" + read("csr.der"), b"\x03" + read("p8.der"), b"\x03" + read("sec1.der"),
            b"\x03" + read("rsa.der"), b"\x03" + read("sealed.der"), b"\x04" + read("v1.pem") + read("a.key"),
            b"\x04" + read("crl.pem"), b"\x04" + read("old.pem"), b"\x05" + read("new.p12"), b"\x05" + read("old.p12"),
            b"\x05" + read("open.p12"), b"\x06" + read("v3.der") + read("ca.der"), b"\x06" + read("v1.der") + read("ca.der"),
            b"\x07" + read("sealed.der")]


known = packets()
write("frames", known)
write("roundtrip", [bytes([2 * {3: 0, 4: 1, 5: 2}.get(v, 1)]) + p for p, v in known.items()]
      + [bytes([2 * v + 1, 16 * t + 8]) + bytes(range(64)) for v in range(3) for t in range(16)])
write("configuration", [text.encode() for text in CONFIGURATIONS])
write("shard", [script(p, v) for p, v in known.items()
                if p[0] >> 4 in (1, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15) and len(p) < 100])
write("transport", TRANSPORT)
write("client", [session(packet, version) for packet, version in known.items()])
if not (HERE / "Corpus/certificates").exists():
    write("certificates", certificates())
