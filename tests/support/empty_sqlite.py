"""A SQLite database with the newest schema and nothing in it: migrated once, copied for every test."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.database import Database

EmptySqlite = Callable[[Path], str]


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> EmptySqlite:
    """`empty_sqlite(path)` lays one there and gives its URL; it takes a tenth of the time of the migrations."""
    template = tmp_path_factory.mktemp("sqlite") / "template.db"
    Database.open(f"sqlite:///{template}").close()

    def lay(path: Path) -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(template, path)
        return f"sqlite:///{path}"

    return lay
