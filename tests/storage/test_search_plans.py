"""However many studies there are, a page of them is read off an index: nothing is sorted (storage.finding.search)."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from sqlalchemy import event

from storage.database import Database
from storage.finding.search import Search, Sought
from storage.lifecycle import StudyState

ALL = (StudyState.RECEIVING, StudyState.DISPATCHED, StudyState.NOT_ROUTED)
STATES = [(), (StudyState.DISPATCHED,), ALL]
WORDS = ["", "doe", "1.2.826"]
AFTER = [None, (100.0, "1.2.3")]


@pytest.fixture
def plans(empty_sqlite, tmp_path):
    """`plans(look)` gives the steps in which SQLite does what `look` asks first."""
    database = Database.open(empty_sqlite(tmp_path / "node.db"))

    def steps(look: Callable[[Search], object]) -> list[str]:
        asked = []
        listen = lambda conn, cursor, statement, parameters, *_: asked.append((statement, parameters))  # noqa: E731
        with database.reading() as tx:
            event.listen(tx._connection, "before_cursor_execute", listen)
            look(tx.search)
            event.remove(tx._connection, "before_cursor_execute", listen)
            statement, parameters = asked[0]
            plan = tx._connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            return [row.detail for row in plan]

    yield steps
    database.close()


@pytest.mark.parametrize("by_patient", [True, False])
def test_every_page_of_every_search_follows_an_index(plans, by_patient: bool) -> None:
    for states, words, after, trouble in itertools.product(STATES, WORDS, AFTER, (False, True)):
        sought = Sought(states, words, by_patient=by_patient, in_trouble=trouble, after=after)
        steps = plans(lambda search, sought=sought: search.studies(sought))
        assert not [step for step in steps if "TEMP B-TREE" in step], sought
        assert not [step for step in steps if step.startswith("SCAN") and "INDEX" not in step], sought


def test_what_stands_beside_the_states_is_counted_on_their_index(plans) -> None:
    steps = plans(lambda search: search.counts(1000))
    looks = [step for step in steps if "studies" in step]
    assert len(looks) == len(StudyState)
    assert all(step.startswith("SEARCH studies USING COVERING INDEX") for step in looks)
