"""A model is disabled and enabled in models.yaml, for a person; dicom_node.models.installed_models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from dicom_node.assembly import Parts
from dicom_node.configuring.changes import Author, history
from dicom_node.errors import StudiesWait
from dicom_node.models.installed_models import installed_models
from dicom_node.models.model_switch import disable, enable
from dicom_node.running.reload import Watch
from dicom_node.settings import load
from dicom_node.settings.models import closed_models
from dicom_node.views.status import node_status
from storage.errors import NotFound

ADA = Author(1000.0)
COMMENTED = """models:  # ours
  # the first
  bright: {task: liver_tumour, kind: threshold, lower: 150, upper: 3000}  # 2026
"""


@pytest.fixture
def models_yaml(conf: Path) -> Path:
    (conf / "models.yaml").write_text(COMMENTED)
    return conf / "models.yaml"


def test_the_file_says_since_when_and_by_whom_and_keeps_its_comments(models_yaml: Path, parts: Parts) -> None:
    changed = disable(parts, "bright", ADA)
    assert changed.revision == 2
    said = models_yaml.read_text()
    assert said.startswith("models:  # ours\n  # the first\n  bright: {task: liver_tumour")
    assert said.rstrip().endswith("# 2026")
    (why,) = closed_models(load(models_yaml.parent).models).values()
    assert why.startswith("is disabled since 1970-01-01 ")
    assert why.endswith(f" by {ADA.name}")
    assert disable(parts, "bright", ADA).change == "", "it is so already"
    assert enable(parts, "bright", ADA).revision == 3
    assert load(models_yaml.parent).models == parts.settings.models
    assert "# 2026" in models_yaml.read_text()
    with parts.database.reading() as tx:
        steps, _ = history(tx, "models.yaml", 5)
    assert [one.what for one in steps[:2]] == ["model bright enabled", "model bright disabled"]


def test_where_studies_wait_it_is_asked_and_their_history_tells(models_yaml: Path, story: Parts) -> None:
    with pytest.raises(StudiesWait, match="1 study waits for model bright") as asked:
        disable(story, "bright", ADA)
    assert asked.value.studies == 1
    assert "disabled" not in models_yaml.read_text()
    disable(story, "bright", ADA, sure=True)
    enable(story, "bright", ADA)
    with story.database.reading() as tx:
        told = [entry.text for entry in tx.journal.of_job("job-3")]
    assert told == [
        f"model bright is disabled by {ADA.name}: the job waits until it is enabled again",
        f"model bright is enabled again by {ADA.name}: the job goes on",
    ]


def test_a_running_role_takes_it_up_and_the_status_says_who_waits(models_yaml: Path, story: Parts) -> None:
    watch = Watch(story)
    disable(story, "bright", ADA, sure=True)
    new = watch.look()
    assert new is not None
    assert installed_models(new.settings)["bright"].closed.startswith("is disabled since")
    with story.database.reading() as tx:
        assert node_status(new, tx, 1000.0)["needs_a_person"][-1].startswith(
            "1 study waits for model bright, which is disabled since")
        assert "model bright" not in node_status(story, tx, 1000.0)["needs_a_person"][-1]


def test_a_model_that_is_not_there_is_told(parts: Parts) -> None:
    with pytest.raises(NotFound, match="there is no model nobody"):
        disable(parts, "nobody", ADA)
    with pytest.raises(NotFound, match="there is no model nobody"):
        enable(replace(parts), "nobody", ADA)


def test_the_audit_trail_is_told(models_yaml: Path, parts: Parts, audited: Callable[[], list[Element]]) -> None:
    disable(parts, "bright", ADA)
    kinds = [message.find("EventIdentification/EventTypeCode").get("originalText") for message in audited()]
    assert kinds == ["Network Configuration"]
