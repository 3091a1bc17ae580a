"""Results go to a destination, again while that makes sense, and never again after a no."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from delivering import SEG, STUDY, UIDS, Peer, circuit, events
from turned_clock import Clock

from dicom_node.audit.facts import Outcome
from dicom_node.audit.recorder import Recorder
from dicom_node.errors import PeerError, Refused, Unfinished, Unreachable
from dicom_node.pipeline.deliver import Deliver
from storage.archive import Archive
from storage.database import Database
from storage.leaving.outbox import Sender
from storage.lifecycle import CommitmentState, DeliveryState
from storage.records import Delivery, Job, Reference, ResultObject


def test_a_destination_gets_the_objects_of_its_variant(
    database: Database, archive: Archive, result: Callable[..., int], step: Callable[..., bool], peer: Peer
) -> None:
    result()
    with database.transaction() as tx:
        job_id = tx.deliveries.of_study(STUDY)[0].job_id
        file = archive.write(STUDY, "2.25.4", [b"2.25.4.1"])
        tx.results.add(ResultObject("2.25.4", SEG, "2.25.9", job_id, "seg", file, variant="0badcafe"))
        tx.deliveries.add(job_id, STUDY, "ward", DeliveryState.PENDING, 30.0, variant="0badcafe")
    assert step(1000.0)
    assert peer.taken == [list(UIDS)]


def test_where_a_job_made_nothing_nobody_is_asked_to_keep_it(
    database: Database, queue: Callable[..., Job], deliver: Deliver, peer: Peer, look: Callable[..., Delivery]
) -> None:
    job_id = queue().job_id
    with database.transaction() as tx:
        tx.deliveries.add(job_id, STUDY, "pacs", DeliveryState.PENDING, 30.0)
    assert replace(deliver, commit_after_s=1.0).step(1000.0)
    assert (look().state, look().reason) == (DeliveryState.SENT, "nothing to send: its job made no object")
    assert peer.taken == []
    assert events(database)[-1] == ("delivered", "pacs: nothing to send: its job made no object")
    with database.reading() as tx:
        assert tx.commitments.of_study(STUDY) == []


class TestAnswers:
    @pytest.fixture(autouse=True)
    def one(self, result: Callable[..., int]) -> int:
        return result()

    def test_success(self, step: Callable[..., bool], look: Callable[..., Delivery], peer: Peer) -> None:
        assert step(1000.0)
        assert (look().state, look().via, look().sent_at) == (DeliveryState.SENT, "pacs", 1000.0)
        assert peer.taken == [list(UIDS)]
        assert not step(1001.0), "once sent, nothing is due"

    def test_a_warning_is_no_success_without_a_word(
        self, step: Callable[..., bool], look: Callable[..., Delivery], peer: Peer, database: Database
    ) -> None:
        peer.answer = 0xB000
        step(1000.0)
        assert look().state is DeliveryState.SENT
        assert "coerced" in look().reason
        assert set(look().statuses.values()) == {"0xB000 data elements were coerced"}
        assert events(database)[-1] == (
            "delivered", "3 objects to pacs; stored with warning: 0xB000 data elements were coerced"
        )  # fmt: skip

    def test_a_no_is_not_repeated(
        self, step: Callable[..., bool], look: Callable[..., Delivery], peer: Peer, database: Database
    ) -> None:
        peer.answer = Refused("it takes no SEG", {"2.25.1.1": "0x0122 SOP class not supported"})
        step(1000.0)
        assert (look().state, look().reason) == (DeliveryState.DEAD, "it takes no SEG")
        assert look().statuses == {"2.25.1.1": "0x0122 SOP class not supported"}
        assert events(database)[-1] == ("delivery dead", "pacs: it takes no SEG")

    def test_a_no_shows_that_the_peer_is_well(self, step: Callable[..., bool], peer: Peer, database: Database) -> None:
        with database.transaction() as tx:
            tx.circuits.failed("pacs", 900.0, "refused")
        peer.answer = Refused("it takes no SEG", {"2.25.1.1": "0x0122"})
        step(1000.0)
        assert circuit(database).failures == 0

    def test_what_is_lost_on_our_disk_is_no_fault_of_the_peer(
        self, step: Callable[..., bool], look: Callable[..., Delivery], archive: Archive, database: Database, peer: Peer
    ) -> None:
        with database.reading() as tx:
            file = tx.results.of_job(look().job_id)[0].file
        archive.path(file).write_bytes(b"something else")
        step(1000.0)
        assert look().state is DeliveryState.DEAD
        assert "a file of the result is lost" in look().reason
        assert "run the job again" in look().reason
        assert (peer.taken, circuit(database).failures) == ([], 0)


class TestPartialSuccess:
    @pytest.fixture(autouse=True)
    def half(self, result: Callable[..., int], step: Callable[..., bool], peer: Peer) -> None:
        """The first instance is stored, for the second the peer has no room, the third it never answered."""
        result()
        told = {"2.25.1.1": "0xB000 coerced", "2.25.2.1": "0xA700 out of resources"}
        peer.answer = Unfinished("did not keep 1 of 3 objects: 0xA700 out of resources", told)
        step(1000.0)

    def test_what_is_there_is_not_sent_again(
        self, step: Callable[..., bool], look: Callable[..., Delivery], peer: Peer
    ) -> None:
        assert (look().state, look().via) == (DeliveryState.PENDING, "pacs")
        assert look().statuses == {"2.25.1.1": "0xB000 coerced", "2.25.2.1": "0xA700 out of resources"}
        peer.answer = 0x0000
        assert step(1100.0)
        assert peer.taken == [list(UIDS), list(UIDS[1:])]
        assert look().state is DeliveryState.SENT
        assert look().statuses["2.25.1.1"] == "0xB000 coerced", "its warning is not forgotten"
        assert "coerced" in look().reason

    def test_sending_it_all_once_more_sends_all(
        self, step: Callable[..., bool], look: Callable[..., Delivery], peer: Peer, database: Database
    ) -> None:
        peer.answer = 0x0000
        step(1100.0)
        with database.transaction() as tx:
            tx.deliveries.retry(look().delivery_id, 1200.0)
        step(1200.0)
        assert peer.taken[-1] == list(UIDS)


class TestCommitment:
    """Who got the objects is asked to keep them, in the commit that calls them sent."""

    @pytest.fixture
    def asking(self, deliver: Deliver, result: Callable[..., int], clock: Clock) -> Deliver:
        result()
        clock.now = 1050.0
        return replace(deliver, commit_after_s=7.0)

    def test_is_asked_for_all_of_it(self, asking: Deliver, look: Callable[..., Delivery], database: Database) -> None:
        asking.step(1040.0)
        with database.reading() as tx:
            (asked,) = tx.commitments.of_study(STUDY)
        assert (asked.delivery_id, asked.destination) == (look().delivery_id, "pacs")
        assert asked.instances == tuple(Reference(SEG, f"{uid}.1") for uid in UIDS)
        assert (asked.next_attempt_at, asked.state) == (1057.0, CommitmentState.PENDING)

    def test_what_failed_is_counted_and_what_was_taken(
        self, asking: Deliver, look: Callable[..., Delivery], peer: Peer, database: Database
    ) -> None:
        good, peer.answer = peer.answer, Refused("it takes no SEG")
        asking.step(1000.0)
        failed = ("delivery_failures", (("destination", "pacs"), ("reason", "refused")))
        assert asking.counts.take() == {failed: 1}
        with database.transaction() as tx:
            tx.deliveries.retry(look().delivery_id, 1001.0)
        peer.answer = good
        asking.step(1001.0)
        (((name, labels), number),) = asking.counts.take().items()
        assert (name, labels, number > 0) == ("sent_bytes", (("destination", "pacs"),), True)

    def test_nobody_is_asked_unless_it_is_said(self, asking: Deliver, database: Database) -> None:
        replace(asking, commit_after_s=None).step(1040.0)
        with database.reading() as tx:
            assert tx.commitments.of_study(STUDY) == []

    def test_who_stood_in_is_asked(self, asking: Deliver, look: Callable[..., Delivery], database: Database) -> None:
        with database.transaction() as tx:
            tx.circuits.failed("pacs", 900.0, "connection refused")
            tx.circuits.open("pacs", 2000.0)
        replace(asking, sender=Sender("backup", stands_in={"pacs": {"pacs": 60.0}})).step(1040.0)
        assert (look().destination, look().via) == ("pacs", "backup")
        with database.reading() as tx:
            assert [asked.destination for asked in tx.commitments.of_study(STUDY)] == ["backup"]

    @pytest.mark.parametrize(("lost", "again"), [(["2.25.2.1"], [UIDS[1]]), ([f"{uid}.1" for uid in UIDS], UIDS)])
    def test_only_what_the_destination_does_not_hold_is_sent_again(
        self, asking: Deliver, look: Callable[..., Delivery], database: Database, peer: Peer,
        lost: list[str], again: Sequence[str],
    ) -> None:  # fmt: skip
        asking.step(1040.0)
        with database.transaction() as tx:
            (first,) = tx.commitments.of_study(STUDY)
            assert tx.deliveries.uncommitted(look().delivery_id, 1070.0, "some are lost", lost)
        assert asking.step(1070.0)
        assert peer.taken == [list(UIDS), list(again)]
        assert set(look().statuses.values()) == {"0x0000"}
        with database.reading() as tx:
            newest = tx.commitments.newest_of(look().delivery_id)
        assert newest is not None
        assert newest.instances == first.instances, "asked for all of it again"

    def test_a_person_sends_what_stayed_lost(
        self, asking: Deliver, look: Callable[..., Delivery], database: Database, peer: Peer
    ) -> None:
        asking.step(1040.0)
        with database.transaction() as tx:
            tx.deliveries.not_committed(look().delivery_id, 1070.0, "1 of 3 is lost", ["2.25.3.1"])
            tx.deliveries.retry(look().delivery_id, 1080.0)
        assert asking.step(1080.0)
        assert peer.taken[-1] == [UIDS[2]]


@dataclass
class Trail(Recorder):
    """Hears what the audit trail is told."""

    told: list[Outcome | str] = field(default_factory=list)

    def delivery_begins(self, delivery: Delivery) -> None:
        self.told.append("begins")

    def delivery_ended(self, delivery: Delivery, outcome: Outcome, reason: str = "") -> None:
        self.told.append(outcome)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (0x0000, Outcome.SUCCESS),
        (0xB000, Outcome.SUCCESS),
        (Unreachable("no answer"), Outcome.MINOR_FAILURE),
        (Refused("no"), Outcome.SERIOUS_FAILURE),
    ],
)
def test_every_attempt_is_audited_with_its_true_outcome(
    deliver: Deliver, peer: Peer, answer: PeerError | int, outcome: Outcome, result: Callable[..., int]
) -> None:
    result()
    peer.answer = answer
    trail = Trail()
    replace(deliver, audit=trail).step(40.0)
    assert trail.told == ["begins", outcome]
