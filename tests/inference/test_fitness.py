"""Simple bodies: each check knows its own body part and refuses the others, in words for people."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from inference.errors import Unfit
from inference.fitness import (
    check_brain,
    check_ct_units,
    check_liver,
    check_lungs,
    head_mask,
    liver_core_ml,
    lung_midline_mm,
    lung_volume_ml,
)
from inference.transforms.geometry import canonical, crop
from inference.volume import Grid, Spacing, Units, Volume, regular_affine

L, P, S = np.eye(3)
AXIAL = np.column_stack([S, P, L])
COARSE = Spacing(4.0, 3.0, 3.0)
Paint = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def drawn(paint: Paint, size_mm: tuple[int, int, int], spacing: Spacing = COARSE,
          units: Units = "HU", directions: np.ndarray = AXIAL) -> Volume:
    """A volume around the origin whose voxels are painted from their LPS x, y, z in mm."""
    shape = tuple(int(size / step) for size, step in zip(size_mm, spacing, strict=True))
    affine = regular_affine((0, 0, 0), directions, spacing)
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2
    grid = Grid(shape, affine)
    places = np.moveaxis(grid.to_lps(np.stack(np.indices(shape), axis=-1)), -1, 0)
    return Volume(paint(*places).astype(np.float32), grid, units)


def ellipsoid(x, y, z, centre, radii):
    return sum(((a - c) / r) ** 2 for a, c, r in zip((x, y, z), centre, radii, strict=True)) < 1


def trunk(x, y, z):
    """Torso of 160 mm from head to foot each way: air, fat, muscle, spine."""
    hu = np.full(x.shape, -1000.0)
    hu[(x / 170) ** 2 + (y / 115) ** 2 < 1] = -100
    hu[(x / 155) ** 2 + (y / 100) ** 2 < 1] = 50
    hu[(x / 135) ** 2 + (y / 85) ** 2 < 1] = -95
    hu[x**2 + (y - 70) ** 2 < 20**2] = 300
    return hu


def chest(x, y, z):
    hu = trunk(x, y, z)
    for side in (-1, 1):
        hu[ellipsoid(x, y, z, (side * 75, 0, 0), (50, 75, 130))] = -850
    hu[ellipsoid(x, y, z, (25, -20, -40), (50, 45, 50))] = 50  # heart
    return hu


def abdomen(x, y, z):
    hu = trunk(x, y, z)
    hu[ellipsoid(x, y, z, (-65, -10, 30), (65, 70, 80))] = 105  # liver
    hu[ellipsoid(x, y, z, (85, 30, 50), (30, 40, 50))] = 110  # spleen
    hu[ellipsoid(x, y, z, (-75, 0, 150), (45, 60, 40))] = -850  # lung base
    hu[ellipsoid(x, y, z, (20, -40, -80), (40, 30, 30))] = -995  # bowel gas
    return hu


def pelvis(x, y, z):
    hu = trunk(x, y, z)
    for side in (-1, 1):
        hu[ellipsoid(x, y, z, (side * 95, 10, 0), (22, 50, 100))] = 700
        hu[ellipsoid(x, y, z, (side * 70, 60, 0), (40, 24, 100))] = 55
    hu[ellipsoid(x, y, z, (0, -30, 0), (45, 40, 45))] = 5  # bladder
    return hu


def head(x, y, z):
    signal = np.zeros(x.shape)
    radius = np.sqrt((x / 76) ** 2 + (y / 96) ** 2 + (z / 90) ** 2)
    signal[radius < 1] = 800  # scalp
    signal[radius < 0.93] = 40  # skull
    signal[radius < 0.86] = 500 + 100 * np.sin(x / 5)[radius < 0.86]  # brain
    signal[((x / 60) ** 2 + (y / 65) ** 2 < 1) & (z < -60)] = 350  # neck
    return signal


def knee(x, y, z):
    signal = np.zeros(x.shape)
    signal[(x / 70) ** 2 + (y / 75) ** 2 < (1 + z / 800) ** 2] = 350  # muscle and fat, thicker upwards
    signal[(x / 42) ** 2 + (y / 35) ** 2 < 1] = 40  # cortex
    signal[(x / 39) ** 2 + (y / 32) ** 2 < 1] = 700  # marrow
    signal[np.abs(z) < 6] *= 0.5  # joint
    return signal


@pytest.fixture(scope="module")
def bodies() -> dict[str, Volume]:
    size = (320, 400, 400)
    return {"chest": drawn(chest, size), "abdomen": drawn(abdomen, size), "pelvis": drawn(pelvis, size)}


@pytest.mark.parametrize("body", ["chest", "abdomen", "pelvis"])
def test_a_ct_is_in_hounsfield_units_and_says_so(bodies, body):
    check_ct_units(bodies[body])
    with pytest.raises(Unfit, match="no Hounsfield units"):
        check_ct_units(replace(bodies[body], units="signal"))


@pytest.mark.parametrize("shift", [1000.0, -900.0])
def test_a_ct_without_its_rescale_is_not(bodies, shift):
    chest_ct = bodies["chest"]
    with pytest.raises(Unfit, match="do not look like Hounsfield units"):
        check_ct_units(chest_ct.with_array(chest_ct.array + np.float32(shift)))


def test_a_chest_shows_lungs(bodies):
    check_lungs(bodies["chest"])
    drawn_ml = np.count_nonzero(bodies["chest"].array == -850) * bodies["chest"].grid.voxel_ml
    assert lung_volume_ml(bodies["chest"]) == pytest.approx(drawn_ml, rel=0.1)


@pytest.mark.parametrize(("body", "litres"), [("abdomen", "0.2|0.3|0.4"), ("pelvis", "0.0")])
def test_other_parts_show_no_lungs_and_the_reason_says_how_much(bodies, body, litres):
    with pytest.raises(Unfit, match=rf"does not show the lungs: ({litres}) litres"):
        check_lungs(bodies[body])


def test_bowel_gas_is_no_lung(bodies):
    upper = bodies["abdomen"]
    below_lungs = crop(upper, (slice(0, 50), slice(0, None), slice(0, None)))
    assert lung_volume_ml(below_lungs) == 0


def test_an_abdomen_shows_a_liver(bodies):
    check_liver(bodies["abdomen"])
    drawn_ml = np.count_nonzero(bodies["abdomen"].array == 105) * bodies["abdomen"].grid.voxel_ml
    assert 0.4 * drawn_ml < liver_core_ml(bodies["abdomen"]) < 0.6 * drawn_ml, "what lies deep in it"


@pytest.mark.parametrize("body", ["chest", "pelvis"])
def test_other_parts_show_no_liver(bodies, body):
    with pytest.raises(Unfit, match="does not show the liver"):
        check_liver(bodies[body])


def test_a_few_slices_of_liver_are_no_liver(bodies):
    slab = crop(bodies["abdomen"], (slice(42, 50), slice(0, None), slice(0, None)))
    with pytest.raises(Unfit):
        check_liver(slab)


def test_a_large_organ_on_the_left_is_no_liver(bodies):
    volume = bodies["abdomen"]
    with pytest.raises(Unfit):
        check_liver(volume.with_array(volume.array[:, :, ::-1].copy()))


@pytest.mark.parametrize("directions", [np.column_stack([P, -S, L]), np.column_stack([L, S, -P])],
                         ids=["coronal", "sagittal"])
def test_checks_do_not_depend_on_how_slices_were_cut(directions):
    sizes = np.abs(directions.T @ np.array([400, 400, 320]))
    volume = drawn(abdomen, tuple(int(s) for s in sizes), Spacing(4, 4, 4), directions=directions)
    check_liver(volume)
    with pytest.raises(Unfit):
        check_lungs(volume)


def test_the_lungs_midline_lies_between_them(bodies):
    assert lung_midline_mm(bodies["chest"]) == pytest.approx(0, abs=4)
    assert lung_midline_mm(bodies["pelvis"]) is None


@pytest.mark.parametrize("aerated", [-1, 1])
def test_the_midline_is_the_bodys_where_one_lung_alone_holds_air(aerated):
    def after_pneumonectomy(x, y, z):
        hu = chest(x, y, z)
        hu[(x * aerated < 0) & ellipsoid(x, y, z, (-aerated * 75, 0, 0), (51, 76, 131))] = 30
        return hu

    assert lung_midline_mm(drawn(after_pneumonectomy, (320, 400, 400))) == pytest.approx(0, abs=4)


HEAD_SIZE = (240, 240, 240)


def ml_above_0(volume: Volume) -> float:
    return float(np.count_nonzero(volume.array > 0)) * volume.grid.voxel_ml


def head_of(volume: Volume) -> float:
    """How much of it is a head, in ml; Unfit where it is none."""
    check_brain(volume)
    return ml_above_0(head_mask(volume))


@pytest.mark.parametrize("spacing", [Spacing(1.5, 1.5, 1.5), Spacing(6.0, 1.0, 1.0)])
def test_a_head_is_a_head(spacing):
    volume = drawn(head, HEAD_SIZE, spacing, "signal")
    assert head_of(volume) == pytest.approx(ml_above_0(volume), rel=0.1)


def test_a_head_is_a_head_in_noise_and_under_a_coil():
    volume = drawn(head, HEAD_SIZE, Spacing(3, 2, 2), "signal")
    noise = np.abs(np.random.default_rng(1).normal(0, 25, volume.grid.shape))
    shading = np.exp(np.linspace(-0.6, 0.6, volume.grid.shape[1]))[None, :, None]
    scanned = volume.with_array(((volume.array + noise) * shading).astype(np.float32))
    assert head_of(scanned) == pytest.approx(ml_above_0(volume), rel=0.1)


def test_a_skull_stripped_brain_is_a_head():
    volume = drawn(lambda x, y, z: 500.0 * ellipsoid(x, y, z, (0, 0, 0), (66, 84, 68)), HEAD_SIZE, units="signal")
    assert head_of(volume) == pytest.approx(ml_above_0(volume), rel=0.1)


def test_a_head_mask_has_no_holes():
    volume = drawn(head, HEAD_SIZE, units="signal")
    mask = head_mask(volume)
    assert mask.array[tuple(n // 2 for n in mask.grid.shape)]
    assert canonical(mask) is mask


def test_a_knee_is_no_head_whatever_its_header_says():
    with pytest.raises(Unfit, match="does not close to a vault"):
        check_brain(drawn(knee, (160, 180, 180), Spacing(4, 1.5, 1.5), "signal"), "T1")


def test_a_trunk_is_no_head():
    volume = drawn(abdomen, (320, 400, 400), units="signal")
    with pytest.raises(Unfit, match=r"340 mm from right to left|does not show a head"):
        check_brain(volume.with_array(np.maximum(volume.array + 1000, 0)))


def test_a_few_slices_of_head_are_too_few():
    volume = crop(drawn(head, HEAD_SIZE, units="signal"), (slice(30, 45), slice(0, None), slice(0, None)))
    with pytest.raises(Unfit, match=r"T2 series covers only .. mm"):
        check_brain(volume, "T2")


def test_an_empty_series_shows_nothing():
    volume = drawn(lambda x, y, z: np.zeros(x.shape), (100, 100, 100), units="signal")
    with pytest.raises(Unfit, match="shows nothing"):
        check_brain(volume)
