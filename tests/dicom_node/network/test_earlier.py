"""Which studies of a patient are earlier and bear segmentations; a peer that matches too much is not believed."""

from dataclasses import dataclass, field, replace

import pytest

from dicom_node.network.earlier import LISTED, LOOKED_INTO, Earlier, Search, look_for
from dicom_node.network.query import InstanceAnswer, PatientStudy, SeriesAnswer
from dicom_node.patient import Patient

WHO = Patient("P-17", "", "19700102", "F")
SEARCH = Search("1.9", WHO, "20210301", "20260301", "Segnode")
SEG = "1.2.840.10008.5.1.4.1.1.66.4"


def study(uid, date="20250101", time="", modalities=(), patient=WHO):
    return PatientStudy(uid, date, time, modalities, patient)


@dataclass
class Peer:
    """Answers every question with the same studies; each has a CT and, where told, segmentations of these makers."""

    studies: list
    makers: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)

    def of_patient(self, patient_id, dates):
        self.asked.append((patient_id, dates))
        return self.studies

    def series(self, uid, *, maker):
        self.asked.append(uid)
        makers = self.makers.get(uid, ["Segnode"])
        segs = [SeriesAnswer(f"{uid}.{n}", "SEG", 1, maker) for n, maker in enumerate(makers, start=5)]
        return [SeriesAnswer(f"{uid}.1", "CT", 40, "Scanner"), *segs]

    def instances(self, uid, series):
        return [InstanceAnswer(f"{series}.1", SEG)]


def found(*studies, **peer):
    return look_for(Peer(list(studies), **peer), SEARCH)


def uids(earlier):
    return [one.study_instance_uid for one in earlier.studies]


def test_the_newest_comes_first_with_all_its_series_and_its_segmentations():
    peer = Peer([study("1.1", "20240101"), study("1.2", "20250101")])
    earlier = look_for(peer, SEARCH)
    assert uids(earlier) == ["1.2", "1.1"]
    newest = earlier.studies[0]
    assert (newest.date, newest.series, newest.segmentations) == (
        "20250101", {"1.2.1", "1.2.5"}, {"1.2.5": {"1.2.5.1": SEG}},
    )  # fmt: skip
    assert peer.asked[0] == ("P-17", "20210301-20260301")


@pytest.mark.parametrize(
    "other",
    [
        study("1.9"),
        study("1.1", "20260302"),
        study("1.1", "20200101"),
        study("1.1", ""),
        study("1.1", "yesterday"),
        study("1.1", "20260301", "080000"),
        study("1.1", modalities=("CT", "SR")),
    ],
    ids=["itself", "later", "too old", "no date", "no such date", "of the same day", "without a segmentation"],
)
def test_what_is_not_earlier_is_left_out_without_a_word(other):
    peer = Peer([other])
    assert look_for(peer, SEARCH) == Earlier()
    assert len(peer.asked) == 1, "and not looked into"


def test_of_two_on_one_day_the_later_comes_first_where_the_hour_is_known():
    day = "20260228"
    assert uids(found(study("1.1", day, "080000"), study("1.2", day), study("1.3", day, "081000"))) == [
        "1.3", "1.1", "1.2",
    ]  # fmt: skip


def test_a_study_that_is_told_twice_is_one():
    assert uids(found(study("1.1"), study("1.2"), study("1.1"))) == ["1.2", "1.1"]


def test_who_is_another_patient_is_counted_and_left_out():
    others = [
        study(f"1.{n}", patient=replace(WHO, **other))
        for n, other in enumerate([{"patient_id": "P-18"}, {"birth_date": "19700201"}, {"sex": "M"}])
    ]
    assert found(*others) == Earlier((), 3)


def test_what_the_peer_says_that_somebody_else_made_is_left_out():
    earlier = found(study("1.1"), study("1.2"), makers={"1.1": ["Other", "SEGNODE Inc.", ""], "1.2": ["Other"]})
    assert uids(earlier) == ["1.1"]
    assert set(earlier.studies[0].segmentations) == {"1.1.6", "1.1.7"}, "most archives do not say who made a series"


def test_all_of_it_is_bounded():
    many = [study(f"1.{n}") for n in range(100)]
    assert len(found(*many).studies) == LOOKED_INTO
    peer = Peer(many, makers={one.study_instance_uid: ["Other"] for one in many})
    assert look_for(peer, SEARCH).studies == ()
    assert len(peer.asked) == 1 + LISTED
