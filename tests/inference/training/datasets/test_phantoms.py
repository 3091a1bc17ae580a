"""Phantoms behind the seam are the phantoms that training draws."""

from __future__ import annotations

import numpy as np
import pytest

from inference.errors import DataError
from inference.phantom import PhantomCase
from inference.phantom.case import Lesion
from inference.training.datasets import phantoms
from inference.training.datasets.base import Mark
from inference.training.datasets.phantoms import Phantoms
from inference.volume import Grid, Spacing, Volume, regular_affine

GRID = Grid((4, 5, 6), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(2, 2, 2)))


def draw(task: str, seed: int) -> PhantomCase:
    volume = Volume(np.full(GRID.shape, seed, np.float32), GRID, "HU")
    truth = np.zeros(GRID.shape, np.uint8)
    return PhantomCase(task, seed, "CT", {"CT": volume}, truth, (Lesion(1, 7.5, 0.2, (1.0, 2.0, 3.0)),), {})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phantoms, "make_case", draw)


def test_a_case_is_drawn_from_its_seed_when_it_is_read() -> None:
    data = Phantoms("lung_nodule", 40, 3)
    case = data.read(data.cases()[1])
    assert (case.case_id, case.patient_id) == ("lung_nodule-41", "lung_nodule-41")
    assert (case.volumes["CT"].array == 41).all()
    assert case.lesions == (Mark((1, 2, 3), 7.5),)
    assert case.registered


def test_a_case_changes_with_the_code_that_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Phantoms("lung_nodule", 0, 2)
    one, other = (data.fingerprint(ref) for ref in data.cases())
    assert one != other
    monkeypatch.setattr(phantoms, "_code", lambda: "changed")
    assert data.fingerprint(data.cases()[0]) != one


def test_a_task_without_phantoms_is_named() -> None:
    with pytest.raises(DataError, match="not for knee"):
        Phantoms("knee", 0, 1)
