"""A bundle's marks on phantoms are judged by LUNA16's rules, sure or not."""

from types import SimpleNamespace

import numpy as np
import pytest
from torch import nn

from inference.backends.by_recipe import Plan
from inference.evaluation import phantom_nodules as module
from inference.evaluation.phantom_nodules import marks_of, phantom_froc
from inference.phantom import Lesion, PhantomCase
from inference.recipe import Channel, Output, Recipe, Region
from inference.volume import Grid, Spacing, Volume, regular_affine

OUTPUT = Output(activation="sigmoid", regions=(Region(name="nodule", label=1, members=(1,), peak=0.99),))
RECIPE = Recipe(primary="CT", channels=(Channel(role="CT", scale="none"),), spacing_mm=(2, 2, 2))


class Bright(nn.Module):
    """Sure of 100 HU, unsure of 10 HU."""

    def forward(self, values):
        return values / 10 - 0.5


@pytest.fixture
def bundle():
    plan = Plan(RECIPE, OUTPUT, (16, 16, 16), 0.25)
    return SimpleNamespace(network=Bright(), plan=plan, device="cpu", identity=SimpleNamespace(name="bright"))


def case(seed):
    """A nodule of 100 HU; in odd ones a nodule of 10 HU beside it, and 100 HU that are none."""
    array = np.full((20, 30, 30), -800.0, np.float32)
    array[5:10, 5:10, 5:10] = 100
    grid = Grid(array.shape, regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(2, 2, 2)))
    places = [(7, 7, 7)]
    if seed % 2:
        array[5:10, 20:25, 5:10] = 10
        array[14:18, 20:24, 20:24] = 100
        places.append((7, 22, 7))
    lesions = tuple(Lesion(1, 10.0, 1.0, tuple(map(float, grid.to_lps(np.array(place))))) for place in places)
    return PhantomCase("lung_nodule", seed, "CT", {"CT": Volume(array, grid, "HU")}, np.zeros(array.shape, np.uint8),
                       lesions, {})


def test_a_mark_lies_in_its_middle_and_is_as_sure_as_its_surest_voxel(bundle):
    (nodule,) = case(0).lesions
    (mark,) = marks_of(bundle, case(0).volumes, "a scan")
    assert mark.scan == "a scan"
    assert mark.centre == pytest.approx(nodule.centre, abs=0.5)
    assert mark.score == pytest.approx(1.0, abs=1e-3)


def test_marks_that_the_node_would_leave_out_count_after_the_sure_ones(bundle, monkeypatch):
    monkeypatch.setattr(module, "make_case", lambda task, seed: case(seed))
    found = phantom_froc([1, 2], bundle)
    assert (found.name, found.scans, found.nodules, found.hit, found.false_positives) == ("bright", 2, 3, 3, 1)
    assert found.curve[-1] == (0.5, 1.0)
    assert (0.5, pytest.approx(2 / 3)) in found.curve, "the false alarm is surer than the faint nodule"
