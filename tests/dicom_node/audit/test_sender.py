"""The spool is emptied in order; an outage costs nothing but time; what does not go is told."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from audit_collector import AuditCollector, Authority, server_context

from dicom_node.audit.sender import BATCH, Sender
from dicom_node.audit.settings import SyslogSettings
from dicom_node.audit.spool import Spool
from dicom_node.audit.syslog import Syslog
from dicom_node.errors import Unfinished, Unreachable
from dicom_node.network.ports import free_port


class Collector:
    """Takes messages while it is there."""

    def __init__(self) -> None:
        self.there = True
        self.calls = 0
        self.taken: list[bytes] = []

    def send(self, messages: Sequence[bytes]) -> None:
        self.calls += 1
        if not self.there:
            raise Unreachable("audit collector: Connection refused")
        self.taken += messages


class Slow:
    """Reads no more than so many messages in the time that is given for a batch."""

    def __init__(self, at_a_time: int) -> None:
        self.at_a_time = at_a_time
        self.read: list[bytes] = []

    def send(self, messages: Sequence[bytes]) -> None:
        self.read += messages[: self.at_a_time]
        if len(messages) > self.at_a_time:
            raise Unfinished("audit collector did not close its side in 5 s")


@pytest.fixture
def collector() -> Collector:
    return Collector()


@pytest.fixture
def sender(spool: Spool, collector: Collector, clock: Any) -> Sender:
    return Sender(spool, collector, "radiology-1", clock)


def test_what_waits_is_sent_and_gone(spool: Spool, sender: Sender, collector: Collector) -> None:
    for number in range(3):
        spool.write(b"message %d" % number)
    sender.step()
    assert [message[-9:] for message in collector.taken] == [b"message 0", b"message 1", b"message 2"]
    assert spool.waiting() == []
    assert sender.state() == {"sent": 3, "trouble": ""}


def test_who_shares_the_spool_stands_by_and_takes_over(
    spool: Spool, sender: Sender, collector: Collector, clock: Any
) -> None:
    same = Spool(spool.folder, max_bytes=1000, keep_s=10 * 86400.0, clock_ns=clock.ns)
    other = Sender(same, Collector(), "radiology-1", clock)
    sender.step()
    spool.write(b"message 0")
    other.step()
    assert other.state()["sent"] == 0
    sender.start()
    sender.stop()
    assert [message[-9:] for message in collector.taken] == [b"message 0"], "its last step"
    spool.write(b"message 1")
    other.step()
    assert other.state()["sent"] == 1


def test_in_batches(spool: Spool, sender: Sender, collector: Collector) -> None:
    for _ in range(BATCH + 1):
        spool.write(b"x")
    sender.step()
    assert (collector.calls, len(collector.taken)) == (2, BATCH + 1)


def test_a_collector_that_is_too_slow_for_a_batch_gets_smaller_ones(spool: Spool, clock: Any) -> None:
    """Else the same batch would come again and again, and nothing behind it."""
    spool, slow = Spool(spool.folder, max_bytes=10**6, keep_s=1e9, clock_ns=clock.ns), Slow(at_a_time=60)
    sender = Sender(spool, slow, "radiology-1", clock)
    for number in range(BATCH + 1):
        spool.write(b"message %03d" % number)
    for _ in range(20):
        sender.step()
        clock.now += 300.0
    assert spool.waiting() == []
    first_time = list(dict.fromkeys(slow.read))
    assert [message[-3:] for message in first_time] == [b"%03d" % number for number in range(BATCH + 1)], "in order"
    assert len(slow.read) < 2 * BATCH, "what is sent again is the smaller part"


def test_an_outage_leaves_batches_as_large_as_they_were(
    spool: Spool, sender: Sender, collector: Collector, clock: Any
) -> None:
    collector.there = False
    for _ in range(BATCH):
        spool.write(b"x")
    for _ in range(5):
        sender.step()
        clock.now += 300.0
    collector.there, collector.calls = True, 0
    sender.step()
    assert (collector.calls, len(collector.taken)) == (1, BATCH)


def test_an_outage_is_told_once_and_resumed_in_order(
    spool: Spool, sender: Sender, collector: Collector, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    collector.there = False
    spool.write(b"message 0")
    for _ in range(5):
        sender.step()
        clock.now += 300.0
    spool.write(b"message 1")
    assert sender.state() == {"sent": 0, "trouble": "audit collector: Connection refused"}
    collector.there = True
    sender.step()
    assert [message[-9:] for message in collector.taken] == [b"message 0", b"message 1"]
    assert caplog.text.count("Connection refused") == 1
    assert "audit messages are sent again" in caplog.text


def test_pauses_grow_while_it_lasts(spool: Spool, sender: Sender, collector: Collector, clock: Any) -> None:
    collector.there = False
    spool.write(b"message")
    tries = []
    for _ in range(1000):
        before = collector.calls
        sender.step()
        if collector.calls > before:
            tries.append(clock.now)
        clock.now += 5.0
    pauses = [second - first for first, second in pairwise(tries)]
    assert pauses[:8] == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]


def test_no_pause_lasts_longer_because_the_machines_clock_is_set_back(
    spool: Spool, sender: Sender, collector: Collector, clock: Any
) -> None:
    collector.there = False
    spool.write(b"message")
    sender.step()
    collector.there, clock.now = True, clock.now - 3600.0
    sender.step()
    assert spool.waiting() == []


def test_nothing_to_send_asks_nobody(sender: Sender, collector: Collector) -> None:
    sender.step()
    assert collector.calls == 0


def test_the_spool_stays_within_its_bounds_during_an_outage(
    spool: Spool, sender: Sender, collector: Collector, clock: Any
) -> None:
    collector.there = False
    for _ in range(5):
        spool.write(b"x" * 400)
    sender.step()
    assert len(spool.waiting()) == 2


def test_what_is_old_by_a_clock_that_has_leapt_stays(spool: Spool, clock: Any) -> None:
    """Ten years are soon over where a hardware clock is set to a wrong one."""
    spool.write(b"here and nowhere else")
    right = clock()
    clock.now += 100 * 365 * 86400
    Sender(spool, None, clock=clock, ages=lambda _: right).step()
    assert len(spool.waiting()) == 1
    Sender(spool, None, clock=clock).step()
    assert spool.waiting() == []


def test_without_a_collector_messages_stay(spool: Spool, clock: Any) -> None:
    for _ in range(5):
        spool.write(b"x" * 400)
    Sender(spool, None, clock=clock).step()
    assert len(spool.waiting()) == 2, "within the bounds"


def test_a_spool_that_cannot_be_read_is_told(
    spool: Spool, sender: Sender, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Spool) -> list[Any]:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Spool, "_files", broken)
    sender.step()
    assert sender.state()["trouble"] == "the spool cannot be read: Input/output error"
    assert "cannot be kept within its bounds: Input/output error" in caplog.text


def test_a_real_collector_that_was_away_gets_all_in_order(
    spool: Spool, clock: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    authority = Authority.make(tmp_path_factory.mktemp("certificates") / "authority")
    good = server_context(*authority.issue("collector"))
    wrong = server_context(*authority.issue("other", "DNS:other.example"))
    port = free_port()
    sender = Sender(
        spool, Syslog(SyslogSettings(host="localhost", port=port, ca_file=authority.certificate)), "host", clock
    )
    spool.write(b"message 0")
    sender.step()
    assert "Connection refused" in str(sender.state()["trouble"])

    clock.now += 600.0
    spool.write(b"message 1")
    with AuditCollector(wrong, port):
        sender.step()
    assert "has no good certificate" in str(sender.state()["trouble"])
    assert len(spool.waiting()) == 2, "kept"

    clock.now += 600.0
    spool.write(b"message 2")
    with AuditCollector(good, port) as collector:
        sender.step()
    assert [message[-9:] for message in collector.messages] == [b"message 0", b"message 1", b"message 2"]
    assert (spool.waiting(), sender.state()["trouble"]) == ([], "")
