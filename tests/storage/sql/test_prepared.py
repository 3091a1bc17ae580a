"""A prepared statement does what SQLAlchemy's own execution of it does."""

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import JSON

from storage.database import Database
from storage.sql.engines import make_engine
from storage.sql.prepared import Prepared, prepared

things = Table(
    "things", MetaData(), Column("name", String, primary_key=True), Column("count", Integer), Column("told", JSON)
)
STEP = 5


@prepared
def put(kind, step):
    """A row, or so many more in it."""
    new = (postgresql if kind == "postgresql" else sqlite).insert(things)
    more = {"count": things.c.count + step, "told": new.excluded.told}
    return new.on_conflict_do_update(index_elements=["name"], set_=more)


@prepared
def is_there(_):
    return select(things.c.count).where(things.c.name == bindparam("name"), things.c.count > 0)


@pytest.fixture
def connection(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'things.sqlite'}")
    with engine.connect().execution_options(storage_writing=True) as connection, connection.begin():
        things.create(connection)
        yield connection
    engine.dispose()


def rows(connection) -> list[tuple]:
    return [tuple(row) for row in connection.execute(select(things).order_by(things.c.name))]


def test_values_are_bound_by_name_and_converted_by_their_type(connection):
    assert put(connection, {"told": {"a": [1.5, None]}, "name": "x", "count": 1}, STEP).rowcount == 1
    assert put(connection, {"name": "y", "count": 2, "told": None}, STEP).rowcount == 1
    assert rows(connection) == [("x", 1, {"a": [1.5, None]}), ("y", 2, None)]


def test_what_the_statement_holds_itself_stays_with_its_choice(connection):
    for step in (STEP, STEP, 100):
        put(connection, {"name": "x", "count": 1, "told": {"step": step}}, step)
    assert rows(connection) == [("x", 1 + STEP + 100, {"step": 100})]


def test_rows_come_as_ever(connection):
    put(connection, {"name": "x", "count": 1, "told": {}}, STEP)
    assert is_there(connection, {"name": "x"}).fetchone() == (1,)
    assert is_there(connection, {"name": "y"}).fetchone() is None


def test_a_value_that_is_missing_is_a_fault(connection):
    with pytest.raises(KeyError):
        Prepared(is_there_statement(), ["name"], connection.dialect).run(connection, {"other": "x"})


def is_there_statement():
    return select(things.c.count).where(things.c.name == bindparam("name"))


def test_the_databases_errors_are_translated_as_ever(tmp_path, empty_sqlite):
    from storage.errors import StorageError

    database = Database.open(empty_sqlite(tmp_path / "node.sqlite"))
    with pytest.raises(StorageError, match="no such table"), database.transaction() as tx:
        is_there(tx._connection, {"name": "x"})
    database.close()
