"""Peers that ask us to keep are answered truly, and until they have heard; the clock is turned by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
from commitment_peer import CommitmentPeer

from dicom_node.network.peer import Peer
from dicom_node.network.ports import free_port
from dicom_node.pipeline.answer import Answer
from dicom_node.pipeline.backoff import Backoff
from storage.archive import Archive
from storage.database import Database
from storage.lifecycle import PromiseState
from storage.records import CommitmentReport, Promise, Reference

STUDY = "1.2.3"
CT = "1.2.840.10008.5.1.4.1.1.2"
HELD = [Reference(CT, f"{STUDY}.1.{number}") for number in (1, 2, 3)]
UNKNOWN = Reference(CT, "9.9.9")
DAY = 86400.0


@dataclass
class Case:
    """A scanner that asked, and the stage that answers it."""

    database: Database
    stage: Answer
    scanner: CommitmentPeer
    now: float = 100.0

    def ask(self, *references: Reference) -> None:
        with self.database.transaction() as tx:
            assert tx.promises.add("CT1", "STORE2", "1.2.9", references, self.now)

    def step(self, now: float | None = None) -> bool:
        self.now = self.now if now is None else now
        return replace(self.stage, clock=lambda: self.now).step(self.now)

    def until_idle(self) -> Case:
        while self.step():
            pass
        return self

    def promise(self) -> Promise:
        with self.database.reading() as tx:
            found = tx.promises.find("CT1", "1.2.9")
        assert found is not None
        return found

    def barred_until(self) -> float:
        with self.database.reading() as tx:
            return tx.promises.barred_until(STUDY)

    def events(self) -> list[str]:
        with self.database.reading() as tx:
            return [entry.event for entry in reversed(tx.journal.recent(20))]

    def at(self, port: int) -> Case:
        peers = {"CT1": Peer(ae_title="CT1", host="127.0.0.1", port=port)}
        self.stage = replace(self.stage, peers=peers)
        return self


@pytest.fixture
def scanner() -> Iterator[CommitmentPeer]:
    with CommitmentPeer("CT1") as peer:
        yield peer


@pytest.fixture
def case(database: Database, archive: Archive, arrive: Callable[..., None], scanner: CommitmentPeer) -> Case:
    for number in (1, 2, 3):
        arrive(number, 10.0)
    backoff = Backoff(10, 100, 3)
    stage = Answer(database, archive, {"CT1": scanner.peer}, None, 30 * DAY, backoff, "me", 300.0)
    return Case(database, stage, scanner)


def told(scanner: CommitmentPeer) -> tuple[int, list[str], dict[str, int]]:
    kind, data = scanner.reports[-1]
    kept = [item.ReferencedSOPInstanceUID for item in data.get("ReferencedSOPSequence", [])]
    failed = {item.ReferencedSOPInstanceUID: item.FailureReason for item in data.get("FailedSOPSequence", [])}
    return kind, kept, failed


class TestOwn:
    def test_what_we_hold_is_kept_from_then_on(self, case: Case) -> None:
        case.ask(*HELD)
        assert case.barred_until() == 0.0
        case.until_idle()
        assert told(case.scanner) == (1, [item.sop_instance_uid for item in HELD], {})
        assert case.promise().state is PromiseState.TOLD
        assert case.barred_until() == 100.0 + 30 * DAY
        assert case.events() == ["commitment decided", "commitment told"]
        assert case.scanner.callers == [("STORE2", "CT1")]

    def test_each_no_has_its_reason(self, case: Case, archive: Archive) -> None:
        with case.database.reading() as tx:
            lost = tx.studies.instances(study_uid=STUDY)[2]
        archive.remove(lost.file)
        wrong_class = Reference("1.2.840.10008.5.1.4.1.1.4", HELD[1].sop_instance_uid)
        case.ask(HELD[0], wrong_class, HELD[2], UNKNOWN)
        case.until_idle()
        failed = {f"{STUDY}.1.2": 0x0119, f"{STUDY}.1.3": 0x0110, "9.9.9": 0x0112}
        assert told(case.scanner) == (2, [f"{STUDY}.1.1"], failed)

    def test_the_answer_is_kept_before_it_is_told(self, case: Case) -> None:
        case.ask(HELD[0])
        case.step()
        assert case.promise().report == CommitmentReport((HELD[0].sop_instance_uid,))
        assert case.scanner.reports == []
        assert case.barred_until() > case.now, "barred before the scanner knows"

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_a_scanner_that_is_away_is_told_when_it_is_back(self, case: Case, scanner: CommitmentPeer) -> None:
        case.at(free_port()).ask(HELD[0])
        case.until_idle()
        first = case.promise()
        assert (first.state, first.attempts) == (PromiseState.PENDING, 1)
        assert 107.5 <= first.next_attempt_at <= 112.5
        assert "cannot be reached" in first.reason
        case.step(case.now + 2 * DAY)
        assert case.promise().attempts == 2
        case.at(scanner.port).step(case.promise().next_attempt_at)
        assert told(scanner)[0] == 1
        assert len(scanner.reports) == 1

    def test_a_scanner_that_cannot_keep_the_report_now_is_told_again(self, case: Case) -> None:
        case.scanner.report_answer = 0x0110
        case.ask(HELD[0])
        case.until_idle()
        case.scanner.report_answer = 0x0000
        case.step(120.0)
        assert (len(case.scanner.reports), case.promise().state) == (2, PromiseState.TOLD)

    def test_told_it_is_told_no_more_unless_it_asks_again(self, case: Case) -> None:
        case.ask(HELD[0])
        case.until_idle()
        assert not case.step(100.0 + 20 * DAY)
        case.ask(HELD[0])
        case.until_idle()
        assert len(case.scanner.reports) == 2
        assert case.barred_until() == 100.0 + 50 * DAY

    def test_nobody_is_told_for_ever(self, case: Case) -> None:
        case.stage = replace(case.stage, peers={})
        case.ask(HELD[0])
        case.until_idle()
        assert case.promise().reason == "CT1 is configured no more"
        case.step(100.0 + 30 * DAY)
        assert case.promise().state is PromiseState.GIVEN_UP
        assert case.events()[-1] == "commitment given up"
        assert not case.step(100.0 + 90 * DAY)

    def test_what_a_dead_process_held_goes_on_when_its_lease_is_over(self, case: Case) -> None:
        case.ask(HELD[0])
        with case.database.transaction() as tx:
            tx.promises.claim("died", 100.0, 300.0)
        assert not case.step(399.0)
        assert case.step(400.0)


class TestRelay:
    @pytest.fixture
    def relay(self, case: Case) -> Case:
        case.stage = replace(case.stage, relay_to="pacs")
        return case

    def asked(self, case: Case):
        with case.database.reading() as tx:
            return tx.commitments.of_promise(case.promise().promise_id)

    def test_the_archive_is_asked_for_the_same_instances(self, relay: Case) -> None:
        relay.ask(HELD[0], UNKNOWN)
        relay.until_idle()
        asked = self.asked(relay)
        assert (asked.destination, asked.instances) == ("pacs", (HELD[0], UNKNOWN))
        assert relay.scanner.reports == [], "no answer before the archive's"
        assert not relay.step(relay.now + DAY)

    def test_its_answer_is_passed_on(self, relay: Case) -> None:
        relay.ask(HELD[0], UNKNOWN)
        relay.until_idle()
        with relay.database.transaction() as tx:
            report = CommitmentReport((HELD[0].sop_instance_uid,), {"9.9.9": 0x0112})
            tx.promises.decide(relay.promise().promise_id, report, 150.0)
        relay.now = 150.0
        relay.until_idle()
        assert told(relay.scanner) == (2, [HELD[0].sop_instance_uid], {"9.9.9": 0x0112})
        assert relay.barred_until() in (0.0, math.inf), "the archive keeps it, not we"

    def test_an_archive_that_never_answers_ends_it(self, relay: Case) -> None:
        relay.ask(HELD[0])
        relay.until_idle()
        relay.step(100.0 + 30 * DAY)
        assert relay.promise().state is PromiseState.GIVEN_UP
        assert relay.scanner.reports == []

    def test_who_asks_again_has_the_archive_asked_again(self, relay: Case) -> None:
        relay.ask(HELD[0])
        relay.until_idle()
        first = self.asked(relay)
        with relay.database.transaction() as tx:
            tx.promises.decide(relay.promise().promise_id, CommitmentReport((HELD[0].sop_instance_uid,)), 150.0)
        relay.now = 150.0
        relay.until_idle()
        relay.now = 200.0
        relay.ask(HELD[0])
        relay.until_idle()
        assert self.asked(relay).transaction_uid != first.transaction_uid
