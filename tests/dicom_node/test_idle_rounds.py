"""A stage or a chore that has nothing to do costs the same however many studies have ended: all day that is its cost.

The work of SQLite is counted in steps of its virtual machine, which no other process can make longer. PostgreSQL would
spend more on plans than on work, so it is asked whether it keeps them.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from empty_sqlite import EmptySqlite
from growth import MORE
from history import fill
from listening import asked
from many_studies import empty_node, vacuum
from private_postgres import running_postgres
from sqlalchemy import event, text

from dicom_node.alerts.watch import chores
from dicom_node.assembly import Parts, cleaner, stages
from dicom_node.models.trials import trials
from dicom_node.running.upkeep import Upkeep
from dicom_node.storing import watermarks
from dicom_node.views.status import node_status, today_view
from storage import tables
from storage.recovery import recover
from storage.upkeep.reconcile import sweep_orphans

Round = Callable[[], object]

SMALL = {"circuits", "benches", "processes", "counters", "watches", "revisions"}
STEPS = 10
HOUR_S = 3600.0  # whoever pauses between two looks looks again
NOON = 1_795_694_400.0
OFTEN = 15  # a statement is prepared at its sixth call, and five plans more are made before one is kept


def node(folder: Path, empty_sqlite: EmptySqlite, studies: int) -> Parts:
    empty_sqlite(folder / "data" / "segnode.sqlite")
    parts = empty_node(folder, "", MORE)
    fill(parts, studies, images=3)
    return parts


@pytest.fixture(scope="module")
def nodes(empty_sqlite: EmptySqlite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Parts]]:
    """One with thirty studies that have ended, and one with four times as many."""
    made = [node(tmp_path_factory.mktemp(f"node-{n}") / "node", empty_sqlite, n) for n in (30, 120)]
    yield made
    for parts in made:
        parts.close()


def rounds(parts: Parts) -> dict[str, Round]:
    """Everything that is done again and again, by name."""
    clock = itertools.count(time.time(), HOUR_S)
    keeper = Upkeep(cleaner(parts), watermarks(parts.settings), free=lambda: 10**12)
    parts.archive.folder("1.2.826.7").mkdir(parents=True, exist_ok=True)
    prefix = parts.archive.folder("1.2.826.7").relative_to(parts.archive.root).parts[0]
    made: dict[str, Round] = {
        stage.name: lambda stage=stage: stage.step(next(clock))
        for stage in (*stages(parts, SimpleNamespace(slots=1)), *trials(parts))
    }
    made |= {chore.name: chore.run for chore in chores(lambda: parts, "clock")}
    made["recover"] = lambda: recover(parts.database, parts.archive, next(clock), 2)
    made["watch"] = keeper.watch
    made["sweep"] = lambda: sweep_orphans(parts.database, parts.archive, prefix, next(clock))
    return made


def steps_of(parts: Parts, work: Round) -> int:
    """How many steps SQLite takes for it, in tens."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    def begin(raw: object, *_: object) -> None:
        raw.set_progress_handler(count, STEPS)  # type: ignore[attr-defined]

    event.listen(parts.database._engine, "checkout", begin)
    work()
    event.remove(parts.database._engine, "checkout", begin)
    return taken


def test_no_round_reads_a_table_through(nodes: list[Parts]) -> None:
    """A partial index may be read through: only what waits is in it."""
    parts = nodes[0]
    partial = {
        index.name
        for table in tables.metadata.sorted_tables
        for index in table.indexes
        if index.dialect_options["sqlite"]["where"] is not None
    }
    read = {}
    for name, work in rounds(parts).items():
        with asked(parts.database) as statements:
            work()
        with parts.database.reading() as tx:
            for statement, values in statements:
                if not statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
                    continue
                plan = tx._connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
                for step in (row.detail for row in plan):
                    scan = re.match(r"SCAN (\w+?)(_\d+)?\b(?:.* INDEX (\w+))?", step)
                    if scan and scan[1] in tables.metadata.tables.keys() - SMALL and scan[3] not in partial:
                        read[name, step] = statement
    assert read == {}


def test_a_round_costs_the_same_after_four_times_as_many_studies(nodes: list[Parts]) -> None:
    few, many = (rounds(parts) for parts in nodes)
    more = {}
    for name in few.keys() - {"withdraw"}:  # once a minute it looks through what was superseded, a small part of all
        few[name](), many[name]()  # the first look of one may differ
        costs = steps_of(nodes[0], few[name]), steps_of(nodes[1], many[name])
        if costs[1] > costs[0] + 5:
            more[name] = costs
    assert more == {}


@pytest.fixture
def on_postgres(tmp_path: Path) -> Iterator[Parts]:
    """A node with hundreds of studies that have ended, and with statistics of that."""
    with running_postgres() as server:
        parts = empty_node(tmp_path / "node", server("postgres"), MORE)
        fill(parts, 400, images=1)
        vacuum(server("postgres"))
        yield parts
        parts.close()


def test_postgresql_keeps_the_plan_of_what_is_asked_all_day(on_postgres: Parts) -> None:
    for work in rounds(on_postgres).values():
        for _ in range(OFTEN):
            work()
    for _ in range(OFTEN):
        with on_postgres.database.reading() as tx:
            node_status(on_postgres, tx, NOON, 500)
            today_view(tx, NOON, 900.0)
    planned = text("SELECT statement FROM pg_prepared_statements WHERE generic_plans = 0 AND custom_plans > 5")
    with on_postgres.database.reading() as tx:
        assert tx._connection.execute(planned).scalars().all() == []
