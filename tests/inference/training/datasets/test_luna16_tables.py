"""LUNA16's tables: places by series, and a broken line is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.errors import DataError
from inference.training.datasets.base import Mark
from inference.training.datasets.luna16_tables import read_marks, read_patients

HEADER = "seriesuid,coordX,coordY,coordZ,diameter_mm"


def table(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "annotations.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_places_are_read_by_series(tmp_path: Path) -> None:
    path = table(tmp_path, "\ufeff" + HEADER, "1.2,-128.69,-175.3,-298.38,5.65", "1.3,1,2,3,4.2", "1.2,5,6,7,8")
    assert read_marks(path, sized=True) == {
        "1.2": (Mark((-128.69, -175.3, -298.38), 5.65), Mark((5, 6, 7), 8)),
        "1.3": (Mark((1, 2, 3), 4.2),),
    }


def test_only_irrelevant_findings_may_be_without_a_size(tmp_path: Path) -> None:
    path = table(tmp_path, HEADER, "1.2,1,2,3,-1.0")
    assert read_marks(path, sized=False) == {"1.2": (Mark((1, 2, 3), 0),)}
    with pytest.raises(DataError, match=r"annotations\.csv, line 2: a nodule has a diameter above 0 mm, not -1"):
        read_marks(path, sized=True)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ((HEADER, "1.2,1,2,3,4", "1.2,abc,2,3,4"), "line 3: could not convert string to float: 'abc'"),
        ((HEADER, "1.2,nan,2,3,4"), "line 2: a coordinate or the diameter is no number"),
        ((HEADER, "1.2,1,2,3,inf"), "line 2: a coordinate or the diameter is no number"),
        ((HEADER, "1.2,1,2,3,4,5"), "line 2: 5 fields are expected"),
        (("seriesuid,coordX,coordY,diameter_mm",), "has no column coordZ"),
    ],
)
def test_a_broken_line_is_named(lines: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"annotations\.csv.*{sentence}"):
        read_marks(table(tmp_path, *lines), sized=True)


def test_patients_are_read_from_nbias_columns(tmp_path: Path) -> None:
    path = table(tmp_path, "Series UID,Collection,Subject ID", "1.2,LIDC-IDRI,LIDC-IDRI-0001")
    assert read_patients(path) == {"1.2": "LIDC-IDRI-0001"}
    with pytest.raises(DataError, match="has no column Subject ID; it has Series UID, Name"):
        read_patients(table(tmp_path, "Series UID,Name", "1.2,x"))
    with pytest.raises(DataError, match="line 2: Series UID or Subject ID is empty"):
        read_patients(table(tmp_path, "Series UID,Subject ID", "1.2,"))
    assert read_patients(table(tmp_path, "Series UID,Subject ID", "1.2,x", "1.2,x")) == {"1.2": "x"}
    with pytest.raises(DataError, match=r"line 3: series 1\.2 is of another patient on a line before"):
        read_patients(table(tmp_path, "Series UID,Subject ID", "1.2,x", "1.2,y"))
