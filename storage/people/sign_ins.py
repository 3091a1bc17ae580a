"""Failed sign-ins, counted for all processes together, so that guessing passwords becomes slow."""

from __future__ import annotations

import hashlib

from sqlalchemy import case, delete, select, update

from storage.sql.store import Store
from storage.sql.tables_people import failed_sign_ins

FORGOTTEN_S = 24 * 3600.0


class SignIns(Store):
    """Failures by key: what the attempts have in common, such as a name or an address. Keys are kept as hashes."""

    def failed(self, key: str, now: float) -> int:
        """Count a failure and give how many there have been; after a day without one the count begins anew."""
        failures, last = failed_sign_ins.c.failures, failed_sign_ins.c.last_at
        row = self._insert(failed_sign_ins).values(key=_hashed(key), failures=1, last_at=now)
        again = {"failures": case((last <= now - FORGOTTEN_S, 1), else_=failures + 1), "last_at": now}
        return int(
            self._connection.execute(
                row.on_conflict_do_update(index_elements=["key"], set_=again).returning(failures)
            ).scalar_one()
        )

    def failures(self, key: str, now: float) -> tuple[int, float]:
        """How many failures there are of late, and when the last one was."""
        this = (failed_sign_ins.c.key == _hashed(key), failed_sign_ins.c.last_at > now - FORGOTTEN_S)
        row = self._connection.execute(select(failed_sign_ins).where(*this)).one_or_none()
        return (0, 0.0) if row is None else (row.failures, row.last_at)

    def succeeded(self, key: str) -> None:
        """Forget the failures."""
        self._connection.execute(delete(failed_sign_ins).where(failed_sign_ins.c.key == _hashed(key)))

    def taken_back(self, key: str) -> None:
        """Count one failure less: the attempt has succeeded."""
        failures = failed_sign_ins.c.failures
        this = (failed_sign_ins.c.key == _hashed(key), failures > 0)
        self._connection.execute(update(failed_sign_ins).where(*this).values(failures=failures - 1))

    def forget(self, now: float) -> int:
        """Drop what is over; gives the number."""
        over = failed_sign_ins.c.last_at <= now - FORGOTTEN_S
        return self._connection.execute(delete(failed_sign_ins).where(over)).rowcount


def _hashed(key: str) -> str:
    """People type passwords where the name belongs; such a word is not kept."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
