"""Lesions outside their organ and volumes that cannot be are told; what is as it should be is not."""

from dataclasses import replace

import numpy as np
import pytest

from inference.explain.plausible import with_checks
from inference.measure import Measured, measure_findings
from inference.tasks import BRAIN_TUMOUR, LIVER_TUMOUR, LUNG_NODULE, TASKS
from inference.volume import Grid, Spacing, Volume, regular_affine

LARGE = Grid((30, 40, 40), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(5.0, 4.0, 4.0)))


def checked(labels: np.ndarray, card, volume: Volume | None = None) -> Measured:
    volume = volume or Volume(np.zeros(labels.shape, np.float32), LARGE, "HU")
    measured = measure_findings(labels, card.structures, volume, card.regions)
    return with_checks(measured, labels, volume, card)


def liver() -> np.ndarray:
    """A liver of 1.6 l."""
    labels = np.zeros(LARGE.shape, np.uint8)
    labels[5:25, 10:30, 5:30][:, :, :50] = 1
    return labels


def test_a_liver_with_a_tumour_in_it_or_on_it_has_nothing_to_be_told():
    labels = liver()
    labels[10:13, 12:16, 12:16] = 2
    labels[25:27, 12:16, 12:16] = 2
    labels[24, 30, 30] = 2  # touches by a corner
    found = checked(labels, LIVER_TUMOUR)
    assert [f.flags for f in found.findings[:3]] == [()] * 3
    assert found.notes == ()


def test_a_tumour_apart_from_its_liver_is_told():
    labels = liver()
    labels[10:13, 33:37, 33:37] = 2
    labels[10:13, 12:16, 12:16] = 2
    flags = {f.label: f.flags for f in checked(labels, LIVER_TUMOUR).findings}
    assert sorted(flags.values()) == [(), (), ("lies apart from the liver",)]
    assert flags["Liver"] == ()


@pytest.mark.parametrize(("part", "word", "bound"), [
    (np.s_[5:7, 10:20, 5:10], "8 ml, less", "400 ml"), (np.s_[0:0], "0 ml, less", "400 ml"),
    (np.s_[:], "3840 ml", ""),
])
def test_a_liver_of_an_odd_volume_is_told_with_the_bound_and_whose_it_is(part, word, bound):
    labels = np.zeros(LARGE.shape, np.uint8)
    labels[part] = 1
    notes = checked(labels, LIVER_TUMOUR).notes
    if not bound:
        assert notes == ()
        return
    (note,) = notes
    assert note.startswith(f"The liver with its tumours measures {word} than is plausible: {bound}, our own bound")
    assert "Feng" in note


def test_flags_that_a_finding_has_already_stay_first():
    labels = liver()
    labels[0:3, 36:40, 36:40] = 2
    (_, tumour) = checked(labels, LIVER_TUMOUR).findings
    assert [flag.split()[0] for flag in tumour.flags] == ["reaches", "lies"]


def test_a_nodule_of_more_than_30_mm_is_a_mass(monkeypatch):
    card = replace(LUNG_NODULE, organ=None)
    labels = np.zeros(LARGE.shape, np.uint8)
    labels[3:8, 5:12, 5:12] = 1
    labels[20:22, 20:23, 20:23] = 1
    large, small = checked(labels, card).findings
    (flag,) = large.flags
    assert flag.startswith("measures 19.6 ml, more than is plausible: 14.1 ml")
    assert "BTS" in flag
    assert not any("plausible" in flag for flag in small.flags)


def test_a_volume_just_beyond_its_bound_is_not_told_as_the_bound():
    labels = np.zeros(LARGE.shape, np.uint8)
    labels[3:8, 5:11, 5:11] = 1
    (finding,) = checked(labels, replace(LUNG_NODULE, organ=None)).findings
    assert finding.flags[0].startswith("measures 14.4 ml, more than is plausible: 14.1 ml")


def test_a_tumour_larger_than_heads_hold_is_told():
    labels = np.zeros(LARGE.shape, np.uint8)
    labels[5:25, 10:30, 5:30] = 2
    found = checked(labels, replace(BRAIN_TUMOUR, organ=None))
    assert [note for note in found.notes if note.startswith("The whole tumour measures 800 ml, more than")]


def chest() -> Volume:
    """A block of tissue in air with two lungs, on an oblique grid."""
    turn = np.radians(20)
    directions = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])[:, ::-1]
    array = np.full((36, 56, 60), -1000.0, np.float32)
    array[:, 6:50, 6:54] = 40.0
    array[6:30, 14:40, 10:26] = array[6:30, 14:40, 34:50] = -850.0
    return Volume(array, Grid(array.shape, regular_affine((20, -90, 300), directions, Spacing(5, 4, 4))), "HU")


def test_nodules_outside_the_lungs_are_told():
    volume = chest()
    labels = np.zeros(volume.grid.shape, np.uint8)
    labels[15:18, 20:24, 15:19] = 1  # in a lung
    labels[15:18, 38:41, 40:43] = 1  # at the pleura
    labels[14:16, 45:48, 28:31] = 1  # in the back
    found = checked(labels, LUNG_NODULE, volume).findings
    assert [f.label for f in found if "lies for the most part outside the lungs" in f.flags] == ["Nodule 3"]


@pytest.mark.parametrize("name", TASKS)
def test_every_task_says_where_its_lesions_lie_and_whose_its_bounds_are(name):
    card = TASKS[name]
    assert card.organ is not None
    assert bool(card.organ.label) != bool(card.organ.region)
    for bounds in card.plausible:
        assert set(bounds.labels) <= {structure.label for structure in card.structures}
        assert 0 <= bounds.low_ml < bounds.high_ml
        assert bounds.source
