"""What the database library raises is translated, and no value of a statement is told."""

import pytest
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from storage.errors import BadValue, StorageError, Unavailable
from storage.sql.answering import answering


@pytest.mark.parametrize(
    ("raised", "told", "sentence"),
    [
        (OperationalError("q", {}, Exception("locked\nvalue")), Unavailable, "the database does not answer: locked"),
        (OperationalError("q", {}, Exception()), Unavailable, "the database does not answer: Exception"),
        (PoolTimeout(), Unavailable, "every connection to the database is busy"),
        (DataError("q", {}, Exception("no NUL\nvalue")), BadValue, "the database has no such value: no NUL"),
        (IntegrityError("q", {}, Exception("dup\nvalue")), StorageError, "the database refused: dup"),
    ],
)
def test_errors_become_ours(raised, told, sentence):
    with pytest.raises(told) as caught, answering():
        raise raised
    assert str(caught.value) == sentence
