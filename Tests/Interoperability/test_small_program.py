"""The small program with pub, sub and rr in it, as `make install` lays it out: the names, and what it leaves to the whole program."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from broker import ROOT
from our_tools import ENVIRONMENT, PROGRAM, HouseBroker, Listener, run

SMALL = ROOT / ".build/debug/martlet-tools"


@pytest.fixture(scope="module")
def prefix():
    """`bin/martlet` is the small one, `lib/martlet/martlet` the whole; mosquitto's names are links."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=ROOT / ".build", prefix="prefix-"))
    for name in ("bin", "lib/martlet", "libexec/martlet"):
        (folder / name).mkdir(parents=True)
    os.link(SMALL.resolve(), folder / "bin/martlet")
    (folder / "lib/martlet/martlet").symlink_to(PROGRAM)
    for name in ("mosquitto_pub", "mosquitto_sub", "mosquitto_rr"):
        (folder / "libexec/martlet" / name).symlink_to("../../bin/martlet")
    yield folder
    shutil.rmtree(folder)


def test_under_mosquittos_names_and_its_own(prefix):
    with HouseBroker("martlet") as broker:
        with Listener(f"{prefix}/libexec/martlet/", f"mosquitto_sub -d -p {broker.port} -t small -C 2") as listener:
            listener.until("Subscribed")
            shown = subprocess.run(["ps", "-o", "args=", "-p", str(listener.process.pid)], capture_output=True, text=True).stdout
            assert "mosquitto_sub -d -p" in shown
            assert os.readlink(f"/proc/{listener.process.pid}/exe") == f"{prefix}/bin/martlet"
            assert run(f"{prefix}/libexec/martlet/", f"mosquitto_pub -p {broker.port} -t small -m one").returncode == 0
            assert run(f"{prefix}/bin/", f"martlet pub -p {broker.port} -t small -m two").returncode == 0
            assert listener.end() == 0
            assert "\none\n" in listener.output and listener.output.rstrip().endswith("sending DISCONNECT")


def test_it_becomes_the_whole_program_for_the_rest(prefix):
    done = subprocess.run([prefix / "bin/martlet", "json", 'a "word"'], capture_output=True, text=True, env=ENVIRONMENT)
    assert (done.returncode, done.stdout) == (0, '"a \\"word\\""\n')
    whole = subprocess.run([PROGRAM, "--help"], capture_output=True, env=ENVIRONMENT)
    assert subprocess.run([prefix / "bin/martlet", "--help"], capture_output=True, env=ENVIRONMENT).stdout == whole.stdout


def test_without_the_whole_program_it_says_so(prefix):
    (prefix / "alone/bin").mkdir(parents=True)
    lonely = prefix / "alone/bin/martlet"
    os.link(SMALL.resolve(), lonely)
    done = subprocess.run([lonely, "broker"], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: the rest of martlet cannot be started: ") and "lib/martlet/martlet" in done.stderr
    assert run(f"{lonely.parent}/", "martlet pub --version").stdout.startswith(b"martlet pub of martlet ")
