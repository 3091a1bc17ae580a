"""Failed sign-ins, counted for all processes together, so that guessing passwords becomes slow."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import Row, case, delete, select, update

from storage.sql.store import Store
from storage.sql.tables_people import failed_sign_ins

FORGIVEN_S = 900.0  # each time that no other follows for so long there is one failure less
FORGOTTEN_S = 24 * 3600.0


class SignIns(Store):
    """Failures by key: what the attempts have in common, such as a name or an address. Keys are kept as hashes."""

    def failed(self, key: str, now: float) -> int:
        """Count a failure and give how many there are."""
        hashed = _hashed(key)
        self._add(failed_sign_ins, key=hashed, failures=0, last_at=now)
        this = failed_sign_ins.c.key == hashed
        row = self._connection.execute(select(failed_sign_ins).where(this).with_for_update()).one()
        number = _left(row, now) + 1
        self._connection.execute(update(failed_sign_ins).where(this).values(failures=number, last_at=now))
        return number

    def failures(self, key: str, now: float) -> tuple[int, float]:
        """How many failures there are of late, and when the last one was; (0, 0.0) after a day without one."""
        this = (failed_sign_ins.c.key == _hashed(key), failed_sign_ins.c.last_at > now - FORGOTTEN_S)
        row = self._connection.execute(select(failed_sign_ins).where(*this)).one_or_none()
        return (0, 0.0) if row is None else (_left(row, now), row.last_at)

    def succeeded(self, key: str) -> None:
        """Forget the failures."""
        self._connection.execute(delete(failed_sign_ins).where(failed_sign_ins.c.key == _hashed(key)))

    def taken_back(self, key: str, number: int) -> None:
        """Count so many failures less: they were of one who has succeeded."""
        failures = failed_sign_ins.c.failures
        fewer = case((failures > number, failures - number), else_=0)
        this = failed_sign_ins.c.key == _hashed(key)
        self._connection.execute(update(failed_sign_ins).where(this).values(failures=fewer))

    def forget(self, now: float) -> int:
        """Drop what is over; gives the number."""
        over = failed_sign_ins.c.last_at <= now - FORGOTTEN_S
        return self._connection.execute(delete(failed_sign_ins).where(over)).rowcount


def _left(row: Row[Any], now: float) -> int:
    quiet = now - row.last_at
    return 0 if quiet >= FORGOTTEN_S else max(0, row.failures - int(max(0.0, quiet) / FORGIVEN_S))


def _hashed(key: str) -> str:
    """People type passwords where the name belongs; such a word is not kept."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
