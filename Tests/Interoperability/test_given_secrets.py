"""A password as an option, in a file or in a variable; a version's name: what our own commands refuse before they connect."""

import fcntl
import os
import select
import signal
import subprocess
import termios

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
    for name, content in (("right", b"right\n"), ("empty", b""), ("latin", b"caf\xe9\n"), ("long", b"a" * 70_000)):
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


#: What no secret comes from: the same words and the same status for every command and every option.
NOTHING = {
    "--password-file nowhere": "nowhere: No such file or directory",
    "--password-file .": ".: Is a directory",
    "--password-file empty": "the first line of empty is empty",
    "--password-file long": "the first line of long is longer than 65535 bytes",
    "--password-env NONE": "there is no environment variable NONE",
    "--password-env EMPTY": "the environment variable EMPTY is empty"}


@pytest.mark.parametrize("options", NOTHING)
def test_what_is_no_secret(options, tmp_path):
    for command in COMMANDS:
        status, said = refusal(command, options, tmp_path)
        assert status == 64 and f"Error: {NOTHING[options]}.\n" in said, said


@pytest.mark.parametrize("command, options, text", [
    ("key", "--password-file latin", "Error: a key's password has to be UTF-8, and this one is not."),
    ("chat", "--mqtt-version 3.1.1", "Error: --mqtt-version takes 5, 311 or 31, not '3.1.1'."),
    ("doctor", "-V mqttv", "Error: -V takes 5, 311 or 31, not 'mqttv'.")])
def test_what_is_refused(command, options, text, tmp_path):
    status, said = refusal(command, options, tmp_path)
    assert status == 64 and text in said, said


@pytest.mark.parametrize("command", ["chat", "doctor"])
@pytest.mark.parametrize("options", ["-P x", "-P ", "--password-file right", "--password-file latin", "--password-env RIGHT"])
def test_what_is_taken(command, options, tmp_path):
    """As far as the connection. A password need not be UTF-8, and `-P ''` is an empty one on purpose."""
    status, said = refusal(command, options, tmp_path)
    assert status == CONNECTS[command], said


@pytest.mark.parametrize("command, options", [("chat", "--mqtt-version mqttv31"), ("doctor", "-V 311")])
def test_versions(command, options, tmp_path):
    status, said = refusal(command, options, tmp_path)
    assert status == CONNECTS[command], said


@pytest.mark.parametrize("arguments", [("passwd", "-c", "users", "alice"), ("certs", "key", "new.key", "--encrypt")])
def test_a_question_that_is_given_up_leaves_the_terminal_as_it_was(arguments, tmp_path):
    """By Ctrl-C: whoever types next sees it."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [PROGRAM, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, env=ENVIRONMENT, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    try:
        said = b""
        while b": " not in said:
            assert select.select([ours], [], [], 60)[0], said
            said += os.read(ours, 4096)
        assert not termios.tcgetattr(theirs)[3] & termios.ECHO
        os.write(ours, b"sec\x03")
        assert process.wait(60) == -signal.SIGINT
        assert termios.tcgetattr(theirs)[3] & termios.ECHO
        assert not list(tmp_path.iterdir())
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)
