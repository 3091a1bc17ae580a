"""Installed models as people see them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dicom_node.assembly import Parts
from dicom_node.configuring.changes import Author
from dicom_node.models.model_views import model_lines, model_view, models_view
from dicom_node.models.verifying import verify
from dicom_node.settings import load
from storage.errors import NotFound


@pytest.fixture
def shipped(parts: Parts, conf: Path) -> Parts:
    """A node that has a shipped bundle as well, and one whose folder is not there."""
    further = '  liver: {task: liver_tumour, kind: bundle, path: "shipped:liver_tumour"}\n'
    lost = "  lost: {task: liver_tumour, kind: bundle, path: nowhere}\n"
    (conf / "models.yaml").write_text((conf / "models.yaml").read_text() + further + lost)
    return replace(parts, settings=load(conf))


def test_a_line_says_what_each_is_for(parts: Parts) -> None:
    (model,) = model_lines(parts.settings)
    assert (model["model"], model["task"], model["kind"]) == ("bright", "liver_tumour", "threshold")
    assert model["sha256"]


def test_each_is_told_with_what_it_has_done_and_who_uses_it(story: Parts) -> None:
    with story.database.reading() as tx:
        (bright,) = models_view(story, tx, 1000.0)
    assert (bright["studies"], bright["waiting"], bright["mean_s"]) == (1, 1, 5.0)
    assert (bright["routes"], bright["verified"]) == (["everything"], None)
    assert (bright["inputs"], bright["finds"]) == (["CT"], ["Liver", "Liver tumour"])


def test_one_is_told_with_its_card_and_its_files(shipped: Parts) -> None:
    verify(shipped, "liver", Author(100.0))
    with shipped.database.reading() as tx:
        liver, lost = (model_view(shipped, tx, name, 1000.0) for name in ("liver", "lost"))
        with pytest.raises(NotFound):
            model_view(shipped, tx, "nobody", 1000.0)
    assert (liver["pinned"], liver["trusted"], liver["fault"]) == (True, True, "")
    assert liver["verified"]["sha256"] == liver["sha256"]
    assert set(liver["files"]) >= {"models/model.pt", "docs/README.md"}
    assert liver["card"]["facts"]["Training data"].startswith("procedural phantoms")
    assert "sha256.json of bundle nowhere cannot be read" in lost["fault"]
    assert (lost["version"], lost["files"]) == ("", {})
