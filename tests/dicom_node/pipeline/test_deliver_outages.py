"""An outage is the destination's and costs its deliveries nothing; a failure while it is well is the delivery's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from delivering import Peer, circuit, events
from turned_clock import Clock

from dicom_node.errors import Rejected, Unfinished, Unreachable
from dicom_node.pipeline.deliver import Deliver
from storage.database import Database
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState
from storage.records import Circuit, Delivery


class TestOwnFaults:
    """A failure while the destination is well is the delivery's own."""

    @pytest.fixture(autouse=True)
    def poison(self, result: Callable[..., int], peer: Peer) -> int:
        peer.answer = Unfinished("aborted the association")
        return result()

    def test_it_waits_by_itself(self, step: Callable[..., bool], look: Callable[..., Delivery]) -> None:
        step(1000.0)
        assert (look().state, look().faults) == (DeliveryState.PENDING, 1)
        assert 1007.5 <= look().next_attempt_at <= 1012.5
        assert not step(1007.0), "not before its time"

    def test_it_is_given_up_when_others_are_taken_all_the_time(
        self, step: Callable[..., bool], look: Callable[..., Delivery], peer: Peer, result: Callable[..., int]
    ) -> None:
        poison, trouble = look().delivery_id, peer.answer
        for number in (2, 3, 4):
            peer.answer = trouble
            assert step(1000.0 * number)
            result(number, now=1000.0 * number)
            peer.answer = 0x0000
            assert step(1000.0 * number + 1)
        dead = look(poison)
        assert (dead.state, dead.attempts) == (DeliveryState.DEAD, 3)
        assert dead.reason == "given up after 3 failures while pacs took others: aborted the association"

    def test_an_outage_that_answers_costs_it_no_more(
        self, step: Callable[..., bool], look: Callable[..., Delivery], database: Database
    ) -> None:
        for number in range(100):
            step(10_000.0 * number + 1000.0)
        assert (look().state, look().faults, look().attempts) == (DeliveryState.PENDING, 1, 100)
        assert circuit(database).failures == 100

    def test_it_does_not_block_the_others(
        self, step: Callable[..., bool], look: Callable[..., Delivery], peer: Peer, result: Callable[..., int]
    ) -> None:
        poison, trouble = look().delivery_id, peer.answer
        for now in (1000.0, 1100.0, 1200.0):
            assert step(now)
        other = result(2, now=1205.0)
        peer.before = lambda: setattr(peer, "answer", 0x0000 if look(other).lease_owner else trouble)
        assert step(1300.0)
        assert (look(other).state, look(poison).state) == (DeliveryState.SENT, DeliveryState.PENDING)


class TestOutage:
    @pytest.fixture
    def three(self, result: Callable[..., int]) -> list[int]:
        return [result(number, now=float(number)) for number in (1, 2, 3)]

    @pytest.mark.parametrize("kind", [Unreachable, Unfinished])
    def test_who_asks_for_patience_gets_it_at_once_from_all(
        self, three: list[int], step: Callable[..., bool], peer: Peer, database: Database, kind: type[Unreachable]
    ) -> None:
        peer.answer = kind("is asked too often", wait_s=500.0)
        assert step(1000.0)
        assert circuit(database).next_try_at == 1500.0
        assert not step(1499.0)
        peer.answer = 0x0000
        assert step(1501.0)
        assert not circuit(database).open

    def test_patience_is_never_shorter_than_the_pause(
        self, three: list[int], step: Callable[..., bool], peer: Peer, database: Database
    ) -> None:
        peer.answer = Unreachable("is asked too often", wait_s=1.0)
        for number in range(1, 9):
            assert step(10_000.0 * number)
        assert (circuit(database).next_try_at or 0.0) >= 80_000.0 + 0.75 * 600.0

    def test_opens_after_so_many_failures_in_a_row_and_says_so(
        self, three: list[int], step: Callable[..., bool], peer: Peer, database: Database
    ) -> None:
        peer.answer = Unreachable("connection refused")
        assert [step(1000.0), step(1000.0), step(1000.0), step(1000.0)] == [True, True, True, False]
        found = circuit(database)
        assert (found.failures, found.down_since, found.reason) == (3, 1000.0, "connection refused")
        assert found.next_try_at is not None
        assert 1022.5 <= found.next_try_at <= 1037.5
        down = [text for event, text in events(database) if event == "destination down"]
        assert len(down) == 1
        assert down[0].startswith("pacs failed 3 times: connection refused; next try in ")

    def test_costs_deliveries_neither_attempts_nor_their_place(
        self, three: list[int], step: Callable[..., bool], peer: Peer, look: Callable[..., Delivery], clock: Clock
    ) -> None:
        peer.answer = Unreachable("connection refused")
        for _ in range(3):
            step(1000.0)
        assert [look(n).faults for n in three] == [0, 0, 0]
        assert [look(n).next_attempt_at for n in three] == [1.0, 2.0, 3.0]

    def test_one_is_tried_after_a_pause_that_grows(
        self, three: list[int], step: Callable[..., bool], peer: Peer, database: Database
    ) -> None:
        peer.answer = Unreachable("connection refused")
        for _ in range(3):
            step(1000.0)
        now, pauses = 1000.0, []
        for _ in range(8):
            next_try_at = circuit(database).next_try_at
            assert next_try_at is not None
            assert not step(next_try_at - 0.1)
            assert step(next_try_at)
            assert not step(next_try_at + 0.1)
            pauses.append(next_try_at - now)
            now = next_try_at
        assert len(peer.taken) == 3 + 8
        for pause, seconds in zip(pauses, (30, 60, 120, 240, 480, 600, 600, 600), strict=True):
            assert 0.75 * seconds <= pause <= 1.25 * seconds
        assert sum(event == "destination down" for event, _ in events(database)) == 1

    def test_one_success_and_all_go_in_order(
        self, three: list[int], step: Callable[..., bool], peer: Peer, look: Callable[..., Delivery], database: Database
    ) -> None:
        peer.answer = Unreachable("connection refused")
        for _ in range(3):
            step(1000.0)
        peer.answer = 0x0000
        assert [step(4600.0), step(4601.0), step(4602.0), step(4603.0)] == [True, True, True, False]
        assert [look(n).sent_at for n in three] == [4600.0, 4601.0, 4602.0]
        assert circuit(database) == Circuit("pacs")
        assert ("destination back", "pacs is back after 1.0 h and 3 failures") in events(database)

    def test_a_peer_that_rejects_us_is_an_outage_too(
        self, three: list[int], step: Callable[..., bool], peer: Peer, look: Callable[..., Delivery]
    ) -> None:
        peer.answer = Rejected("rejects the association: calling AE title not recognised")
        for _ in range(3):
            step(1000.0)
        assert {look(n).state for n in three} == {DeliveryState.PENDING}

    def test_another_process_knows_it_too(
        self, three: list[int], step: Callable[..., bool], peer: Peer, deliver: Deliver, database: Database
    ) -> None:
        peer.answer = Unreachable("connection refused")
        for _ in range(3):
            step(1000.0)
        other = replace(deliver, owner="another", database=database)
        assert not other.step(1001.0)

    def test_once_it_is_superseded_it_goes_no_more(
        self, result: Callable[..., int], step: Callable[..., bool], peer: Peer, look: Callable[..., Delivery],
        database: Database,
    ) -> None:  # fmt: skip
        result()
        peer.answer = Unreachable("connection refused")

        def overtaken() -> None:
            with database.transaction() as tx:
                tx.jobs.supersede(look().job_id, 1000.0, "late images")

        peer.before = overtaken
        with database.transaction() as tx:
            tx.jobs.claim("infer", 40.0, 60.0)
        step(1000.0)
        assert look().state is DeliveryState.SUPERSEDED


def test_another_takes_over_while_it_is_down(
    result: Callable[..., int], deliver: Deliver, step: Callable[..., bool], peer: Peer, look: Callable[..., Delivery],
    database: Database, clock: Clock,
) -> None:  # fmt: skip
    result()
    peer.answer = Unreachable("connection refused")
    spare = Peer()
    backup = replace(
        deliver, destination=spare, owner="backup",  # type: ignore[arg-type]
        sender=Sender("backup", stands_in={"pacs": {"pacs": 3600.0}}),
    )  # fmt: skip
    for now in (1000.0, 1100.0, 1200.0):
        assert step(now)
        assert not backup.step(now)
    assert step(4700.0)
    clock.now = 4701.0
    assert backup.step(4701.0)
    assert (look().state, look().destination, look().via) == (DeliveryState.SENT, "pacs", "backup")
    assert events(database)[-1] == ("delivered", "3 objects to backup; in place of pacs, which is down")
    assert len(spare.taken) == 1
    assert not step(99_999.0), "it goes to one of them"
