"""A whole evaluation on small cases: rows, failures with their reasons, calibration, pictures, folds."""

from __future__ import annotations

import numpy as np
import pytest

from inference.errors import ModelError, Unfit, Unscorable
from inference.evaluation.evaluate import Answer, EvaluationSettings, TruthCase, evaluate, score_region
from inference.evaluation.folds import pool_folds
from inference.evaluation.rules import RULES, LesionRules, RegionRules
from inference.evaluation.score import REGIONS
from inference.volume import Grid, Spacing, regular_affine

SHAPE = (6, 16, 16)
GRID = Grid(SHAPE, regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(4.0, 1.0, 1.0)))
LIVER = REGIONS["liver_tumour"]
SETTINGS = EvaluationSettings(dataset="small livers", phantoms=True, rules=RULES["liver_tumour"])


def labels(tumour: int = 4, liver: int = 12) -> np.ndarray:
    made = np.zeros(SHAPE, np.uint8)
    made[1:5, 1:1 + liver, 1:1 + liver] = 1
    made[1:3, 3:3 + tumour, 3:3 + tumour] = 2 if tumour else 0
    return made


def case(name: str, tumour: int = 4, *, image: bool = True) -> TruthCase:
    truth = labels(tumour)
    return TruthCase(name, truth, GRID, truth * 50.0 if image else None)


def answering(**by_case: object):
    """A model with a fixed answer a case; an exception is raised."""
    def predict(asked: TruthCase) -> object:
        answer = by_case[asked.case_id]
        if isinstance(answer, Exception):
            raise answer
        return answer
    return predict


def test_a_row_a_case_and_region_with_every_figure():
    result = evaluate([case("a"), case("b")], answering(a=labels(), b=labels(2)), LIVER, SETTINGS)
    assert [(s.case, s.region) for s in result.scores] == [
        ("a", "liver"), ("a", "liver tumour"), ("b", "liver"), ("b", "liver tumour")]
    perfect, small = result.scores[1], result.scores[3]
    assert (perfect.dice, perfect.hausdorff_mm, perfect.surface_dice, perfect.volume_error) == (1.0, 0.0, 1.0, 0.0)
    assert (small.precision, small.recall) == (1.0, 4 / 16)
    assert small.volume_error == -12 / 16
    assert small.value("volume_error") == 12 / 16
    assert small.hausdorff_mm == pytest.approx(2 * np.sqrt(2))
    assert (small.truth_ml, small.found_ml) == (pytest.approx(0.128), pytest.approx(0.032))
    assert result.headline == "liver tumour"


def test_an_organ_has_no_lesions_and_a_tumour_has():
    liver, tumour = evaluate([case("a")], answering(a=labels()), LIVER, SETTINGS).scores
    assert (liver.lesions, liver.lesion_dice, liver.value("lesion_dice")) == (None, None, None)
    assert (tumour.lesions.hits, tumour.lesion_dice, tumour.lesion_hd95_mm) == (1, 1.0, 0.0)


def test_the_rules_of_each_region_hold():
    rules = {"liver": RegionRules(tolerance_mm=0.0), "liver tumour": RegionRules(lesions=LesionRules(minimum_mm3=1e6))}
    settings = EvaluationSettings(dataset="x", phantoms=True, rules=rules)
    liver, tumour = evaluate([case("a")], answering(a=labels()), LIVER, settings).scores
    assert (liver.tolerance_mm, tumour.lesions.left_out) == (0.0, 1)


def test_what_failed_is_counted_with_its_reason_and_in_no_mean():
    predict = answering(a=labels(), b=Unfit("shows no liver"), c=np.zeros((2, 2, 2), np.uint8), d=ModelError(""))
    result = evaluate([case(name) for name in "abcd"], predict, LIVER, SETTINGS)
    assert result.cases == ("a",)
    assert {f.case: f.reason for f in result.failures} == {
        "b": "shows no liver", "c": "the answer has shape (2, 2, 2), the case (6, 16, 16)", "d": "ModelError"}


def test_a_fault_that_is_ours_ends_the_evaluation():
    with pytest.raises(ZeroDivisionError):
        evaluate([case("a")], answering(a=ZeroDivisionError()), LIVER, SETTINGS)


def test_cases_without_the_region():
    both, one = evaluate([case("none", 0), case("false", 0)], answering(none=labels(0), false=labels(2)), LIVER,
                         SETTINGS).of("liver tumour")
    assert (both.dice, both.precision, both.hausdorff_mm, both.volume_error, both.lesion_dice) == (1, 1, 0, 0, 1)
    assert (one.dice, one.recall, one.hausdorff_mm, one.volume_error, one.lesion_dice) == (0, 0, np.inf, np.inf, 0)


def test_probabilities_are_judged_where_they_are_told():
    chances = np.where(labels() == 2, 0.9, 0.2)
    answer = Answer(labels(), {"liver tumour": chances})
    (result,) = evaluate([case("a"), case("b")], answering(a=answer, b=Answer(*answer[:2], labels() > 0)), LIVER,
                         SETTINGS).calibration
    assert result.region == "liver tumour"
    assert result.voxels == np.prod(SHAPE) + np.count_nonzero(labels())


def test_best_median_and_worst_case_are_shown():
    answers = {name: labels(size) for name, size in zip("abcde", (4, 1, 3, 2, 4), strict=True)}
    result = evaluate([case(name) for name in answers], answering(**answers), LIVER, SETTINGS)
    assert [(o.rank, o.case) for o in result.overlays] == [("best", "a"), ("median", "c"), ("worst", "b")]
    assert result.overlays[1].dice == next(s for s in result.of("liver tumour") if s.case == "c").dice
    two = evaluate([case("a"), case("b")], answering(a=labels(), b=labels(1)), LIVER, SETTINGS)
    assert [o.rank for o in two.overlays] == ["best", "worst"]


def test_no_image_no_picture():
    assert evaluate([case("a", image=False)], answering(a=labels()), LIVER, SETTINGS).overlays == ()


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(Unscorable, match="case a comes twice"):
        evaluate([case("a"), case("a")], answering(a=labels()), LIVER, SETTINGS)
    with pytest.raises(Unscorable, match="truth of case a has shape"):
        evaluate([TruthCase("a", np.zeros((1, 2, 3), np.uint8), GRID)], answering(), LIVER, SETTINGS)
    for wrong in ({"headline": "kidney"}, {"rules": {"kidney": RegionRules()}}):
        with pytest.raises(Unscorable, match="no region is called kidney: there are liver, liver tumour"):
            evaluate([], answering(), LIVER, EvaluationSettings(dataset="x", phantoms=True, **wrong))


def test_a_region_is_measured_where_it_lies():
    found, truth = (np.pad(labels() == 2, 7) for _ in range(2))
    wide = Grid(found.shape, GRID.affine)
    near = score_region("a", "r", labels() == 2, labels() == 2, GRID, RegionRules(lesions=LesionRules()))
    assert score_region("a", "r", found, truth, wide, RegionRules(lesions=LesionRules())) == near


def fold(*names: str, dataset: str = "small livers", failing: tuple[str, ...] = ()):
    answers = {name: labels(3) for name in names} | {name: Unfit("no") for name in failing}
    settings = SETTINGS.model_copy(update={"dataset": dataset})
    return evaluate([case(name) for name in answers], answering(**answers), LIVER, settings)


def test_the_held_out_cases_of_all_folds_are_judged_together():
    pooled = pool_folds([fold("a", "b"), fold("c", failing=("d",))])
    assert pooled.cases == ("a", "b", "c")
    assert [failure.case for failure in pooled.failures] == ["d"]
    assert (pooled.folds, pooled.overlays) == (2, ())


@pytest.mark.parametrize(("names", "failing"), [(("b", "c"), ()), (("c",), ("b",))])
def test_a_case_in_two_folds_is_refused(names, failing):
    with pytest.raises(Unscorable, match="case b stands in folds 1 and 2"):
        pool_folds([fold("a", "b"), fold(*names, failing=failing)])


def test_folds_of_several_data_sets_are_refused():
    with pytest.raises(Unscorable, match="fold 2 is of others"):
        pool_folds([fold("a"), fold("b", dataset="others")])
    with pytest.raises(Unscorable, match="no fold"):
        pool_folds([])
