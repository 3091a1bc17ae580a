"""Results go to each destination, again while that makes sense, and never again after a no."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from dicom_node.audit.facts import Outcome
from dicom_node.audit.recorder import Recorder
from dicom_node.errors import PeerError, Refused, Rejected, Unfinished, Unreachable
from dicom_node.network.statuses import Status, meaning_of
from dicom_node.pipeline import keeper
from dicom_node.pipeline.backoff import Backoff
from dicom_node.pipeline.deliver import Deliver
from dicom_node.pipeline.loop import start_stage
from dicom_node.pipeline.patience import Patience
from storage.archive import Archive
from storage.database import Database
from storage.errors import LeaseLost
from storage.lifecycle import CommitmentState, DeliveryState
from storage.outbox import Sender
from storage.records import Circuit, Delivery, Job, Reference, ResultObject

STUDY = "1.2.3"
UIDS = ("2.25.1", "2.25.2", "2.25.3")
SEG = "1.2.840.10008.5.1.4.1.1.66.4"
PATIENCE = Patience(retry=Backoff(10, 100, 3), pause=Backoff(30, 600, 3), down_after=3)
PATIENCE_S = 30.0


@dataclass
class Peer:
    """A destination that answers as it is told; each file's content is its UID, which ends with the job's number."""

    answer: PeerError | int = 0x0000
    taken: list[list[str]] = field(default_factory=list)
    before: Callable[[], None] = lambda: None

    def deliver(self, files: Sequence[Path]) -> dict[str, Status]:
        self.before()
        uids = [path.read_text() for path in files]
        self.taken.append([uid.rpartition(".")[0] for uid in uids])
        if isinstance(self.answer, PeerError):
            raise self.answer
        return {uid: meaning_of(self.answer) for uid in uids}


@dataclass
class Clock:
    """Time that is turned by hand."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def result(database: Database, archive: Archive, queue: Callable[..., Job]) -> Callable[..., int]:
    """`result(number)` makes a job's three objects and its delivery; gives the delivery's number."""

    def make(number: int = 1, destination: str = "pacs", now: float = 30.0, priority: int = 0) -> int:
        job_id = f"{number:064}"
        if number == 1:
            queue(job_id, priority=priority)
        else:
            with database.transaction() as tx:
                tx.jobs.add(replace(tx.jobs.of_study(STUDY)[0], job_id=job_id, priority=priority))
        with database.transaction() as tx:
            for uid in UIDS:
                file = archive.write(STUDY, uid, [f"{uid}.{number}".encode()])
                tx.results.add(ResultObject(f"{uid}.{number}", SEG, "2.25.8", job_id, "seg", file))
            return tx.deliveries.add(job_id, STUDY, destination, DeliveryState.PENDING, now)

    return make


@pytest.fixture
def stage(database: Database, archive: Archive, peer: Peer, clock: Clock) -> Deliver:
    return Deliver(database, archive, Sender("pacs"), peer, PATIENCE, "me", 60, clock=clock)  # type: ignore[arg-type]


@pytest.fixture
def step(stage: Deliver, clock: Clock) -> Callable[..., bool]:
    """`step(now)` turns the clock and does one piece of work."""

    def turn(now: float) -> bool:
        clock.now = now
        return stage.step(now)

    return turn


@pytest.fixture
def look(database: Database) -> Callable[..., Delivery]:
    def get(number: int = 0) -> Delivery:
        with database.reading() as tx:
            return tx.deliveries.get(number) if number else tx.deliveries.of_study(STUDY)[0]

    return get


def circuit(database: Database, name: str = "pacs") -> Circuit:
    with database.reading() as tx:
        return tx.circuits.get(name)


def events(database: Database) -> list[tuple[str, str]]:
    with database.reading() as tx:
        return [(entry.event, entry.text) for entry in reversed(tx.journal.recent(100)) if entry.event != "received"]


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
        self, three: list[int], step: Callable[..., bool], peer: Peer, stage: Deliver, database: Database
    ) -> None:
        peer.answer = Unreachable("connection refused")
        for _ in range(3):
            step(1000.0)
        other = replace(stage, owner="another", database=database)
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
    result: Callable[..., int], stage: Deliver, step: Callable[..., bool], peer: Peer, look: Callable[..., Delivery],
    database: Database, clock: Clock,
) -> None:  # fmt: skip
    result()
    peer.answer = Unreachable("connection refused")
    spare = Peer()
    backup = replace(
        stage, destination=spare, owner="backup",  # type: ignore[arg-type]
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
        self, result: Callable[..., int], stage: Deliver, look: Callable[..., Delivery], stop: threading.Event,
        until: Callable[[Callable[[], bool]], None],
    ) -> None:  # fmt: skip
        hangs = threading.Event()
        hung, well = Peer(before=lambda: hangs.wait(PATIENCE_S) and None), Peer()
        stuck, sent = result(1, "pacs", now=1.0), [result(n, "share", now=float(n)) for n in (2, 3, 4)]
        common = replace(stage, clock=time.time)
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
        self, result: Callable[..., int], stage: Deliver, look: Callable[..., Delivery], stop: threading.Event,
        until: Callable[[Callable[[], bool]], None], monkeypatch: pytest.MonkeyPatch, peer: Peer,
    ) -> None:  # fmt: skip
        monkeypatch.setattr(keeper, "TELL_EVERY_S", 0.0)
        result()
        hangs, term_s = threading.Event(), 1.0
        peer.before = lambda: hangs.wait(PATIENCE_S) and None
        long = replace(stage, clock=time.time, lease_term_s=term_s)
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
        self, result: Callable[..., int], stage: Deliver, look: Callable[..., Delivery], stop: threading.Event,
        until: Callable[[Callable[[], bool]], None], peer: Peer, database: Database, caplog: pytest.LogCaptureFixture,
    ) -> None:  # fmt: skip
        first, second = result(1, now=1.0), result(2, now=2.0)

        def rob() -> None:
            if not peer.taken:
                with database.transaction() as tx:
                    tx.deliveries.reap(time.time() + 1000.0)
                    tx.outbox.claim(Sender("pacs"), "another", time.time(), 1000.0)

        peer.before = rob
        thread = start_stage(replace(stage, clock=time.time, sender=Sender("pacs", concurrency=2)), stop)
        try:
            until(lambda: look(second).state is DeliveryState.SENT)
        finally:
            stop.set()
            thread.join()
        assert "no longer holds" in caplog.text
        assert (look(first).state, look(first).lease_owner) == (DeliveryState.PENDING, "another")


def test_a_killed_sender_is_followed_by_another(
    result: Callable[..., int], stage: Deliver, step: Callable[..., bool], peer: Peer, look: Callable[..., Delivery]
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
    other = replace(stage, owner="another")
    assert not other.step(1059.0)
    assert other.step(1060.0)
    assert (look().state, look().attempts, look().faults) == (DeliveryState.SENT, 2, 0)


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


class TestCommitment:
    """Who got the objects is asked to keep them, in the commit that calls them sent."""

    @pytest.fixture
    def asking(self, stage: Deliver, result: Callable[..., int], clock: Clock) -> Deliver:
        result()
        clock.now = 1050.0
        return replace(stage, commit_after_s=7.0)

    def test_is_asked_for_all_of_it(self, asking: Deliver, look: Callable[..., Delivery], database: Database) -> None:
        asking.step(1040.0)
        with database.reading() as tx:
            (asked,) = tx.commitments.of_study(STUDY)
        assert (asked.delivery_id, asked.destination) == (look().delivery_id, "pacs")
        assert asked.instances == tuple(Reference(SEG, f"{uid}.1") for uid in UIDS)
        assert (asked.next_attempt_at, asked.state) == (1057.0, CommitmentState.PENDING)

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
    stage: Deliver, peer: Peer, answer: PeerError | int, outcome: Outcome, result: Callable[..., int]
) -> None:
    result()
    peer.answer = answer
    trail = Trail()
    replace(stage, audit=trail).step(40.0)
    assert trail.told == ["begins", outcome]
