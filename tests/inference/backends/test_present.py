"""A model that prepares its inputs itself sees them as the scanner gave them, in the order nearest to LPS."""

import numpy as np

from inference.backends.present import present
from inference.tasks import BRAIN_TUMOUR, LIVER_TUMOUR
from inference.transforms.geometry import canonical
from inference.volume import Grid, Volume


def test_values_and_grid_are_the_scanners(volume_of, orientation):
    volume = volume_of(orientation)
    shown = present({"CT": volume}, LIVER_TUMOUR, ["CT"], register_roles=False)
    assert np.array_equal(shown.array[0], canonical(volume).array)
    assert shown.grid.matches(canonical(volume).grid)
    assert shown.source is volume.grid


def test_channels_come_in_the_order_of_the_roles(volume_of):
    volumes = {role.name: volume_of(units="signal").with_array(np.full((6, 20, 24), n, np.float32))
               for n, role in enumerate(BRAIN_TUMOUR.roles)}
    shown = present(volumes, BRAIN_TUMOUR, ["FLAIR", "T1", "T1ce", "T2"], register_roles=False)
    assert shown.array[:, 0, 0, 0].tolist() == [3, 0, 1, 2]


def test_a_role_on_another_grid_is_brought_onto_the_primary_one(volume_of):
    volumes = {role.name: volume_of(units="signal") for role in BRAIN_TUMOUR.roles}
    affine = volumes["T2"].grid.affine.copy()
    affine[:3, 3] = volumes["T2"].grid.to_lps((1, 0, 0))
    volumes["T2"] = Volume(volumes["T2"].array, Grid(volumes["T2"].grid.shape, affine), "signal")
    shown = present(volumes, BRAIN_TUMOUR, ["T1ce", "T2"], register_roles=False)
    assert np.allclose(shown.array[1][1:], shown.array[0][:-1])


def test_a_spacing_may_be_asked_for(volume_of):
    shown = present({"CT": volume_of()}, LIVER_TUMOUR, ["CT"], register_roles=False, spacing_mm=(2.0, 2.0, 2.0))
    assert np.allclose(shown.grid.spacing, 2.0)
