"""The network between a client and the broker: a bad one cuts each connection after a number of bytes drawn from a seed;
`Relay(port, cuts=0)` is a good one, and keeps in `carried` what passed."""

import random
import socket
import threading

from broker import WAIT


class Relay:
    def __init__(self, port, seed=0, least=200, most=4_000, cuts=12):
        """After `cuts` cuts the network is good, so that every story ends."""
        self.target, self.cuts_left = port, cuts
        self._remembers = cuts == 0
        self._random, self._least, self._most = random.Random(seed), least, most
        self._lock = threading.Lock()
        self.carried = bytearray()
        self._open = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target), timeout=WAIT)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                budget = [self._random.randint(self._least, self._most) if self.cuts_left > 0 else None]
                self._open |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, sink, budget), daemon=True).start()

    def _carry(self, source, sink, budget):
        try:
            while data := source.recv(4096):
                with self._lock:
                    self.carried += data if self._remembers else b""
                    left = budget[0]
                    if left is not None:
                        budget[0] = left - len(data)
                        if budget[0] <= 0 and left > 0:
                            self.cuts_left -= 1
                if left is None or left > len(data):
                    sink.sendall(data)
                else:
                    sink.sendall(data[:max(left, 0)])
                    break
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self._listener.close()
        for end in self._open:
            end.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
