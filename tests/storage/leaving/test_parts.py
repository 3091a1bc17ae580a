"""What destinations hold of deliveries that ended by half, and the notes owed on it; storage.sql.tables_leaving."""

import pytest
from alembic import command

from storage.database import Database
from storage.lifecycle import DeliveryState
from storage.migrations import upgrade
from storage.sql import schema
from storage.sql.engines import WRITING, make_engine


@pytest.fixture
def held(db, job):
    """Pacs holds two objects of the job, ward one of them."""
    with db.transaction() as tx:
        tx.parts.add(job.job_id, "pacs", ["2.25.1", "2.25.2"])
        tx.parts.add(job.job_id, "ward", ["2.25.1"])


def test_told_twice_is_held_once(db, job, held):
    with db.transaction() as tx:
        tx.parts.add(job.job_id, "ward", ["2.25.1"])
        assert tx.parts.of_job(job.job_id) == {"pacs": {"2.25.1", "2.25.2"}, "ward": {"2.25.1"}}
        tx.parts.remove(job.job_id, "pacs", ["2.25.1"])
        assert tx.parts.of_job(job.job_id) == {"pacs": {"2.25.2"}, "ward": {"2.25.1"}}


def test_a_note_is_owed_once_the_job_is_superseded_and_nothing_of_it_is_leaving(db, job, held):
    with db.transaction() as tx:
        tx.deliveries.add(job.job_id, job.study_instance_uid, "ward", DeliveryState.PENDING, 300.0)
        assert tx.rejections.owed(["pacs", "ward"]) == {}
        tx.jobs.supersede(job.job_id, 400.0, "late images")
        assert tx.rejections.owed(["pacs", "ward"]) == {job.job_id: ["pacs"]}
        tx.deliveries.supersede_unsent(job.job_id, 400.0)
        assert tx.rejections.owed(["pacs", "ward"]) == {job.job_id: ["pacs", "ward"]}
        assert tx.rejections.owed(["pacs"], but=[job.study_instance_uid]) == {}


def test_a_database_of_the_release_before_is_brought_up_to_date(empty_url, monkeypatch):
    to_head = command.upgrade
    engine = make_engine(empty_url)
    with monkeypatch.context() as before:
        before.setattr(upgrade.command, "upgrade", lambda config, _: to_head(config, "0019"))
        before.setattr(upgrade, "check_whole", lambda _: None)
        with engine.connect().execution_options(**{WRITING: True}) as connection, connection.begin():
            upgrade.upgrade(connection)
            assert schema.version_of(connection) == "0019"
    engine.dispose()
    database = Database.open(empty_url)
    with database.reading() as tx:
        assert tx.parts.of_job("job") == {}
    database.close()
