#!/usr/bin/env python3
"""Writes the seeds of Fuzz/Corpus from the corpora that the tests already carry: run it again when those change.

    python3 Fuzz/seeds.py

`frames` gets every distinct packet of at most 200 bytes, `roundtrip` the same behind the byte that says how to read it,
`shard` scripts that send the clients' packets, `configuration` the blocks of text below. A seed's name is its content's
hash, so that running this twice changes nothing.
"""
import hashlib
import json
import pathlib

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


def write(target, seeds):
    folder = HERE / "Corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for seed in seeds:
        (folder / hashlib.sha1(seed).hexdigest()[:16]).write_bytes(seed)
    print(f"{target}: {len(list(folder.iterdir()))} seeds")


known = packets()
write("frames", known)
write("roundtrip", [bytes([2 * {3: 0, 4: 1, 5: 2}.get(v, 1)]) + p for p, v in known.items()]
      + [bytes([2 * v + 1, 16 * t + 8]) + bytes(range(64)) for v in range(3) for t in range(16)])
write("configuration", [text.encode() for text in CONFIGURATIONS])
write("shard", [script(p, v) for p, v in known.items()
                if p[0] >> 4 in (1, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15) and len(p) < 100])
