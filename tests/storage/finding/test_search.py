"""Studies as a person looks for them."""

import pytest

from storage.finding.search import Sought
from storage.lifecycle import DeliveryState, JobState, StudyState


@pytest.fixture
def shelf(db, make_instance):
    """Five studies, 1.2.1 to 1.2.5, of which two came in the same moment."""
    patients = {1: ("Doe^Jane", "P-1"), 2: ("Roe^Jane", "P-2"), 3: ("100%^Max", "P_3"), 4: ("", ""),
                5: ("Doe^John", "P-5")}
    with db.transaction() as tx:
        for number, (name, patient) in patients.items():
            at = 100.0 + min(number, 4)
            instance = make_instance(study_instance_uid=f"1.2.{number}", received_at=at)
            header = {"PatientName": name, "PatientID": patient, "AccessionNumber": f"A{number}"}
            tx.studies.add_instance(instance, header)
    return db


def found(db, **sought):
    with db.reading() as tx:
        return [study.study_instance_uid[-1] for study in tx.search.studies(Sought(**sought))]


def test_the_newest_come_first_and_pages_neither_repeat_nor_leave_out(shelf):
    assert found(shelf) == ["5", "4", "3", "2", "1"]
    pages, after = [], None
    while True:
        with shelf.reading() as tx:
            page = tx.search.studies(Sought(after=after, limit=1))
        if not page:
            break
        pages.append(page[0].study_instance_uid[-1])
        after = (page[0].received_at, page[0].study_instance_uid)
    assert pages == ["5", "4", "3", "2", "1"], "also where two came in the same moment"


@pytest.mark.parametrize(("words", "expected"), [
    ("jane doe", ["1"]), ("JANE", ["2", "1"]), ("p-5", ["5"]), ("a3", ["3"]), ("1.2.4", ["4"]), ("doe jo", ["5"]),
    ("Doe, Jane", ["1"]), ("DOE^JANE", ["1"]), ("doe^jane^^", ["1"]), (",", ["5", "4", "3", "2", "1"]),
    ("doe*", ["5", "1"]), ("D?E^J*N", ["5", "1"]), ("*", ["5", "4", "3", "2", "1"]),
    ("%", ["3"]), ("p_", ["3"]), ("nobody", []),
])
def test_all_words_are_to_be_found_and_none_is_a_pattern(shelf, words, expected):
    assert found(shelf, words=words, by_patient=True) == expected


def test_who_may_not_know_the_patient_finds_by_uid_alone(shelf):
    assert found(shelf, words="jane") == []
    assert found(shelf, words="1.2.1") == ["1"]


def test_by_state(shelf):
    with shelf.transaction() as tx:
        tx.studies.move("1.2.2", StudyState.COMPLETE, 200.0)
    assert found(shelf, states=[StudyState.COMPLETE]) == ["2"]
    assert found(shelf, states=[StudyState.COMPLETE, StudyState.RECEIVING], limit=2) == ["5", "4"]


def test_in_trouble_is_what_waits_for_a_person(shelf, make_job):
    with shelf.transaction() as tx:
        for number in (1, 2, 3):
            tx.jobs.add(make_job(f"job-{number}", study_instance_uid=f"1.2.{number}"))
        tx.deliveries.add("job-1", "1.2.1", "pacs", DeliveryState.HELD, 300.0)
        tx.deliveries.add("job-2", "1.2.2", "pacs", DeliveryState.PENDING, 300.0)
        tx.jobs.claim("me", 300.0, 60.0)
        tx.jobs.finish("job-1", "me", JobState.DONE, 300.0)
        tx.jobs.claim("me", 300.0, 60.0)
        tx.jobs.finish("job-2", "me", JobState.FAILED, 300.0)
        tx.studies.move("1.2.5", StudyState.COMPLETE, 200.0)
        tx.studies.move("1.2.5", StudyState.NOT_ROUTED, 200.0)
    assert found(shelf, in_trouble=True) == ["5", "2", "1"]


def test_a_removed_study_is_not_found_by_who_it_was(shelf):
    with shelf.transaction() as tx:
        tx.studies.move("1.2.1", StudyState.COMPLETE, 200.0)
        tx.studies.move("1.2.1", StudyState.NOT_ROUTED, 200.0)
        tx.removals.remove("1.2.1", 300.0)
    assert found(shelf, words="doe jane", by_patient=True) == []


def test_states_are_counted_as_far_as_asked(shelf):
    with shelf.transaction() as tx:
        tx.studies.move("1.2.2", StudyState.COMPLETE, 200.0)
        assert (tx.search.counts(9)[StudyState.RECEIVING], tx.search.counts(3)[StudyState.RECEIVING]) == (4, 3)
        assert tx.search.counts(9) == dict.fromkeys(StudyState, 0) | tx.studies.counts()
