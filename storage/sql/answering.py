"""What a database library raises, in this package's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, InternalError, NotSupportedError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from storage.errors import BadValue, StorageError, Unavailable

# What is no fault of the statement. PostgreSQL: a session that was ended for its silence is an InternalError, and a
# standby, which a failover leaves us with for a while, knows (NotSupportedError) no transaction that writes.
SERVERS_FAULTS = (OperationalError, InterfaceError, InternalError, NotSupportedError)


@contextmanager
def answering() -> Iterator[None]:
    """Translate the library's errors; their own texts may hold values, so only the first line is kept."""
    try:
        yield
    except SERVERS_FAULTS as error:
        raise Unavailable(f"the database does not answer: {_first_line(error)}") from None
    except PoolTimeout:
        raise Unavailable("every connection to the database is busy") from None
    except DataError as error:
        raise BadValue(f"the database has no such value: {_first_line(error)}") from None
    except DBAPIError as error:
        raise StorageError(f"the database refused: {_first_line(error)}") from None


def _first_line(error: DBAPIError) -> str:
    return next(iter(str(error.orig).splitlines()), type(error.orig).__name__)
