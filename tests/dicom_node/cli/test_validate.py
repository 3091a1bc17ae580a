"""`segnode validate` names what is wrong with a file and says so by its exit code."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
from pydicom import dcmread
from pydicom.data import get_testdata_file

from dicom_node.cli import main as cli


def test_a_foreign_segmentation_is_judged(tmp_path: Path) -> None:
    seg = dcmread(get_testdata_file("liver_1frame.dcm"))
    del seg.ReferencedSeriesSequence
    seg.save_as(tmp_path / "seg.dcm")
    done = CliRunner().invoke(cli.main, ["validate", str(tmp_path)])
    assert done.exit_code == 1, done.output
    assert "  it refers to 0 source series; viewers show one only, and none without" in done.output.splitlines()
    told = json.loads(CliRunner().invoke(cli.main, ["validate", str(tmp_path / "seg.dcm"), "--json"]).output)
    assert "  " + told[str(tmp_path / "seg.dcm")][0] in done.output.splitlines()


def test_what_cannot_be_read_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no DICOM")
    done = CliRunner().invoke(cli.main, ["validate", str(tmp_path / "notes.txt")])
    assert done.exit_code == 1
    assert "notes.txt cannot be read as a DICOM file" in done.output


def test_where_nothing_was_looked_at_nothing_holds(tmp_path: Path) -> None:
    seg, empty = get_testdata_file("liver_1frame.dcm"), tmp_path / "empty"
    empty.mkdir()
    for asked in ([str(empty)], [seg, str(empty)], [seg, "--sources", str(empty)]):
        done = CliRunner().invoke(cli.main, ["validate", *asked, "--json"])
        assert done.exit_code == 1
        assert done.output == f"Error: no DICOM file was found in {empty}\n"
