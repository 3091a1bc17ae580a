"""The statements of an arrival, on SQLite and as PostgreSQL would be told."""

import pytest
from sqlalchemy.dialects import postgresql

from storage.arriving import arrivals
from storage.arriving.headers import header_columns
from storage.database import Database
from storage.records import FetchPurpose
from storage.sql.prepared import Prepared


@pytest.fixture
def database(tmp_path, empty_sqlite):
    database = Database.open(empty_sqlite(tmp_path / "node.sqlite"))
    yield database
    database.close()


def test_a_series_counts_what_it_is_told_to_count(database):
    row = {"study_uid": "1.2", "series_uid": "1.2.3", "modality": "CT", "images": 0, "others": 0, "header": {}}
    with database.transaction() as tx:
        study = {"study_uid": "1.2", "state": "RECEIVING", "generation": 1, "received_at": 1.0, "changed_at": 1.0,
                 "images": 0, **header_columns({})}  # fmt: skip
        arrivals.see_study(tx._connection, study)
        for counter in ("images", "images", "others"):
            arrivals.count_in_series(tx._connection, row | {counter: 1}, counter)
        (series,) = tx.studies.series("1.2")
    assert (series.images, series.others) == (2, 1)


def test_what_is_no_result_and_not_by_hand_is_neither(database):
    with database.reading() as tx:
        assert arrivals.is_result(tx._connection, {"sop_uid": "1.2.3"}).fetchone() is None
        assert arrivals.is_by_hand(tx._connection, {"uid": "1.2"}).fetchone() is None


@pytest.mark.parametrize("awaited", [None, FetchPurpose.MISSING, FetchPurpose.PRIOR])
def test_postgresql_is_told_in_its_own_words(awaited):
    statement = arrivals.open_study_again.make("postgresql", awaited)
    columns = ["study_uid", "state", "generation", "received_at", "changed_at", "images", "header"]
    one = Prepared(statement, columns, postgresql.dialect())
    assert "ON CONFLICT (study_uid) DO UPDATE" in one.text
    assert "%(study_uid)s" in one.text
