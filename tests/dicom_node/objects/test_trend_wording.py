"""Sentences about a trend: what was compared, what came of it, and that no band is a response."""

from __future__ import annotations

from dataclasses import replace

import pytest
from beside_prior import RECIST, TREND

from dicom_node.objects.trend_wording import change_of, sum_sentence, trend_sentences
from inference.trend import Outcome, Size, TargetSum


def test_without_a_prior_nothing_is_said() -> None:
    assert trend_sentences(None) == []


def test_a_trend_in_sentences_the_weightiest_first() -> None:
    assert trend_sentences(TREND) == [
        "Compared with the study of 2025-07-07, 120 days before.",
        "The prior was laid onto this study by rigid registration: similarity 0.91, residual 1.23 mm.",
        "New since 2025-07-07: Liver tumour 2.",
        "No longer found since 2025-07-07: Liver tumour 7.",
        sum_sentence(RECIST),
    ]


def test_what_the_prior_did_not_show_and_an_earlier_study_did_is_told_apart_from_what_is_new() -> None:
    again = replace(TREND.lesions[1], outcome=Outcome.RETURNED, reason="an earlier study shows it, the prior does not")
    said = trend_sentences(replace(TREND, lesions=(again,), sums=()))
    assert said[2:] == ["Found again, and not found on 2025-07-07: Liver tumour 2."]


def test_a_prior_that_another_model_measured_is_told() -> None:
    said = trend_sentences(replace(TREND, other_model="liver-net 2.0"))
    assert said[1] == ("Another model measured the prior, liver-net 2.0: "
                       "what changed may be the model, not the patient.")
    refused = replace(TREND, other_model="liver-net 2.0", refusal="the images do not look alike", lesions=(), sums=())
    assert len(trend_sentences(refused)) == 1, "where nothing is compared, nothing can be misread"


def test_a_refusal_says_why_and_nothing_of_lesions() -> None:
    lesions = tuple(replace(one, outcome=Outcome.NOT_COMPARED, reason="…") for one in TREND.lesions[1:])
    refused = replace(TREND, refusal="the images do not look alike", lesions=lesions, sums=())
    assert trend_sentences(refused) == [
        "Not compared with the study of 2025-07-07, 120 days before: the images do not look alike."]


@pytest.mark.parametrize("outcome", [Outcome.SPLIT, Outcome.MERGED, Outcome.AMBIGUOUS, Outcome.UNCERTAIN,
                                     Outcome.OUTSIDE])
def test_what_stays_open_is_said_of_each_lesion(outcome: Outcome) -> None:
    new, gone = (replace(one, outcome=outcome, reason="so it is") for one in TREND.lesions[1:])
    said = trend_sentences(replace(TREND, lesions=(new, gone)))
    assert said[-2:] == [f"Liver tumour 2: {outcome}; so it is.",
                         f"Liver tumour 7 of 2025-07-07: {outcome}; so it is."]


def test_of_a_lesion_that_is_cut_off_no_growth_is_said() -> None:
    cut = replace(TREND.lesions[0], before=Size(2.0, 11.0, 8.0, whole=False))
    assert change_of(cut, TREND) is None
    assert change_of(TREND.lesions[0], TREND).volume.percent == 25.0
    assert "Liver tumour 1: it reaches the edge of the images" in trend_sentences(replace(TREND, lesions=(cut,)))[-1]


RANO = TargetSum("RANO", "mm2", 1, 90.0, 100.0, 90.0, -0.1, 0.0, "progressive disease", 2)
NONE = TargetSum("RECIST 1.1", "mm", 0, None, 0.0, 0.0, reason="no lesion was measurable on the first date")


def test_a_sum_in_a_sentence() -> None:
    assert sum_sentence(RECIST) == (
        "RECIST 1.1: sum of the long axes of 2 target lesions 30.5 mm, -12.9 % from the baseline of 35.0 mm, "
        "+8.9 % from the nadir of 28.0 mm. Change by the thresholds of RECIST 1.1, not a response: stable disease.")
    assert sum_sentence(RANO) == (
        "RANO: sum of the products of the axes of 1 target lesion 90.0 mm2, -10.0 % from the baseline of 100.0 mm2, "
        "+0.0 % from the nadir of 90.0 mm2, 2 new lesions since the baseline. "
        "Change by the thresholds of RANO, not a response: progressive disease.")


@pytest.mark.parametrize(("share", "said"), [(-0.296, "-29.6 %"), (0.196, "+19.6 %"), (-0.3, "-30.0 %"),
                                             (-0.0002, "+0.0 %")])
def test_a_share_is_told_on_its_own_side_of_the_thresholds(share: float, said: str) -> None:
    """-30 % beside "stable disease" is a contradiction: that is where a partial response begins."""
    assert f" {said} from the baseline" in sum_sentence(replace(RECIST, from_baseline=share))


def test_what_cannot_be_summed_is_said_with_its_reason() -> None:
    assert sum_sentence(NONE) == "RECIST 1.1: no sum of the long axes (no lesion was measurable on the first date)."
