"""What each option makes our tools put on the wire: the same bytes as Debian's, read by a server that answers every packet."""

import re
import socket
import threading

import pytest

from our_tools import DEBIANS, OURS, run


class Recorder:
    """Answers as a broker would, and keeps every packet of the one connection it has."""

    def __init__(self, version, publish=None):
        self.version, self.publish = version, publish
        self.packets = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        self.socket.settimeout(60)
        connection, _ = self.socket.accept()
        stream = connection.makefile("rb")
        while head := stream.read(1):
            length, shift = 0, 0
            while True:
                byte = stream.read(1)[0]
                length |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            body = stream.read(length)
            self.packets.append(head + body)
            try:
                connection.sendall(self._answer(head[0], body))
            except OSError:
                pass  # it has gone already; what it sent before is still to be read
        connection.close()

    def _answer(self, head, body):
        is5, kind = self.version == 5, head >> 4
        if kind == 1:
            return b"\x20\x03\0\0\0" if is5 else b"\x20\x02\0\0"
        if kind == 3 and head & 6:
            at = 2 + int.from_bytes(body[:2], "big")
            return bytes([0x40 if head & 2 else 0x50, 2]) + body[at:at + 2]
        if kind == 6:
            return b"\x70\x02" + body[:2]
        if kind == 10:
            return bytes([0xB0, 4 if is5 else 2]) + body[:2] + (b"\0\0" if is5 else b"")
        if kind == 8:
            count = self._filters(body[2:])
            suback = bytes([0x90, 2 + is5 + count]) + body[:2] + bytes(is5) + bytes(count)
            return suback + (self.publish or b"")
        return b""

    def _filters(self, rest):
        if self.version == 5:
            rest = rest[1 + rest[0]:]
        count = 0
        while rest:
            rest = rest[3 + int.from_bytes(rest[:2], "big"):]
            count += 1
        return count

    def heard(self, house, line):
        done = run(house, line.format(port=self.port), stdin=b"first\nsecond\n")
        self.thread.join(timeout=60)
        self.socket.close()
        return done, self.packets


def version(line):
    tool = line.split()[0]
    return 5 if re.search(r"-V (mqttv)?5|-D |-x 60$", line) or tool == "rr" and "-V" not in line else 4


#: Row of MOSQUITTO_COMPAT.md §6.1 → command lines whose packets must be Debian's, byte by byte.
SAME = {
    "-c": ["pub -c -i me -t a -m b", "sub -c -i me -t a -E", "pub -V 5 -c -i me -t a -m b"],
    "-C": ["sub -i me -t a -C 1", "sub -i me -t a -C 1 -q 1", "sub -i me -V 5 -t a -C 1"],
    "-d": ["pub -d -i me -t a -m b"],
    "-D": [
        "pub -i me -V 5 -D connect session-expiry-interval 9 -t a -m b", "pub -i me -V 5 -D connect receive-maximum 9 -t a -m b",
        "pub -i me -V 5 -D connect maximum-packet-size 999 -t a -m b", "pub -i me -V 5 -D connect topic-alias-maximum 9 -t a -m b",
        "pub -i me -V 5 -D connect request-problem-information 0 -t a -m b", "pub -i me -V 5 -D connect user-property n v -t a -m b",
        "pub -i me -V 5 -D connect request-response-information 1 -t a -m b",
        "pub -i me -V 5 -D publish payload-format-indicator 1 -t a -m b", "pub -i me -V 5 -D publish message-expiry-interval 7 -t a -m b",
        "pub -i me -V 5 -D publish content-type x/y -t a -m b", "pub -i me -V 5 -D publish response-topic r -t a -m b",
        "pub -i me -V 5 -D publish correlation-data cd -t a -m b", "pub -i me -V 5 -D publish user-property n v -t a -m b",
        "pub -i me -V 5 --will-topic w -D will will-delay-interval 3 -t a -m b",
        "pub -i me -V 5 --will-topic w -D will content-type x/y -t a -m b", "sub -i me -V 5 -D subscribe user-property n v -t a -E",
        "pub -i me -V 5 -D disconnect user-property n v -t a -m b", "pub -i me -V 5 -x 60 -D disconnect session-expiry-interval 3 -t a -m b"],
    "-e": ["rr -i me -t a -m b -e c -W 60"],
    "-E": ["sub -i me -t a -E"],
    "-f": ["pub -i me -t a -f /etc/hostname"],  # Debian's rr sends nothing of the file
    "-F": ["sub -i me -t a -C 1 -F %x"],
    "-h": ["pub -h 127.0.0.1 -i me -t a -m b", "pub --host localhost -i me -t a -m b"],
    "-i": ["pub -i me -t a -m b", "sub --id me -t a -E"],
    "-k": ["pub -i me -k 5 -t a -m b", "sub -i me --keepalive 65535 -t a -E", "rr -i me -k 17 -t a -m b -e c -W 60"],
    "-l": ["pub -i me -t a -l", "pub -i me -t a --stdin-line"],
    "-L": ["pub -i me -L mqtt://127.0.0.1:{port}/a/b -m c", "pub -i me --url mqtt://u:p@127.0.0.1:{port}/a -m c",
           "sub -i me -L mqtt://127.0.0.1:{port}/a/# -E"],
    "-m": ["pub -i me -t a -m b", "rr -i me -t a -m b -e c -W 60", "pub -i me -t a --message b"],
    "-M": ["pub -i me -M 1 -q 1 -t a -m b", "sub -i me -V 5 -M 7 -t a -E"],
    "-n": ["pub -i me -t a -n", "pub -i me -t a --null-message", "rr -i me -t a -n -e c -W 60"],
    "-N": ["sub -i me -t a -C 1 -N"],
    "--nodelay": ["pub -i me --nodelay -t a -m b"],
    "-p": ["pub --port {port} -i me -t a -m b"],
    "-P": ["pub -i me -u user -P word -t a -m b", "sub -i me --username user --pw word -t a -E", "pub -i me -V 5 -u user -t a -m b"],
    "-q": ["pub -i me -q 1 -t a -m b", "pub -i me -q 2 -t a -m b", "sub -i me -q 2 -t a -E", "pub -i me --qos 1 -V 5 -t a -m b"],
    "--quiet": ["pub -i me --quiet -t a -m b"],
    "-r": ["pub -i me -r -t a -m b", "pub -i me --retain -t a -m b"],
    "-R": ["sub -i me -R -t a -E"],
    "--remove-retained": ["sub -i me --remove-retained -t a -E"],
    "--repeat": ["pub -i me --repeat 3 -t a -m b", "pub -i me --repeat 2 --repeat-delay 0.05 -q 1 -t a -m b"],
    "--retain-as-published": ["sub -i me -V 5 --retain-as-published -t a -E"],
    "--retained-only": ["sub -i me --retained-only -t a -C 1"],
    "-s": ["pub -i me -t a -s", "pub -i me -t a --stdin-file"],
    "-t": ["sub -i me -t a -t b/# -E", "pub -i me --topic a/b/c -m b", "sub -i me -t $SYS/# -q 1 -E"],
    "-T": ["sub -i me -t a/# -T a/b -E"],
    "-U": ["sub -i me -t a -U b -C 1"],
    "-v": ["sub -i me -v -t a -C 1"],
    "-V": ["pub -i me -V mqttv31 -t a -m b", "pub -i me -V 311 -t a -m b", "pub -i me --protocol-version 5 -V 5 -t a -m b",
           "rr -i me -V 5 -t a -m b -e c -W 60"],
    "-W": ["sub -i me -t a -C 1 -W 60"],
    "--will-…": ["pub -i me --will-topic w -t a -m b", "pub -i me --will-topic w --will-payload x --will-qos 2 --will-retain -t a -m b",
                 "sub -i me -V 5 --will-topic w --will-payload x -t a -E"],
    "-x": ["pub -i me -V 5 -x 60 -t a -m b", "sub -i me -V 5 -x 4294967295 -t a -E", "pub -i me -V 5 -x -1 -t a -m b"],
}


def packets(house, line):
    answer = b"\x30\x06\0\x01a\0x\x31" if version(line) == 5 else b"\x30\x04\0\x01ax"
    if line.startswith("rr"):
        answer = b"\x30\x05\0\x01c\0y"
    if version(line) == 5 and not line.startswith("rr"):
        answer = b"\x30\x05\0\x01a\0x"
    recorder = Recorder(version(line), answer if re.search(r"-C|^rr", line) else None)
    at = "" if "{port}" in line else " -p {port}"
    return recorder.heard(house, "mosquitto_" + line + at)


def normal(packet):
    """The order of properties in CONNECT means nothing, and is another in ours."""
    return (packet[:10], sorted(packet[10:])) if packet[0] == 0x10 else packet


@pytest.mark.parametrize("line", sorted({line for lines in SAME.values() for line in lines}))
def test_the_same_bytes(line):
    (theirs, wanted), (ours, heard) = packets(DEBIANS, line), packets(OURS, line)
    if line.startswith("rr") or " -U " in line:
        wanted, heard = wanted[:3], heard[:3]  # ours takes its leave; theirs not always
    assert [normal(packet) for packet in heard] == [normal(packet) for packet in wanted]
    assert ours.returncode == theirs.returncode == 0


def test_an_identifier_with_a_prefix_ends_in_the_process():
    _, heard = packets(OURS, "pub -I part- -t a -m b")
    assert re.search(rb"part-\d+$", heard[0])
    _, heard = packets(OURS, "pub --id-prefix part- -V 31 -t a -m b")
    assert re.search(rb"part-\d+$", heard[0])


@pytest.mark.parametrize("line,options", [
    ("sub -i me -V 5 --retain-handling never -t a -E", 0x20), ("sub -i me -V 5 --retain-handling new -t a -E", 0x10),
    ("sub -i me -V 5 --retain-handling always -t a -E", 0x00)])
def test_retain_handling_of_2_1(line, options):
    _, heard = packets(OURS, line)
    assert heard[1][-1] == options


def test_expiry_without_a_version_means_5():
    """As 2.1 has it."""
    _, heard = packets(OURS, "pub -i me -t a -m b -x 60")
    assert heard[0].startswith(b"\x10\0\x04MQTT\x05") and b"\x11\0\0\0\x3c" in heard[0]
