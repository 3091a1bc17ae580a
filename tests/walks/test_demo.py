"""`make demo` as a new user runs it: dicom_node.phantoms.demo plays, dicom_node.phantoms.demo_report shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from inference.tasks import TASKS


@pytest.mark.timeout(900)
def test_the_demo_plays_to_its_end(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dicom_node.cli", "demo", "--output", str(tmp_path / "demo")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    objects = 0
    for task in TASKS:
        assert re.search(rf"Scanner sent {task}: (\d+) of \1 images", done.stdout)
        assert f"{task}: delivered" in done.stdout
        for kind, number in (("SEG", 1), ("SR", 2)):  # the measurements, and the summary
            assert len(re.findall(rf"{task} {kind} [\d.]+ in the archive", done.stdout)) == number
            objects += number
        assert list((tmp_path / "demo" / "pictures" / task).glob("*.png")), "each of the three has something to see"
    with Image.open(tmp_path / "demo" / "pictures" / "overview.png") as sheet:
        assert sheet.getextrema() != ((0, 0), (0, 0), (0, 0))
    assert len(list((tmp_path / "demo" / "archive").glob("*.dcm"))) == objects
    assert "not for diagnosis" in done.stdout.lower() or "nothing here is for diagnosis" in done.stdout
