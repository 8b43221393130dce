"""The chat's full screen, in a terminal that tmux holds: typed into and read as a person would."""

import os
import shutil
import signal

import pytest

from broker import IS_MOSQUITTO, Broker
from chatting import Chat, Terminal

pytestmark = [
    pytest.mark.skipif(IS_MOSQUITTO, reason="the chat was tried on the other brokers in test_chat.py"),
    pytest.mark.skipif(shutil.which("tmux") is None, reason="scripts/setup test installs tmux"),
    pytest.mark.timeout(300),  # each wait has 60 s of its own
]


@pytest.fixture
def house():
    with Broker() as running:
        yield running


def holds(*texts, last=None):
    """Whether each of the texts stands in some row, and that text in the last one. A frame may be half painted: what belongs
    together is waited for together."""
    return lambda rows: all(any(text in row for row in rows) for text in texts) and last in (None, rows[-1])


def where(house):
    return ["-h", "localhost", "-p", str(house.port)]


@pytest.mark.parametrize("columns, rows", [(80, 24), (40, 12)])
def test_a_conversation(house, tmp_path, columns, rows):
    """People, groups, messages and the line being typed; unread marks, completion, history, leaving."""
    with Chat("bob", where(house)) as bob, Terminal(columns, rows, "-u", "alice", *where(house), folder=tmp_path) as alice:
        bob.arrived()
        screen = alice.until(
            lambda rows: any("bob" in row and "\u25cf" in row for row in rows[1:]) and holds("PEOPLE 2", last=">")(rows))
        assert len(screen) == rows and screen[0].startswith(" alice at mqtt") and "MQTT 5.0" in screen[0]
        bob.until_here("alice", "bob")

        alice.type("half a li")
        bob.say("/msg alice hello alice", "/status dnd", "/msg alice gr\u00fc\u00dfe \u6f22\u5b57 \U0001f389", "/msg alice \x1b[2Jclear\x07")
        alice.until(holds(
            "bob: hello alice", "\u2298 bob DND", "gr\u00fc\u00dfe \u6f22\u5b57", "\u241b[2Jclear\u2407",
            last="> half a li"))
        alice.press("C-u").type("/msg b").press("Tab")
        alice.until("> /msg bob")
        alice.type("hello bob").press("Enter")
        bob.next("private", text="hello bob")
        alice.until("\u2192 bob: hello bob \u2713")
        alice.press("Up")
        alice.until("> /msg bob hello bob")
        alice.press("C-u").type("/join garden").press("Enter")
        alice.until("# garden")
        # Looking at the garden: what bob writes is counted, until it is looked at.
        alice.press("C-n").press("C-n")
        alice.until(lambda rows: "group garden" in rows[-2])
        bob.say("/msg alice one", "/msg alice two")
        alice.until(lambda rows: any("bob" in row and row.endswith(" 2") for row in rows[1:]) and "2 unread" in rows[-2])
        alice.press("Escape")
        alice.until(lambda rows: any("bob: two" in row for row in rows) and "unread" not in rows[-2])
        alice.type("/quit").press("Enter")
        screen = alice.until("status 0")
        assert not any("PEOPLE" in row for row in screen)
        bob.next("logout", name="alice")


def test_other_sizes_and_other_connections(house, tmp_path):
    """Every line is there after the window was small, and after the broker was away; the cursor stays where one types."""
    with Chat("bob", where(house)) as bob, Terminal(80, 24, "-u", "alice", *where(house), folder=tmp_path) as alice:
        bob.arrived()
        bob.until_here("alice", "bob")
        bob.say(*(f"/msg alice line {number}" for number in range(8)))
        alice.type("draft")
        alice.until("bob: line 7")
        for columns, rows in ((40, 12), (20, 6), (100, 30)):
            alice.resize(columns, rows)
            alice.until(lambda rows_: len(rows_) == rows and holds("line 7", last="> draft")(rows_))
        alice.until(holds(*(f"bob: line {number}" for number in range(8))))
        assert house.process.poll() is None
        os.kill(house.process.pid, signal.SIGSTOP)
        try:
            alice.press("C-u").type("/msg bob while it hung").press("Enter")
            alice.until("while it hung \u2026")
        finally:
            os.kill(house.process.pid, signal.SIGCONT)
        bob.next("private", text="while it hung")
        alice.until("while it hung \u2713")
        # Looking back: PgUp shows older lines and says that there are newer ones.
        bob.say(*(f"/msg alice later {number}" for number in range(60)))
        alice.until("bob: later 59")
        alice.press("PPage").press("PPage")
        alice.until(lambda rows: "more below" in rows[-2] and not any("later 59" in row for row in rows))
        alice.press("NPage").press("NPage").press("NPage")
        alice.until("bob: later 59")
        alice.press("C-c")
        alice.until("status 0")


def test_the_terminal_is_as_it_was(house, tmp_path):
    """After SIGTERM, after the broker refused, and after a crash: the shell's own screen, with echo and a cursor."""
    with Terminal(80, 24, "-u", "alice", *where(house), folder=tmp_path) as alice:
        alice.until("PEOPLE 1")
        os.kill(alice.process_id, signal.SIGTERM)
        alice.until("status 0")
        alice.type("echo $((40 + 2))").press("Enter")
        alice.until(lambda rows: "42" in rows)
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    with Terminal(80, 24, "-u", "alice", *where(house), folder=crashed) as alice:
        alice.until("PEOPLE 1")
        os.kill(alice.process_id, signal.SIGABRT)
        alice.until("status 134")
        alice.type("echo $((40 + 2))").press("Enter")
        alice.until(lambda rows: "42" in rows)
    refused = tmp_path / "refused"
    refused.mkdir()
    with Terminal(80, 24, "-u", "alice", "-h", "localhost", "-p", "1", folder=refused) as alice:
        screen = alice.until("status 1")
        assert any(row.startswith("Error: could not connect") for row in screen)


def test_packets_beside_lines(house, tmp_path):
    """--explain on the screen: below each line what carried it."""
    with Chat("bob", where(house)) as bob, Terminal(80, 24, "-u", "alice", "--explain", *where(house), folder=tmp_path) as alice:
        bob.arrived()
        bob.until_here("alice", "bob")
        bob.say("/msg alice hello")
        alice.until("\u2190 PUBLISH qos 2 id")
        alice.until("\u2192 PUBCOMP id")
        alice.type("/group g hi").press("Enter")
        alice.until("\u2192 PUBLISH qos 1 id")
        alice.until("\u2190 PUBACK id")
