"""A database that is not whole, or of another release, is refused with what to do; a killed migration left nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from storage import migrations
from storage.database import Database
from storage.errors import SchemaDamaged, SchemaTooNew, StorageError, Unavailable
from storage.migrations import HEAD
from storage.sql.engines import WRITING, make_engine
from storage.sql.schema import look
from storage.sql.tables_people import metadata

ROOT = Path(migrations.__file__).parents[2]


@pytest.fixture
def change(empty_url):
    """`change(statement, ...)` opens a new database, then lets other hands change it."""
    engine = make_engine(empty_url)

    def run(*statements, opened=True):
        if opened:
            Database.open(empty_url).close()
        with engine.connect().execution_options(**{WRITING: True}) as connection, connection.begin():
            for statement in statements:
                connection.exec_driver_sql(statement)

    yield run
    engine.dispose()


def tables(url):
    from sqlalchemy import inspect

    engine = make_engine(url)
    with engine.connect() as connection:
        names = set(inspect(connection).get_table_names())
    engine.dispose()
    return names


@pytest.mark.parametrize(
    ("statements", "sentence"),
    [
        (["DROP TABLE alembic_version"], "but no version"),
        (["INSERT INTO alembic_version VALUES ('0000')"], "versions 0000, .* at once"),
        (["DROP TABLE results"], r"lacks results\.job_id, results\.kind, .* more"),
        (["ALTER TABLE results DROP COLUMN removed_at"], r"lacks results\.removed_at:"),
    ],
)
def test_what_is_half_migrated_is_refused_with_what_to_do(change, empty_url, statements, sentence):
    change(*statements)
    before = tables(empty_url)
    with pytest.raises(SchemaDamaged, match=sentence) as told:
        Database.open(empty_url)
    assert "segnode restore" in str(told.value)
    assert tables(empty_url) == before, "and left as it is"


def test_an_older_release_that_was_changed_by_hand_is_left_as_it_is(empty_url):
    older(empty_url)
    engine = make_engine(empty_url)
    with engine.connect().execution_options(**{WRITING: True}) as connection, connection.begin():
        connection.exec_driver_sql("ALTER TABLE jobs DROP COLUMN summary")
    with pytest.raises(SchemaDamaged, match=r"lacks jobs\.summary"):
        Database.open(empty_url)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "0001"
    engine.dispose()


NEWER = "UPDATE alembic_version SET version_num = '9999'"


@pytest.mark.parametrize(
    "mark",
    ["UPDATE compatibility SET needs = '9998'", "DELETE FROM compatibility", "DROP TABLE compatibility"],
)
def test_a_newer_release_that_took_something_away_is_refused_with_what_to_do(change, empty_url, mark):
    change(NEWER, mark)
    with pytest.raises(SchemaTooNew, match="run that one, or restore a backup"):
        Database.open(empty_url)


def test_a_newer_release_that_only_added_is_none_of_our_concern(change, empty_url):
    change(NEWER, "CREATE TABLE later (number INTEGER)", "ALTER TABLE jobs ADD COLUMN later TEXT")
    Database.open(empty_url).close()
    change("DROP TABLE results", opened=False)
    with pytest.raises(SchemaDamaged, match="lacks results"):
        Database.open(empty_url)


def test_a_version_that_no_release_made_is_refused(change, empty_url):
    change("UPDATE alembic_version SET version_num = '0018x'")
    with pytest.raises(SchemaDamaged, match="no release made"):
        Database.open(empty_url)


def test_a_strangers_tables_are_no_concern(change, empty_url):
    change("CREATE TABLE theirs (number INTEGER)", opened=False)
    Database.open(empty_url).close()
    assert tables(empty_url) == {*metadata.tables, "alembic_version", "theirs"}


def older(url):
    """A database of the first release."""
    engine = make_engine(url)
    with engine.connect().execution_options(**{WRITING: True}) as connection, connection.begin():
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        command.upgrade(config, "0001")
    engine.dispose()


KILLED = """
import os, signal, sys
from alembic.operations import Operations
from storage.database import Database
real, calls = getattr(Operations, sys.argv[2]), []
def step(self, *args, **options):
    calls.append(1)
    if len(calls) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, *args, **options)
from alembic import op
setattr(op, sys.argv[2], lambda *args, **options: step(op._proxy, *args, **options))
Database.open(sys.argv[1])
"""


@pytest.mark.parametrize(("call", "number"), [("create_table", 1), ("create_table", 6), ("create_index", 14)])
def test_a_first_migration_that_was_killed_left_nothing_and_the_next_start_does_it(empty_url, call, number):
    killed(empty_url, call, number)
    assert tables(empty_url) & set(metadata.tables) == set(), "DDL is part of the transaction on both databases"
    Database.open(empty_url).close()
    assert set(metadata.tables) <= tables(empty_url)


def test_an_upgrade_that_was_killed_left_the_old_release_and_the_next_start_does_it(empty_url):
    older(empty_url)
    killed(empty_url, "add_column", 1)
    engine = make_engine(empty_url)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "0001"
    engine.dispose()
    Database.open(empty_url).close()


def test_who_only_looks_makes_and_changes_nothing(fresh_postgres):
    url = fresh_postgres()
    look(url)
    assert tables(url) == set()
    older(url)
    before = tables(url)
    look(url)
    assert tables(url) == before
    Database.open(url).close()
    look(url)


def test_who_looks_is_told_what_would_keep_a_node_from_starting(postgres, fresh_postgres):
    with pytest.raises(Unavailable, match="does not answer"):
        look(postgres("nowhere"))
    url = fresh_postgres()
    admin = make_engine(url)
    with admin.connect().execution_options(**{WRITING: True}) as connection, connection.begin():
        connection.exec_driver_sql("CREATE ROLE guest LOGIN")
    admin.dispose()
    stranger = url.replace("segnode@", "guest@")
    with pytest.raises(StorageError, match="may make no tables in the database"):
        look(stranger)
    with pytest.raises(StorageError):
        Database.open(stranger)


def killed(url, call, number):
    arguments = [sys.executable, "-c", KILLED, url, call, str(number)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_two_processes_that_upgrade_at_once_do_it_once(empty_url):
    older(empty_url)
    code = "import sys; from storage.database import Database; Database.open(sys.argv[1]).close()"
    started = [
        subprocess.Popen([sys.executable, "-c", code, empty_url], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in started:
        _, err = process.communicate()
        assert process.returncode == 0, err
    engine = make_engine(empty_url)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == HEAD
    engine.dispose()
