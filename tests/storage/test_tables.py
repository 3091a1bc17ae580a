"""The schema: what every claim and every list asks for has its index."""

import pytest
from sqlalchemy import event

from storage.database import Database
from storage.finding.search import Sought
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, FetchState, JobState, StudyState
from storage.people.audit_records import AuditSought
from storage.people.tickets import TicketKind
from storage.records import FetchPurpose
from storage.sql.tables_people import metadata

STAND_IN = Sender("pacs", 2, {"other": {"other": 60.0}})

QUESTIONS = {
    "settled": lambda tx: tx.studies.settled(100.0, 10.0),
    "studies by state": lambda tx: tx.studies.list(states=[StudyState.COMPLETE]),
    "studies": lambda tx: tx.studies.list(before=5.0),
    "study": lambda tx: tx.studies.find("1.2"),
    "series": lambda tx: tx.studies.series("1.2"),
    "has instance": lambda tx: tx.studies.has_instance("1.2"),
    "claim job": lambda tx: tx.jobs.claim("a", 1.0, 60.0),
    "waiting jobs": lambda tx: tx.jobs.waiting(1.0),
    "waiting jobs of open models": lambda tx: tx.jobs.waiting(1.0, ["liver"]),
    "claim job of an open model": lambda tx: tx.jobs.claim("a", 1.0, 60.0, ["liver"]),
    "reap jobs": lambda tx: tx.jobs.reap(1.0),
    "hopeless jobs": lambda tx: tx.jobs.fail_crashed(2, 1.0),
    "jobs by state": lambda tx: tx.jobs.list([JobState.FAILED]),
    "jobs": lambda tx: tx.jobs.list(),
    "claim delivery": lambda tx: tx.outbox.claim(STAND_IN, "a", 1.0, 60.0),
    "due deliveries": lambda tx: tx.outbox.due(STAND_IN, 1.0),
    "deliveries out of order": lambda tx: tx.outbox.restore_order("pacs", 1.0),
    "waiting by destination": lambda tx: tx.outbox.waiting(),
    "circuit": lambda tx: tx.circuits.get("pacs"),
    "reap deliveries": lambda tx: tx.deliveries.reap(1.0),
    "deliveries by state": lambda tx: tx.deliveries.list([DeliveryState.DEAD]),
    "deliveries of study": lambda tx: tx.deliveries.of_study("1.2"),
    "superseded deliveries": lambda tx: tx.deliveries.supersede_unsent("job-1", 1.0),
    "claim commitment": lambda tx: tx.commitments.claim("a", 1.0, 60.0),
    "due commitments": lambda tx: tx.commitments.due(1.0),
    "claim notice": lambda tx: tx.notices.claim("a", 1.0, 60.0),
    "due notices": lambda tx: tx.notices.due(1.0),
    "late studies": lambda tx: tx.alerts.late(2.0, 1.0),
    "reap commitments": lambda tx: tx.commitments.reap(1.0),
    "commitment": lambda tx: tx.commitments.find("2.25.1"),
    "commitment of delivery": lambda tx: tx.commitments.newest_of(1),
    "commitment of promise": lambda tx: tx.commitments.of_promise(1),
    "commitments of study": lambda tx: tx.commitments.of_study("1.2"),
    "claim promise": lambda tx: tx.promises.claim("a", 1.0, 60.0),
    "due promises": lambda tx: tx.promises.due(1.0),
    "reap promises": lambda tx: tx.promises.reap(1.0),
    "promise": lambda tx: tx.promises.find("CT1", "1.2"),
    "open promises": lambda tx: tx.promises.open_of("CT1"),
    "bar": lambda tx: tx.promises.barred_until("1.2"),
    "claim fetch": lambda tx: tx.fetches.claim("a", 1.0, 60.0, FetchPurpose.MISSING),
    "claim begun fetch": lambda tx: tx.fetches.claim("a", 1.0, 60.0, FetchPurpose.PROCESS, begun_only=True),
    "due fetches": lambda tx: tx.fetches.due(1.0, FetchPurpose.MISSING),
    "fetches by state": lambda tx: tx.fetches.list([FetchState.PENDING], FetchPurpose.PROCESS),
    "last fetch": lambda tx: tx.fetches.last_begin(FetchPurpose.PROCESS),
    "ready studies": lambda tx: tx.studies.ready(1.0),
    "ready studies but for a model": lambda tx: tx.studies.ready(1.0, but=["1.2"], closed=["liver"]),
    "prior wait": lambda tx: tx.prior_waits.find("1.2"),
    "unsettled priors": lambda tx: tx.prior_waits.unsettled(["1.2", "1.3"], "liver_tumour", ["liver"]),
    "claim recall": lambda tx: tx.recalls.claim("a", 1.0, 60.0),
    "due recalls": lambda tx: tx.recalls.due(1.0),
    "recall": lambda tx: tx.recalls.find("1.2"),
    "reviews of study": lambda tx: tx.reviews.of_study("1.2"),
    "reviews since": lambda tx: tx.reviews.counting(1.0),
    "history of study": lambda tx: tx.journal.of_study("1.2"),
    "history of job": lambda tx: tx.journal.of_job("job-1"),
    "open associations": lambda tx: tx.associations.open_count(1.0),
    "lapsed associations": lambda tx: tx.associations.close_lapsed(1.0),
    "first page of studies": lambda tx: tx.search.studies(Sought()),
    "next page of studies": lambda tx: tx.search.studies(Sought(after=(5.0, "1.2"))),
    "next page of a state": lambda tx: tx.search.studies(Sought([StudyState.NOT_ROUTED], after=(5.0, "1.2"))),
    "studies in trouble": lambda tx: tx.search.studies(Sought(in_trouble=True)),
    "audit records": lambda tx: tx.audit_records.page(AuditSought(action="look", since=1.0, after=(5.0, 7))),
    "audit records of study": lambda tx: tx.audit_records.page(AuditSought(study_uid="1.2")),
    "old audit records": lambda tx: tx.audit_records.forget(1.0),
    "ticket": lambda tx: tx.tickets.find(TicketKind.SESSION, "token", 1.0),
    "tickets of user": lambda tx: tx.tickets.of_user(1, TicketKind.PROGRAM),
    "stale tickets": lambda tx: tx.tickets.forget(1.0),
    "user": lambda tx: tx.users.find("anne"),
    "failed sign-ins": lambda tx: tx.sign_ins.failures("anne", 1.0),
    "claim bench": lambda tx: tx.benches.claim("a", 1.0, 60.0),
    "open bench": lambda tx: tx.benches.open(),
    "claim shadow": lambda tx: tx.shadows.claim("a", 1.0, 60.0),
    "running shadow": lambda tx: tx.shadows.running(1.0),
    "waiting shadows": lambda tx: tx.shadows.waiting(1.0),
    "shadows of model": lambda tx: tx.shadows.of_model("liver", 10),
    "command": lambda tx: tx.commands.answer(1, "key", "asked"),
}
NEWEST_BY_KEY = {
    "news": lambda tx: tx.journal.recent(10),
    "newest revision": lambda tx: tx.revisions.newest(),
}
SORTED_AFTERWARDS = {
    "probe delivery": lambda tx: (  # once in minutes
        tx.circuits.failed("pacs", 1.0, ""), tx.circuits.open("pacs", 1.0), tx.outbox.claim(STAND_IN, "a", 1.0, 60.0)
    ),
    "in flight": lambda tx: tx.fetches.in_flight(),
    "known instances": lambda tx: tx.studies.known("1.2"),
    "results of job": lambda tx: tx.results.of_job("job-1"),
    "jobs of study": lambda tx: tx.jobs.of_study("1.2"),
    "jobs of studies": lambda tx: tx.gathered.jobs(["1.2", "1.3"]),
    "deliveries of studies": lambda tx: tx.gathered.deliveries(["1.2", "1.3"]),
    "modalities of studies": lambda tx: tx.gathered.modalities(["1.2", "1.3"]),
    "objects of jobs": lambda tx: tx.gathered.objects(["job-1", "job-2"]),
    "several studies": lambda tx: tx.gathered.studies(["1.2", "1.3"]),
    "instances of series": lambda tx: tx.studies.instances(series_uid="1.2"),
    "instances of study": lambda tx: tx.studies.instances(study_uid="1.2"),
}


@pytest.fixture
def plan(tmp_path):
    """Ask a question of SQLite; gives the steps of how it would be answered."""
    database = Database.open(f"sqlite:///{tmp_path}/node.db")

    def explain(question):
        asked = []

        def note(connection, cursor, statement, parameters, context, many):
            asked.append((statement, parameters))

        with database.transaction() as tx:
            event.listen(database._engine, "before_cursor_execute", note)
            question(tx)
            event.remove(database._engine, "before_cursor_execute", note)
            run = tx._connection.exec_driver_sql
            return [row.detail for sql, values in asked for row in run(f"EXPLAIN QUERY PLAN {sql}", values)]

    yield explain
    database.close()


def is_full_look(step):
    """A table read row by row, without an index that narrows or orders it."""
    return step.startswith("SCAN") and "USING" not in step


@pytest.mark.parametrize("name", list(QUESTIONS))
def test_answered_by_an_index_in_its_order(plan, name):
    steps = plan(QUESTIONS[name])
    assert steps
    assert [step for step in steps if "TEMP B-TREE" in step or is_full_look(step)] == []


@pytest.mark.parametrize("name", list(NEWEST_BY_KEY))
def test_the_newest_stand_in_the_tables_own_order(plan, name):
    assert [step for step in plan(NEWEST_BY_KEY[name]) if "TEMP B-TREE" in step] == []


@pytest.mark.parametrize("name", list(SORTED_AFTERWARDS))
def test_few_rows_are_found_by_an_index_and_then_sorted(plan, name):
    assert [step for step in plan(SORTED_AFTERWARDS[name]) if step.startswith("SCAN")] == []


def test_every_table_has_a_key():
    assert [table.name for table in metadata.sorted_tables if not table.primary_key.columns] == []
