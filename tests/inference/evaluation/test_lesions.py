"""Lesions matched by hand: hits, misses, false ones, and the merging of BraTS 2023."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.evaluation.lesions import LesionScores, lesion_scores
from inference.evaluation.rules import (
    BRATS_2023_GLIOMA,
    BRATS_2023_METASTASES,
    DIAMETER_BANDS,
    RULES,
    LesionRules,
)
from inference.evaluation.score import REGIONS
from inference.volume import Grid, Spacing, regular_affine

SMALL = (4, 8, 8)
STEPS = [step for step in product((-1, 0, 1), repeat=3) if any(step)]
GRID = Grid((12, 40, 40), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(1.0, 1.0, 1.0)))


def mask(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Cubes at (z, y, x) of an edge."""
    made = np.zeros(GRID.shape, bool)
    for z, y, x, edge in boxes:
        made[z:z + edge, y:y + edge, x:x + edge] = True
    return made


def judge(found: np.ndarray, truth: np.ndarray, rules: LesionRules | None = None, grid: Grid = GRID) -> LesionScores:
    return lesion_scores(found, truth, grid, rules or LesionRules())


def test_one_hit_one_missed_one_false():
    truth = mask((0, 0, 0, 4), (0, 20, 20, 2))
    found = mask((0, 0, 2, 4), (6, 30, 0, 3))
    got = judge(found, truth)
    assert [(lesion.hit, lesion.dice) for lesion in got.lesions] == [(True, 0.5), (False, 0.0)]
    assert (got.hits, got.found, got.false) == (1, 2, 1)
    assert got.dice == pytest.approx(0.5 / 3), "half of one, nothing of the missed and the false one"
    assert got.hd95_mm(374.0) == pytest.approx((got.lesions[0].hd95_mm + 374 + 374) / 3)
    assert np.isinf(got.lesions[1].hd95_mm)


def test_all_that_touches_a_lesion_is_its_answer():
    truth, found = mask((0, 0, 0, 6)), mask((0, 0, 0, 2), (3, 3, 3, 3))
    (lesion,) = judge(found, truth).lesions
    assert lesion.dice == pytest.approx(2 * (8 + 27) / (216 + 8 + 27))


def test_a_found_lesion_may_hit_two_and_is_none_the_falser():
    truth, found = mask((0, 0, 0, 3), (0, 0, 8, 3)), np.zeros(GRID.shape, bool)
    found[0:3, 0:3, 0:11] = True
    got = judge(found, truth)
    assert (got.hits, got.found, got.false) == (2, 1, 0)
    assert all(lesion.dice == pytest.approx(2 * 27 / (27 + 99)) for lesion in got.lesions)


def test_lesions_that_touch_once_grown_are_one():
    """A gap of six voxels closes when both sides grow by three, and one of seven does not."""
    near, far = mask((4, 4, 4, 4), (4, 4, 14, 4)), mask((4, 4, 4, 4), (4, 4, 15, 4))
    rules = LesionRules(dilation=3)
    assert len(judge(near, near, rules).lesions) == 1
    assert len(judge(far, far, rules).lesions) == 2
    assert len(judge(near, near).lesions) == 2


def test_what_is_found_beside_a_lesion_hits_it_once_that_has_grown():
    truth, beside = mask((4, 4, 4, 4)), mask((4, 4, 9, 4))
    got = judge(beside, truth, LesionRules(dilation=3))
    assert (got.hits, got.false, got.dice) == (1, 0, 0.0)
    got = judge(beside, truth)
    assert (got.hits, got.false) == (0, 1)


def test_small_lesions_are_not_judged_and_what_touches_them_is_not_false():
    truth = mask((0, 0, 0, 4), (0, 20, 20, 3))
    got = judge(truth, truth, LesionRules(minimum_mm3=27.0))
    assert (len(got.lesions), got.left_out, got.false, got.dice) == (1, 1, 0, 1.0)


def parts_of(voxels: set[tuple[int, ...]]) -> list[set[tuple[int, ...]]]:
    """Connected parts by walking from voxel to voxel, over all 26 neighbours."""
    left, parts = set(voxels), []
    while left:
        part, edge = set(), [left.pop()]
        while edge:
            here = edge.pop()
            part.add(here)
            near = {tuple(np.add(here, step)) for step in STEPS} & left
            left -= near
            edge += near
        parts.append(part)
    return parts


def grown(voxels: set[tuple[int, ...]], times: int) -> set[tuple[int, ...]]:
    """Over faces and edges, as often as told; nothing grows out of the image."""
    for _ in range(times):
        voxels = voxels | {tuple(int(n) for n in np.add(v, step)) for v in voxels for step in STEPS
                           if sum(map(abs, step)) <= 2}
        voxels = {v for v in voxels if all(0 <= n < size for n, size in zip(v, SMALL, strict=True))}
    return voxels


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 2), st.sampled_from((0.0, 2.0, 5.0)))
def test_scores_are_those_of_a_walk_over_single_voxels(seed, dilation, minimum):
    rng = np.random.default_rng(seed)
    found, truth = (rng.random(SMALL) < rng.choice([0.02, 0.08]) for _ in range(2))
    true, answered = ({tuple(v) for v in np.argwhere(mask).tolist()} for mask in (truth, found))
    pieces = parts_of(answered)
    dices, met = [], []
    for place in parts_of(grown(true, dilation)):
        on_it = [piece for piece in pieces if piece & place]
        met += [piece for piece in on_it if piece not in met]
        real, answer = true & place, set().union(*on_it)
        if len(real) > minimum:
            dices.append(2 * len(real & answer) / (len(real) + len(answer)))
    false = len(pieces) - len(met)
    grid = Grid(SMALL, GRID.affine)
    got = lesion_scores(found, truth, grid, LesionRules(dilation=dilation, minimum_mm3=minimum))
    assert sorted(lesion.dice for lesion in got.lesions) == pytest.approx(sorted(dices))
    assert (got.found, got.false) == (len(pieces), false)
    assert got.dice == pytest.approx(sum(dices) / (len(dices) + false) if dices or false else 1.0)


def test_nothing_and_nothing_agree_and_false_lesions_alone_score_nothing():
    assert judge(mask(), mask()).dice == 1.0
    assert judge(mask(), mask()).hd95_mm(374.0) == 0.0
    alone = judge(mask((0, 0, 0, 2)), mask())
    assert (alone.dice, alone.hd95_mm(374.0)) == (0.0, 374.0)


def test_sizes_are_in_millimetres():
    grid = Grid(GRID.shape, regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(5.0, 1.0, 0.5)))
    (lesion,) = judge(mask((2, 2, 2, 4)), mask((2, 2, 2, 4)), grid=grid).lesions
    assert lesion.volume_ml == pytest.approx(64 * 2.5 / 1000)
    assert 20 <= lesion.diameter_mm < 21


def test_the_parameters_of_brats_2023():
    assert (BRATS_2023_GLIOMA.dilation, BRATS_2023_GLIOMA.minimum_mm3, BRATS_2023_GLIOMA.penalty_mm) == (3, 50, 374)
    assert (BRATS_2023_METASTASES.dilation, BRATS_2023_METASTASES.minimum_mm3) == (1, 2)


@pytest.mark.parametrize("task", sorted(REGIONS))
def test_every_scored_region_has_rules_and_only_an_organ_has_no_lesions(task):
    assert set(RULES[task]) == {region.name for region in REGIONS[task]}
    assert [name for name, rules in RULES[task].items() if rules.lesions is None] == (
        ["liver"] if task == "liver_tumour" else [])


@pytest.mark.parametrize(("diameter", "name"), [(2.9, "< 3 mm"), (3.0, "3–6 mm"), (5.99, "3–6 mm"), (6.0, "6–10 mm"),
                                                (9.9, "6–10 mm"), (10.0, "≥ 10 mm"), (80.0, "≥ 10 mm")])
def test_every_diameter_has_one_band(diameter, name):
    assert [band.name for band in DIAMETER_BANDS if band.holds(diameter)] == [name]
