import numpy as np
import pytest
from scipy import ndimage

from inference.phantom.brain_anatomy import CANVAS_MM, CANVAS_SHAPE, Anatomy, Tissue, canvas_axes
from inference.phantom.brain_tumour import (
    ENHANCING,
    NECROSIS,
    OEDEMA,
    Focus,
    draw_tumour,
    outlined,
    plan_foci,
    push_aside,
)

CENTRE = np.array([10.0, 0.0, 30.0])


def focus(radius=15.0, enhances=True, push=0.4):
    return Focus(CENTRE, np.full(3, radius), enhances, push)


@pytest.fixture(scope="module")
def white_brain():
    """Nothing but white matter, left of a plane of CSF."""
    tissue = np.full(CANVAS_SHAPE, Tissue.WHITE, dtype=np.uint8)
    tissue[:, :, canvas_axes()[2].ravel() < 0] = Tissue.CSF
    return Anatomy(tissue, np.full(CANVAS_SHAPE, 30.0, dtype=np.float32))


def drawn(white_brain, plan, seed=0):
    return draw_tumour(white_brain, (plan,), np.random.default_rng(seed))


def test_a_tumour_is_necrosis_within_enhancement_within_oedema(white_brain):
    labels = drawn(white_brain, focus(20), seed=5).labels
    assert set(np.unique(labels)) == {0, NECROSIS, OEDEMA, ENHANCING}
    middle = np.argwhere(np.isin(labels, (NECROSIS, ENHANCING))).mean(axis=0)
    shells = [np.linalg.norm(np.argwhere(labels == k) - middle, axis=1).mean() for k in (NECROSIS, ENHANCING, OEDEMA)]
    assert shells == sorted(shells)


def test_the_core_has_about_the_size_that_was_planned(white_brain):
    labels = drawn(white_brain, focus(15), seed=2).labels
    core_ml = np.isin(labels, (NECROSIS, ENHANCING)).sum() * CANVAS_MM**3 / 1000
    assert 0.4 < core_ml / (4 / 3 * np.pi * 1.5**3) < 2.0


def test_a_tumour_that_does_not_enhance_is_solid_and_takes_the_label_of_necrosis(white_brain):
    tumour = drawn(white_brain, focus(enhances=False))
    assert not (tumour.labels == ENHANCING).any()
    assert (tumour.labels[tumour.solid] == NECROSIS).all()
    assert tumour.solid.any()


def test_oedema_keeps_out_of_csf_and_hangs_together_with_the_core(white_brain):
    labels = drawn(white_brain, focus(18), seed=3).labels
    assert not (labels[white_brain.tissue == Tissue.CSF] == OEDEMA).any()
    assert ndimage.label(labels > 0)[1] == 1


def test_readers_draw_the_border_of_oedema_a_voxel_further_out_and_not_in_csf(white_brain):
    tumour = drawn(white_brain, focus(18), seed=3)
    ring = added(tumour, outlined(tumour, white_brain))
    assert set(np.unique(outlined(tumour, white_brain)[ring])) == {OEDEMA}
    assert ndimage.distance_transform_edt(tumour.labels == 0)[ring].max() == 1
    assert not (ring & (white_brain.tissue == Tissue.CSF)).any()


def test_where_there_is_no_oedema_the_border_belongs_to_the_core(white_brain):
    tumour = drawn(white_brain, focus(enhances=False), seed=1)
    assert not (tumour.labels == OEDEMA).any()
    labels = outlined(tumour, white_brain)
    assert set(np.unique(labels[added(tumour, labels)])) == {NECROSIS}


def added(tumour, labels):
    """Where readers see tumour and the tissue ends already; what is tumour keeps its label."""
    inside = tumour.labels > 0
    assert np.array_equal(labels[inside], tumour.labels[inside])
    return (labels > 0) & ~inside


def test_mass_effect_moves_tissue_away_from_the_tumour_and_leaves_the_skull():
    points = tuple(np.broadcast_to(a, CANVAS_SHAPE) for a in canvas_axes())
    moved = push_aside(points, (focus(push=0.4),))
    before = np.sqrt(sum((p - c) ** 2 for p, c in zip(points, CENTRE, strict=True)))
    after = np.sqrt(sum((p - c) ** 2 for p, c in zip(moved, CENTRE, strict=True)))
    assert (after <= before + 1e-3).all()  # what is seen at a place came from nearer the centre
    assert 3 < (before - after).max() < 8
    assert np.array_equal(before[0], after[0])


def test_no_focus_leaves_the_points_alone():
    points = canvas_axes()
    assert all(np.array_equal(a, b) for a, b in zip(push_aside(points, ()), points, strict=True))


def test_foci_lie_inside_the_brain():
    for seed in range(60):
        for planned in plan_foci(np.random.default_rng(seed)):
            assert np.all(np.abs(planned.centre) < (60, 80, 60))
            assert 4 < planned.radius < 38


def test_as_many_tumours_enhance_as_is_wished():
    foci = [plan_foci(np.random.default_rng(seed), enhancing=0.5) for seed in range(200)]
    assert 0.4 < np.mean([planned[0].enhances for planned in foci if planned]) < 0.6
