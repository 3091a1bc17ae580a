"""A lesion is put into a patch: of the density asked for, with the tissue's noise, and with its label."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage

from inference.recipe import Channel
from inference.training.implants import ImplantSettings, implant, implant_many, place_for

CHANNELS = (
    Channel(role="CT", scale="window", low=-1000, high=200), Channel(role="CT", scale="window", low=-200, high=400),
)  # fmt: skip
SPACING = (1.5, 1.5, 1.5)
SOLID = {"share": 1, "label": 1, "densities": [{"weight": 1, "hu": [40, 40]}]}
MIDDLE = (16, 16, 16)


def lung(noise_hu: float = 30.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU of lung with noise, as channels, and no label."""
    hu = -850 + np.random.default_rng(seed).normal(0, noise_hu, (32, 32, 32))
    image = np.stack([np.clip((hu - c.low) / (c.high - c.low), 0, 1) for c in CHANNELS]).astype(np.float32)
    return image, np.zeros(hu.shape, np.uint8), hu


def put(image: np.ndarray, labels: np.ndarray, seed: int = 0, place: tuple[int, ...] = MIDDLE, **changes) -> bool:
    settings = ImplantSettings.model_validate(SOLID | changes)
    return implant(image, labels, place, CHANNELS, SPACING, settings, np.random.default_rng(seed))


def test_it_lies_amid_the_tissue_that_is_asked_for():
    image, labels, _ = lung(10.0)
    image[:, :16] = 1.0  # the chest wall
    labels[:, 16:] = 3
    lung_only = ImplantSettings.model_validate(SOLID | {"tissue_hu": [-950, -650]})
    marked = ImplantSettings.model_validate(SOLID | {"within": 3})
    for seed in range(20):
        assert place_for(image, labels, CHANNELS, lung_only, np.random.default_rng(seed))[0] >= 16
        assert place_for(image, labels, CHANNELS, marked, np.random.default_rng(seed))[1] >= 16
    nowhere = ImplantSettings.model_validate(SOLID | {"within": 9})
    assert place_for(image, labels, CHANNELS, nowhere, np.random.default_rng(0)) is None


def test_it_has_the_density_asked_for_in_every_channel():
    image, labels, _ = lung()
    assert put(image, labels, median_mm=15, spread=0)
    inside = np.zeros(labels.shape, bool)
    inside[15:18, 15:18, 15:18] = True
    assert (labels[inside] == 1).all()
    for number, channel in enumerate(CHANNELS):
        shown = (40 - channel.low) / (channel.high - channel.low)
        assert image[number][inside].mean() == pytest.approx(shown, abs=0.06)


@pytest.mark.parametrize("diameter", [6.0, 12.0, 20.0])
def test_it_is_as_large_as_asked_for(diameter):
    volumes = []
    for seed in range(8):
        image, labels, _ = lung()
        assert put(image, labels, seed, median_mm=diameter, spread=0)
        volumes.append(np.count_nonzero(labels) * np.prod(SPACING))
    found = 2 * (3 * np.mean(volumes) / (4 * np.pi)) ** (1 / 3)
    assert found == pytest.approx(diameter, rel=0.15)


def test_what_is_beside_it_stays_as_it_was():
    image, labels, _ = lung()
    before = image.copy()
    put(image, labels, median_mm=8, spread=0)
    corner = (slice(None), slice(0, 8), slice(0, 8), slice(0, 8))
    assert np.array_equal(image[corner], before[corner])
    changed = (image != before).any(axis=0)
    assert changed[labels == 1].all()


def test_it_is_as_noisy_as_the_tissue():
    variances = {}
    for noise in (1.0, 40.0):
        image, labels, _ = lung(noise)
        put(image, labels, median_mm=24, spread=0, roughness=[0, 0])
        inside = image[0][13:20, 13:20, 13:20] * 1200
        variances[noise] = float(np.var(np.diff(inside, axis=0)))
    added = np.sqrt((variances[40.0] - variances[1.0]) / 2)  # the mottling is in both
    assert added == pytest.approx(40, rel=0.25)


def test_a_core_is_denser_than_what_is_around_it():
    glass = [{"weight": 1, "hu": [-600, -600], "core": [0.5, 0.5], "core_hu": [50, 50]}]
    image, labels, _ = lung(0.0)
    put(image, labels, median_mm=24, spread=0, roughness=[0, 0], densities=glass)
    hu = image[0] * 1200 - 1000
    assert hu[MIDDLE] == pytest.approx(50, abs=40)
    rim = (labels == 1) & (hu < -450) & (hu > -750)
    assert rim.sum() > 0.3 * (labels == 1).sum()


def test_a_vessel_goes_through_it():
    image, labels, _ = lung(0.0)
    image[0, :, 14:19, 14:19] = image[1, :, 14:19, 14:19] = 0.9
    put(image, labels, median_mm=20, spread=0, densities=[{"weight": 1, "hu": [-600, -600]}])
    assert image[0][MIDDLE] > 0.7


def test_lesions_keep_apart():
    image, labels, _ = lung()
    assert put(image, labels, place=(10, 16, 16), median_mm=9, spread=0)
    before = (image.copy(), labels.copy())
    assert not put(image, labels, place=(13, 16, 16), median_mm=9, spread=0)
    assert np.array_equal(image, before[0])
    assert np.array_equal(labels, before[1])
    assert put(image, labels, place=(25, 16, 16), median_mm=9, spread=0)


def test_no_two_are_alike_and_each_is_its_seeds():
    shapes = []
    for seed in (1, 2, 1):
        image, labels, _ = lung()
        put(image, labels, seed)
        shapes.append(labels)
    assert np.array_equal(shapes[0], shapes[2])
    assert not np.array_equal(shapes[0], shapes[1])


def organ() -> tuple[np.ndarray, np.ndarray]:
    """HU and labels of a liver's half (3) beside fat."""
    labels = np.zeros((32, 32, 32), np.uint8)
    labels[:, :, 16:] = 3
    hu = np.where(labels == 3, 110, -100) + np.random.default_rng(0).normal(0, 8, labels.shape)
    return hu.astype(np.float32), labels


def shown(hu: np.ndarray) -> np.ndarray:
    return np.stack([np.clip((hu - c.low) / (c.high - c.low), 0, 1) for c in CHANNELS]).astype(np.float32)


def test_what_would_reach_out_of_its_organ_is_cut_off():
    hu, labels = organ()
    image, before = shown(hu), shown(hu)
    beside = labels == 0
    assert put(image, labels, place=(16, 16, 18), median_mm=18, spread=0, within=3)
    assert (labels == 1).sum() > 100
    assert not labels[beside].any()
    assert np.array_equal(image[:, beside], before[:, beside])


def test_a_lesion_of_which_less_than_half_lies_in_its_organ_is_none():
    hu, labels = organ()
    labels[:, :, 20:] = 0  # no more than a thin sheet of it
    image, before = shown(hu), labels.copy()
    assert not put(image, labels, place=(16, 16, 18), median_mm=24, spread=0, within=3)
    assert np.array_equal(labels, before)


def test_places_lie_within_the_organ():
    hu, labels = organ()
    within = ImplantSettings.model_validate(SOLID | {"within": 3})
    for seed in range(20):
        assert place_for(shown(hu), labels, CHANNELS, within, np.random.default_rng(seed))[2] >= 16


def test_a_relative_density_is_told_from_the_tissue():
    hu, labels = organ()
    image = shown(hu)
    darker = [{"weight": 1, "relative": True, "hu": [-60, -60]}]
    assert put(image, labels, place=(16, 16, 24), median_mm=15, spread=0, within=3, densities=darker, through_hu=0)
    channel = CHANNELS[1]
    found = image[1][labels == 1].mean() * (channel.high - channel.low) + channel.low
    assert found == pytest.approx(110 - 60, abs=25)


def test_a_whole_scan_gets_as_many_as_find_room():
    settings = ImplantSettings.model_validate(SOLID | {"within": 3, "median_mm": 6, "spread": 0, "through_hu": 0})
    hu, labels = organ()
    hu[0, 0, 0] = 9000  # metal, beyond what any window shows
    before, beside = hu.copy(), labels == 0
    assert implant_many(hu, labels, 3, SPACING, settings, np.random.default_rng(0)) == 3
    assert ndimage.label(labels == 1)[1] == 3
    assert np.array_equal(hu[beside], before[beside])
    assert hu[labels == 1].mean() == pytest.approx(40, abs=25)
    large = settings.model_copy(update={"median_mm": 16, "largest_mm": 16})
    assert 0 < implant_many(*organ(), 12, SPACING, large, np.random.default_rng(1)) < 12
    assert implant_many(hu, np.zeros_like(labels), 3, SPACING, settings, np.random.default_rng(0)) == 0


@pytest.mark.parametrize("density", [
    {"weight": 1, "hu": [50, 40]}, {"weight": 1, "hu": [0, 1], "core": [0.3, 0.5]}, {"weight": 0, "hu": [0, 1]},
])  # fmt: skip
def test_a_density_that_makes_no_sense_is_refused(density):
    with pytest.raises(ValidationError):
        ImplantSettings.model_validate(SOLID | {"densities": [density]})
