"""A destination is asked to keep what it got, and believed when it reports; the clock is turned by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest
from commitment_peer import CommitmentPeer
from turned_clock import Clock

from dicom_node.destinations import DimseDestination, FolderDestination
from dicom_node.network.ports import free_port
from dicom_node.pipeline.backoff import Backoff
from dicom_node.pipeline.commit import Commit, Patience
from storage.archive import Archive
from storage.database import Database
from storage.deliveries import Setback
from storage.leaving.outbox import Sender
from storage.lifecycle import CommitmentState, DeliveryState, JobMark, JobState
from storage.records import Commitment, CommitmentReport, Delivery, Job, Reference, ResultObject

STUDY = "1.2.3"
SEG = Reference("1.2.840.10008.5.1.4.1.1.66.4", "2.25.7")
SR = Reference("1.2.840.10008.5.1.4.1.1.88.33", "2.25.9")
ALL = CommitmentReport(("2.25.7", "2.25.9"))
SOME = CommitmentReport(("2.25.7",), {"2.25.9": 0x0112})
DAY = 86400.0


@dataclass
class Case:
    """A delivery that was SENT to an archive, and the stage that asks for its commitment."""

    database: Database
    stage: Commit
    archive: CommitmentPeer
    clock: Clock
    delivery_id: int
    uids: list[str] = field(default_factory=list)

    def step(self, now: float | None = None) -> bool:
        self.clock.now = self.clock.now if now is None else now
        return self.stage.step(self.clock.now)

    def report(self, report: CommitmentReport, transaction_uid: str | None = None) -> None:
        """The archive's report comes, on an association that it opened itself."""
        with self.database.transaction() as tx:
            uid = transaction_uid or self.newest().transaction_uid
            assert tx.commitments.report(uid, report, self.clock.now)

    def send(self) -> None:
        """What the deliver stage does."""
        with self.database.transaction() as tx:
            claimed = tx.outbox.claim(Sender("pacs"), "deliver", self.clock.now, 60.0)
            assert claimed is not None
            assert claimed.delivery_id == self.delivery_id
            tx.deliveries.sent(self.delivery_id, "deliver", self.clock.now, {})
            about = {"study_uid": STUDY, "delivery_id": self.delivery_id}
            tx.commitments.add("pacs", [SEG, SR], self.clock.now, due_at=self.clock.now, **about)

    def delivery(self) -> Delivery:
        with self.database.reading() as tx:
            return tx.deliveries.get(self.delivery_id)

    def newest(self) -> Commitment:
        with self.database.reading() as tx:
            found = tx.commitments.newest_of(self.delivery_id)
        assert found is not None
        return found

    def journal(self) -> list[tuple[str, str]]:
        with self.database.reading() as tx:
            return [(entry.event, entry.text) for entry in tx.journal.of_study(STUDY)]

    def with_destination(self, **changes: object) -> Case:
        pacs = self.stage.destinations["pacs"].model_copy(update=changes)
        self.stage = replace(self.stage, destinations={"pacs": pacs})
        return self


@pytest.fixture
def archive_peer() -> Iterator[CommitmentPeer]:
    with CommitmentPeer() as peer:
        yield peer


@pytest.fixture
def case(database: Database, archive: Archive, queue: Callable[..., Job], archive_peer: CommitmentPeer) -> Case:
    job = queue()
    with database.transaction() as tx:
        for item, kind in ((SEG, "seg"), (SR, "sr")):
            file = archive.write(STUDY, item.sop_instance_uid, [b"an object"])
            tx.results.add(ResultObject(item.sop_instance_uid, item.sop_class_uid, "2.25.8", job.job_id, kind, file))
        number = tx.deliveries.add(job.job_id, STUDY, "pacs", DeliveryState.PENDING, 30.0)
    pacs = DimseDestination(ae_title="ARCHIVE", host="127.0.0.1", port=archive_peer.port)
    clock = Clock(100.0)
    backoff, patience = Backoff(10, 100, 3), Patience(wait_s=0.0, ask_again_s=3600.0, give_up_s=7 * DAY)
    made = Case(
        database,
        Commit(database, {"pacs": pacs}, backoff, patience, "me", 300.0, clock=clock),
        archive_peer,
        clock,
        number,
    )
    made.send()
    return made


class TestAsked:
    def test_once_and_then_it_waits(self, case: Case) -> None:
        assert case.step()
        assert not case.step(), "nothing is due until the report comes"
        assert case.archive.pairs_of() == [(r.sop_class_uid, r.sop_instance_uid) for r in (SEG, SR)]
        assert case.archive.requests[0].TransactionUID == case.newest().transaction_uid
        assert case.delivery().state is DeliveryState.SENT

    def test_not_before_its_time(self, case: Case) -> None:
        assert not case.step(99.0)

    def test_a_report_on_the_same_association_commits_at_once(self, case: Case) -> None:
        case.archive.reports_at_once = True
        case.stage = replace(case.stage, patience=replace(case.stage.patience, wait_s=20.0))
        assert case.step()
        assert case.step()
        assert case.delivery().state is DeliveryState.COMMITTED
        assert not case.step(100.0 + 8 * DAY)
        assert len(case.archive.requests) == 1


class TestReported:
    def test_all_kept(self, case: Case) -> None:
        case.step()
        case.report(ALL)
        assert case.step()
        assert case.delivery().state is DeliveryState.COMMITTED
        assert case.newest().state is CommitmentState.COMMITTED
        assert case.journal()[-1] == ("committed", "pacs: 2 of 2 instances kept")

    def test_what_is_missing_is_sent_again_with_the_deliveries_backoff(self, case: Case) -> None:
        case.step()
        case.report(SOME)
        case.step()
        again = case.delivery()
        assert (again.state, again.attempts) == (DeliveryState.PENDING, 1)
        assert 107.5 <= again.next_attempt_at <= 112.5
        words = "1 of 2 instances kept; 1 not: no such object instance (0112H)"
        assert again.reason == words
        assert case.journal()[-1][1].startswith(f"pacs: {words}; sent again in")

    def test_attempts_of_an_outage_are_no_faults_of_the_delivery(self, case: Case) -> None:
        with case.database.transaction() as tx:
            tx.deliveries.retry(case.delivery_id, 100.0)
            for _ in range(50):
                tx.outbox.claim(Sender("pacs"), "deliver", 100.0, 60.0)
                tx.deliveries.postpone(case.delivery_id, "deliver", 100.0, Setback("connection refused"))
        case.send()
        case.step()
        case.report(SOME)
        case.step()
        again = case.delivery()
        assert (again.state, again.attempts, again.faults) == (DeliveryState.PENDING, 51, 1)
        assert again.queued_at == again.next_attempt_at, "it queues afresh; its days of waiting begin anew"

    def test_what_stays_missing_is_dead_with_the_reason(self, case: Case) -> None:
        for _ in range(3):
            case.step()
            case.report(SOME)
            case.step()
            if case.delivery().state is DeliveryState.PENDING:
                case.clock.now += 1000
                case.send()
        assert case.delivery().state is DeliveryState.DEAD
        assert "given up after 3 failures: 1 of 2 instances kept" in case.delivery().reason
        assert not case.step(case.clock.now + 8 * DAY)

    def test_a_peer_that_calls_it_a_duplicate_is_asked_under_another_uid(self, case: Case) -> None:
        case.step()
        first = case.newest().transaction_uid
        case.report(CommitmentReport((), {"2.25.7": 0x0131, "2.25.9": 0x0131}))
        case.step()
        case.step()
        assert case.archive.requests[1].TransactionUID == case.newest().transaction_uid != first
        assert case.delivery().state is DeliveryState.SENT

    @pytest.mark.parametrize("mark", list(JobMark))
    def test_results_that_were_overtaken_meanwhile_are_not_sent_again(self, case: Case, mark: JobMark) -> None:
        with case.database.transaction() as tx:
            job = case.delivery().job_id
            tx.jobs.claim("infer", 90.0, 5.0)
            tx.jobs.finish(job, "infer", JobState.DONE, 91.0)
            if mark:
                tx.jobs.mark(job, mark)
            else:
                tx.jobs.supersede(job, 92.0, "late images")
        case.step()
        case.report(SOME)
        case.step()
        assert case.delivery().state is DeliveryState.SENT
        assert f"its result is {mark or 'superseded'}, so it is not sent again" in case.journal()[-1][1]

    def test_the_report_on_a_delivery_that_is_sent_again_moves_nothing(self, case: Case) -> None:
        case.step()
        old = case.newest().transaction_uid
        with case.database.transaction() as tx:
            tx.deliveries.retry(case.delivery_id, 100.0)
        case.report(SOME, old)
        case.step()
        assert case.delivery().state is DeliveryState.PENDING
        case.send()
        assert case.delivery().state is DeliveryState.SENT


class TestSilence:
    def test_it_is_asked_again_ever_more_seldom_and_given_up_with_a_remark(self, case: Case) -> None:
        asked_at = []
        while case.newest().state is CommitmentState.PENDING:
            case.step(case.newest().next_attempt_at)
            if len(case.archive.requests) > len(asked_at):
                asked_at.append(case.clock.now)
        assert case.delivery().state is DeliveryState.SENT, "it was sent; a PACS that never tells is no dead letter"
        waits = [round((late - early) / 3600) for early, late in itertools.pairwise(asked_at)]
        assert waits == [1, 2, 4, 8, 16, 24, 24, 24, 24, 24]
        assert case.journal()[-1] == ("commitment given up", "no report; 11 requests were taken")
        assert len({data.TransactionUID for data in case.archive.requests}) == 11

    def test_a_late_report_on_an_earlier_request_commits(self, case: Case) -> None:
        case.step()
        first = case.newest().transaction_uid
        case.step(case.newest().next_attempt_at)
        case.step()
        case.report(ALL, first)
        case.step()
        assert case.delivery().state is DeliveryState.COMMITTED
        assert case.newest().state is CommitmentState.GIVEN_UP, "nothing more is asked"
        assert not case.step(case.clock.now + 30 * DAY)

    def test_a_late_report_on_what_was_sent_before_says_nothing_of_what_was_sent_since(self, case: Case) -> None:
        """As where a person sends to the archive again what had gone to the one that stood in for it."""
        case.step()
        before = case.newest().transaction_uid
        with case.database.transaction() as tx:
            tx.deliveries.retry(case.delivery_id, 200.0)
        case.clock.now = 200.0
        case.send()
        case.report(ALL, before)
        case.step()
        assert case.delivery().state is DeliveryState.SENT
        case.step()
        assert case.archive.requests[1].TransactionUID == case.newest().transaction_uid != before
        case.report(ALL)
        case.step()
        assert case.delivery().state is DeliveryState.COMMITTED

    def test_a_report_after_we_gave_up_commits(self, case: Case) -> None:
        case.stage = replace(case.stage, patience=replace(case.stage.patience, give_up_s=1.0))
        case.step(100.5)
        case.step(case.newest().next_attempt_at)
        assert case.newest().state is CommitmentState.GIVEN_UP
        case.report(ALL)
        case.step()
        assert case.delivery().state is DeliveryState.COMMITTED

    def test_where_it_is_required_the_delivery_is_dead(self, case: Case) -> None:
        case.with_destination(commitment="required")
        case.step(100.0 + 8 * DAY)
        assert case.delivery().state is DeliveryState.DEAD
        assert case.delivery().reason == "its commitment is required: no report; 0 requests were taken"


class TestRefused:
    def test_a_peer_without_the_service_is_a_remark_and_no_error(
        self, case: Case, caplog: pytest.LogCaptureFixture
    ) -> None:
        with CommitmentPeer(offers=False) as other:
            case.with_destination(port=other.port).step()
        assert case.delivery().state is DeliveryState.SENT
        (remark,) = [text for event, text in case.journal() if event == "commitment given up"]
        assert "offers no storage commitment" in remark
        assert not case.step(100.0 + 8 * DAY)
        assert [record.levelname for record in caplog.records if record.name.startswith("dicom_node")] == ["WARNING"]

    def test_where_it_is_required_that_is_a_dead_letter(self, case: Case) -> None:
        with CommitmentPeer(offers=False) as other:
            case.with_destination(port=other.port, commitment="required").step()
        assert case.delivery().state is DeliveryState.DEAD
        assert "offers no storage commitment" in case.delivery().reason

    def test_a_no_to_the_request(self, case: Case) -> None:
        case.archive.answer = 0x0124
        case.step()
        assert case.newest().state is CommitmentState.GIVEN_UP
        assert "0x0124" in case.newest().reason

    def test_a_no_after_an_attempt_that_may_have_come_through(self, case: Case) -> None:
        with case.database.transaction() as tx:
            tx.commitments.claim("died", 90.0, 5.0) or tx.commitments.claim("died", 100.0, 5.0)
        case.archive.answer = 0x0115
        case.step(110.0)
        case.archive.answer = 0x0000
        case.step()
        first, second = case.archive.requests
        assert first.TransactionUID != second.TransactionUID
        assert case.newest().asked == 1

    def test_a_destination_that_commits_nothing(self, case: Case, tmp_path) -> None:
        case.stage = replace(case.stage, destinations={"pacs": FolderDestination(path=tmp_path)})
        case.step()
        assert case.newest().reason == "pacs is configured to be asked no more"


class TestTrouble:
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_an_archive_that_is_away_for_two_days_is_asked_when_it_is_back(self, case: Case) -> None:
        port = case.archive.port
        case.with_destination(port=free_port())
        attempts = 0
        while case.clock.now < 100.0 + 2 * DAY:
            case.step()
            attempts += 1
            assert case.newest().state is CommitmentState.PENDING
            case.clock.now = max(case.newest().next_attempt_at, case.clock.now + 6 * 3600.0)
        assert attempts == 8
        case.with_destination(port=port).step()
        assert len(case.archive.requests) == 1
        assert case.delivery().state is DeliveryState.SENT

    def test_a_no_for_now_is_tried_again(self, case: Case) -> None:
        case.archive.answer = 0x0213
        case.step()
        assert 107.5 <= case.newest().next_attempt_at <= 112.5
        case.archive.answer = 0x0000
        case.step(113.0)
        assert case.newest().asked == 1

    def test_what_a_dead_process_held_goes_on_when_its_lease_is_over(self, case: Case) -> None:
        with case.database.transaction() as tx:
            tx.commitments.claim("died", 100.0, 300.0)
        assert not case.step(399.0)
        assert case.step(400.0)
        assert len(case.archive.requests) == 1


def test_who_asked_through_us_gets_the_archives_answer(case: Case) -> None:
    with case.database.transaction() as tx:
        tx.promises.add("CT1", "SEGNODE", "1.9", [SEG, SR], 100.0)
        number = tx.promises.claim("answer", 100.0, 60.0).promise_id
        uid = tx.commitments.add("pacs", [SEG, SR], 90.0, due_at=90.0, promise_id=number)
    case.step()
    case.report(SOME, uid)
    while case.step():
        pass
    with case.database.reading() as tx:
        assert tx.promises.find("CT1", "1.9").report == SOME


def test_who_asked_through_us_is_told_no_where_the_archive_commits_nothing(case: Case) -> None:
    with case.database.transaction() as tx:
        tx.promises.add("CT1", "SEGNODE", "1.9", [SEG], 100.0)
        number = tx.promises.claim("answer", 100.0, 60.0).promise_id
        tx.commitments.add("pacs", [SEG], 90.0, due_at=90.0, promise_id=number)
    with CommitmentPeer(offers=False) as other:
        case.with_destination(port=other.port).step()
    with case.database.reading() as tx:
        assert tx.promises.find("CT1", "1.9").report == CommitmentReport((), {"2.25.7": 0x0110})
