"""What we say that we hold: only what is durable, whole, and of the class that was asked for."""

from dataclasses import replace

import pytest

from storage.errors import Unavailable
from storage.leaving.holdings import CLASS_INSTANCE_CONFLICT, NO_SUCH_OBJECT_INSTANCE, PROCESSING_FAILURE, look_up
from storage.records import Reference

MR = "1.2.840.10008.5.1.4.1.1.4"
CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def stored(db, archive, make_instance):
    """Three MR images, files and rows."""
    made = []
    for number in (1, 2, 3):
        instance = make_instance(number)
        file = archive.write(instance.study_instance_uid, instance.sop_instance_uid, [b"DICM" * 50])
        made.append(replace(instance, file=file))
        with db.transaction() as tx:
            tx.studies.add_instance(made[-1])
    return made


@pytest.fixture
def ask(db, archive):
    def look(*references):
        with db.transaction() as tx:
            return look_up(tx, archive, references)

    return look


def test_what_is_there_is_held(stored, ask):
    found = ask(*(Reference(MR, item.sop_instance_uid) for item in stored))
    assert found.report.committed == tuple(item.sop_instance_uid for item in stored)
    assert found.report.failed == {}
    assert set(found.studies.values()) == {stored[0].study_instance_uid}


def test_each_no_has_its_reason(stored, ask, archive):
    whole, cut, gone = stored
    with archive.path(cut.file).open("r+b") as file:
        file.truncate(10)
    archive.remove(gone.file)
    found = ask(
        Reference(CT, whole.sop_instance_uid),
        Reference(MR, cut.sop_instance_uid),
        Reference(MR, gone.sop_instance_uid),
        Reference(MR, "9.9.9"),
    )
    assert found.report.committed == ()
    assert found.report.failed == {
        whole.sop_instance_uid: CLASS_INSTANCE_CONFLICT,
        cut.sop_instance_uid: PROCESSING_FAILURE,
        gone.sop_instance_uid: PROCESSING_FAILURE,
        "9.9.9": NO_SUCH_OBJECT_INSTANCE,
    }
    assert found.studies == {}


def test_one_instance_under_two_classes_is_not_promised(stored, ask):
    uid = stored[0].sop_instance_uid
    assert ask(Reference(MR, uid), Reference(CT, uid)).report.committed == ()


def test_many_are_asked_for_in_few_questions(stored, ask):
    many = [Reference(MR, f"1.2.3.{number}") for number in range(1200)]
    found = ask(*many, Reference(MR, stored[2].sop_instance_uid))
    assert (len(found.report.failed), found.report.committed) == (1200, (stored[2].sop_instance_uid,))


def test_a_disk_that_fails_is_no_no(stored, ask, monkeypatch):
    def fail(self, **_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("pathlib.Path.stat", fail)
    with pytest.raises(Unavailable, match="Input/output error"):
        ask(Reference(MR, stored[0].sop_instance_uid))
