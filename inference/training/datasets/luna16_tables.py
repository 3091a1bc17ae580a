"""LUNA16's tables: nodules and irrelevant findings by series, and whose series it is."""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path

from inference.errors import DataError
from inference.training.datasets.base import Mark
from inference.training.datasets.tables import rows_of

_COORDINATES = ("coordX", "coordY", "coordZ")
# As NBIA's downloads and LUNA16 call a series, and whose it is.
_SERIES = ("Series UID", "SeriesInstanceUID", "seriesuid")
_PATIENT = ("Subject ID", "PatientID", "Patient ID", "patient_id")


def read_marks(path: Path, *, sized: bool) -> dict[str, tuple[Mark, ...]]:
    """Places by series: LPS mm, as the table has them (seriesuid, coordX, coordY, coordZ, diameter_mm).

    Where the marks are not `sized`, a diameter of 0 or less says that none was measured. DataError names the line.
    """
    marks: dict[str, list[Mark]] = defaultdict(list)
    for line, row in rows_of(path, ("seriesuid", *_COORDINATES, "diameter_mm")):
        try:
            x, y, z, diameter = (float(row[name]) for name in (*_COORDINATES, "diameter_mm"))
        except ValueError as fault:
            raise DataError(f"{path.name}, line {line}: {fault}.") from fault
        if not all(map(math.isfinite, (x, y, z, diameter))):
            raise DataError(f"{path.name}, line {line}: a coordinate or the diameter is no number.")
        if sized and diameter <= 0:
            raise DataError(f"{path.name}, line {line}: a nodule has a diameter above 0 mm, not {diameter:g}.")
        marks[row["seriesuid"]].append(Mark((x, y, z), max(diameter, 0.0)))
    return {series: tuple(found) for series, found in marks.items()}


def read_patients(path: Path) -> dict[str, str]:
    """Patient by series, from a table as NBIA gives it with a download (Series UID, Subject ID)."""
    patients: dict[str, str] = {}
    series = patient = ""
    for line, row in rows_of(path):
        if not series:
            series, patient = _column(path, row, _SERIES), _column(path, row, _PATIENT)
        if not row[series] or not row[patient]:
            raise DataError(f"{path.name}, line {line}: {series} or {patient} is empty.")
        if patients.setdefault(row[series], row[patient]) != row[patient]:
            raise DataError(f"{path.name}, line {line}: series {row[series]} is of another patient on a line before.")
    return patients


def _column(path: Path, row: dict[str, str], names: tuple[str, ...]) -> str:
    for name in names:
        if name in row:
            return name
    raise DataError(f"{path.name} has no column {names[0]}; it has {', '.join(row)}.")
