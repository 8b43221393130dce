"""Fixtures, and the closing line `N passed, N failed` that CI counts."""

import collections
import uuid

import pytest

from broker import COMMAND, IS_MOSQUITTO, Broker
from peers import Peer

_outcomes = collections.Counter()


def pytest_report_header():
    return f"broker: {COMMAND}"


@pytest.fixture(scope="module")
def broker():
    """One broker for the tests of a file; they keep apart by topic."""
    with Broker() as running:
        yield running
        assert running.process.poll() is None, f"the broker ended during the tests:\n{running.log[-4000:]}"


@pytest.fixture
def topic():
    """A topic nobody else uses."""
    return f"t/{uuid.uuid4().hex[:12]}"


@pytest.fixture
def peer(broker):
    """Makes paho clients connected to the broker, and takes them down after the test."""
    made = []

    def make(*args, **options):
        client = Peer(broker.port, *args, **options)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


def pytest_configure(config):
    config.addinivalue_line("markers", "beyond_mosquitto(reason): skipped where the broker is mosquitto 2.0.11, which differs")


def pytest_collection_modifyitems(items):
    for item in items:
        marker = item.get_closest_marker("beyond_mosquitto")
        if marker and IS_MOSQUITTO:
            item.add_marker(pytest.mark.skip(reason=f"mosquitto 2.0.11 {marker.args[0]}"))


def pytest_runtest_logreport(report):
    if report.failed:
        _outcomes["failed"] += 1
    elif report.skipped:
        _outcomes["skipped"] += 1
    elif report.when == "call":
        _outcomes["passed"] += 1


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    if config.option.collectonly:
        return
    line = f"{_outcomes['passed']} passed, {_outcomes['failed']} failed"
    if _outcomes["skipped"]:
        line += f", {_outcomes['skipped']} skipped"
    print(line, flush=True)
