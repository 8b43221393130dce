"""Many logins with passwords at once. The whole is `make login-storm`: ten thousand, against a broker built for speed."""

import json
import subprocess
import sys

import broker

PROGRAM = broker.ROOT / "Benchmarks/login_storm.py"


def test_a_thousand_logins_at_once():
    """All are let in and stay. What others feel meanwhile is measured too; here, beside other tests, it is only bounded."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--broker", f"it={broker.COMMAND}", "--clients", "1000", "--addresses", "40",
         "--rate", "200", "--p99", "20000", "--check"],
        capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)["it"]
    assert result["admitted"] == result["still_there"] == 1000
    assert result["messages_meanwhile"] > 0
