"""Cases of our own export are of the patients that its table names, in every layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.errors import DataError
from inference.tasks import TASKS
from inference.training.datasets.brats import Brats
from inference.training.datasets.exported import exported_patients
from inference.training.datasets.lits import Lits
from inference.training.datasets.luna16 import Luna16
from inference.volume import Grid, Volume
from inference.writers.training_layout import write_case


@pytest.mark.parametrize(("task", "layout"), [("brain_tumour", Brats), ("liver_tumour", Lits), ("lung_nodule", Luna16)])
def test_two_cases_of_one_patient_are_known_as_such(task: str, layout: type, tmp_path: Path) -> None:
    card, grid = TASKS[task], Grid((3, 8, 8), np.eye(4), "1.2")
    for number in (1, 2, 3):
        volumes = {role.name: Volume(np.zeros(grid.shape, np.float32), grid, role.units) for role in card.roles}
        write_case(card, number, volumes, np.ones(grid.shape, np.uint8), tmp_path)
    alone = [ref.patient_id for ref in layout(tmp_path).cases()]
    assert len(set(alone)) == 3
    (tmp_path / "cases.csv").write_text("case,patient,job\n1,patient-a,x\n2,,y\n3,patient-a,z\n")
    assert [ref.patient_id for ref in layout(tmp_path).cases()] == ["patient-a", alone[1], "patient-a"]


def test_a_table_without_patients_names_none(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("case,job\n1,x\n")
    assert exported_patients([tmp_path / "cases.csv", tmp_path / "other.csv"]) == {}


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("case,patient\n1,patient-a\none,patient-b\n")
    with pytest.raises(DataError, match="line 3: a case is a number, not 'one'"):
        exported_patients([tmp_path / "cases.csv"])
