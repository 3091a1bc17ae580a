"""Contents under one UID: one counts; a second one is judged once, and a correction takes the first one's place."""

from dataclasses import replace

import pytest

from storage.arriving.headers import FORMER
from storage.errors import NotFound
from storage.lifecycle import StudyState
from storage.records import Arrival, InstanceKind

UID = "1.2.826.0.1.1"


@pytest.fixture
def two(db, make_instance):
    """A current content, and a second one with another header that nobody has judged."""
    first = make_instance()
    header = {"Modality": "MR", "InstanceNumber": 1, "SeriesDescription": "better"}
    second = make_instance(content="corrected", received_at=900.0, header=header)
    with db.transaction() as tx:
        assert [tx.studies.add_instance(one, {"PatientID": "old"}) for one in (first, second)] == [
            Arrival.NEW,
            Arrival.CONFLICT,
        ]
    return first, second


def correct(db, old, new, *, copied):
    with db.transaction() as tx:
        tx.versions.correct(old, new, {"PatientID": "new"}, copied=copied)


def test_a_second_content_of_an_image_waits_to_be_judged(db, two):
    first, second = two
    with db.reading() as tx:
        assert tx.versions.any_unread(InstanceKind.IMAGE)
        assert not tx.versions.any_unread(InstanceKind.NOTE)
        assert tx.versions.unread(InstanceKind.IMAGE) == [replace(second, conflict=True)]
        assert tx.versions.current(first.sop_instance_uid) == first
        assert tx.versions.counts(UID) == (0, 1)


@pytest.mark.parametrize("kind", [InstanceKind.OTHER, InstanceKind.RESULT])
def test_a_second_content_of_anything_else_is_never_judged(db, make_instance, kind):
    with db.transaction() as tx:
        tx.studies.add_instance(make_instance(kind=kind))
        tx.studies.add_instance(make_instance(kind=kind, content="other"))
        assert not tx.versions.any_unread(kind)


def test_a_note_is_read_once(db, make_instance):
    with db.transaction() as tx:
        tx.studies.add_instance(make_instance(kind=InstanceKind.NOTE))
        (note,) = tx.versions.unread(InstanceKind.NOTE)
        assert [tx.versions.mark_read(note), tx.versions.mark_read(note)] == [True, False]
        assert not tx.versions.any_unread(InstanceKind.NOTE)


def test_a_study_does_not_settle_before_its_second_contents_are_judged(db, two):
    _, second = two
    with db.transaction() as tx:
        assert tx.studies.settled(2000.0, 10.0) == []
        tx.versions.mark_read(second)
        assert [s.study_instance_uid for s in tx.studies.settled(2000.0, 10.0)] == [UID]


def test_a_correction_rules_in_instance_series_and_study(db, two):
    first, second = two
    correct(db, first, second, copied=True)
    with db.reading() as tx:
        assert tx.versions.current(first.sop_instance_uid) == replace(second, correction=second.file.sha256)
        (series,) = tx.studies.series(UID)
        study = tx.studies.get(UID)
        assert (series.header["SeriesDescription"], series.images) == ("better", 1)
        assert (study.header, study.images) == ({"PatientID": "new", FORMER: [{"PatientID": "old"}]}, 1)
        both = tx.studies.instances(study_uid=UID, conflicts=True)
        assert both[0] == replace(first, conflict=True, replaced=True), "the old one is kept"
        assert tx.versions.counts(UID) == (1, 0)
        assert not tx.versions.any_unread(InstanceKind.IMAGE)


def test_the_name_of_a_correction_changes_only_with_what_results_copy(db, two, make_instance):
    first, second = two
    correct(db, first, second, copied=True)
    third = make_instance(content="third", received_at=950.0)
    with db.transaction() as tx:
        tx.studies.add_instance(third)
        old = tx.versions.current(first.sop_instance_uid)
    correct(db, old, third, copied=False)
    with db.reading() as tx:
        assert tx.versions.current(first.sop_instance_uid).correction == second.file.sha256


def test_what_a_correction_replaced_does_not_rule_again(db, two):
    first, second = two
    correct(db, first, second, copied=True)
    with db.transaction() as tx:
        assert tx.studies.add_instance(replace(first, received_at=1000.0)) is Arrival.REPLACED
        assert tx.studies.add_instance(replace(second, received_at=1000.0)) is Arrival.DUPLICATE
        assert tx.versions.current(first.sop_instance_uid).file == second.file


def test_nothing_is_current_under_an_unknown_uid(db):
    with db.reading() as tx, pytest.raises(NotFound, match=r"1\.2\.3"):
        tx.versions.current("1.2.3")


@pytest.mark.parametrize(
    ("state", "then"),
    [
        (StudyState.RECEIVING, StudyState.RECEIVING),
        (StudyState.FETCHING, StudyState.FETCHING),
        (StudyState.COMPLETE, StudyState.RECEIVING),
        (StudyState.DISPATCHED, StudyState.RECEIVING),
    ],
)
def test_reopen_lets_the_study_settle_anew(db, study, state, then):
    way = {StudyState.DISPATCHED: [StudyState.COMPLETE, state], StudyState.RECEIVING: []}
    with db.transaction() as tx:
        for step in way.get(state, [state]):
            tx.studies.move(study, step, 200.0)
        tx.studies.reopen(study, 900.0)
        tx.studies.reopen(study, 800.0)
        found = tx.studies.get(study)
    assert (found.state, found.changed_at) == (then, 900.0), "the latest change counts"


def test_what_was_removed_has_nothing_to_settle(db, study):
    with db.transaction() as tx:
        tx.removals.remove(study, 200.0)
        tx.studies.reopen(study, 900.0)
        assert tx.studies.get(study).state is StudyState.REMOVED
