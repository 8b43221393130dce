"""Command lines that cannot be carried out, and some that can: what our tools print and how they exit, beside Debian's own."""

import re

import pytest

from our_tools import DEBIANS, OURS, PROGRAM, run

CA = "--cafile /etc/ssl/certs/ca-certificates.crt"

PUB = f"""
-S|-A|-c|-p|-p x|-p 70000|-q 3|-k 4|-L|-L foo|-L mqtt://h|-L mqtt://u:p@h|-D|-D a|-D x y z|-D connect y z
-D connect content-type z|-D publish user-property a|-D publish content-type|-D publish topic-alias 99999
-D publish topic-alias -1|-D publish auth z|-D auth user-property a b|-D puback reason-string b
-D subscribe content-type b|-D publish subscription-identifier 3|-V|-V 7|-x|-x a|-V 5 -x 99999999999|-V 5 -x -2
-V 5 -x -1|-V 5 -c|-c -t a -m b|--will-payload x|--will-retain|--cert x|--key x|--keyform pem|--psk aa
--psk aa --cafile x|-t a/+ -m b|-m x -m y|-m x -l|-n -s|-f a -n|--repeat 0|--repeat|--repeat-delay -1|--repeat-delay
-M 0|-M|-M x|-i a -I b|-I b -i a|-i|-I|-e foo|-t x -C 1|--tls-engine-kpass-sha1 x|--proxy|--proxy x|--proxy http://x
--proxy socks5h://|--proxy socks5h://a:b:c|-t|-f|-f /nonexist -t a|--will-qos 4|--will-qos|--will-topic
--will-topic a/#|--will-topic a --will-payload|--unix|-P|-u|--tls-version
-V 5 -t a -n -D publish topic-alias 5 -D publish topic-alias 6|-D connect receive-maximum 0 -V 5 -t a -n
--will-retain -t a|-d extra|--foo|-h nohost.invalid -t a -m b|-p 1 -t a -m b|--unix /nonexist -t a -m b
-A 192.0.2.1 -t a -m b|-h|--psk-identity|--ciphers|--keyform|--keyform x --key y --cert y -t a -n|--tls-engine
--tls-alpn|--tls-engine-kpass-sha1|--tls-version x {CA} -t a -n -p 1|--cafile|--capath|-m|-t a -s|-F x|-v
--psk zz --psk-identity a -t a -n|--repeat-delay x -t a -n -p 1|-r -d -q 2 -p 1 -t a -n|-R|--quiet -p 1 -t a -m b
--quiet --foo|-t  -m x|-L mqtt://u:p@localhost:1/t -m x|-t a -m b -V 31 -p 1|--nodelay -t a -n -p 1
--tls-use-os-certs -p 1 -t a -n|-x 5 -V 311 -t a -n -p 1|-D will will-delay-interval 3 -t a -n -p 1|-k x -t a -m b
-D connect authentication-data x -t a -n -p 1|--insecure -t a -n -p 1|-t a/#/b -n|-q x -t a -n -p 1
"""
SUB = """
-t|-C|-C 0|-C x|-e x|-F|-F %|-F %Q|-F @|-F \\\\|-F \\\\q|-F %5|-F %-|-F %.|-F %0|--random-filter|--random-filter x
--random-filter 0|-T a/#/b|-T|-U a/#/b|-U|-W|-W 0|-t a/#/b|--pretty|-l|-m x|-M|-E x|-R -r|-M 5 -t a -p 1
-t a -F %%%t -p 1|-c -t a|-V 5 -c -t a|-t a -t b/+ -p 1|-D unsubscribe user-property a b -t a -p 1
-N -v -R --retained-only --remove-retained -t a -p 1|-L mqtt://localhost:1/a|-q 3|-k 65536|--will-payload x|-h|-s|-f x
-S|--retain-as-published -t a -p 1 -V 5|-t a -h nohost.invalid -W 2|-F %5% -t a -p 1|-F a\\\\ -t a|--foo|-T x|--quiet
"""
RR = """
-S|-e|-e a/+|-t a -e b|-t a -n|-W|-l|-C 1|-t a -m b -e c -p 1|-t a -m b -m c|-F %Q|-E|-T a|-t a/+ -n -e b
-D publish response-topic x -t a -n -e b -p 1|-c|--repeat 3|-M 3 -e b -t a -n -p 1|-r
"""


def lines(tool, text):
    return [f"mosquitto_{tool} {line}" for row in text.strip().splitlines() for line in row.split("|")]


@pytest.mark.parametrize("line", lines("pub", PUB) + lines("sub", SUB) + lines("rr", RR))
def test_prints_and_exits_as_mosquitto(line):
    theirs, ours = run(DEBIANS, line), run(OURS, line)
    assert ours.returncode == theirs.returncode
    assert ours.stderr == theirs.stderr
    if not theirs.stdout.startswith(b"mosquitto_pub is"):  # the help page has our banner and our options
        assert ours.stdout == theirs.stdout


@pytest.mark.parametrize("tool", ["pub", "sub", "rr"])
def test_help_holds_all_of_mosquittos(tool):
    theirs = run(DEBIANS, f"mosquitto_{tool} --help")
    ours = run(OURS, f"mosquitto_{tool} --help")
    assert ours.returncode == theirs.returncode == 1
    missing = set(theirs.stdout.splitlines()) - set(ours.stdout.splitlines())
    assert [line for line in missing if b"running on libmosquitto" not in line] == []
    assert b"martlet" in run(OURS, f"mosquitto_{tool} --version").stdout


def test_options_from_a_file(tmp_path, monkeypatch):
    (tmp_path / "mosquitto_pub").write_text("# where\n-h nohost.invalid\n-t a\n-m hello there\n")
    from our_tools import ENVIRONMENT
    monkeypatch.setitem(ENVIRONMENT, "XDG_CONFIG_HOME", str(tmp_path))
    theirs, ours = run(DEBIANS, "mosquitto_pub"), run(OURS, "mosquitto_pub")
    assert (ours.returncode, ours.stderr) == (theirs.returncode, theirs.stderr) == (1, b"Unable to connect (Lookup error.).\n")


def test_the_program_says_which_it_is():
    done = run("", [str(PROGRAM), "--version"])
    assert (done.returncode, done.stderr) == (0, b"") and re.fullmatch(rb"martlet \d+\.\d+\.\d+\n", done.stdout)
    assert done.stdout.strip() in run(OURS, "mosquitto_pub --version").stdout  # the tools have their own line of source for it
