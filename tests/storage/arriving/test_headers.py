"""What studies are found by, made of whatever a header holds."""

import json

from alembic import command
from alembic.config import Config
from sqlalchemy import column, select, table

from storage import migrations
from storage.arriving.headers import FORMER, corrected, found_by, header_columns, patient_id_of
from storage.database import Database
from storage.sql.engines import WRITING, make_engine
from storage.tables import studies


def test_a_name_is_found_in_words_and_without_capitals():
    header = {"PatientName": "Müller^Jane=ミュラー", "PatientID": " P-17 ", "AccessionNumber": "A1"}
    assert found_by(header) == "müller jane ミュラー\np-17\na1"
    assert header_columns(header) == {"header": header, "patient_id": "P-17", "found_by": found_by(header)}


def test_a_header_without_any_of_it_is_found_by_nothing():
    assert found_by({}) == ""
    assert patient_id_of({"PatientID": None}) == ""


def test_a_corrected_header_keeps_whom_earlier_ones_named_each_once():
    first = {"PatientName": "A", "PatientID": "1", "AccessionNumber": "", "StudyDate": "20250101"}
    second = corrected(first, {"PatientName": "B", "PatientID": "1"})
    assert second == {"PatientName": "B", "PatientID": "1", FORMER: [{"PatientName": "A"}]}
    back = corrected(corrected(second, first), {"PatientName": "B", "PatientID": "1"})
    assert back == {**second, FORMER: [{"PatientName": "A"}, {"PatientName": "B"}]}
    assert corrected(first, {**first, "StudyDate": "20250102"}) == {**first, "StudyDate": "20250102"}


def test_what_no_database_takes_is_left_out():
    assert found_by({"PatientName": "A\0B\ud800"}) == "ab?"


def test_what_an_older_release_kept_is_found_as_well(empty_url):
    """Migration 0012 makes of every header what `found_by` makes of it."""
    engine = make_engine(empty_url)
    told = {"PatientName": "Müller^Jane", "PatientID": "P-17", "AccessionNumber": "A1"}
    with engine.connect().execution_options(**{WRITING: True}) as connection, connection.begin():
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", migrations.__path__[0])
        command.upgrade(config, "0011")
        for uid, header in (("1.2.3", told), ("1.2.4", {})):
            study = {"study_uid": uid, "state": "COMPLETE", "generation": 1, "received_at": 1.0, "changed_at": 1.0}
            older = table("studies", *map(column, (*study, "images", "header")))
            connection.execute(older.insert().values(**study, images=1, header=json.dumps(header)))
    engine.dispose()
    database = Database.open(empty_url)
    with database.reading() as tx:
        rows = tx._connection.execute(select(studies.c.study_uid, studies.c.found_by)).all()
    database.close()
    assert dict(map(tuple, rows)) == {"1.2.3": found_by(told), "1.2.4": ""}
