"""Places survive every change of grid, and labels come back to the voxels they left."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.transforms import geometry
from inference.transforms.geometry import (
    canonical,
    crop,
    crop_grid,
    grid_at_spacing,
    resample,
    resample_labels,
    restore,
    uncrop,
)
from inference.volume import Grid, SliceSource, Spacing, Volume, regular_affine

CT = Grid((40, 50, 60), regular_affine((-100, 80, 30), np.eye(3)[:, ::-1], Spacing(1.0, 0.9, 0.9)))


def linear_field(grid: Grid) -> np.ndarray:
    """A value at each voxel that tells its place in LPS; linear interpolation reproduces it exactly."""
    points = grid.to_lps(np.stack(np.indices(grid.shape), axis=-1))
    return (points @ [1.0, 20.0, 300.0]).astype(np.float32)


def inside(target: Grid, source: Grid) -> np.ndarray:
    index = source.to_index(target.to_lps(np.stack(np.indices(target.shape), axis=-1)))
    return np.all((index >= 0) & (index <= np.array(source.shape) - 1), axis=-1)


def test_linear_resampling_keeps_every_place(volume_of, orientation):
    source, target = volume_of(orientation).grid, volume_of("axial", Spacing(0.5, 0.6, 0.7), (20, 18, 16)).grid
    affine = target.affine.copy()
    affine[:3, 3] += source.to_lps((2.5, 9.5, 11.5)) - target.to_lps((9.5, 8.5, 7.5))
    target = Grid(target.shape, affine)
    out = resample(Volume(linear_field(source), source), target, fill=-1)
    known = inside(target, source)
    assert np.count_nonzero(known) > 500
    np.testing.assert_allclose(out.array[known], linear_field(target)[known], rtol=1e-4)


def test_resampling_a_sheared_grid_keeps_every_place(volume_of):
    plain = volume_of(shape=(12, 20, 24)).grid
    affine = plain.affine.copy()
    affine[1, 0] = 0.8  # gantry tilt
    tilted = Grid(plain.shape, affine)
    out = resample(Volume(linear_field(tilted), tilted), plain)
    known = inside(plain, tilted)
    assert np.count_nonzero(known) > 500
    np.testing.assert_allclose(out.array[known], linear_field(plain)[known], rtol=1e-4)


def test_a_matching_grid_passes_the_array_on(volume_of):
    volume = volume_of()
    assert resample(volume, Grid(volume.grid.shape, volume.grid.affine)).array is volume.array
    labels = np.zeros(volume.grid.shape, np.uint8)
    assert resample_labels(labels, volume.grid, Grid(volume.grid.shape, volume.grid.affine)) is labels


@pytest.mark.parametrize("step", [2.1, 3.0, 4.7])
def test_far_fewer_voxels_are_what_the_whole_interpolation_gives(step, monkeypatch):
    fine = Volume(np.random.default_rng(0).integers(-1000, 1000, (40, 50, 60)).astype(np.int16), CT)
    coarse = grid_at_spacing(CT, Spacing(step, step, step))
    beyond = Grid((coarse.shape[0] + 4, *coarse.shape[1:]), coarse.affine)  # shows more than there is
    picked = resample(fine, beyond, fill=-1024.0)
    monkeypatch.setattr(geometry, "_thins_out", lambda *_: False)
    np.testing.assert_allclose(picked.array, resample(fine, beyond, fill=-1024.0).array, atol=0.01)
    assert (picked.array[-1] == -1024.0).all()


def test_outside_the_source_is_fill(volume_of):
    volume = volume_of()
    far = volume.grid.affine.copy()
    far[:3, 3] += 1000
    assert np.all(resample(volume, Grid((3, 3, 3), far), fill=-1024).array == -1024)


def test_motion_leads_from_the_target_to_the_source(volume_of):
    source = volume_of().grid
    motion = np.eye(4)
    motion[:3, 3] = (1.1, 0.7, 3.0)  # one voxel along every axis
    out = resample(Volume(linear_field(source), source), source, motion=motion)
    np.testing.assert_allclose(out.array[:-1, :-1, :-1], linear_field(source)[1:, 1:, 1:], rtol=1e-5)


def test_nearest_keeps_the_type_and_invents_no_value(volume_of):
    volume = volume_of()
    labels = (np.indices(volume.grid.shape).sum(axis=0) % 3).astype(np.uint8) * 5
    out = resample(volume.with_array(labels), grid_at_spacing(volume.grid, Spacing(2, 0.5, 0.5)), order=0)
    assert out.array.dtype == np.uint8
    assert set(np.unique(out.array)) <= {0, 5, 10}


def test_labels_go_to_a_finer_grid_and_come_back_unchanged(volume_of, orientation):
    volume = volume_of(orientation)
    labels = (np.arange(volume.array.size) % 4).astype(np.uint8).reshape(volume.grid.shape)
    fine = grid_at_spacing(volume.grid, Spacing(1.0, 0.35, 0.55))
    assert np.array_equal(resample_labels(resample_labels(labels, volume.grid, fine), fine, volume.grid), labels)


def test_another_spacing_covers_the_same_field_of_view(volume_of, orientation):
    grid = volume_of(orientation, Spacing(3.0, 1.0, 1.0), (10, 30, 40)).grid
    coarse = grid_at_spacing(grid, Spacing(2.0, 2.0, 2.0))
    assert coarse.shape == (15, 15, 20)
    assert coarse.spacing == pytest.approx((2, 2, 2))
    for edge in (0, 1):
        ends = [n * edge - 0.5 for n in grid.shape]
        coarse_ends = [n * edge - 0.5 for n in coarse.shape]
        assert grid.to_lps(ends) == pytest.approx(coarse.to_lps(coarse_ends), abs=1e-9)
    assert grid_at_spacing(grid, grid.spacing) is grid


def test_canonical_axes_point_to_head_back_and_left(volume_of, orientation):
    grid = canonical(volume_of(orientation)).grid
    largest = np.abs(grid.directions).argmax(axis=0).tolist()
    assert largest == [2, 1, 0]
    assert [grid.directions[row, axis] > 0 for axis, row in enumerate(largest)] == [True, True, True]


def test_canonical_changes_no_value_and_no_place(volume_of, orientation):
    volume = volume_of(orientation)
    placed = Volume(linear_field(volume.grid), volume.grid)
    np.testing.assert_allclose(canonical(placed).array, linear_field(canonical(placed).grid), rtol=1e-5)


@settings(max_examples=48, deadline=None)
@given(order=st.permutations(range(3)), signs=st.tuples(*[st.sampled_from([-1, 1])] * 3))
def test_restore_undoes_canonical_for_every_orientation(order, signs):
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3)[:, order] * signs) @ np.diag([3.0, 2.0, 1.0])
    volume = Volume(np.arange(24, dtype=np.int16).reshape(2, 3, 4), Grid((2, 3, 4), affine))
    assert np.array_equal(restore(canonical(volume).array, volume.grid), volume.array)


def test_restore_refuses_an_array_of_another_shape(volume_of):
    with pytest.raises(ValueError, match="does not lie"):
        restore(np.zeros((2, 2, 2)), volume_of().grid)


def test_a_crop_keeps_places_and_sources(volume_of):
    volume = volume_of("oblique")
    named = Volume(volume.array, volume.grid, "HU", tuple(SliceSource(str(k)) for k in range(6)))
    part = crop(named, (slice(2, 5), slice(3, 10), slice(4, 24)))
    assert [s.sop_instance_uid for s in part.sources] == ["2", "3", "4"]
    assert part.grid.to_lps((1, 1, 1)) == pytest.approx(volume.grid.to_lps((3, 4, 5)))
    assert np.array_equal(part.array, volume.array[2:5, 3:10, 4:24])


def test_uncrop_puts_a_crop_back(volume_of):
    volume = volume_of()
    box = (slice(1, 4), slice(2, 9), slice(3, 8))
    out = uncrop(volume.array[box], box, volume.grid.shape)
    assert np.array_equal(out[box], volume.array[box])
    assert np.count_nonzero(out) <= volume.array[box].size


@pytest.mark.parametrize("part", [slice(3, 3), slice(0, 6, 2), slice(6, 0, -1)])
def test_a_box_is_whole_and_runs_forward(volume_of, part):
    with pytest.raises(ValueError, match="box"):
        crop_grid(volume_of().grid, (part, slice(0, 5), slice(0, 5)))
