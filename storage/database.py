"""The database: opened, brought up to date, and used one transaction at a time.

`with database.transaction() as tx` is one commit of every store in it; an exception rolls all of it back.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from storage.arriving.associations import Associations
from storage.arriving.by_hand import ByHand
from storage.arriving.fetches import Fetches
from storage.arriving.prior_waits import PriorWaits
from storage.arriving.recalls import Recalls
from storage.arriving.rejections import Rejections
from storage.arriving.versions import Versions
from storage.deliveries import Deliveries
from storage.errors import NotFound, Unavailable
from storage.finding.figures import FiguresStore
from storage.finding.gathered import Gathered
from storage.finding.search import Search
from storage.jobs import Jobs
from storage.journal import Journal
from storage.leaving.circuits import Circuits
from storage.leaving.commitments import Commitments
from storage.leaving.outbox import Outbox
from storage.leaving.parts import Parts
from storage.leaving.promises import Promises
from storage.people.audit_records import AuditRecords
from storage.people.commands import Commands
from storage.people.keys import Keys
from storage.people.sign_ins import SignIns
from storage.people.tickets import Tickets
from storage.people.users import Users
from storage.sql.answering import answering
from storage.sql.bell import Ear
from storage.sql.engines import BUSY_S, WRITING, make_engine
from storage.sql.schema import is_up_to_date, version_of
from storage.sql.sole import Sole, places_of
from storage.studies import Studies
from storage.upkeep.removals import Removals
from storage.watching.alerts import Alerts
from storage.watching.counters import Counters
from storage.watching.notices import Notices
from storage.watching.processes import Processes
from storage.watching.revisions import Revisions
from storage.working.benches import Benches
from storage.working.due import Due
from storage.working.handover import Handover
from storage.working.model_checks import ModelChecks
from storage.working.results import Results
from storage.working.reviews import Reviews
from storage.working.shadows import Shadows


class Transaction:
    """Every store, over one connection; it ends with its `with`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def studies(self) -> Studies:
        return Studies(self._connection)

    @cached_property
    def by_hand(self) -> ByHand:
        return ByHand(self._connection)

    @cached_property
    def versions(self) -> Versions:
        return Versions(self._connection)

    @cached_property
    def rejections(self) -> Rejections:
        return Rejections(self._connection)

    @cached_property
    def associations(self) -> Associations:
        return Associations(self._connection)

    @cached_property
    def jobs(self) -> Jobs:
        return Jobs(self._connection)

    @cached_property
    def results(self) -> Results:
        return Results(self._connection)

    @cached_property
    def reviews(self) -> Reviews:
        return Reviews(self._connection)

    @cached_property
    def deliveries(self) -> Deliveries:
        return Deliveries(self._connection)

    @cached_property
    def outbox(self) -> Outbox:
        return Outbox(self._connection)

    @cached_property
    def parts(self) -> Parts:
        return Parts(self._connection)

    @cached_property
    def circuits(self) -> Circuits:
        return Circuits(self._connection)

    @cached_property
    def commitments(self) -> Commitments:
        return Commitments(self._connection)

    @cached_property
    def promises(self) -> Promises:
        return Promises(self._connection)

    @cached_property
    def fetches(self) -> Fetches:
        return Fetches(self._connection)

    @cached_property
    def recalls(self) -> Recalls:
        return Recalls(self._connection)

    @cached_property
    def prior_waits(self) -> PriorWaits:
        return PriorWaits(self._connection)

    @cached_property
    def handover(self) -> Handover:
        return Handover(self._connection)

    @cached_property
    def due(self) -> Due:
        return Due(self._connection)

    @cached_property
    def journal(self) -> Journal:
        return Journal(self._connection)

    @cached_property
    def processes(self) -> Processes:
        return Processes(self._connection)

    @cached_property
    def removals(self) -> Removals:
        return Removals(self._connection)

    @cached_property
    def search(self) -> Search:
        return Search(self._connection)

    @cached_property
    def gathered(self) -> Gathered:
        return Gathered(self._connection)

    @cached_property
    def figures(self) -> FiguresStore:
        return FiguresStore(self._connection)

    @cached_property
    def counters(self) -> Counters:
        return Counters(self._connection)

    @cached_property
    def alerts(self) -> Alerts:
        return Alerts(self._connection)

    @cached_property
    def notices(self) -> Notices:
        return Notices(self._connection)

    @cached_property
    def model_checks(self) -> ModelChecks:
        return ModelChecks(self._connection)

    @cached_property
    def benches(self) -> Benches:
        return Benches(self._connection)

    @cached_property
    def shadows(self) -> Shadows:
        return Shadows(self._connection)

    @cached_property
    def users(self) -> Users:
        return Users(self._connection)

    @cached_property
    def tickets(self) -> Tickets:
        return Tickets(self._connection)

    @cached_property
    def sign_ins(self) -> SignIns:
        return SignIns(self._connection)

    @cached_property
    def commands(self) -> Commands:
        return Commands(self._connection)

    @cached_property
    def keys(self) -> Keys:
        return Keys(self._connection)

    @cached_property
    def audit_records(self) -> AuditRecords:
        return AuditRecords(self._connection)

    @cached_property
    def revisions(self) -> Revisions:
        return Revisions(self._connection)


class Database:
    """One database, shared by the threads of a process; other processes open their own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # SQLite has one writer. Threads that queue here go in turn; the file's own lock would have them poll.
        self._turn = threading.Lock() if engine.dialect.name == "sqlite" else None
        self._writer: Connection | None = None  # SQLite's, kept from turn to turn
        self._places = places_of(engine)

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Database:
        """Connect, and bring the schema up to date.

        `sqlite:///PATH` or `postgresql://USER@HOST/NAME`. NotFound where `create` is false and nothing is
        there; SchemaTooNew where a newer release wrote it and this one cannot work with that; SchemaDamaged where
        it is half migrated; Unavailable where it does not answer.
        """
        engine = make_engine(url)
        with ExitStack() as undo:
            undo.callback(engine.dispose)
            with answering(), _opening_alone(engine, create):
                _bring_up_to_date(engine, create)
            undo.pop_all()
        return cls(engine)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """All that is written in it is one commit; an exception takes all of it back."""
        with answering(), self._in_turn(), self._writing() as connection, connection.begin():
            yield Transaction(connection)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """One consistent look; writing in it is an error."""
        with answering(), self._engine.connect() as connection, connection.begin():
            yield Transaction(connection)

    @property
    def has_one_writer(self) -> bool:
        """Whether transactions that write wait for each other, of whatever rows."""
        return self._turn is not None

    def clock_ahead_s(self) -> float:
        """By how much this machine's clock is ahead of that of the database's, in s; leases compare the two.

        0.0 where both are one machine's.
        """
        if self.has_one_writer:
            return 0.0
        with answering(), self._engine.connect() as connection:
            before = time.time()
            theirs = float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
            return (before + time.time()) / 2 - theirs

    def sole(self, name: str) -> Sole:
        """The place of that name, which one process holds at a time."""
        return Sole(name, self._places)

    def ear(self, heard: Callable[[], None]) -> Ear | None:
        """What calls `heard` whenever any process has queued work; None where the database has no bell."""
        return Ear(self._engine, heard) if self._engine.dialect.name == "postgresql" else None

    def close(self) -> None:
        """Let go of every connection and place."""
        self._places.close()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._engine.dispose()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A connection that may write: of SQLite always the same, until something goes wrong on it."""
        connection, self._writer = self._writer, None
        if connection is None:
            connection = self._engine.connect().execution_options(**{WRITING: True})
        with ExitStack() as undo:
            undo.callback(connection.close)
            yield connection
            if self._turn is not None:
                self._writer = connection
                undo.pop_all()

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=BUSY_S):
            raise Unavailable(f"another thread has kept the database for {BUSY_S} s")
        try:
            yield
        finally:
            self._turn.release()


@contextmanager
def _opening_alone(engine: Engine, create: bool) -> Iterator[None]:
    """Keep other processes from opening the same SQLite file meanwhile; turning on its WAL suffers no company."""
    if engine.dialect.name != "sqlite":
        yield
        return
    path = Path(str(engine.url.database))
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
    elif not path.is_file():
        raise NotFound(f"no database at {path}")
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _bring_up_to_date(engine: Engine, create: bool) -> None:
    with engine.connect() as connection:
        if is_up_to_date(connection):
            return
        if not create and version_of(connection) is None:
            raise NotFound("the database is empty")
    from storage.migrations.upgrade import upgrade  # alembic takes its time to load, and is seldom needed

    if engine.dialect.name == "sqlite":
        _write_ahead(engine)
    with engine.connect().execution_options(**{WRITING: True}) as connection, connection.begin():
        upgrade(connection)


def _write_ahead(engine: Engine) -> None:
    """Readers beside one writer, and one fsync a commit; the file remembers it."""
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA journal_mode = WAL")
    finally:
        raw.close()
