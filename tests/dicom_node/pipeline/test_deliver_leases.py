"""A delivery is one sender's while its lease lasts, and another's after it: nothing is sent twice at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from delivering import Peer, circuit, events

from dicom_node.errors import Unreachable
from dicom_node.pipeline import keeper
from dicom_node.pipeline.deliver import Deliver
from dicom_node.pipeline.loop import start_stage
from storage.database import Database
from storage.errors import LeaseLost
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, JobMark
from storage.records import Delivery

PATIENCE_S = 30.0


class TestInThreads:
    """With the loop that the node runs, and time that runs by itself."""

    @pytest.fixture
    def stop(self) -> threading.Event:
        return threading.Event()

    @pytest.fixture
    def until(self) -> Callable[[Callable[[], bool]], None]:
        def wait(true: Callable[[], bool]) -> None:
            deadline = time.monotonic() + PATIENCE_S
            while not true():
                assert time.monotonic() < deadline
                time.sleep(0.01)

        return wait

    def test_one_that_hangs_delays_no_other(
        self, result: Callable[..., int], deliver: Deliver, look: Callable[..., Delivery], stop: threading.Event,
        until: Callable[[Callable[[], bool]], None],
    ) -> None:  # fmt: skip
        hangs = threading.Event()
        hung, well = Peer(before=lambda: hangs.wait(PATIENCE_S) and None), Peer()
        stuck, sent = result(1, "pacs", now=1.0), [result(n, "share", now=float(n)) for n in (2, 3, 4)]
        common = replace(deliver, clock=time.time)
        threads = [
            start_stage(replace(common, destination=hung, owner="a"), stop),  # type: ignore[arg-type]
            start_stage(replace(common, destination=well, owner="b", sender=Sender("share")), stop),  # type: ignore[arg-type]
        ]
        try:
            until(lambda: all(look(n).state is DeliveryState.SENT for n in sent))
            assert look(stuck).state is DeliveryState.PENDING
            hangs.set()
            until(lambda: look(stuck).state is DeliveryState.SENT)
        finally:
            hangs.set()
            stop.set()
            for thread in threads:
                thread.join()

    def test_the_lease_lasts_as_long_as_the_sending(
        self, result: Callable[..., int], deliver: Deliver, look: Callable[..., Delivery], stop: threading.Event,
        until: Callable[[Callable[[], bool]], None], monkeypatch: pytest.MonkeyPatch, peer: Peer,
    ) -> None:  # fmt: skip
        monkeypatch.setattr(keeper, "TELL_EVERY_S", 0.0)
        result()
        hangs, term_s = threading.Event(), 1.0
        peer.before = lambda: hangs.wait(PATIENCE_S) and None
        long = replace(deliver, clock=time.time, lease_term_s=term_s)
        thread = start_stage(long, stop)
        try:
            until(lambda: look().lease_owner == "me")
            first = look().lease_until or 0.0
            until(lambda: (look().lease_until or 0.0) > first + term_s)
            assert not replace(long, owner="another").step(time.time()), "it is not sent twice at once"
            hangs.set()
            until(lambda: look().state is DeliveryState.SENT)
        finally:
            hangs.set()
            stop.set()
            thread.join()
        assert len(peer.taken) == 1

    def test_a_lease_that_was_lost_drops_what_was_done_and_the_next_goes_on(
        self, result: Callable[..., int], deliver: Deliver, look: Callable[..., Delivery], stop: threading.Event,
        until: Callable[[Callable[[], bool]], None], peer: Peer, database: Database, caplog: pytest.LogCaptureFixture,
    ) -> None:  # fmt: skip
        first, second = result(1, now=1.0), result(2, now=2.0)

        def rob() -> None:
            if not peer.taken:
                with database.transaction() as tx:
                    tx.deliveries.reap(time.time() + 1000.0)
                    tx.outbox.claim(Sender("pacs"), "another", time.time(), 1000.0)

        peer.before = rob
        thread = start_stage(replace(deliver, clock=time.time, sender=Sender("pacs", concurrency=2)), stop)
        try:
            until(lambda: look(second).state is DeliveryState.SENT)
        finally:
            stop.set()
            thread.join()
        assert "no longer holds" in caplog.text
        assert (look(first).state, look(first).lease_owner) == (DeliveryState.PENDING, "another")


def test_a_killed_sender_is_followed_by_another(
    result: Callable[..., int], deliver: Deliver, step: Callable[..., bool], peer: Peer, look: Callable[..., Delivery]
) -> None:
    result()

    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    peer.before = die
    with pytest.raises(Killed):
        step(1000.0)
    peer.before = lambda: None
    other = replace(deliver, owner="another")
    assert not other.step(1059.0)
    assert other.step(1060.0)
    assert (look().state, look().attempts, look().faults) == (DeliveryState.SENT, 2, 0)


@pytest.mark.parametrize("mark", list(JobMark))
def test_what_was_overtaken_under_a_sender_that_ended_leaves_no_more(
    result: Callable[..., int], step: Callable[..., bool], peer: Peer, look: Callable[..., Delivery],
    database: Database, mark: JobMark,
) -> None:  # fmt: skip
    result()
    with database.transaction() as tx:
        claimed = tx.outbox.claim(Sender("pacs"), "before:deliver", 1000.0, 60.0)
        assert claimed is not None
    with database.transaction() as tx:
        if mark:
            tx.jobs.mark(claimed.job_id, mark)
        else:
            tx.jobs.claim("infer", 1001.0, 60.0)
            tx.jobs.supersede(claimed.job_id, 1001.0, "a correction changed the header that its results copy")
        assert tx.deliveries.supersede_unsent(claimed.job_id, 1001.0) == 0
    with database.transaction() as tx:
        assert tx.handover.of("before:") == 1
    assert step(1010.0)
    assert (look().state, peer.taken) == (DeliveryState.SUPERSEDED, [])
    assert events(database)[-1] == ("delivery stopped", "pacs: its job was overtaken while it was being sent")
    assert not step(1020.0)


def test_who_lost_the_lease_writes_nothing(
    result: Callable[..., int], step: Callable[..., bool], peer: Peer, look: Callable[..., Delivery], database: Database
) -> None:
    result()
    peer.answer = Unreachable("connection refused")

    def rob() -> None:
        with database.transaction() as tx:
            tx.outbox.claim(Sender("pacs"), "another", 1060.0, 60.0)

    peer.before = rob
    with pytest.raises(LeaseLost):
        step(1000.0)
    assert look().lease_owner == "another"
    assert circuit(database).failures == 0
