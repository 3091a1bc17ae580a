"""`segnode export-reviewed`: what is written and what is not, and that it is in the audit trail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from reviewing import CORRECTED, FOUND, JOB, liver_scene

from dicom_node.assembly import Parts
from dicom_node.cli import main as cli
from dicom_node.pipeline.review import Review


@pytest.fixture
def reviewed(parts: Parts, tmp_path: Path) -> str:
    scene = liver_scene(parts.database, parts.archive, tmp_path)
    scene.finish(FOUND)
    scene.arrive(scene.corrected(CORRECTED), 100.0)
    Review(parts.database, parts.archive).step(100.0)
    return scene.study


def run(conf: Path, *args: str) -> Any:
    return CliRunner().invoke(cli.main, ["export-reviewed", *args, "--conf", str(conf)])


def test_cases_are_written_and_told(
    reviewed: str, conf: Path, tmp_path: Path, audited: Callable[[], list[Any]]
) -> None:
    done = run(conf, str(tmp_path / "out"), "--json", "--task", "liver_tumour", "--since", "1970-01-01")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output) == [{"task": "liver_tumour", "case": 1, "job": JOB, "reason": ""}]
    assert (tmp_path / "out" / "liver_tumour" / "volume-1.nii").is_file()
    told = [kind.get("csd-code") for message in audited() for kind in message.iter("EventTypeCode")]
    assert "export" in told
    again = run(conf, str(tmp_path / "out"))
    assert "it is case 1 already" in again.output
    assert "0 cases written" in again.output


def test_without_a_review_the_answer_is_no(parts: Parts, conf: Path, tmp_path: Path) -> None:
    assert run(conf, str(tmp_path / "out")).exit_code == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_told(reviewed: str, conf: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "liver_tumour").write_text("a file")
    done = run(conf, str(tmp_path / "out"))
    assert done.exit_code == 1
    assert "cannot be written" in done.output
