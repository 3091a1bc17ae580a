"""What the database library raises is translated, and no value of a statement is told."""

import time

import pytest
from sqlalchemy.exc import DataError, IntegrityError, NotSupportedError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from storage.database import Database
from storage.errors import BadValue, StorageError, Unavailable
from storage.sql.answering import answering


@pytest.mark.parametrize(
    ("raised", "told", "sentence"),
    [
        (OperationalError("q", {}, Exception("locked\nvalue")), Unavailable, "the database does not answer: locked"),
        (OperationalError("q", {}, Exception()), Unavailable, "the database does not answer: Exception"),
        (NotSupportedError("q", {}, Exception("standby")), Unavailable, "the database does not answer: standby"),
        (PoolTimeout(), Unavailable, "every connection to the database is busy"),
        (DataError("q", {}, Exception("no NUL\nvalue")), BadValue, "the database has no such value: no NUL"),
        (IntegrityError("q", {}, Exception("dup\nvalue")), StorageError, "the database refused: dup"),
    ],
)
def test_errors_become_ours(raised, told, sentence):
    with pytest.raises(told) as caught, answering():
        raise raised
    assert str(caught.value) == sentence


def write_late(database):
    with database.transaction() as tx:
        tx._connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 50")
        time.sleep(0.3)
        tx.journal.add(1.0, "here", "late")


def test_a_session_that_the_server_ends_for_its_silence_may_be_tried_again(migrated_postgres):
    database = Database.open(migrated_postgres())
    with pytest.raises(Unavailable, match="idle-in-transaction timeout"):
        write_late(database)
    with database.transaction() as tx:
        tx.journal.add(1.0, "here", "again")
    database.close()
