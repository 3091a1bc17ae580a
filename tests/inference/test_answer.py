"""Probabilities on the working grid become labels on the source grid, at its full resolution."""

import numpy as np
import pytest

from inference.answer import chance_of, convinced, decode, map_on_source, on_source
from inference.prepare import prepare
from inference.recipe import Channel, Output, Recipe, Region
from inference.volume import Grid, Spacing, Volume, regular_affine

NODULE = Output(activation="sigmoid", regions=[Region(name="nodule", label=1, members=[1])])
NESTED = Output(activation="sigmoid", regions=[
    Region(name="whole", label=2, members=[1, 2]), Region(name="core", label=1, members=[1], threshold=0.3)])
CLASSES = Output(activation="softmax", regions=[
    Region(name="organ", label=1, members=[1]), Region(name="tumour", label=2, members=[2])])


def prepared_at(volume, spacing):
    recipe = Recipe(primary="CT", channels=[Channel(role="CT", scale="window", low=-1000, high=1000)],
                    spacing_mm=spacing)
    return prepare({"CT": volume}, recipe)


def test_regions_are_written_over_one_another_at_their_thresholds():
    assert decode(np.array([[0.4, 0.6, 0.6, 0.6], [0.2, 0.2, 0.31, 0.9]]), NESTED).tolist() == [0, 2, 1, 1]


def test_the_largest_class_wins_and_background_wins_a_draw():
    assert decode(np.array([[0.5, 0.2, 0.3], [0.5, 0.5, 0.3], [0.0, 0.3, 0.4]]), CLASSES).tolist() == [0, 1, 2]


def test_a_part_that_nowhere_reaches_the_peak_is_not_found():
    sure = Output(activation="sigmoid", regions=[Region(name="nodule", label=1, members=[1], peak=0.9)])
    chance = np.zeros((1, 1, 1, 7), np.float32)
    chance[0, 0, 0] = [0.6, 0.95, 0.6, 0.1, 0.7, 0.8, 0.2]
    assert decode(convinced(chance, sure), sure)[0, 0].tolist() == [1, 1, 1, 0, 0, 0, 0]
    assert chance[0, 0, 0, 5] == pytest.approx(0.8)
    assert convinced(chance, NODULE) is chance


def test_on_an_equal_grid_labels_come_back_exactly(orientation, volume_of):
    volume = volume_of(orientation)
    truth = (np.random.default_rng(0).random(volume.grid.shape) < 0.1).astype(np.uint8)
    prepared = prepared_at(volume, tuple(prepared_at(volume, (1, 1, 1)).canonical.spacing))
    back = on_source(prepared.labels(truth)[None].astype(np.float32), prepared, NODULE).labels
    assert np.array_equal(back, truth)


def ellipsoid(grid, radius=12.0):
    places = grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1))
    return np.linalg.norm((places - grid.to_lps((np.array(grid.shape) - 1) / 2)) * (1, 1.2, 0.8), axis=-1) < radius


def test_a_shape_survives_the_way_there_and_back(orientation, volume_of):
    volume = volume_of(orientation, Spacing(2.5, 0.8, 0.8), (20, 50, 60))
    truth = ellipsoid(volume.grid)
    prepared = prepared_at(volume, (1.5, 1.5, 1.5))
    back = on_source(prepared.labels(truth.astype(np.uint8))[None].astype(np.float32), prepared, NODULE).labels > 0
    assert 2 * np.count_nonzero(back & truth) / (back.sum() + truth.sum()) > 0.93
    centre = [np.argwhere(mask).mean(axis=0) * volume.grid.spacing for mask in (back, truth)]
    assert np.abs(centre[0] - centre[1]).max() < 0.4, "no shift"


@pytest.mark.parametrize("output", [NESTED, CLASSES])
def test_probabilities_are_interpolated_linearly_and_then_judged(output):
    """Against interpolation by hand of every class at every source voxel."""
    rng = np.random.default_rng(1)
    source = Volume(np.zeros((9, 10, 11), np.float32),
                    Grid((9, 10, 11), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(1, 1, 1))))
    prepared = prepared_at(source, (2, 2, 2))
    chance = rng.random((output.channels, *prepared.grid.shape)).astype(np.float32)
    places = np.clip(prepared.grid.to_index(source.grid.to_lps(np.moveaxis(np.indices((9, 10, 11)), 0, -1))),
                     0, np.array(prepared.grid.shape) - 1)
    low = np.minimum(np.floor(places).astype(int), np.array(prepared.grid.shape) - 2)
    between = np.zeros((output.channels, 9, 10, 11))
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, places - low, 1 - (places - low)), axis=-1)
        at = low + corner
        between += weight * chance[:, at[..., 0], at[..., 1], at[..., 2]]
    answer = on_source(chance, prepared, output)
    assert np.array_equal(answer.labels, decode(between, output))
    assert np.allclose(answer.probability, chance_of(answer.labels, between, output), atol=1e-3)


def test_a_voxels_probability_is_that_of_the_region_which_it_was_given():
    chances = np.array([[0.4, 0.6, 0.6, 0.6], [0.2, 0.2, 0.31, 0.9]])
    assert chance_of(decode(chances, NESTED), chances, NESTED).tolist() == [0, 0.6, 0.31, 0.9]


def test_nothing_found_is_an_empty_map(volume_of):
    prepared = prepared_at(volume_of(), (2, 2, 2))
    back = on_source(np.zeros((1, *prepared.grid.shape), np.float32), prepared, NODULE).labels
    assert back.shape == prepared.source.shape
    assert not back.any()


def test_outside_the_working_grid_is_background():
    air = np.full((30, 40, 40), -1000, np.float32)
    air[5:25, 10:30, 10:30] = 0
    volume = Volume(air, Grid(air.shape, regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(4, 4, 4))), "HU")
    recipe = Recipe(primary="CT", channels=[Channel(role="CT", scale="window", low=-1000, high=1000)],
                    spacing_mm=(4, 4, 4), roi="body", margin_mm=0)
    prepared = prepare({"CT": volume}, recipe)
    back = on_source(np.ones((1, *prepared.grid.shape), np.float32), prepared, NODULE).labels
    assert np.count_nonzero(back) == np.prod(prepared.grid.shape)
    assert not back[:3].any()


@pytest.mark.parametrize("spacing", [(1.5, 1.5, 1.5), (4, 2, 3)])
def test_a_map_lies_on_the_source_voxels(orientation, volume_of, spacing):
    """A bright spot in the patient comes back where it was, and what is linear between voxels stays it."""
    volume = volume_of(orientation, shape=(18, 26, 22))
    prepared = prepared_at(volume, spacing)

    def ball(grid, radius=9.0):
        places = grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1))
        middle = volume.grid.to_lps((11, 9, 12))
        return np.clip(1.2 - np.linalg.norm(places - middle, axis=-1) / radius, 0, 1)

    back = map_on_source(ball(prepared.grid), prepared)
    truth = ball(volume.grid)
    assert back.shape == volume.grid.shape
    assert back.dtype == np.float16
    assert np.abs(back - truth).max() < 0.2
    assert np.abs(back - truth).mean() < 0.01


def test_an_empty_map_is_empty(volume_of):
    prepared = prepared_at(volume_of(), (2, 2, 2))
    assert not map_on_source(np.zeros(prepared.grid.shape, np.float32), prepared).any()


def test_logits_are_interpolated_before_they_become_probabilities(volume_of):
    """Halfway between 4 and -2 lies 1, on the side of the nodule; between their probabilities lies 0.55."""
    prepared = prepared_at(volume_of(spacing=Spacing(1.0, 1.0, 1.0), shape=(2, 2, 8)), (1.0, 1.0, 2.0))
    logits = np.zeros((1, 2, 2, 4), np.float32) + np.array([4, -2, 4, -2], np.float32)
    answer = on_source(logits, prepared, NODULE, logits=True)
    between = 4 + (-2 - 4) * np.array([-0.25, 0.25, 0.75, 1.25])  # source voxels 0..3 in working voxels
    expected = 1 / (1 + np.exp(-np.array([4, between[1], between[2], -0.5])))
    assert answer.labels[0, 0, :4].tolist() == [1, 1, 0, 0]
    assert answer.probability[0, 0, :2].tolist() == pytest.approx(expected[:2], abs=1e-3)


def test_a_class_that_is_left_out_wins_where_it_is_likeliest():
    output = Output(activation="softmax", regions=[
        Region(name="spleen", label=0, members=[1]), Region(name="tumour", label=2, members=[2])])
    chances = np.array([[0.5, 0.1, 0.1], [0.2, 0.6, 0.3], [0.3, 0.3, 0.6]])
    labels = decode(chances, output)
    assert labels.tolist() == [0, 0, 2]
    assert chance_of(labels, chances, output).tolist() == [0, 0, 0.6]
