"""The lattice that registration looks at."""

import numpy as np
import pytest
import SimpleITK as sitk

from inference.followup.coarse import STEP_MM, coarse
from inference.transforms.geometry import resample
from inference.volume import Grid, Spacing, Volume, regular_affine


def test_steps_along_lps_over_the_same_ground(abdomen):
    image = coarse(abdomen)
    assert image.grid.spacing == pytest.approx((4.0, 4.0, 4.0))
    assert np.array_equal(np.abs(image.grid.directions), np.eye(3)[:, ::-1])
    middles = [grid.to_lps((np.array(grid.shape) - 1) / 2) for grid in (image.grid, abdomen.grid)]
    assert np.allclose(*middles)
    extents = [np.array(grid.shape) * grid.spacing for grid in (image.grid, abdomen.grid)]
    assert np.abs(np.subtract(*extents)).max() <= 4.0
    assert image.seen.all()


def test_values_keep_to_the_window_and_noise_is_averaged(abdomen):
    noisy = abdomen.with_array(abdomen.array + np.random.default_rng(0).normal(0, 40, abdomen.grid.shape))
    clean, grainy = coarse(abdomen), coarse(noisy)
    assert clean.array.min() >= -1000
    assert clean.array.max() <= 500
    inside = clean.patient & (clean.array < 400)
    assert (grainy.array - clean.array)[inside].std() < 20


def test_the_patient_is_the_body_without_the_couch(abdomen):
    image = coarse(abdomen)
    litres = np.count_nonzero(image.patient) * image.grid.voxel_ml / 1000
    assert 8 < litres < 16
    rows = image.grid.to_lps(np.argwhere(image.patient))[:, 1]
    assert rows.max() < 86 + 16 + 14 + 10 + 12  # the body's back and its rim


def test_leaning_slices_come_out_straight(abdomen):
    affine = regular_affine((-165, -100, -215), np.eye(3)[:, ::-1], Spacing(2.5, 2.0, 2.0))
    affine[1, 0] = 0.6
    leaning = resample(abdomen, Grid((88, 110, 165), affine), fill=-1024)
    image, straight = coarse(leaning), coarse(abdomen)
    assert not image.seen.all()  # the corners that lean out
    there = np.asarray(resample(Volume(straight.array, straight.grid), image.grid).array)
    both = image.seen & image.patient
    assert np.corrcoef(there[both], image.array[both])[0, 1] > 0.98


def test_mr_is_looked_at_more_closely():
    grid = Grid((60, 80, 70), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(2.0, 2.0, 2.0)))
    z, y, x = np.indices(grid.shape)
    ball = ((z - 30) ** 2 + (y - 40) ** 2 + (x - 35) ** 2 < 25**2) * 500.0
    image = coarse(Volume(ball, grid))
    assert image.grid.spacing == pytest.approx([STEP_MM["signal"]] * 3)
    assert 0.4 < np.count_nonzero(image.patient) * image.grid.voxel_ml / 1000 < 1.2


def test_simpleitk_sees_the_same_places(abdomen):
    image = coarse(abdomen)
    for form in (image.image(), image.mask(), image.mask_seen()):
        assert isinstance(form, sitk.Image)
        place = form.TransformIndexToPhysicalPoint((7, 5, 3))
        assert np.allclose(place, image.grid.to_lps((3, 5, 7)))


def test_an_image_of_air_shows_no_patient(abdomen):
    assert not coarse(abdomen.with_array(np.full_like(abdomen.array, -1000.0))).patient.any()
