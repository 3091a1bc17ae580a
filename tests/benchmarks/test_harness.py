"""Contestants take turns, ratios are of medians, and a record can be read back into the table."""

import pytest
from harness import Comparison, Record, report, take_turns
from table import table


def test_contestants_take_turns_and_warm_up():
    order = []
    found = take_turns({"a": lambda: order.append("a") or 1.0, "b": lambda: order.append("b") or 2.0}, rounds=2)
    assert order == ["a", "b"] * 3
    assert found == {"a": [1.0, 1.0], "b": [2.0, 2.0]}


@pytest.mark.parametrize(("less_is_better", "ratio"), [(True, 2.0), (False, 0.5)])
def test_the_ratio_says_how_many_times_as_good_ours_is(less_is_better, ratio):
    one = Comparison("reading", "s", ("segnode", [9.0, 1.0, 1.0]), ("loop", [2.0, 2.0, 0.1]), less_is_better)
    assert one.ratio == ratio


def test_what_was_wanted_and_missed_says_so():
    assert "| 3 (missed) |" in Comparison("x", "s", ("a", [1.0]), ("b", [2.0]), wanted=3.0).line()
    assert "| 1.5 |" in Comparison("x", "s", ("a", [1.0]), ("b", [2.0]), wanted=1.5).line()


def test_records_make_the_table(tmp_path, capsys):
    one = Comparison("reading 400 images", "s", ("segnode", [1.0]), ("pydicom", [2.0]), wanted=2.0)
    report(Record("reading", [one], ["a socket copy: 0.5 s"], {"DCMTK": "3.6.7"}), tmp_path)
    text = table(tmp_path)
    assert one.line() in text
    assert one.line() in capsys.readouterr().out
    assert all(part in text for part in ("DCMTK 3.6.7", "- a socket copy: 0.5 s", "cores"))


def test_an_empty_folder_says_what_to_do(tmp_path):
    with pytest.raises(SystemExit, match="make bench"):
        table(tmp_path)
