"""LUNA16's CSV of candidates, there and back."""

from __future__ import annotations

import pytest

from inference.errors import Unscorable
from inference.evaluation.candidates import Candidate, read_candidates, write_candidates

HEADER = "seriesuid,coordX,coordY,coordZ,probability"


def test_candidates_come_back_as_they_went(tmp_path):
    candidates = [Candidate("1.2.3", (-128.7, 0.1 + 0.2, 1e-9), 1 / 3), Candidate("1.2.4", (0.0, 5.0, -7.25), 0.0)]
    path = write_candidates(tmp_path / "found.csv", candidates)
    assert path.read_text().splitlines()[0] == HEADER
    assert read_candidates(path) == candidates


def test_columns_stand_in_any_order_beside_others(tmp_path):
    path = tmp_path / "found.csv"
    path.write_text("probability,class,seriesuid,coordZ,coordY,coordX\n0.5,1,a,3,2,1\n")
    assert read_candidates(path) == [Candidate("a", (1.0, 2.0, 3.0), 0.5)]


@pytest.mark.parametrize(("text", "word"), [
    ("seriesuid,coordX,coordY,coordZ\na,1,2,3\n", "no column probability"),
    ("", "no column seriesuid"),
    (f"{HEADER}\na,1,2,3,0.5\na,1,2,three,0.5\n", "line 3"),
    (f"{HEADER}\na,1,2,3\n", "line 2"),
    (f"{HEADER}\n,1,2,3,0.5\n", "line 2"),
    (f"{HEADER}\na,1,2,nan,0.5\n", "line 2"),
])
def test_a_broken_file_is_refused_with_column_or_line(tmp_path, text, word):
    path = tmp_path / "found.csv"
    path.write_text(text)
    with pytest.raises(Unscorable, match=word):
        read_candidates(path)
