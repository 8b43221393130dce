"""Runs a command on a machine of its own, as far as names and ports go: `unshare -rnm python private_machine.py HOSTS COMMAND…`.

Inside are a loopback interface and nothing else, every port is free, and HOSTS is /etc/hosts."""

import fcntl
import os
import socket
import struct
import subprocess
import sys

GET_FLAGS, SET_FLAGS, UP = 0x8913, 0x8914, 1


def available():
    """Whether this user may have such a machine; containers often forbid it."""
    try:
        return subprocess.run(["unshare", "-rnm", "true"], capture_output=True, timeout=60).returncode == 0
    except OSError:
        return False


def command(hosts, line):
    return ["unshare", "-rnm", sys.executable, __file__, str(hosts), *map(str, line)]


def main():
    hosts, *line = sys.argv[1:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        # struct ifreq: a name of 16 bytes, flags, and what is left of its 40.
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack("16sh22x", fcntl.ioctl(any_socket, GET_FLAGS, request))[1]
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh22x", b"lo", flags | UP))
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
    os.execvp(line[0], line)


if __name__ == "__main__":
    main()
