"""models.yaml is written as a person would: comments, order and other entries stay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dicom_node.errors import ConfigurationError
from dicom_node.models.models_file import ModelsFile
from dicom_node.settings.models import LOCK

TEXT = """\
# What this hospital runs.

models:  # by name
  # the one that shipped
  brain_tumour: {task: brain_tumour, kind: bundle, path: "shipped:brain_tumour"}
  quoted: {task: lung_nodule, kind: bundle, path: 'theirs'}  # from the university
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "models.yaml").write_text(TEXT)
    return tmp_path


def test_an_entry_is_added_below_the_others(folder: Path) -> None:
    ModelsFile(folder).add("new", {"task": "liver_tumour", "kind": "nnunet", "outputs": {"liver": "Liver"}}, {"a": "1"})
    text = (folder / "models.yaml").read_text()
    assert text.startswith(TEXT)
    assert text.removeprefix(TEXT).split() == ["new:", "task:", "liver_tumour", "kind:", "nnunet", "outputs:",
                                               "liver:", "Liver"]
    assert json.loads((folder / LOCK).read_text()) == {"new": {"a": "1"}}


def test_adding_and_removing_leaves_the_file_as_it_was(folder: Path) -> None:
    ModelsFile(folder).add("new", {"task": "liver_tumour", "kind": "nnunet"}, {"a": "1"})
    ModelsFile(folder).remove("new")
    assert (folder / "models.yaml").read_text() == TEXT
    assert json.loads((folder / LOCK).read_text()) == {}


def test_keys_of_an_entry_are_written_and_the_others_stay(folder: Path) -> None:
    ModelsFile(folder).set("quoted", {"engine": "openvino", "precision": "bf16"})
    text = (folder / "models.yaml").read_text()
    assert "{task: lung_nodule, kind: bundle, path: 'theirs', engine: openvino, precision: bf16}" in text
    assert text.startswith(TEXT[: TEXT.index("  quoted:")])


def test_what_is_recorded_of_one_leaves_the_others(folder: Path) -> None:
    file = ModelsFile(folder)
    file.record("one", {"a": "1"})
    file.record("two", {"b": "2"})
    file.record("one", {"a": "3"})
    assert json.loads((folder / LOCK).read_text()) == {"one": {"a": "3"}, "two": {"b": "2"}}


def test_a_file_without_models_gets_its_first(folder: Path) -> None:
    (folder / "models.yaml").write_text("# none yet\nmodels: {}\n")
    ModelsFile(folder).add("new", {"task": "liver_tumour"}, {})
    assert set(ModelsFile(folder).models) == {"new"}


def test_names_are_taken_once_and_removed_once(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is a model quoted already"):
        ModelsFile(folder).add("quoted", {}, {})
    with pytest.raises(ConfigurationError, match="there is no model nobody; known: brain_tumour, quoted"):
        ModelsFile(folder).remove("nobody")


def test_nothing_is_left_beside_the_files(folder: Path) -> None:
    ModelsFile(folder).add("new", {"task": "liver_tumour"}, {"a": "1"})
    assert {path.name for path in folder.iterdir()} == {"models.yaml", LOCK}
