"""Where the brokers that are measured listen."""
import random, socket


def free_port():
    """Free on every interface, and below those that the kernel gives to connections: one of these would take it before the
    broker does."""
    for _ in range(2_000):
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
                return port
            except OSError:
                pass
    raise SystemExit("no port is free")
