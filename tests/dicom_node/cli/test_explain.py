"""`segnode explain-model`: maps of a held study, made by a worker, with no torch in the process that asks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from looked_into import looked_into
from reviewing import Scene

from dicom_node.assembly import Parts
from dicom_node.cli import main as cli

ASK = """
import sys
from dicom_node.cli.main import main

if __name__ == "__main__":
    main(sys.argv[1:], standalone_mode=False)
    print([name for name in ("torch", "monai") if name in sys.modules], file=sys.stderr)
"""


@pytest.fixture
def scene(parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return looked_into(parts, tmp_path, monkeypatch)


def test_maps_are_written_and_the_process_that_asks_loads_no_torch(
    scene: Scene, conf: Path, tmp_path: Path, audited: Callable[[], list[Any]]
) -> None:
    out = tmp_path / "out"
    words = ["explain-model", scene.study, "--finding", "3", "--output", str(out), "--conf", str(conf), "--json"]
    done = subprocess.run([sys.executable, "-c", ASK, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["finding"] == 3
    assert sorted(told["files"]) == sorted(map(str, out.iterdir()))
    assert (out / "grad-cam-finding-3.nii.gz").is_file()
    assert done.stderr.splitlines()[-1] == "[]"
    assert list((conf / "data" / "scratch").iterdir()) == [], "nothing is left behind"
    kinds = [kind.get("csd-code") for message in audited() for kind in message.iter("EventTypeCode")]
    assert "explain" in kinds


def test_what_cannot_be_is_a_sentence_and_exit_code_1(scene: Scene, conf: Path, tmp_path: Path) -> None:
    words = ["explain-model", scene.study, "--finding", "77", "--output", str(tmp_path / "out"), "--conf", str(conf)]
    done = CliRunner().invoke(cli.main, words)
    assert done.exit_code == 1
    assert "no finding 77; it has 1 Liver" in done.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [[], ["1.2.3"], ["1.2.3", "--output", "x", "--finding", "0"]])
def test_a_study_and_a_folder_are_needed(words: list[str], conf: Path) -> None:
    assert CliRunner().invoke(cli.main, ["explain-model", *words, "--conf", str(conf)]).exit_code == 2
