"""Tables of a data set: rows come with their lines, and what is no whole table is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.errors import DataError
from inference.training.datasets import tables
from inference.training.datasets.tables import rows_of


def table(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_rows_come_by_column_with_their_lines(tmp_path: Path) -> None:
    path = table(tmp_path, "\ufeffname, size", " a ,1", '"b, c",2')
    assert list(rows_of(path, ("name",))) == [(2, {"name": "a", "size": "1"}), (3, {"name": "b, c", "size": "2"})]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (("name,size", "a"), "line 2: 2 fields are expected"),
        (("name,size", "a,1", "b,2,3"), "line 3: 2 fields are expected"),
        (("size",), "has no column name"),
        (("",), "has no column name"),
        (("name,size", '"' + "1" * 200_000 + '",2'), "cannot be read as a table"),
        (("name,size", '"a,1'), "cannot be read as a table"),
    ],
)
def test_a_broken_table_is_named(lines: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"table\.csv.*{sentence}"):
        list(rows_of(table(tmp_path, *lines), ("name",)))


def test_what_is_no_text_too_large_or_not_there_is_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"name\n\xff\xfe\n")
    with pytest.raises(DataError, match="cannot be read as a table"):
        list(rows_of(path))
    monkeypatch.setattr(tables, "MAX_BYTES", 5)
    with pytest.raises(DataError, match="larger than"):
        list(rows_of(path))
    with pytest.raises(DataError, match="cannot be read as a table"):
        list(rows_of(tmp_path / "nowhere.csv"))
