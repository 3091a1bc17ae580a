"""Only windows that matter for the organ are looked through, and the answer is that of all of them."""

from dataclasses import replace
from hashlib import sha256
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from inference.backends import build
from inference.backends.by_recipe import Plan, segment_by_recipe
from inference.evaluation.metrics import dice
from inference.narrow import KEPT, STEP, Narrow, needed
from inference.phantom import make_case
from inference.recipe import Output, Region
from inference.sliding import GAUSSIAN, Sliding, gaussian_weights, slide
from inference.tasks import TASKS
from inference.volume import Grid

BUNDLES = Path(__file__).resolve().parents[2] / "inference" / "bundles"
OUTPUT = Output(activation="sigmoid", regions=[Region(name="liver", label=1, members=[1])])
WINDOW = 16
SHAPE = (32, 32, 96)


def places() -> list[tuple[slice, ...]]:
    starts = [range(0, size - WINDOW + 1, WINDOW // 2) for size in SHAPE]
    return [tuple(slice(start, start + WINDOW) for start in corner) for corner in product(*starts)]


def points(*box: slice) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[box] = True
    return mask[1::2, 1::2, 1::2]


def test_what_is_looked_through_brings_most_of_every_wanted_point():
    wanted = points(slice(8, 24), slice(4, 20), slice(30, 50))
    kept = needed(places(), wanted, [], GAUSSIAN)
    assert 0 < len(kept) < len(places()) / 2
    sums = {}
    for name, some in (("kept", kept), ("all", places())):
        sums[name] = np.zeros(SHAPE)
        for place in some:
            sums[name][place] += gaussian_weights((WINDOW,) * 3).numpy()
    share = (sums["kept"] / sums["all"])[1::2, 1::2, 1::2][wanted]
    assert share.min() > KEPT - 0.05


def test_windows_that_were_looked_through_count():
    wanted = points(slice(8, 24), slice(4, 20), slice(30, 50))
    kept = needed(places(), wanted, [], GAUSSIAN)
    assert needed(places(), wanted, kept, GAUSSIAN) == []
    assert set(map(str, needed(places(), wanted, kept[1:], GAUSSIAN))) == {str(kept[0])}


class Bright(nn.Module):
    """Finds what is brighter than 0.5, where it sees enough of it; counts the windows that it is shown."""

    divisor = 4

    def __init__(self) -> None:
        super().__init__()
        self.shown = 0

    def forward(self, x):
        self.shown += len(x)
        return 20 * (x - 0.5)


def looked(volume: np.ndarray, spacing: float) -> tuple[np.ndarray, int, list[str]]:
    told: list[str] = []
    narrow = Narrow("liver", OUTPUT, Grid(volume.shape, np.diag([spacing] * 3 + [1.0])), told.append)
    network = Bright()
    sliding = Sliding((WINDOW,) * 3, 0.5, precision="fp32")
    logits = slide(network, volume[None].astype(np.float32), np.ones(volume.shape, bool), sliding, narrow=narrow)
    return logits[0] > 0, network.shown, told


def test_far_from_the_organ_nothing_is_looked_at_closely():
    volume = np.zeros(SHAPE)
    volume[4:28, 4:28, 4:30] = 1
    found, windows, told = looked(volume, spacing=4.0)
    assert np.array_equal(found, volume > 0)
    assert windows < len(places()) / 2
    assert told[0].startswith("Looked at closely where the liver lies: ")


def test_an_organ_that_the_first_look_cuts_short_is_followed_to_its_end():
    volume = np.zeros(SHAPE)
    volume[4:28, 4:28, 4:30] = 1
    volume[::2, 16, 30:94] = volume[1::2, 17, 30:94] = 1  # too thin for half the resolution
    found, _, _ = looked(volume, spacing=4.0)
    assert np.array_equal(found, volume > 0)


@pytest.mark.parametrize("size", [0, 2])
def test_where_no_organ_is_recognised_everything_is_looked_at(size):
    volume = np.zeros(SHAPE)
    volume[10:10 + size, 10:10 + size, 10:10 + size] = 1
    found, windows, told = looked(volume, spacing=4.0)
    assert np.array_equal(found, volume > 0)
    assert windows == len(places()) + 2, "the first look, and every window"
    assert [note.partition(";")[0] for note in told] == ["A first look at half the resolution did not show the liver"]


def test_only_a_network_that_finds_the_organ_is_narrowed():
    recipe = build({"kind": "bundle", "path": str(BUNDLES / "liver_tumour")}).load("cpu").plan.recipe
    tumours = Output(activation="sigmoid", regions=[Region(name="tumour", label=2, members=[2])])
    for output, organ in ((OUTPUT, "liver"), (tumours, "")):
        assert Plan(recipe, output, (16, 16, 16), 0.5).within(TASKS["liver_tumour"]).organ == organ
    assert not Plan(recipe, OUTPUT, (16, 16, 16), 0.5).within(TASKS["lung_nodule"]).organ


class Remembered(nn.Module):
    """A network that is asked once for every window."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.divisor, self.answers = network, network.divisor, {}

    def forward(self, x):
        return torch.stack([self._one(window) for window in x])

    def _one(self, window):
        key = sha256(window.contiguous().numpy().tobytes()).digest()
        if key not in self.answers:
            self.answers[key] = self.network(window[None])[0]
        return self.answers[key]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5000, 5006))
def test_livers_and_tumours_are_those_of_a_look_everywhere(seed):
    """Phantoms that chose the weights; among them some with many lesions."""
    card, volumes = TASKS["liver_tumour"], make_case("liver_tumour", seed).volumes
    loaded = build({"kind": "bundle", "path": str(BUNDLES / "liver_tumour")}).load("cpu")
    network, plan = Remembered(loaded.network), loaded.plan.within(card)
    near, everywhere = (segment_by_recipe(network, volumes, one, "cpu", lambda *_: None)
                        for one in (plan, replace(plan, organ="")))
    assert near.notes
    assert not everywhere.notes
    grid = volumes["CT"].grid
    for label in (1, 2):
        clean, all_clean = (card.postprocess(one.labels, grid) == label for one in (near, everywhere))
        assert dice(clean, all_clean) > 0.995


def test_points_lie_on_every_second_voxel():
    assert STEP == 2
    assert points(slice(0, 2), slice(0, 2), slice(0, 2)).sum() == 1
