"""Organs that breathing moved: bones lie right, the liver does not, and no lesion is taken for its neighbour."""

import numpy as np
import pytest
from scipy import ndimage

from inference.followup.match import Side, match
from inference.followup.register import Registration, register_prior
from inference.trend import Outcome
from inference.volume import Volume

UPPER, LOWER = (-60.0, 0.0, -60.0), (-60.0, 0.0, -76.0)  # in the liver, one breath apart


def breathed(body: Volume, depth_mm: float) -> Volume:
    """What lies inside the trunk further down by up to `depth_mm`, most below the diaphragm."""
    axes = (np.arange(n) for n in body.grid.shape)
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    low = body.grid.origin
    step = body.grid.spacing.z
    inside = ((low[0] + step * x) / 105) ** 2 + ((low[1] + step * y + 5) / 62) ** 2 < 1
    share = ndimage.gaussian_filter(np.clip((low[2] + step * z + 200) / 100, 0, 1) * inside, 3.0)
    places = np.broadcast_arrays(z + depth_mm / step * share, y, x)
    return body.with_array(ndimage.map_coordinates(np.asarray(body.array), places, order=1, mode="nearest"))


def down(place, depth_mm):
    return (place[0], place[1], place[2] - depth_mm)


@pytest.fixture(scope="module", params=[4.0, 16.0])
def breath(request, abdomen):
    found = register_prior(abdomen, breathed(abdomen, request.param))
    assert isinstance(found, Registration)
    assert found.agreement.residual_mm < 1.0  # most of the body lies right
    return request.param, found


@pytest.mark.parametrize("shown", [("upper", "lower"), ("upper",), ("lower",)])
def test_neighbours_along_the_breath_are_not_swapped(abdomen, balls, breath, shown):
    depth, registration = breath
    places = {"upper": UPPER, "lower": LOWER}
    before = balls({name: (place, 6) for name, place in places.items()}, abdomen.grid)
    now = balls({f"{name} now": (down(places[name], depth), 6) for name in shown}, abdomen.grid)
    found = match(Side(before, abdomen.grid), Side(now, abdomen.grid), registration)
    assert all(current == f"{prior} now" for current, prior in found.handed_on.items())
    if depth < 6:
        assert len(found.handed_on) == len(shown)
    else:
        assert {link.outcome for link in found.links} == {Outcome.UNCERTAIN}
        assert all("apart around it" in link.reason for link in found.links)
