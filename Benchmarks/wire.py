"""The few MQTT bytes that the load generators written here send by themselves."""
import struct


def text(data):
    """A string or binary field: its length in two bytes, then itself."""
    return struct.pack(">H", len(data)) + data


def packet(first, body):
    """A whole packet: its first byte, the remaining length, the body."""
    out, n = bytes([first]), len(body)
    while True:
        n, low = n >> 7, n & 127
        out += bytes([low | (128 if n else 0)])
        if not n:
            return out + body
