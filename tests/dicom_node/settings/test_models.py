"""models.yaml names tasks, roles and structures that exist, and what was recorded of each model's files is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dicom_node.errors import ConfigurationError
from dicom_node.settings import load
from dicom_node.settings.models import LOCK, closed_models

NNUNET = "  theirs: {{task: brain_tumour, kind: nnunet, path: theirs, {0}}}\n"


def add(conf: Path, keys: str) -> None:
    with (conf / "models.yaml").open("a") as file:
        file.write(NNUNET.format(keys))


@pytest.mark.parametrize(("keys", "sentence"), [
    ("inputs: {T1c: T1CE}", "inputs.T1c = 'T1CE': {0} role; allowed: T1, T1ce, T2, FLAIR"),
    ("outputs: {ED: Edema}", "outputs.ED = 'Edema': {0} structure; allowed: Necrotic core, Oedema, Enhancing tumour"),
])
def test_names_that_the_task_lacks_are_told_with_line_and_key(conf: Path, keys: str, sentence: str) -> None:
    add(conf, keys)
    with pytest.raises(ConfigurationError) as caught:
        load(conf)
    told = sentence.format("task brain_tumour has no such")
    assert caught.value.problems == [f"models.yaml:3: models.theirs.{told}"]


def test_a_key_of_another_kind_is_told_with_those_that_there_are(conf: Path) -> None:
    add(conf, "window: [96, 96, 96]")
    with pytest.raises(ConfigurationError, match=r"models\.yaml:3: models\.theirs\.window: no such key; .*folds"):
        load(conf)


def test_a_recipe_names_roles_of_the_task(conf: Path) -> None:
    with (conf / "models.yaml").open("a") as file:
        file.write("  net:\n    task: brain_tumour\n    kind: torchscript\n    path: net.ts\n    window: [8, 8, 8]\n"
                   "    output: {activation: sigmoid, regions: [{name: Oedema}]}\n"
                   "    recipe: {primary: T1C, channels: [{role: T1C, scale: zscore}], spacing_mm: [1, 1, 1]}\n")
    with pytest.raises(ConfigurationError, match=r"models\.yaml:9: models\.net\.recipe = 'T1C': .* has no such role"):
        load(conf)


def test_recorded_hashes_reach_the_model_and_the_revision(conf: Path) -> None:
    add(conf, "folds: [0]")
    without = load(conf)
    (conf / LOCK).write_text(json.dumps({"theirs": {"plans.json": "ab"}}))
    settings = load(conf)
    assert settings.models["theirs"].backend.sha256 == {"plans.json": "ab"}
    assert LOCK in settings.content
    assert settings.sha256 != without.sha256


@pytest.mark.parametrize("text", ["no json", "[1]", '{"theirs": "ab"}'])
def test_a_damaged_record_is_told(conf: Path, text: str) -> None:
    (conf / LOCK).write_text(text)
    with pytest.raises(ConfigurationError, match=r"models\.lock\.json: cannot be read .*; `segnode models pin`"):
        load(conf)


@pytest.mark.parametrize(("said", "why"), [
    ("true", "is disabled"), ("false", ""), ("{since: 2026-03-01}", "is disabled since 2026-03-01"),
    ("{since: 2026-03-01 10:00, by: ada}", "is disabled since 2026-03-01 10:00 by ada"),
])
def test_a_model_may_be_disabled(conf: Path, said: str, why: str) -> None:
    add(conf, f"disabled: {said}")
    assert closed_models(load(conf).models) == ({"theirs": why} if why else {})


def test_what_is_said_of_a_disabled_model_is_known_words(conf: Path) -> None:
    add(conf, "disabled: {for: ever}")
    with pytest.raises(ConfigurationError, match=r"models\.theirs\.disabled\.for: no such key; allowed: by, since"):
        load(conf)


def test_a_name_that_the_console_has_another_page_for_is_none(conf: Path) -> None:
    file = conf / "models.yaml"
    file.write_text(file.read_text() + "  history: {task: liver_tumour, kind: threshold, lower: 150, upper: 3000}\n")
    with pytest.raises(ConfigurationError, match=r"models\.history = 'history': no model can have this name"):
        load(conf)


@pytest.mark.parametrize(("shadow", "sentence"), [
    ("nobody", "no such model; known: bright, theirs"),
    ("theirs", "a model is no shadow of its own"),
    ("bright", "model bright solves liver_tumour, this one brain_tumour"),
])
def test_a_shadow_is_another_model_of_the_same_task(conf: Path, shadow: str, sentence: str) -> None:
    add(conf, f"shadow: {shadow}")
    with pytest.raises(ConfigurationError) as caught:
        load(conf)
    assert caught.value.problems == [f"models.yaml:3: models.theirs.shadow = {shadow!r}: {sentence}"]
