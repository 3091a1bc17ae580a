"""The last check of each model's files; storage.sql.tables_models."""

from __future__ import annotations

from storage.database import Database
from storage.working.model_checks import ModelCheck


def test_of_each_model_the_last_check_is_kept(db: Database) -> None:
    first = ModelCheck("liver", 100.0, "ada", "abc", "")
    later = ModelCheck("liver", 200.0, "otto", "", "weights.pt was changed")
    other = ModelCheck("brain", 150.0, "ada", "def", "")
    with db.transaction() as tx:
        for check in (first, other, later):
            tx.model_checks.put(check)
        assert tx.model_checks.all() == {"liver": later, "brain": other}
