"""Tables of a data set: every row with its line, bounded, and whole or refused."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from inference.errors import DataError

MAX_BYTES = 64 * 2**20


def rows_of(path: Path, columns: tuple[str, ...] = ()) -> Iterator[tuple[int, dict[str, str]]]:
    """Every row by column with its line; DataError where one lacks a column, or a row is shorter or longer."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path.name} is larger than {MAX_BYTES // 2**20} MiB.")
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, strict=True)
            missing = [name for name in columns if name not in (table.fieldnames or ())]
            if missing:
                raise DataError(f"{path.name} has no column {', '.join(missing)}.")
            for row in table:
                if None in row or None in row.values():
                    raise DataError(f"{path.name}, line {table.line_num}: {len(table.fieldnames or ())} fields are "
                                    "expected.")  # fmt: skip
                yield table.line_num, {name.strip(): value.strip() for name, value in row.items()}
    except (OSError, UnicodeError, csv.Error) as fault:
        raise DataError(f"{path.name} cannot be read as a table ({type(fault).__name__}).") from fault
