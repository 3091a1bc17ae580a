"""The schema's history ends in the schema."""

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from storage import migrations
from storage.sql.tables_people import metadata


def test_the_migrations_make_what_the_tables_say(db):
    with db.transaction() as tx:
        context = MigrationContext.configure(tx._connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_head_is_the_newest_revision():
    config = Config()
    config.set_main_option("script_location", migrations.__path__[0])
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]
