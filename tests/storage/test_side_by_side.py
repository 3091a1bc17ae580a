"""Two pipelines beside each other, on PostgreSQL: no claim waits for another's, and none takes what another has.

One claims and keeps its transaction open; the other claims meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from storage.database import Database, Transaction
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, FetchState, StudyState
from storage.records import Arrival, FetchPurpose, Reference, Wanted
from storage.sql.together import Together
from storage.working.shadows import Pair

AT_ONCE_S = 5.0  # for a claim that waits for nobody, on a busy machine; a wait would be for ever
NOW = 1000.0


@pytest.fixture
def pipelines(migrated_postgres, make_instance):
    """Two, and two studies."""
    first, second = (Database.open(url) for url in [migrated_postgres()] * 2)
    with first.transaction() as tx:
        for number in (1, 2):
            tx.studies.add_instance(make_instance(study_instance_uid=f"1.2.{number}"))
    yield first, second
    first.close()
    second.close()


def jobs(tx: Transaction, make_job: Callable[..., Any]) -> None:
    for number in (1, 2):
        tx.jobs.add(make_job(f"job-{number}", study_instance_uid=f"1.2.{number}"))


def fetches(tx: Transaction, _: object) -> None:
    for number in (7, 8):
        wanted = Wanted(f"1.2.{number}", "pacs", FetchPurpose.MISSING, 60.0, 0.0, {})
        tx.fetches.want(wanted, 0.0, over=tuple(FetchState))


def recalls(tx: Transaction, _: object) -> None:
    for number in (1, 2):
        tx.recalls.want(f"1.2.{number}", "pacs", {}, 0.0, 5000.0)


def commitments(tx: Transaction, _: object) -> None:
    for number in (1, 2):
        tx.commitments.add("pacs", [Reference("1.2.840", f"1.2.{number}.1")], 0.0, due_at=0.0)


def promises(tx: Transaction, _: object) -> None:
    for number in (1, 2):
        tx.promises.add("CT1", "SEGNODE", f"2.25.{number}", [Reference("1.2.840", f"1.2.{number}.1")], 0.0)


def shadows(tx: Transaction, make_job: Callable[..., Any]) -> None:
    jobs(tx, make_job)
    for number in (1, 2):
        tx.shadows.add(Pair(f"job-{number}", f"1.2.{number}", "model", "1", "next"), 0.0)


def notices(tx: Transaction, _: object) -> None:
    for number in (1, 2):
        tx.notices.add("mail", str(number), {}, 0.0)


CLAIMS: dict[str, tuple[Callable[..., None], Callable[[Transaction, str], Any]]] = {
    "jobs": (jobs, lambda tx, owner: tx.jobs.claim(owner, NOW, 60.0)),
    "fetches": (fetches, lambda tx, owner: tx.fetches.claim(owner, NOW, 60.0, FetchPurpose.MISSING)),
    "recalls": (recalls, lambda tx, owner: tx.recalls.claim(owner, NOW, 60.0)),
    "commitments": (commitments, lambda tx, owner: tx.commitments.claim(owner, NOW, 60.0)),
    "promises": (promises, lambda tx, owner: tx.promises.claim(owner, NOW, 60.0)),
    "shadows": (shadows, lambda tx, owner: tx.shadows.claim(owner, NOW, 60.0)),
    "notices": (notices, lambda tx, owner: tx.notices.claim(owner, NOW, 60.0)),
    "settled studies": (lambda tx, _: None, lambda tx, owner: tx.studies.settled(NOW, 0.0) or None),
}


def at_once(database: Database, claim: Callable[[Transaction, str], Any]) -> Any:
    """What the other pipeline gets while the first has not committed; fails where it waits."""
    found: list[Any] = []

    def take() -> None:
        with database.transaction() as tx:
            found.append(claim(tx, "second"))

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    thread.join(AT_ONCE_S)
    assert found, "it waits for the first"
    return found[0]


@pytest.mark.parametrize("what", CLAIMS)
def test_no_claim_waits_and_none_takes_the_same(pipelines, make_job, what):
    (queue, claim), (first, second) = CLAIMS[what], pipelines
    with first.transaction() as tx:
        queue(tx, make_job)
    with first.transaction() as tx:
        ours = claim(tx, "first")
        theirs = at_once(second, claim)
        assert ours
        assert ours != theirs, "and the same is never taken twice"
        assert theirs or what == "settled studies", "the first holds every settled study"
        if theirs:
            assert at_once(second, claim) is None, "there are two"


def test_a_study_that_is_ready_is_dispatched_by_one_and_the_next_by_the_other(pipelines):
    first, second = pipelines
    with first.transaction() as tx:
        for number in (1, 2):
            tx.studies.move(f"1.2.{number}", StudyState.COMPLETE, NOW)
    with first.transaction() as tx:
        (ours,) = tx.studies.ready(NOW)
        (theirs,) = at_once(second, lambda tx, _: tx.studies.ready(NOW))
        assert {ours.study_instance_uid, theirs.study_instance_uid} == {"1.2.1", "1.2.2"}


def test_a_correction_lets_an_image_of_its_series_arrive_afterwards(pipelines, make_instance):
    first, second = pipelines
    old = make_instance(study_instance_uid="1.2.1")
    new = make_instance(study_instance_uid="1.2.1", content="corrected")
    with first.transaction() as tx:
        tx.studies.add_instance(new)
    arrived: list[Any] = []

    def arrive() -> None:
        with second.transaction() as tx:
            arrived.append(tx.studies.add_instance(make_instance(2, study_instance_uid="1.2.1")))

    thread = threading.Thread(target=arrive, daemon=True)
    with first.transaction() as tx:
        tx.studies.hold("1.2.1")
        thread.start()
        thread.join(0.3)  # it waits for a series; had it that, it would wait for the study, and we for it
        tx.versions.correct(old, new, {"PatientID": "new"}, copied=True)
    thread.join(AT_ONCE_S)
    assert arrived == [Arrival.NEW]


def test_a_second_content_arrives_while_its_study_is_about_to_be_held(pipelines, make_instance):
    first, second = pipelines
    held: list[Any] = []

    def hold() -> None:
        with second.transaction() as tx:
            held.append(tx.studies.hold("1.2.1"))

    thread = threading.Thread(target=hold, daemon=True)
    with first.transaction() as tx:
        assert tx.studies.add_instance(make_instance(study_instance_uid="1.2.1", content="other")) is Arrival.CONFLICT
        thread.start()
        thread.join(0.3)
    thread.join(AT_ONCE_S)
    assert held, "had it the series already, the arrival's commit would wait for it, and it for the study"


def test_a_second_content_arrives_while_retention_removes_its_study(pipelines, make_instance):
    first, second = pipelines
    arrived: list[Any] = []

    def arrive() -> None:
        with second.transaction() as tx:
            arrived.append(tx.studies.add_instance(make_instance(study_instance_uid="1.2.1", content="other")))

    thread = threading.Thread(target=arrive, daemon=True)
    with first.transaction() as tx:
        tx.removals.of("1.2.1")
        thread.start()
        thread.join(0.3)
        tx.removals.remove("1.2.1", NOW)
    thread.join(AT_ONCE_S)
    assert arrived, "its series has gone, and comes again with it"
    with first.reading() as tx:
        assert len(tx.studies.series("1.2.1")) == 1


def test_two_senders_of_one_destination_go_in_turn_and_keep_its_limit(pipelines, make_job):
    """Whoever claims for a destination holds its circuit for that moment: its concurrency counts over all pipelines."""
    first, second = pipelines
    with first.transaction() as tx:
        jobs(tx, make_job)
        for number in (1, 2):
            tx.deliveries.add(f"job-{number}", f"1.2.{number}", "pacs", DeliveryState.PENDING, 0.0)
    found: list[Any] = []

    def take(database: Database) -> None:
        with database.transaction() as tx:
            found.append(tx.outbox.claim(Sender("pacs", concurrency=1), str(id(database)), NOW, 60.0))

    threads = [threading.Thread(target=take, args=(database,)) for database in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(one is None for one in found) == [False, True]


def test_arrivals_never_wait_for_each_other_in_a_circle(pipelines, make_instance):
    """Each is a transaction of its own there: it takes its series, then its study, and no other study's rows."""
    group, inside = Together(pipelines[0]), threading.Barrier(3)

    def receive(study: str) -> None:
        def work(tx: Transaction) -> None:
            tx.studies.add_instance(make_instance(9, study_instance_uid=study))
            inside.wait(20)

        group.commit(work)

    senders = [threading.Thread(target=receive, args=(study,)) for study in ("1.2.1", "1.2.2")]
    for thread in senders:
        thread.start()
    inside.wait(20)
    for thread in senders:
        thread.join(20)
        assert not thread.is_alive()


def test_a_study_settles_when_its_associations_have_ended_on_every_receiver(pipelines, make_instance):
    first, second = pipelines
    for number, receiver in ((3, first), (4, second)):
        with receiver.transaction() as tx:
            who = ("CT1", "SEGNODE", "10.0.0.1", 100.0, 30.0)
            tx.associations.open(f"association-{number}", f"host-{number}:7:ab:receive", *who)
            image = make_instance(number, study_instance_uid="1.2.9", association_id=f"association-{number}")
            tx.studies.add_instance(image)

    def settled(database: Database, now: float) -> bool:
        with database.reading() as tx:
            return "1.2.9" in {study.study_instance_uid for study in tx.studies.settled(now, 5.0)}

    with first.transaction() as tx:
        tx.associations.close("association-3", 110.0)
    assert not settled(first, 120.0), "the other receiver's is open"
    assert settled(first, 130.0), "that receiver was silent for a whole term: it is dead"
    with second.transaction() as tx:
        tx.associations.renew(["association-4"], 125.0, 30.0)
    assert not settled(first, 130.0)
    with second.transaction() as tx:
        tx.associations.close("association-4", 131.0)
    assert settled(first, 131.0)
