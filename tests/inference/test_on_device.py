"""What a device makes of a volume, and of an answer, is what the CPU's way makes of them."""

import numpy as np
import pytest
import torch
from torch import nn

from inference import on_device
from inference.answer import convinced, map_on_source, on_source
from inference.backends.base import at_once
from inference.backends.by_recipe import Plan, segment_by_recipe
from inference.explain.entropy import entropy
from inference.on_device import answer, channels, serves
from inference.phantom import make_case
from inference.prepare import lay, prepare
from inference.recipe import Channel, Output, Recipe, Region
from inference.volume import Spacing

NODULE = Output(activation="sigmoid", regions=[Region(name="nodule", label=1, members=[1], peak=0.9)])
NESTED = Output(activation="sigmoid", regions=[
    Region(name="organ", label=1, members=[1, 2]),
    Region(name="tumour", label=2, members=[2], threshold=0.3, peak=0.8)])
CLASSES = Output(activation="softmax", regions=[
    Region(name="organ", label=1, members=[1]), Region(name="other", label=0, members=[3]),
    Region(name="tumour", label=2, members=[2])])


def ct(spacing=(2.0, 1.5, 1.7), **changes):
    shown = [Channel(role="CT", scale="window", low=low, high=high) for low, high in ((-100, 60), (0, 40))]
    return Recipe(**{"primary": "CT", "channels": [*shown, Channel(role="CT", scale="none")],
                     "spacing_mm": spacing} | changes)


def close(one, other):
    """Whether they are alike but for rounding."""
    return (one.shape, one.dtype) == (other.shape, other.dtype) and bool(
        np.abs(one.astype(float) - other.astype(float)).max() <= 1e-3 * max(1.0, float(np.abs(other).max())))


def alike(labels, others):
    """Whether hardly a label is another one."""
    same_kind = labels.dtype == others.dtype == np.uint8
    return same_kind and int(np.count_nonzero(labels != others)) <= 1e-4 * labels.size


@pytest.fixture(params=[2**24, 700])
def slabs(request, monkeypatch):
    """In one piece, and in many."""
    monkeypatch.setattr(on_device, "SLAB", request.param)


def smooth(rng, shape):
    """Probabilities with blobs, as a network has them."""
    coarse = torch.from_numpy(rng.normal(0, 6, (1, shape[0], *(max(2, n // 4) for n in shape[1:]))).astype(np.float32))
    return nn.functional.interpolate(coarse, shape[1:], mode="trilinear")[0]


@pytest.mark.usefixtures("slabs")
@pytest.mark.parametrize("spacing", [(2.0, 1.5, 1.7), (5.1, 2.2, 3.4), (0.9, 0.6, 0.7)])
def test_channels_are_those_of_the_cpu(orientation, volume_of, spacing):
    volume, recipe = volume_of(orientation, Spacing(2.5, 0.8, 1.1), (17, 46, 39)), ct(spacing)
    assert close(channels(volume, lay(volume, recipe), recipe, "cpu").numpy(), prepare({"CT": volume}, recipe).array)


def test_at_its_own_spacing_nothing_is_interpolated(orientation, volume_of):
    volume = volume_of(orientation)
    recipe = ct(tuple(lay(volume, ct()).canonical.spacing))
    assert close(channels(volume, lay(volume, recipe), recipe, "cpu").numpy(), prepare({"CT": volume}, recipe).array)


@pytest.mark.usefixtures("slabs")
@pytest.mark.parametrize("output", [NODULE, NESTED, CLASSES])
@pytest.mark.parametrize("spacing", [(2.0, 1.5, 1.7), (0.9, 0.6, 0.7)])
def test_answers_are_those_of_the_cpu(orientation, volume_of, spacing, output):
    volume = volume_of(orientation, Spacing(2.5, 0.8, 1.1), (14, 40, 34))
    layout = lay(volume, ct(spacing))
    logits = smooth(np.random.default_rng(3), (output.channels, *layout.grid.shape))
    chances = (logits.sigmoid() if output.activation == "sigmoid" else logits.softmax(0)).numpy()
    ours, theirs = answer(chances, layout, output, "cpu"), on_source(convinced(chances, output), layout, output)
    assert theirs.labels.any()
    assert alike(ours.found.labels, theirs.labels)
    same = ours.found.labels == theirs.labels
    assert close(ours.found.probability[same], theirs.probability[same])
    assert close(ours.uncertainty, map_on_source(entropy(chances, output), layout))


def test_nothing_found_is_an_empty_answer(volume_of):
    layout = lay(volume_of(), ct())
    empty = answer(np.zeros((1, *layout.grid.shape), np.float32), layout, NODULE, "cpu")
    assert empty.found.labels.shape == layout.source.shape
    for array in (*empty.found, empty.uncertainty):
        assert not array.any()


@pytest.mark.parametrize("channel", [Channel(role="CT", scale="zscore"), Channel(role="PET", scale="none")])
def test_a_gpu_serves_a_ct_that_nothing_is_done_to(channel):
    assert serves("cuda:1", ct())
    assert not serves("cpu", ct())
    assert not serves("cuda", ct(denoise="median"))
    assert not serves("cuda", ct(bias_field=True))
    assert not serves("cuda", ct(channels=[channel]))


class Bright(nn.Module):
    """Finds what is bright, softly."""

    def forward(self, x):
        return 8 * x[:, 1:2] - 4


def segmented(volume, flips=(), turn=at_once):
    shown = [Channel(role="CT", scale="window", low=low, high=high) for low, high in ((-1000, 200), (-900, 100))]
    recipe = Recipe(primary="CT", spacing_mm=(2.5, 2.5, 2.5), roi="lungs", margin_mm=4, channels=shown)
    plan = Plan(recipe, NODULE, (32, 32, 32), 0.25, precision="fp32", flips=flips)
    return segment_by_recipe(Bright(), {"CT": volume}, plan, "cpu", lambda *_: None, turn)


@pytest.fixture(scope="module")
def chest():
    return make_case("lung_nodule", 3).volumes["CT"]


@pytest.mark.parametrize("flips", [(), ("x", "z")])
def test_the_whole_way_gives_what_the_cpus_does(chest, monkeypatch, flips):
    plain = segmented(chest, flips)
    monkeypatch.setattr(on_device, "serves", lambda *_: True)
    beside = segmented(chest, flips)
    assert plain.labels.any()
    assert alike(beside.labels, plain.labels)
    assert close(beside.uncertainty, plain.uncertainty)
    assert beside.agreement == plain.agreement
    assert set(beside.seconds) == {"prepare", "network", "restore"}
    assert not beside.notes


def test_all_that_the_device_does_is_one_turn(chest, monkeypatch):
    turns, outside = [], []

    def turn(work, _report):
        turns.append(work)
        before = list(outside)
        done = work()
        outside[:] = before
        return done

    def watched(name, way):
        def call(*arguments):
            outside.append(name)
            return way(*arguments)
        monkeypatch.setattr(on_device, name, call)

    monkeypatch.setattr(on_device, "serves", lambda *_: True)
    watched("channels", channels)
    watched("answer", answer)
    segmented(chest, turn=turn)
    assert len(turns) == 1
    assert not outside


def test_where_the_devices_memory_does_not_suffice_the_cpu_takes_over(chest, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    plain = segmented(chest)
    for name, value in (("serves", lambda *_: True), ("channels", full), ("answer", full)):
        monkeypatch.setattr(on_device, name, value)
    beside = segmented(chest)
    assert np.array_equal(beside.labels, plain.labels)
    assert [note.split(":")[1] for note in beside.notes] == [
        " the volume was prepared on the CPU.", " the volume was brought back on the CPU."]
