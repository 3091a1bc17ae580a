"""FROC worked by hand: LUNA16's rules one by one."""

from __future__ import annotations

import numpy as np
import pytest

from inference.errors import Unscorable
from inference.evaluation.candidates import Candidate, Nodule
from inference.evaluation.detection import MARKS_PER_SCAN, RATES, froc
from inference.evaluation.intervals import Resampling

QUICK = Resampling(resamples=200)


def nodule(scan: str, x: float, diameter: float = 8.0) -> Nodule:
    return Nodule(scan, (x, 0.0, 0.0), diameter)


def mark(scan: str, x: float, score: float) -> Candidate:
    return Candidate(scan, (x, 0.0, 0.0), score)


def judge(scans, nodules, marks, excluded=()):
    return froc("test", scans, nodules, marks, excluded, QUICK)


def test_sensitivity_at_every_rate_worked_by_hand():
    """Four scans, four nodules. By score: hit, false, hit, false ×3, hit, false ×8; one nodule is missed.

    So the curve climbs to 1/4 at 0 false positives a scan, 2/4 at 1/4, and 3/4 at 1; it ends at 3.
    """
    scans = ["a", "b", "c", "d"]
    nodules = [nodule(scan, 0) for scan in scans]
    scores = iter(range(100, 0, -1))
    marks = [mark("a", 0, next(scores)), mark("b", 90, next(scores)), mark("b", 0, next(scores))]
    marks += [mark("c", 90 + n, next(scores)) for n in range(3)] + [mark("c", 0, next(scores))]
    marks += [mark("d", 90 + n, next(scores)) for n in range(8)]
    got = judge(scans, nodules, marks)
    assert [point.mean for point in got.at] == pytest.approx([0.25, 0.5, 0.5, 0.75, 0.75, 0.75, 0.75])
    assert got.rates == RATES == (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)
    assert got.cpm.mean == pytest.approx(sum((0.25, 0.5, 0.5, 0.75, 0.75, 0.75, 0.75)) / 7)
    assert (got.hit, got.nodules, got.false_positives) == (3, 4, 12)
    assert got.curve[0] == (0.0, 0.0)
    assert got.curve[-1] == (3.0, 0.75)


@pytest.mark.parametrize("seed", range(5))
def test_every_point_of_the_curve_is_what_counting_at_its_score_says(seed):
    rng = np.random.default_rng(seed)
    scans = [str(n) for n in range(6)]

    def anywhere() -> tuple[str, float]:
        return str(rng.integers(6)), float(rng.uniform(0, 60))

    nodules = [nodule(*anywhere(), float(rng.uniform(3, 15))) for _ in range(8)]
    others = [nodule(*anywhere(), float(rng.uniform(3, 15))) for _ in range(4)]
    marks = [mark(*anywhere(), float(rng.integers(1, 12))) for _ in range(60)]

    def on(found: Candidate, true: Nodule) -> bool:
        return found.scan == true.scan and abs(found.centre[0] - true.centre[0]) < true.diameter_mm / 2

    expected = [(0.0, 0.0)]
    for score in sorted({m.score for m in marks}, reverse=True):
        kept = [m for m in marks if m.score >= score]
        hits = sum(any(on(m, n) for m in kept) for n in nodules)
        false = sum(not any(on(m, n) for n in (*nodules, *others)) for m in kept)
        expected.append((false / 6, hits / 8))
    got = judge(scans, nodules, marks, others).curve
    assert {tuple(round(v, 9) for v in point) for point in got} == {tuple(round(v, 9) for v in p) for p in expected}


def test_between_two_scores_the_curve_is_straight():
    """Half the false positives of one score, which come at once, are worth half its hits."""
    scans = ["a", "b"]
    got = judge(scans, [nodule("a", 0), nodule("b", 0)], [mark("a", 0, 0.9), mark("b", 0, 0.5), mark("a", 50, 0.5)])
    assert got.at[RATES.index(0.25)].mean == pytest.approx(0.5 + 0.5 * 0.25 / 0.5)


@pytest.mark.parametrize(("x", "hit"), [(0.0, True), (3.99, True), (4.0, False), (4.01, False)])
def test_a_hit_lies_nearer_than_the_radius(x, hit):
    got = judge(["a"], [nodule("a", 0, diameter=8)], [mark("a", x, 0.5)])
    assert (got.hit, got.false_positives) == ((1, 0) if hit else (0, 1))


def test_a_nodule_counts_once_with_its_highest_score():
    marks = [mark("a", 0, 0.2), mark("a", 1, 0.9), mark("a", 2, 0.5), mark("a", 60, 0.7)]
    got = judge(["a"], [nodule("a", 0)], marks)
    assert (got.hit, got.repeated, got.false_positives) == (1, 2, 1)
    assert got.at[0].mean == 1.0, "0.9 comes before the false positive of 0.7"


def test_a_candidate_on_an_excluded_finding_is_neither_hit_nor_false():
    got = judge(["a"], [nodule("a", 0)], [mark("a", 100, 0.9), mark("a", 0, 0.5)], [nodule("a", 100)])
    assert (got.hit, got.irrelevant, got.false_positives) == (1, 1, 0)
    assert got.cpm.mean == 1.0


def test_on_both_a_nodule_and_an_excluded_finding_it_is_a_hit():
    got = judge(["a"], [nodule("a", 0)], [mark("a", 1, 0.9)], [nodule("a", 1)])
    assert (got.hit, got.irrelevant, got.false_positives) == (1, 0, 0)


def test_an_excluded_finding_without_a_size_reaches_five_millimetres():
    got = judge(["a"], [nodule("a", 0)], [mark("a", 104.9, 0.9), mark("a", 105.1, 0.9)], [nodule("a", 100, -1.0)])
    assert (got.irrelevant, got.false_positives) == (1, 1)


def test_scans_without_nodule_or_candidate_count_as_scans():
    marks = [mark("b", 90, 0.9), mark("a", 0, 0.5)]
    few, many = judge(["a", "b"], [nodule("a", 0)], marks), judge(list("abcdefgh"), [nodule("a", 0)], marks)
    assert few.curve[-1] == (0.5, 1.0)
    assert many.curve[-1] == (0.125, 1.0)


def test_only_the_surest_marks_of_a_scan_are_looked_at():
    marks = [mark("a", 90, 0.9)] * MARKS_PER_SCAN + [mark("a", 0, 0.1)]
    assert judge(["a"], [nodule("a", 0)], marks).hit == 0
    assert judge(["a"], [nodule("a", 0)], marks[1:]).hit == 1


def test_marks_as_sure_as_the_first_that_is_too_many_are_left_out_whatever_their_order():
    """As LUNA16's script has it: what it keeps is surer than mark 101."""
    sure, tied = [mark("a", 0, 0.9)], [mark("a", 90, 0.5)] * MARKS_PER_SCAN
    hit = [mark("a", 50, 0.5)]
    nodules = [nodule("a", 0), nodule("a", 50)]
    for marks in (sure + hit + tied, tied + hit + sure):
        got = judge(["a"], nodules, marks)
        assert (got.hit, got.false_positives) == (1, 0)


def test_bands_of_diameter_at_one_false_positive_a_scan_and_at_any():
    scans = ["a", "b"]
    nodules = [nodule("a", 0, 4), nodule("a", 50, 7), nodule("b", 0, 20), nodule("b", 50, 5)]
    marks = [mark("a", 0, 0.9), mark("a", 90, 0.8), mark("b", 90, 0.7), mark("b", 0, 0.6), mark("b", 91, 0.5),
             mark("a", 50, 0.4)]
    bands = {band.band: band for band in judge(scans, nodules, marks).bands}
    assert {n: (b.nodules, b.hit, b.hit_at_rate) for n, b in bands.items()} == {
        "3–6 mm": (2, 1, 1), "6–10 mm": (1, 1, 0), "≥ 10 mm": (1, 1, 1)}


def test_intervals_hold_the_value_and_come_again():
    scans = [str(n) for n in range(30)]
    nodules = [nodule(scan, 0) for scan in scans]
    marks = [mark(scan, 0 if n % 3 else 90, n / 30) for n, scan in enumerate(scans)]
    one, two = judge(scans, nodules, marks), judge(scans, nodules, marks)
    assert one == two
    assert 0 < one.cpm.low < one.cpm.mean < one.cpm.high < 1
    assert all(point.low <= point.mean <= point.high for point in one.at)


def test_a_detector_that_finds_nothing_scores_nothing():
    got = judge(["a", "b"], [nodule("a", 0)], [])
    assert (got.cpm.mean, got.hit, got.curve) == (0.0, 0, ((0.0, 0.0),))


@pytest.mark.parametrize(("scans", "nodules", "marks", "word"), [
    (["a"], [], [], "no nodule"),
    (["a", "a"], [nodule("a", 0)], [], "twice"),
    (["a"], [nodule("b", 0)], [], "nodule lies in scan b"),
    (["a"], [nodule("a", 0)], [mark("b", 0, 1)], "candidate lies in scan b"),
    (["a"], [nodule("a", 0)], [mark("a", 0, float("nan"))], "score of nan"),
])
def test_what_cannot_be_judged_is_refused_with_the_reason(scans, nodules, marks, word):
    with pytest.raises(Unscorable, match=word):
        judge(scans, nodules, marks)
