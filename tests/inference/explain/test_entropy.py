"""Entropy, against a count voxel by voxel: of a map, of a finding, and of the shell around it."""

import math

import numpy as np
import pytest

from inference.explain.entropy import border, entropy, with_entropy
from inference.measure import measure_findings
from inference.recipe import Output, Region
from inference.tasks import LIVER_TUMOUR

NESTED = Output(activation="sigmoid", regions=[
    Region(name="organ", label=1, members=[1, 2]), Region(name="tumour", label=2, members=[2])])
CLASSES = NESTED.model_copy(update={"activation": "softmax"})


def bits(*chances: float) -> float:
    return -sum(p * math.log2(p) for p in chances if p > 0)


def test_of_regions_the_least_sure_counts():
    chances = np.random.default_rng(0).random((2, 3, 4, 5)).astype(np.float32)
    chances[:, 0, 0, :3] = [[0, 1, 0.5], [1, 1, 0]]
    found = entropy(chances, NESTED)
    for at in np.ndindex(3, 4, 5):
        expected = max(bits(p, 1 - p) for p in chances[(slice(None), *at)].tolist())
        assert found[at] == pytest.approx(expected, abs=1e-5)
    assert found[0, 0, :3].tolist() == [0, 0, 1]
    assert 0 <= found.min() <= found.max() <= 1


def test_of_classes_it_is_shared_and_1_where_all_are_alike():
    chances = np.random.default_rng(1).random((3, 2, 3, 4)).astype(np.float32)
    chances /= chances.sum(axis=0)
    chances[:, 0, 0, :2] = np.array([[1, 1 / 3], [0, 1 / 3], [0, 1 / 3]])
    found = entropy(chances, CLASSES)
    for at in np.ndindex(2, 3, 4):
        assert found[at] == pytest.approx(bits(*chances[(slice(None), *at)].tolist()) / math.log2(3), abs=1e-5)
    assert found[0, 0, :2] == pytest.approx([0, 1], abs=1e-6)


def neighbours(at: tuple[int, ...], shape: tuple[int, ...]):
    for axis in range(3):
        for step in (-1, 1):
            place = list(at)
            place[axis] += step
            if 0 <= place[axis] < shape[axis]:
                yield tuple(place)


def shell_of(mask: np.ndarray) -> np.ndarray:
    shell = np.zeros_like(mask)
    for at in np.ndindex(mask.shape):
        shell[at] = any(mask[at] != mask[other] for other in neighbours(at, mask.shape))
    return shell


def test_the_border_is_both_sides_of_the_surface_and_not_the_end_of_the_images():
    mask = np.zeros((5, 7, 8), bool)
    mask[0:3, 2:6, 4:8] = True
    mask[1, 3, 2] = True
    assert np.array_equal(border(mask), shell_of(mask))


def test_each_finding_has_its_means(volume_of):
    volume = volume_of()
    labels = np.zeros(volume.grid.shape, np.uint8)
    labels[1:5, 0:15, 3:20] = 1
    labels[2:4, 4:8, 5:9], labels[3, 10, 15] = 2, 2
    measured = measure_findings(labels, LIVER_TUMOUR.structures, volume)
    values = np.random.default_rng(2).random(volume.grid.shape).astype(np.float16)
    found = with_entropy(measured, values).findings
    assert [f.label for f in found] == ["Liver", "Liver tumour 1", "Liver tumour 2"]
    for finding in found:
        mask = measured.labelmap == finding.number
        assert finding.entropy.inside == pytest.approx(np.mean(values[mask].astype(float)))
        assert finding.entropy.border == pytest.approx(np.mean(values[shell_of(mask)].astype(float)))


def test_what_fills_the_images_has_no_border(volume_of):
    volume = volume_of()
    measured = measure_findings(np.ones(volume.grid.shape, np.uint8), LIVER_TUMOUR.structures, volume)
    (found,) = with_entropy(measured, np.full(volume.grid.shape, 0.25, np.float16)).findings
    assert found.entropy == (0.25, 0.25)


def test_nothing_found_is_nothing_to_be_unsure_of(volume_of):
    volume = volume_of()
    measured = measure_findings(np.zeros(volume.grid.shape, np.uint8), LIVER_TUMOUR.structures, volume)
    assert with_entropy(measured, np.zeros(volume.grid.shape, np.float16)) == measured
