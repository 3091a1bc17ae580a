"""From 0019 on a migration only adds, or says which programs it leaves behind (storage/migrations/__init__.py)."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import Script, ScriptDirectory

from storage import migrations
from storage.database import Database
from storage.errors import SchemaTooNew
from storage.sql import schema

LAST_FREE = "0018"  # what came before was never run under an older process

TABLE = re.compile(r"CREATE TABLE \w+ \(.*\)", re.DOTALL)
INDEX = re.compile(r"CREATE INDEX \w+ ON .*", re.DOTALL)
COLUMN = re.compile(r"ALTER TABLE \w+ ADD COLUMN \w+ .*", re.DOTALL)
FOREIGN = re.compile(r"\bREFERENCES \w+ ?\([^)]*\)(?P<then>( ON DELETE (CASCADE|SET NULL))?)")


def only_adds(statement: str) -> bool:
    """Whether a process that knows nothing of it goes on working: its INSERTs and DELETEs are still good."""
    if any(not found["then"] for found in FOREIGN.finditer(statement)):
        return False  # a row that it deletes might be named by one that it does not know
    if TABLE.fullmatch(statement) or INDEX.fullmatch(statement):
        return True
    return bool(COLUMN.fullmatch(statement)) and ("NOT NULL" not in statement or " DEFAULT " in statement)


def statements(migration: Script, dialect: str) -> list[str]:
    """What it has the database do."""
    told = StringIO()
    context = MigrationContext.configure(dialect_name=dialect, opts={"as_sql": True, "output_buffer": told})
    with Operations.context(context):
        migration.module.upgrade()
    return [one.strip() for one in told.getvalue().split(";") if one.strip()]


def scripts(*folders: Path) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", migrations.__path__[0])
    config.set_main_option("version_locations", ":".join(map(str, (*migrations.FOLDERS, *folders))))
    config.set_main_option("path_separator", ":")
    return ScriptDirectory.from_config(config)


NEXT = Path(__file__).parents[1] / "support" / "next_release" / "versions"
HELD = [one for one in scripts(NEXT).walk_revisions() if one.revision > LAST_FREE]


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
@pytest.mark.parametrize("migration", HELD, ids=lambda one: one.revision)
def test_a_migration_only_adds_or_says_whom_it_leaves_behind(migration: Script, dialect: str) -> None:
    if (needs := getattr(migration.module, "needs", None)) is not None:
        assert migrations.FIRST_NEEDED < needs <= migration.revision
        return
    wrong = [one for one in statements(migration, dialect) if not only_adds(one)]
    assert wrong == [], "add only; or say `needs`, once no release that runs anywhere uses what goes"


def test_revisions_are_numbered_so_that_a_newer_one_is_greater() -> None:
    order = [one.revision for one in scripts().walk_revisions()]
    assert order == sorted(order, reverse=True)
    assert all(re.fullmatch(r"\d{4}", one) for one in order)


@pytest.mark.parametrize(
    ("statement", "good"),
    [
        ("ALTER TABLE jobs ADD COLUMN more TEXT", True),
        ("ALTER TABLE jobs ADD COLUMN more TEXT DEFAULT '' NOT NULL", True),
        ("ALTER TABLE jobs ADD COLUMN more TEXT NOT NULL", False),
        ("ALTER TABLE jobs ADD COLUMN more TEXT REFERENCES studies (study_uid)", False),
        ("CREATE INDEX ix_more ON jobs (more)", True),
        ("CREATE UNIQUE INDEX uq_more ON jobs (more)", False),
        ("CREATE TABLE more (\n\tnumber INTEGER NOT NULL, \n\tPRIMARY KEY (number)\n)", True),
        ("CREATE TABLE more (j TEXT, FOREIGN KEY(j) REFERENCES jobs (job_id) ON DELETE CASCADE)", True),
        ("CREATE TABLE more (j TEXT, FOREIGN KEY(j) REFERENCES jobs (job_id))", False),
        ("ALTER TABLE jobs DROP COLUMN step", False),
        ("ALTER TABLE jobs RENAME TO work", False),
        ("ALTER TABLE jobs ALTER COLUMN step DROP NOT NULL", False),
        ("ALTER TABLE jobs ADD CONSTRAINT ck CHECK (crashes >= 0)", False),
        ("DROP INDEX ix_jobs_study", False),
        ("UPDATE jobs SET step = ''", False),
        ("INSERT INTO jobs VALUES (1)", False),
    ],
)
def test_what_adds_is_told_from_what_does_not(statement: str, good: bool) -> None:
    assert only_adds(statement) is good


CONTRACTING = """
from alembic import op

revision = "9001"
down_revision = "{before}"
needs = "{needs}"


def upgrade() -> None:
    op.drop_index("ix_jobs_mark", "jobs")
"""


@pytest.mark.parametrize(("needs", "refused"), [("9001", True), (migrations.HEAD, False)])
def test_the_oldest_program_that_can_work_with_a_schema_is_marked_in_it(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needs: str, refused: bool
) -> None:
    folder = tmp_path / "versions"
    folder.mkdir()
    (folder / "9001_later.py").write_text(CONTRACTING.format(before=migrations.HEAD, needs=needs))
    with monkeypatch.context() as newer:
        newer.setattr(migrations, "FOLDERS", (*migrations.FOLDERS, folder))
        newer.setattr(schema, "HEAD", "9001")
        Database.open(empty_url).close()
    if refused:
        with pytest.raises(SchemaTooNew):
            Database.open(empty_url)
    else:
        Database.open(empty_url).close()
