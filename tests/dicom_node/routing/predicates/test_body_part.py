"""Which body part the texts and the tag speak of, and how sure that is."""

import pytest

from dicom_node.routing.predicates.body_part import BodyPart

YES, CANDIDATE, NO = (True, True), (True, False), (False, True)


@pytest.mark.parametrize(
    ("series", "study", "tag", "wanted", "expected", "reason"),
    [
        # the descriptions name it
        ("Abdomen portal 3.0", "", "", "abdomen", YES, "abdomen is named"),
        ("Abdomen portal 3.0", "", "ABDOMEN", "abdomen", YES, "abdomen is named"),
        ("axial 1.0", "CT Chest", "", "chest", YES, "chest is named"),
        ("axial 1.0", "CT Chest Abdomen", "CHEST", "abdomen", YES, "abdomen is named"),
        ("axial 1.0", "CT Chest Abdomen", "", "chest", YES, "chest is named"),
        # the descriptions name something else
        ("Thorax 1.0", "", "", "abdomen", NO, "the descriptions name chest, not abdomen"),
        ("Knie sag", "MRT Knie", "KNEE", "head", NO, "the descriptions name limb, not head"),
        # the tag contradicts the descriptions: the voxels decide, on both sides
        ("Thorax 1.0", "", "ABDOMEN", "abdomen", CANDIDATE, "“ABDOMEN”, but the descriptions name chest, not abdomen"),
        ("Thorax 1.0", "", "ABDOMEN", "chest", CANDIDATE, "contradicts"),
        ("Knie sag", "", "HEAD", "head", CANDIDATE, "but the descriptions name limb"),
        # only the tag speaks, and it alone neither proves nor forbids
        ("axial 1.0", "", "ABDOMEN", "abdomen", CANDIDATE, "often wrong"),
        ("axial 1.0", "", "ABDOMEN", "chest", CANDIDATE, "often wrong"),
        # nobody speaks
        ("axial 1.0", "", "", "chest", CANDIDATE, "nothing in the header names a body part"),
        ("CT Body 3.0", "", "PARTIALBODY", "abdomen", CANDIDATE, "nothing in the header names a body part"),
        # the study names both, the series only the other one
        ("Lung 1.0", "CT Chest Abdomen", "", "abdomen", CANDIDATE, "this series only chest"),
    ],
)
def test_evidence(scanner, series_facts, facts, series, study, tag, wanted, expected, reason):
    made = facts(scanner.ct(slices=3, SeriesDescription=series, BodyPartExamined=tag), description=study)
    answer = BodyPart(any_of=(wanted,)).answer(made, made.series[0])
    assert (answer.ok, answer.sure) == expected
    assert reason in answer.reason


def test_a_site_may_want_certainty(scanner, facts):
    study = facts(scanner.ct(slices=3, BodyPartExamined="CHEST"))
    answer = BodyPart(any_of=("chest",), certain=True).answer(study, study.series[0])
    assert not answer.ok
    assert "not certain" in answer.reason
