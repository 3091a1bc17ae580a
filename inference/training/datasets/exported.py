"""Whose the cases of our own export are: `segnode export-reviewed` writes a table with pseudonyms beside them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from inference.errors import DataError
from inference.training.datasets.tables import rows_of
from inference.writers.training_layout import CASE, PATIENT, TABLE


def exported_patients(files: Iterable[Path]) -> dict[int, str]:
    """Patient by number of the case, from our tables among a data set's files; who is not known is left out.

    A case that is not in it counts as a patient of its own. DataError names the line.
    """
    patients: dict[int, str] = {}
    for path in files:
        if path.name != TABLE:
            continue
        for line, row in rows_of(path):
            if not {CASE, PATIENT} <= row.keys():
                break  # another's, or of a time when patients were not told
            if not row[CASE].isdecimal():
                raise DataError(f"{path.name}, line {line}: a case is a number, not {row[CASE]!r}.")
            if row[PATIENT]:
                patients[int(row[CASE])] = row[PATIENT]
    return patients
