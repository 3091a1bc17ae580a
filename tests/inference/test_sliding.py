"""A network over a volume larger than its window gives the answer that it would give in one piece."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from inference import sliding as sliding_module
from inference.errors import Exhausted
from inference.explain.entropy import entropy
from inference.recipe import Output, Region
from inference.sliding import UNSEEN, Sliding, gaussian_weights, probabilities, slide, window_starts


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """Full precision, so that answers can be compared closely."""
    monkeypatch.setattr(sliding_module, "cpu_has_bfloat16", lambda: False)


class Counting(nn.Module):
    """Answers with its input and its negative; remembers what it was shown."""

    divisor = 4

    def __init__(self):
        super().__init__()
        self.windows = []

    def forward(self, x):
        self.windows.append(tuple(x.shape))
        return torch.cat([x, -x], dim=1)


def everywhere(shape):
    return np.ones(shape, dtype=bool)


@pytest.mark.parametrize("shape", [(20, 33, 41), (5, 40, 16), (16, 16, 16), (3, 3, 3)])
def test_overlapping_windows_agree_with_the_whole(shape):
    array = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    logits = slide(Counting(), array, everywhere(shape), Sliding((16, 16, 16)))
    assert logits.shape == (2, *shape)
    assert logits == pytest.approx(np.concatenate([array, -array]), abs=1e-5)


@pytest.mark.parametrize(("size", "window", "overlap"), [(100, 32, 0.25), (33, 32, 0.5), (64, 32, 0.0), (10, 32, 0.5)])
def test_windows_cover_an_axis_with_at_least_their_overlap(size, window, overlap):
    starts = window_starts(size, window, overlap)
    assert starts[0] == 0
    assert starts[-1] == max(0, size - window)
    assert all(b - a <= window * (1 - overlap) + 1 for a, b in pairwise(starts))


def test_the_middle_of_a_window_weighs_most_and_no_corner_nothing():
    weights = gaussian_weights((8, 8, 8))
    assert weights.argmax() == weights.flip(0, 1, 2).argmax()
    assert float(weights.min()) > 0


def test_a_window_is_no_larger_than_the_volume_needs():
    network = Counting()
    slide(network, np.zeros((1, 6, 40, 40), np.float32), everywhere((6, 40, 40)), Sliding((32, 32, 32), batch=8))
    assert {shape[2:] for shape in network.windows} == {(8, 32, 32)}


def test_windows_without_foreground_are_skipped_and_unseen():
    foreground = np.zeros((16, 16, 64), dtype=bool)
    foreground[8, 8, 5] = True
    network = Counting()
    logits = slide(network, np.ones((1, 16, 16, 64), np.float32), foreground, Sliding((16, 16, 16)))
    assert sum(shape[0] for shape in network.windows) == 1
    assert logits[0, 8, 8, 5] == pytest.approx(1)
    assert (logits[..., 16:] == UNSEEN).all()


def test_progress_grows_to_one():
    told = []
    shape = (16, 16, 64)
    slide(Counting(), np.zeros((1, *shape), np.float32), everywhere(shape), Sliding((16, 16, 16)), told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_no_foreground_at_all_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="nothing to look at"):
        slide(Counting(), np.zeros((1, 8, 8, 8), np.float32), np.zeros((8, 8, 8), bool), Sliding((8, 8, 8)))


class Hungry(Counting):
    """Fits into memory only when it is shown one window at a time."""

    def forward(self, x):
        if x.shape[0] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(x)

    def to(self, *arguments, **keywords):
        return self  # there is no such device here


def test_device_memory_that_does_not_suffice_is_tried_with_less(monkeypatch):
    monkeypatch.setattr(sliding_module, "_ladder", lambda wanted: iter([wanted, replace(wanted, batch=1)]))
    array = np.ones((1, 16, 16, 40), np.float32)
    logits = slide(Hungry(), array, everywhere((16, 16, 40)), Sliding((16, 16, 16), batch=2))
    assert logits[0] == pytest.approx(array[0])


def test_the_ladder_ends_on_the_cpu():
    steps = list(sliding_module._ladder(Sliding((8, 8, 8), batch=4, device="cuda:0")))
    assert [(s.batch, s.device, s.sums_on) for s in steps] == [
        (4, "cuda:0", ""), (1, "cuda:0", ""), (1, "cuda:0", "cpu"), (1, "cpu", "cpu")]


@pytest.mark.parametrize("fault", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_no_memory_on_the_cpu_is_exhausted(fault):
    class Full(Counting):
        def forward(self, x):
            raise fault

    with pytest.raises(Exhausted, match="Memory does not suffice"):
        slide(Full(), np.zeros((1, 8, 8, 8), np.float32), everywhere((8, 8, 8)), Sliding((8, 8, 8)))


def test_other_faults_of_a_network_are_not_hidden():
    class Broken(Counting):
        def forward(self, x):
            raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        slide(Broken(), np.zeros((1, 8, 8, 8), np.float32), everywhere((8, 8, 8)), Sliding((8, 8, 8)))


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_outside_the_region_there_is_only_background(activation):
    output = Output(activation=activation, regions=[Region(name="x", label=1, members=[1])])
    foreground = np.zeros((2, 2, 2), dtype=bool)
    foreground[0] = True
    logits = np.full((output.channels, 2, 2, 2), 1.0, np.float32)
    chance = probabilities(logits, foreground, output)
    assert (chance[-1, 0] >= 0.5).all()
    assert not chance[-1, 1].any()
    if activation == "softmax":
        assert (chance[0, 1] == 1).all()
        assert chance.sum(axis=0) == pytest.approx(1)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_where_no_window_looked_there_is_only_background(activation):
    output = Output(activation=activation, regions=[Region(name=name, label=n, members=[n])
                                                    for n, name in enumerate(("liver", "tumour"), start=1)])
    logits = np.full((output.channels, 2, 2, 2), UNSEEN, np.float32)
    logits[:, 0] = 1.0
    chance = probabilities(logits, everywhere((2, 2, 2)), output)
    assert chance[-2:, 1] == pytest.approx(0, abs=1e-6)
    assert entropy(chance, output)[1] == pytest.approx(0, abs=1e-6)
    assert (chance[-2:, 0] > 0.3).all()


def test_half_precision_is_asked_of_the_cpu(monkeypatch, tmp_path):
    monkeypatch.undo()
    sliding_module.cpu_has_bfloat16.cache_clear()
    for flags, expected in (("fpu avx512_bf16 sse", True), ("fpu amx_bf16", True), ("fpu avx2", False)):
        monkeypatch.setattr(sliding_module.Path, "read_text", lambda _path, flags=flags: flags)
        sliding_module.cpu_has_bfloat16.cache_clear()
        assert sliding_module.cpu_has_bfloat16() is expected
    sliding_module.cpu_has_bfloat16.cache_clear()


def test_a_region_may_have_a_temperature():
    regions = [Region(name="a", label=1, members=[1]), Region(name="b", label=2, members=[2], temperature=2.0)]
    logits = np.random.default_rng(0).normal(0, 4, (2, 2, 3, 4)).astype(np.float32)
    chance = probabilities(logits, everywhere((2, 3, 4)), Output(activation="sigmoid", regions=regions))
    assert chance == pytest.approx(1 / (1 + np.exp(-logits / np.array([1, 2])[:, None, None, None])), abs=1e-6)
