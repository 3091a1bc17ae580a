"""Measured against formulas: what a mask loses of the shape that was drawn, and that small lesions are flagged."""

import math

import numpy as np
import pytest

from inference import codes
from inference.measure import measure_findings
from inference.tasks.liver_tumour import LIVER_TUMOUR
from inference.volume import Grid, Spacing, Volume, regular_affine

TURNED = np.linalg.qr(np.array([[0.2, 0.3, 0.9], [0.1, 0.9, -0.3], [-0.95, 0.2, 0.1]]))[0]
GRIDS = {
    "isotropic": (np.eye(3)[:, ::-1], Spacing(1.0, 1.0, 1.0)),
    "anisotropic": (np.eye(3)[:, ::-1], Spacing(2.5, 0.8, 0.8)),
    "oblique": (TURNED, Spacing(1.5, 0.9, 0.7)),
}
# Radii in voxels along each axis of the grid; the middle lies between voxels, as a lesion's does.
RADII = [(10.0, 10.0, 10.0), (10.3, 14.2, 12.7), (15.5, 11.1, 19.8)]


def measured(radii: tuple[float, ...], axes: np.ndarray, spacing: Spacing):
    """An ellipsoid along the grid's axes, `radii` in voxels: its finding, and the radii in mm."""
    shape = tuple(2 * math.ceil(r) + 7 for r in radii)
    grid = Grid(shape, regular_affine((-80.0, 12.5, -300.0), axes, spacing))
    middle = np.array(shape) / 2 + (0.13, 0.41, -0.27)
    offsets = (np.moveaxis(np.indices(shape), 0, -1) - middle) / radii
    labels = np.where((offsets**2).sum(axis=-1) <= 1, 2, 0).astype(np.uint8)
    volume = Volume(np.zeros(shape, np.float32), grid, "HU")
    (finding,) = measure_findings(labels, LIVER_TUMOUR.structures, volume).findings
    return finding, np.array(radii) * spacing


def value(finding, quantity, derivation=None):
    return next(m.value for m in finding.measurements if (m.quantity, m.derivation) == (quantity, derivation))


@pytest.mark.parametrize("radii", RADII)
@pytest.mark.parametrize("form", GRIDS)
def test_from_twenty_voxels_on_volume_and_diameters_are_right(form: str, radii: tuple[float, ...]) -> None:
    axes, spacing = GRIDS[form]
    finding, (a, b, c) = measured(radii, axes, spacing)
    diagonal = float(np.linalg.norm(spacing))
    assert finding.volume_ml == pytest.approx(4 / 3 * math.pi * a * b * c / 1000, rel=0.01)
    assert value(finding, codes.DIAMETER, codes.MAXIMUM) == pytest.approx(2 * max(a, b, c), abs=diagonal)
    assert value(finding, codes.LONG_AXIS) == pytest.approx(2 * max(b, c), abs=diagonal)
    assert value(finding, codes.SHORT_AXIS) == pytest.approx(2 * min(b, c), abs=diagonal)
    assert finding.flags == ()


def test_what_is_too_small_to_be_measured_well_says_so() -> None:
    finding, radii = measured((1.5, 1.5, 1.5), *GRIDS["isotropic"])
    assert finding.volume_ml == pytest.approx(4 / 3 * math.pi * radii.prod() / 1000, rel=0.25)
    assert finding.flags == ("is smaller than 27 voxels",)
