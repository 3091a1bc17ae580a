"""Distances between surfaces, against all pairs of surface voxels and against MONAI's own measures."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.errors import Unscorable
from inference.evaluation.surface import BRATS_2021_PENALTY_MM, diagonal_mm, surface_agreement
from inference.volume import Grid, Spacing, regular_affine

SPACINGS = (Spacing(5.0, 0.7, 0.7), Spacing(1.0, 1.0, 1.0), Spacing(0.5, 3.0, 1.25))


def surface_voxels(mask: np.ndarray) -> list[tuple[int, int, int]]:
    """Voxels with a face neighbour outside the mask or the image."""
    inside = {tuple(v) for v in np.argwhere(mask)}
    steps = [step for step in itertools.product((-1, 0, 1), repeat=3) if sum(map(abs, step)) == 1]
    return [v for v in inside if any(tuple(np.add(v, s)) not in inside for s in steps)]


def nearest(a: np.ndarray, b: np.ndarray, spacing: Spacing) -> np.ndarray:
    ours, theirs = (np.array(surface_voxels(m)) * np.array(spacing) for m in (a, b))
    return np.linalg.norm(ours[:, None] - theirs[None], axis=-1).min(axis=1)


def blobs(seed: int, shape: tuple[int, int, int] = (6, 7, 8)) -> tuple[np.ndarray, np.ndarray]:
    """Two solid masks that share some voxels, with a few stray ones."""
    rng = np.random.default_rng(seed)
    masks = []
    for _ in range(2):
        middle, radius = rng.uniform(1, 5, 3), rng.uniform(1.2, 3.5)
        far = np.linalg.norm(np.moveaxis(np.indices(shape), 0, -1) - middle, axis=-1)
        masks.append((far <= radius) | (rng.random(shape) < 0.01))
    return masks[0], masks[1]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(SPACINGS), st.sampled_from((0.0, 1.0, 2.0, 5.0)))
def test_every_distance_is_that_of_the_nearest_of_all_surface_voxels(seed, spacing, tolerance):
    found, truth = blobs(seed)
    if not (found.any() and truth.any()):
        return
    there, back = nearest(found, truth, spacing), nearest(truth, found, spacing)
    every = np.concatenate([there, back])
    got = surface_agreement(found, truth, spacing, tolerance)
    assert got.hausdorff_mm == pytest.approx(every.max(), rel=1e-5)
    assert got.hd95_mm == pytest.approx(max(np.percentile(there, 95), np.percentile(back, 95)), rel=1e-5)
    assert got.assd_mm == pytest.approx(every.mean(), rel=1e-5)
    assert got.surface_dice == pytest.approx(np.mean(every <= tolerance + 1e-4))


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy")  # of one MONAI function to another
def test_the_figures_are_those_of_monais_measures():
    import torch
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance, compute_surface_dice

    for seed, spacing in enumerate(SPACINGS):
        found, truth = blobs(seed)
        a, b = (torch.from_numpy(m)[None, None].float() for m in (found, truth))
        same = {"include_background": True, "spacing": list(spacing)}
        got = surface_agreement(found, truth, spacing, 1.1)
        assert got.hausdorff_mm == pytest.approx(float(compute_hausdorff_distance(a, b, **same)), rel=1e-5)
        assert got.hd95_mm == pytest.approx(float(compute_hausdorff_distance(a, b, percentile=95, **same)), rel=1e-5)
        assert got.surface_dice == pytest.approx(float(compute_surface_dice(a, b, [1.1], **same)), rel=1e-5)
        assert got.assd_mm == pytest.approx(float(compute_average_surface_distance(a, b, symmetric=True, **same)))


def test_a_shift_along_the_slices_is_as_far_as_the_slices_lie_apart():
    truth = np.zeros((6, 9, 9), bool)
    truth[1:3, 2:7, 2:7] = True
    got = surface_agreement(np.roll(truth, 2, axis=0), truth, Spacing(5.0, 1.0, 1.0), 5.0)
    assert got.hausdorff_mm == got.hd95_mm == 10.0
    assert got.surface_dice == 0.5


def test_the_border_of_the_image_is_surface_and_where_the_masks_lie_does_not_matter():
    small, shift = np.ones((2, 3, 3), bool), np.zeros((2, 3, 3), bool)
    shift[:, :, 1:] = True
    wide = [np.pad(m, 4) for m in (small, shift)]
    assert surface_agreement(small, shift, SPACINGS[0], 0.0) == surface_agreement(*wide, SPACINGS[0], 0.0)


def test_empty_masks():
    none, some = np.zeros((3, 3, 3), bool), np.ones((3, 3, 3), bool)
    assert surface_agreement(none, none, SPACINGS[0], 1.0) == (0.0, 0.0, 0.0, 1.0)
    for one in ((none, some), (some, none)):
        assert surface_agreement(*one, SPACINGS[0], 1.0) == (np.inf, np.inf, np.inf, 0.0)


def test_a_tolerance_below_zero_is_refused():
    with pytest.raises(Unscorable, match="-1 mm"):
        surface_agreement(np.ones((1, 1, 1), bool), np.ones((1, 1, 1), bool), SPACINGS[0], -1)


def test_the_penalty_of_brats_is_the_diagonal_of_its_images():
    grid = Grid((155, 240, 240), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(1, 1, 1)))
    assert diagonal_mm(grid) == pytest.approx(BRATS_2021_PENALTY_MM, abs=1)
