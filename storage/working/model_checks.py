"""What came out when a person had a model's files read again; of each model the last time is kept."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from storage.sql.store import Store
from storage.sql.tables_models import model_checks
from storage.texts import plain


@dataclass(frozen=True)
class ModelCheck:
    """When, by whom, the hash over all files where they were as recorded, else what was not ("" where all were)."""

    model: str
    at: float
    by: str
    sha256: str
    fault: str


class ModelChecks(Store):
    """Checks of one transaction."""

    def put(self, check: ModelCheck) -> None:
        """Keep it in the place of the one before."""
        told = {"at": check.at, "by": plain(check.by), "sha256": check.sha256, "fault": plain(check.fault)}
        row = self._insert(model_checks).values(model=check.model, **told)
        self._connection.execute(row.on_conflict_do_update(index_elements=["model"], set_=told))

    def all(self) -> dict[str, ModelCheck]:
        """The last of each model, by its name."""
        return {row.model: ModelCheck(*row) for row in self._connection.execute(select(model_checks))}
