"""A place that one process holds at a time, on whichever machine: a lock that ends with its holder.

PostgreSQL: advisory locks of one session of this process, which end with that. A pooler between us and the server must
keep sessions whole. SQLite: the system's lock of a file beside the database, which ends with the process.
"""

from __future__ import annotations

import fcntl
import os
import threading
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, PendingRollbackError

from storage.errors import Unavailable
from storage.sql.answering import answering
from storage.sql.engines import WRITING

PLACES = 0x5E67  # the first of the two numbers of our advisory locks
TRY = text("SELECT pg_try_advisory_lock(:places, :place)")
LEAVE = text("SELECT pg_advisory_unlock(:places, :place)")
ASK = text("SELECT 1")


class Places(Protocol):
    """Those of one process, by name; its threads may ask at the same time."""

    def hold(self, name: str) -> bool: ...
    def leave(self, name: str) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Sole:
    """One such place."""

    name: str
    places: Places

    def hold(self) -> bool:
        """Take the place unless another has it, or make sure that we still have it; Unavailable."""
        return self.places.hold(self.name)

    def leave(self) -> None:
        """Let another have it; nothing where it is not ours."""
        self.places.leave(self.name)


def places_of(engine: Engine) -> Places:
    """The places that the processes with this database share."""
    if engine.dialect.name == "sqlite":
        return _FilePlaces(Path(f"{engine.url.database}.locks"))
    return _SessionPlaces(engine)


class _FilePlaces:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}
        self._lock = threading.Lock()

    def hold(self, name: str) -> bool:
        with self._lock:
            if name not in self._held and (descriptor := self._locked(name)) >= 0:
                self._held[name] = descriptor
            return name in self._held

    def leave(self, name: str) -> None:
        with self._lock:
            if name in self._held:
                os.close(self._held.pop(name))

    def close(self) -> None:
        for name in list(self._held):
            self.leave(name)

    def _locked(self, name: str) -> int:
        """The descriptor of the file, which is ours as long as that is open; -1 where another has it."""
        try:
            self._folder.mkdir(exist_ok=True)
            descriptor = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as trouble:
            raise Unavailable(f"the place {name} cannot be asked for: {trouble.strerror}") from trouble
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return -1
        return descriptor


class _SessionPlaces:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._session: Connection | None = None
        self._held: set[str] = set()
        self._lock = threading.Lock()

    def hold(self, name: str) -> bool:
        with self._lock, answering():
            if self._session is None or not self._is_alive(self._session):
                self._session = self._begin()
            if name not in self._held and self._session.execute(TRY, _key(name)).scalar_one():
                self._held.add(name)
            return name in self._held

    def leave(self, name: str) -> None:
        with self._lock:
            if self._session is not None and name in self._held:
                self._held.discard(name)
                with suppress(DBAPIError):  # then the lock has gone with its session
                    self._session.execute(LEAVE, _key(name))

    def close(self) -> None:
        with self._lock:
            self._end()

    def _begin(self) -> Connection:
        session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT", **{WRITING: True})
        session.detach()  # from the pool, which has others for work
        return session

    def _is_alive(self, session: Connection) -> bool:
        """Whether the locks are still there; a session that has ended takes them along."""
        try:
            session.execute(ASK)
        except (DBAPIError, PendingRollbackError):  # the latter where an earlier question was not answered
            self._end()
            return False
        return True

    def _end(self) -> None:
        self._held.clear()
        session, self._session = self._session, None
        if session is not None:
            session.close()


def _key(name: str) -> dict[str, int]:
    return {"places": PLACES, "place": zlib.crc32(name.encode()) >> 1}  # a signed number of 32 bits
