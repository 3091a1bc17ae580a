"""A model's shadow is named in models.yaml, for a person."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicom_node.assembly import Parts
from dicom_node.configuring.changes import Author, history
from dicom_node.errors import ConfigurationError
from dicom_node.models.installed_models import installed_models
from dicom_node.models.shadow_choice import choices, name_shadow
from dicom_node.running.reload import Watch
from storage.errors import NotFound

ADA = Author(1000.0)
COMMENTED = """models:  # ours
  # the first
  bright:  # since spring
    task: liver_tumour
    kind: threshold
    lower: 150  # HU
    upper: 3000
  dim: {task: liver_tumour, kind: threshold, lower: 50, upper: 3000}  # 2026
  lungs: {task: lung_nodule, kind: threshold, lower: 50, upper: 3000}
"""


@pytest.fixture
def models_yaml(conf: Path) -> Path:
    (conf / "models.yaml").write_text(COMMENTED)
    return conf / "models.yaml"


def test_it_is_written_beside_every_comment_and_taken_up(models_yaml: Path, parts: Parts) -> None:
    watch = Watch(parts)
    changed = name_shadow(parts, "bright", "dim", ADA)
    assert (changed.revision, "+    shadow: dim" in changed.change) == (2, True)
    assert models_yaml.read_text() == COMMENTED.replace("upper: 3000\n", "upper: 3000\n    shadow: dim\n", 1)
    running = watch.look()
    assert running is not None
    assert installed_models(running.settings)["bright"].shadow == "dim"
    assert name_shadow(parts, "bright", "dim", ADA).change == "", "it is so already"
    assert name_shadow(parts, "bright", "", ADA).revision == 3
    assert models_yaml.read_text() == COMMENTED
    with parts.database.reading() as tx:
        steps, _ = history(tx, "models.yaml", 2)
    assert [one.what for one in steps] == ["model bright has no shadow any more", "model dim is the shadow of bright"]
    assert {one.by for one in steps} == {ADA.name}


def test_another_model_of_the_same_task_can_be_it(models_yaml: Path, parts: Parts) -> None:
    assert choices(parts.settings, "bright") == ["dim"]
    assert choices(parts.settings, "lungs") == []
    for other, sentence in (
        ("lungs", "model lungs solves lung_nodule"), ("bright", "no shadow of its own"),
        ("gone", "no such model; known: bright, dim, lungs"), ("Not a name", "models.bright.shadow"),
    ):
        with pytest.raises(ConfigurationError) as wrong:
            name_shadow(parts, "bright", other, ADA)
        assert sentence in "; ".join(wrong.value.problems)
    assert models_yaml.read_text() == COMMENTED


def test_a_model_that_is_not_there_any_more_is_told(models_yaml: Path, parts: Parts) -> None:
    with pytest.raises(NotFound, match="there is no model nobody"):
        name_shadow(parts, "nobody", "dim", ADA)
    models_yaml.write_text("models: {}\n")
    with pytest.raises(NotFound, match=r"models\.yaml has no model bright any more"):
        name_shadow(parts, "bright", "dim", ADA)
