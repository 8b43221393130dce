"""A password as an option, in a file or in a variable; a version's name: what our own commands refuse before they connect."""

import subprocess

import pytest

from our_tools import ENVIRONMENT, PROGRAM

#: Nothing listens there: who gets so far is not refused for the command line.
COMMANDS = {
    "chat": ["chat", "-h", "127.0.0.1", "-p", "1", "-u", "alice"],
    "key": ["chat", "-h", "127.0.0.1", "-p", "1", "-u", "alice", "-V"],
    "doctor": ["doctor", "127.0.0.1:1", "-u", "alice"]}
CONNECTS = {"chat": 1, "doctor": 11}


def refusal(command, options, folder):
    """The status and what is said, as the command has it where the files and variables of this test are."""
    for name, content in (("right", b"right\n"), ("empty", b""), ("latin", b"caf\xe9\n"), ("long", b"a" * 5000)):
        (folder / name).write_bytes(content)
    if command == "key":
        options = options.replace("--password", "--key-password").replace("-P", "--key-password")
    done = subprocess.run(
        [PROGRAM, *COMMANDS[command], *options.split(" ")], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        cwd=folder, env={**ENVIRONMENT, "RIGHT": "right", "EMPTY": "", "XDG_STATE_HOME": str(folder)})
    return done.returncode, done.stderr


@pytest.mark.parametrize("options", [
    "-P x --password-file right", "-P x --password-env RIGHT", "--password-file right --password-env RIGHT"])
def test_one_of_three(options, tmp_path):
    for command, names in (("chat", "-P, --password-file and --password-env"),
                           ("key", "--key-password, --key-password-file and --key-password-env"),
                           ("doctor", "--password, --password-file and --password-env")):
        status, said = refusal(command, options, tmp_path)
        assert status == 64 and f"Error: One of {names}.\n" in said, said


@pytest.mark.parametrize("command, options, status, text", [
    ("chat", "--password-file nowhere", 1, "Error: nowhere: No such file or directory"),
    ("chat", "--password-file empty", 1, "Error: empty: its first line is empty"),
    ("chat", "--password-file long", 1, "Error: long: larger than 4096 bytes"),
    ("chat", "--password-env NONE", 64, "Error: The environment variable NONE is not set, or empty."),
    ("chat", "--password-env EMPTY", 64, "Error: The environment variable EMPTY is not set, or empty."),
    ("key", "--password-file empty", 1, "Error: empty: its first line is empty"),
    ("key", "--password-env EMPTY", 64, "Error: The environment variable EMPTY is not set, or empty."),
    ("doctor", "--password-file nowhere", 64, "Error: nowhere cannot be read: No such file or directory."),
    ("doctor", "--password-env NONE", 64, "Error: There is no variable NONE in the environment."),
    ("chat", "--mqtt-version 3.1.1", 64, "Error: --mqtt-version takes 5, 311 or 31, not '3.1.1'."),
    ("doctor", "-V mqttv", 64, "Error: -V takes 5, 311 or 31, not 'mqttv'.")])
def test_what_is_refused(command, options, status, text, tmp_path):
    found, said = refusal(command, options, tmp_path)
    assert found == status and text in said, said


@pytest.mark.parametrize("command, options", [
    *(("chat", options) for options in ("-P x", "--password-file right", "--password-env RIGHT", "--mqtt-version mqttv31")),
    *(("doctor", options) for options in (
        "-P x", "--password-file right", "--password-file empty", "--password-file latin", "--password-file long",
        "--password-env RIGHT", "--password-env EMPTY", "-V 311"))])
def test_what_is_taken(command, options, tmp_path):
    """As far as the connection. A password that a broker is tried with may be empty, and need not be UTF-8."""
    status, said = refusal(command, options, tmp_path)
    assert status == CONNECTS[command], said
