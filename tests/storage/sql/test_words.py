"""Words and numbers of ours stand in statements; nobody else's does."""

from __future__ import annotations

import re
from enum import EnumType
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select, update

import storage.database  # and with it every table
from storage import lifecycle
from storage.people.tickets import TicketKind
from storage.people.users import Role
from storage.records import InstanceKind
from storage.sql.tables_people import metadata
from storage.sql.words import OURS, Word, at_most, moment, word
from storage.working.reviews import ReviewKind

things = Table("things", MetaData(), Column("number", Integer, primary_key=True), Column("state", Word))
state = things.c.state
STATES = [one for one in vars(lifecycle).values() if isinstance(one, EnumType)]


@pytest.mark.parametrize(("condition", "said"), [
    (state == "DONE", "things.state = 'DONE'"),
    (state != "", "things.state != ''"),
    (state == lifecycle.JobState.DONE, "things.state = 'DONE'"),
    (state.in_(["DONE", "FAILED"]), "things.state IN ('DONE', 'FAILED')"),
    (~state.in_({"DONE"}), "things.state NOT IN ('DONE')"),
    (state.is_(None), "things.state IS NULL"),
    (state == things.c.number, "things.state = things.number"),
])
def test_what_a_word_is_compared_with_is_written_out(condition, said) -> None:
    compiled = select(things.c.number).where(condition).compile()
    assert str(compiled).endswith(f"WHERE ({said})" if "NOT IN" in said else f"WHERE {said}")
    assert compiled.params == {}


def test_what_is_stored_stays_a_parameter() -> None:
    assert insert(things).values(state="DONE").compile().params["state"] == "DONE"
    assert update(things).values(state="DONE").compile().params["state"] == "DONE"


@pytest.mark.parametrize("text", ["' OR 1=1 --", "DONE'", "%(x)s", "a b", "é", "1", "\\"])
def test_nothing_but_letters_comes_into_a_statement(text: str) -> None:
    with pytest.raises(ValueError, match="no word of ours"):
        word(text)
    with pytest.raises(ValueError, match="no word of ours"):
        _ = state == text


@pytest.mark.parametrize("words", [*STATES, InstanceKind, ReviewKind, TicketKind, Role], ids=lambda one: one.__name__)
def test_every_word_of_ours_can_be_said(words) -> None:
    assert all(OURS.fullmatch(one.value) for one in words)


def test_a_limit_and_a_moment_are_written_out() -> None:
    query = select(things.c.number).where(things.c.number >= moment(1_795_651_200)).limit(at_most(5))
    assert " ".join(str(query.compile()).split()).endswith("WHERE things.number >= 1795651200.0 LIMIT 5")
    assert at_most(None) is None


def test_every_state_is_a_word_and_every_limit_is_written_out() -> None:
    columns = [column for table in metadata.sorted_tables for column in table.c if column.name == "state"]
    assert [column for column in columns if not isinstance(column.type, Word)] == []
    sources = Path(storage.__file__).parent.glob("*.py")
    assert [one.name for one in sources if re.search(r"\.limit\((?!at_most\()", one.read_text())] == []
