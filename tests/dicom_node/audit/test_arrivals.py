"""One association's instances are told by study and fate, not one by one."""

from __future__ import annotations

import pytest

from dicom_node.audit import arrivals as module
from dicom_node.audit.arrivals import Arrivals, Arrived
from dicom_node.audit.facts import Images, Outcome

CT, SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.33"
JANE = {"PatientID": "P-17", "PatientName": "Doe^Jane"}


@pytest.fixture
def begun() -> list[Images]:
    return []


@pytest.fixture
def told() -> list[Arrived]:
    return []


@pytest.fixture
def arrivals(begun: list[Images], told: list[Arrived]) -> Arrivals:
    return Arrivals(begun.append, told.append)


def test_a_study_is_one_message_with_its_classes_counted(arrivals: Arrivals, told: list[Arrived]) -> None:
    for _ in range(3):
        arrivals.kept("1.2.3", JANE, CT, held=False)
    arrivals.kept("1.2.3", JANE, SR, held=False)
    assert told == [], "not before the end"
    arrivals.ended()
    assert told == [Arrived(Images.of("1.2.3", JANE, {CT: 3, SR: 1}), "C", Outcome.SUCCESS)]
    arrivals.ended()
    assert len(told) == 1, "the end is told once"


def test_its_first_instance_is_told_at_once(arrivals: Arrivals, begun: list[Images]) -> None:
    arrivals.kept("1.2.3", JANE, CT, held=False)
    arrivals.kept("1.2.3", JANE, CT, held=False)
    arrivals.kept("1.2.4", {}, SR, held=False)
    assert begun == [Images.of("1.2.3", JANE, {CT: 1}), Images.of("1.2.4", {}, {SR: 1})]


def test_what_was_held_already_is_told_apart(arrivals: Arrivals, told: list[Arrived]) -> None:
    """Action R: the receiver holds copies and changes nothing (Table A.5.3.7-1)."""
    arrivals.kept("1.2.3", JANE, CT, held=False)
    arrivals.kept("1.2.3", JANE, CT, held=True)
    arrivals.ended()
    assert [(one.action, one.images.sop_classes) for one in told] == [("C", {CT: 1}), ("R", {CT: 1})]


def test_failures_are_messages_of_their_own_with_their_reasons(arrivals: Arrivals, told: list[Arrived]) -> None:
    """One message for what succeeded and one for what failed (Table A.5.2-1)."""
    arrivals.kept("1.2.3", JANE, CT, held=False)
    arrivals.refused("1.2.3", JANE, CT, reason="0xA700 disk full", again=True)
    arrivals.refused("1.2.3", JANE, CT, reason="0xA700 disk full", again=True)
    for number in range(9):
        arrivals.refused("1.2.3", JANE, CT, reason=f"0xC000 fault {number}", again=False)
    arrivals.ended()
    assert [(one.outcome, one.images.sop_classes[CT], one.reason) for one in told] == [
        (Outcome.SUCCESS, 1, ""),
        (Outcome.MINOR_FAILURE, 2, "0xA700 disk full"),
        (Outcome.SERIOUS_FAILURE, 9, "0xC000 fault 0; 0xC000 fault 1; 0xC000 fault 2"),
    ]


def test_what_cannot_be_read_is_of_an_unknown_study(arrivals: Arrivals, told: list[Arrived]) -> None:
    arrivals.refused("", {}, CT, reason="0xC000 no data set", again=False)
    arrivals.ended()
    assert told[0].images.study_uid == "unknown"


def test_a_stranger_with_endless_studies_takes_no_endless_memory(
    arrivals: Arrivals, told: list[Arrived], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_STUDIES", 10)
    for number in range(25):
        arrivals.kept(f"1.2.{number}", {}, CT, held=False)
    assert len(told) == 20
    arrivals.ended()
    assert len(told) == 25


def test_without_an_audit_trail_it_counts_for_nobody_and_forgets_at_the_end() -> None:
    arrivals = Arrivals()
    arrivals.kept("1.2.3", {}, CT, held=False)
    assert arrivals != Arrivals()
    arrivals.ended()
    assert arrivals == Arrivals()
