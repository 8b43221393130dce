"""Our tools and Debian's through either broker: what one house says the other hears, and prints the same."""

import json
import re
import time

import pytest

from our_tools import DEBIANS, OURS, HouseBroker, Listener, run


LOGGED = "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type all\n"


@pytest.fixture(scope="module", params=["martlet", "mosquitto"])
def house(request):
    with HouseBroker(request.param, LOGGED) as broker:
        yield broker


HOUSES = [(OURS, OURS), (OURS, DEBIANS), (DEBIANS, OURS)]


@pytest.mark.parametrize("pub,sub", HOUSES)
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", ["31", "311", "5"])
def test_a_message(house, topic, pub, sub, qos, version):
    with Listener(sub, f"mosquitto_sub -d -v -V {version} -q {qos} -p {house.port} -t {topic} -C 1") as listener:
        listener.until("Subscribed")
        done = run(pub, f"mosquitto_pub -V {version} -q {qos} -p {house.port} -t {topic} -m 'Grüße, ihr da'")
        assert (done.returncode, done.stderr) == (0, b"")
        assert listener.end() == 0
        assert f"\n{topic} Grüße, ihr da\n" in listener.output


@pytest.mark.parametrize("pub,sub", HOUSES)
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_lines(house, topic, pub, sub, qos):
    # Fewer than `max_queued_messages`: beyond it a slow reader loses some.
    lines = [f"line {number} {'x' * (number % 97)}" for number in range(900)]
    with Listener(sub, f"mosquitto_sub -d -q {qos} -p {house.port} -t {topic} -C 900 -F %p") as listener:
        listener.until("Subscribed")
        # No line end behind the last one.
        done = run(pub, f"mosquitto_pub -q {qos} -p {house.port} -t {topic} -l", stdin="\n".join(lines).encode())
        assert done.returncode == 0
        assert listener.end(60) == 0
        heard = [line for line in listener.output.splitlines() if not line.startswith(("Client ", "Subscribed"))]
        assert heard == lines


def test_payloads_of_every_kind(house, topic, tmp_path):
    payload = bytes(range(256)) * 800
    (tmp_path / "payload").write_bytes(payload)
    for how in (["-f", str(tmp_path / "payload")], ["-s"]):
        name = f"{topic[2:]}{how[0]}"
        with Listener(OURS, f"mosquitto_sub -p {house.port} -i {name} -t {topic} -C 1 -N") as listener, \
                Listener(OURS, f"mosquitto_sub -d -p {house.port} -t {topic} -C 1 -F %l") as second:
            house.subscribed(name)
            second.until("Subscribed")
            assert run(OURS, ["mosquitto_pub", "-p", str(house.port), "-t", topic, "-q", "1", *how],
                       stdin=payload).returncode == 0
            assert second.end() == 0
            assert f"\n{len(payload)}\n" in second.output
            assert listener.end() == 0
            assert listener.paths[0].read_bytes() == payload


FIELDS = [
    "%p", "%5p", "%-5p|", "%05p", "%20p|", "%x", "%X", "%10x", "%-10x|", "%010X", "%l", "%5l", "%-5l|", "%05l", "%t",
    "%40t", "%-40t|", "%.3t", "%40.3t", "%q", "%r", "%m", "%5m", "%A|%5A|%05A", "%C|%5C|%.2C|%12.2C|%-12.2C|", "%D|",
    "%E|%5E", "%F|%3F", "%P|", "%R|", "%S|%5S", "%%", r"a\n\t\e\0\a\r\v\\b", "@Y@@x@m", "%I", "plain",
]


@pytest.mark.parametrize("rich", [False, True])
def test_formats_print_what_mosquittos_print(house, topic, rich):
    fmt = "|".join(FIELDS)
    subs = [Listener(where, f"mosquitto_sub -d -V 5 -q 1 -p {house.port} -t {topic} -C 1 -F '{fmt}'")
            for where in (OURS, DEBIANS)]
    try:
        for sub in subs:
            sub.until("Subscribed")
        properties = ("-D publish content-type text/x -D publish response-topic r/t -D publish correlation-data co "
                      "-D publish user-property a b -D publish user-property c d "
                      "-D publish payload-format-indicator 1") if rich else ""
        assert run(OURS, f"mosquitto_pub -V 5 -q 1 -p {house.port} -t {topic} -m abcdef {properties}").returncode == 0
        assert [sub.end() for sub in subs] == [0, 0]
        # Not the -d lines; nor the clock: the second of both, or the day, may be another.
        ours, theirs = (re.sub(r"\d\d:\d\d:\d\d|\d{4}-\d\d-\d\d|\d\d/\d\d/\d\d", "", sub.output.split("rc0)\n", 1)[1]) for sub in subs)
        assert ours.split("Client")[0] == theirs.split("Client")[0]
    finally:
        for sub in subs:
            sub.__exit__()


@pytest.mark.parametrize("payload", ["text \"quoted\" é", '{"a": [1, true, null, {}], "b": "x"}'])
@pytest.mark.parametrize("options", ["-F %j", "-F %J", "-F %J --pretty", "-F %j --pretty"])
def test_json_is_mosquittos(house, topic, payload, options):
    run(OURS, ["mosquitto_pub", "-V", "5", "-q", "1", "-p", str(house.port), "-t", topic, "-r", "-m", payload,
               "-D", "publish", "user-property", "a", "b"])  # of several kinds Debian's keeps the packet's order
    line = f"mosquitto_sub -V 5 -q 1 -p {house.port} -t {topic} -C 1 {options}"
    ours, theirs = run(OURS, line), run(DEBIANS, line)
    assert ours.returncode == theirs.returncode == 0
    assert ours.stderr == theirs.stderr
    without_time = [re.sub(r'"tst":\s*"[^"]*"', "", done.stdout.decode()) for done in (ours, theirs)]
    # Debian's prints the end of a line where there was nothing to print, too.
    assert without_time[0].strip() == without_time[1].strip()


@pytest.mark.parametrize("asker", [OURS, DEBIANS])
def test_request_and_answer(house, topic, asker):
    with Listener(OURS, f"mosquitto_sub -d -V 5 -q 1 -p {house.port} -t {topic}/ask -C 1 -F %R") as service:
        service.until("Subscribed")
        with Listener(asker, f"mosquitto_rr -q 1 -p {house.port} -t {topic}/ask -e {topic}/answer -m now? -W 60") as rr:
            assert service.end() == 0
            assert f"{topic}/answer\n" in service.output
            run(OURS, f"mosquitto_pub -p {house.port} -t {topic}/answer -q 1 -m yes")
            assert rr.end() == 0
            assert rr.output == "yes\n"


def test_a_session_waits(house, topic):
    """E21: what is sent while a subscriber is away is there when it comes back."""
    line = f"-p {house.port} -i {topic.replace('/', '-')} -q 1 -t {topic}"
    assert run(OURS, f"mosquitto_sub -c -x 60 -V 5 -E {line}").returncode == 0
    assert run(DEBIANS, f"mosquitto_pub -p {house.port} -q 1 -t {topic} -m waited").returncode == 0
    done = run(OURS, f"mosquitto_sub -c -x 60 -V 5 -C 1 -W 60 {line}")
    assert (done.returncode, done.stdout) == (0, b"waited\n")


def test_a_session_ends_when_it_expires_and_in_3_it_does_not(house, topic):
    """E21: a 5.0 session lives for -x seconds after its client has gone; one of 3.1.1 is still there."""
    new = f"-p {house.port} -i {topic.replace('/', '-')}5 -q 1 -t {topic} -c -x 1 -V 5"
    old = f"-p {house.port} -i {topic.replace('/', '-')}3 -q 1 -t {topic} -c -V 311"
    for line in (new, old):
        assert run(OURS, f"mosquitto_sub -E {line}").returncode == 0
    time.sleep(4)
    assert run(OURS, f"mosquitto_pub -p {house.port} -q 1 -t {topic} -m waited").returncode == 0
    came = run(OURS, f"mosquitto_sub -C 1 -W 60 {old}")
    assert (came.returncode, came.stdout) == (0, b"waited\n")
    ended = run(OURS, f"mosquitto_sub -C 1 -W 2 {new}")
    assert (ended.returncode, ended.stdout) == (27, b"")


def test_a_late_subscriber_sees_what_is_retained(house, topic):
    """E22: at once, and marked r1."""
    assert run(OURS, f"mosquitto_pub -p {house.port} -r -t {topic} -m kept").returncode == 0
    done = run(OURS, f"mosquitto_sub -d -p {house.port} -t {topic} -C 1 -W 60")
    assert done.returncode == 0 and re.search(rf"received PUBLISH \(d0, q0, r1, m0, '{topic}', ... \(4 bytes\)\)", done.stdout.decode())


def test_retained_messages_are_removed(house, topic):
    for name in ("a", "b", "keep"):
        run(OURS, f"mosquitto_pub -p {house.port} -r -q 1 -t {topic}/{name} -m {name}")
    done = run(OURS, f"mosquitto_sub -p {house.port} -t {topic}/+ --remove-retained -T {topic}/keep -C 2 -W 60")
    assert sorted(done.stdout.split()) == [b"a", b"b"]
    # It ends with the first message that is not retained.
    with Listener(OURS, f"mosquitto_sub -d -p {house.port} -t {topic}/+ -v --retained-only") as listener:
        listener.until("Subscribed")
        assert run(OURS, f"mosquitto_pub -p {house.port} -t {topic}/live -m live").returncode == 0
        listener.end()
        assert [line for line in listener.output.splitlines() if line.startswith(topic)] == [f"{topic}/keep keep"]


def test_our_json(house, topic):
    with Listener(OURS, f"mosquitto_sub --json -q 1 -p {house.port} -i {topic[2:]} -t {topic} -C 2") as listener:
        house.subscribed(topic[2:])
        done = run(OURS, ["mosquitto_pub", "--json", "-q", "1", "-p", str(house.port), "-t", topic, "-m", '{"a": 1.50}'])
        told = json.loads(done.stdout)
        assert (told["message"], told["topic"], told["qos"], told["reasonCode"]) == (1, topic, 1, 0)
        run(OURS, ["mosquitto_pub", "-s", "-q", "1", "-p", str(house.port), "-t", topic], stdin=b"\xff\x00")
        listener.end()
        first, binary = map(json.loads, listener.output.splitlines())
        assert (first["topic"], first["qos"], first["retain"], first["json"]) == (topic, 1, False, {"a": 1.5})
        assert binary["payloadBase64"] == "/wA=" and "payload" not in binary


def test_rate(house, topic):
    begin = time.monotonic()
    done = run(OURS, f"mosquitto_pub -p {house.port} -t {topic} -l --rate 20", stdin=b"x\n" * 11)
    assert done.returncode == 0
    assert 0.4 < time.monotonic() - begin < 30
