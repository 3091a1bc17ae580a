"""A training configuration is checked before anything is drawn."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from inference.errors import ModelError
from inference.tasks import TASKS
from inference.training.config import load_settings

PARTED = {"kind": "coarse_to_fine", "coarse": {"widths": [4, 8]}, "fine": {"widths": [4, 8], "transformer_layers": 0}}
CONF = Path(__file__).resolve().parents[3] / "conf" / "training"


@pytest.mark.parametrize("task", sorted(TASKS))
def test_the_shipped_configurations_are_valid(task):
    settings = load_settings(CONF / f"{task}.yaml")
    assert settings.task == task
    assert settings.recipe.roles == tuple(dict.fromkeys((TASKS[task].primary, *settings.recipe.roles)))
    labels = {region.label for region in settings.output.regions}
    assert labels == {structure.label for structure in TASKS[task].structures}
    assert max(settings.cases.training.stop, settings.cases.validation.stop) <= 9000, "9000 and on are for scoring"


def test_whole_heads_are_learnt_from_by_the_shipped_network():
    settings, shipped = (load_settings(CONF / f"{name}.yaml") for name in ("brain_whole_heads", "brain_tumour"))
    assert settings.network_definition == shipped.network_definition, "else the shipped weights would not fit"
    assert settings.network.window < settings.patch


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_key_is_explained(path):
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        if line.strip().startswith(("#", "-")) or ":" not in line:
            continue
        explained = "#" in line or any(text.strip().startswith("#") for text in lines[max(0, number - 1):number])
        if not line.startswith(" "):
            assert explained, line


@pytest.mark.parametrize(("name", "task"), [
    ("brats", "brain_tumour"), ("lits", "liver_tumour"), ("luna16", "lung_nodule"),
])  # fmt: skip
def test_the_data_sets_are_trained_on_as_the_paper_says(name, task):
    settings = load_settings(CONF / f"{name}.yaml")
    assert (settings.task, settings.data.kind, settings.dimensions) == (task, name, 2)
    assert settings.patch == (1, 128, 128)  # Table 2
    assert settings.network.kind == "hybrid"  # Table 3
    table_4 = (settings.learning_rate, settings.batch, settings.epochs, settings.watch)
    assert table_4 == (1e-4, 16, 100, "loss")
    assert (settings.entropy_weight, settings.dice_weight) == (1, 1)
    assert not settings.synthetic


def test_the_bootstrap_trains_as_on_lits_with_lesions_drawn_into_livers():
    lits, bootstrap = (load_settings(CONF / f"{name}.yaml") for name in ("lits", "bootstrap"))
    assert (bootstrap.data.kind, bootstrap.data.answers) == ("organs", "liver_tumour")
    assert bootstrap.implants == bootstrap.data.lesions
    assert (bootstrap.implants.within, bootstrap.implants.label) == (1, 2)
    same = {"title": lits.title, "data": lits.data, "split": lits.split, "implants": None}
    assert bootstrap.model_copy(update=same) == lits
    assert not bootstrap.synthetic


def test_epochs_become_steps_by_the_number_of_cases(settings):
    run = settings(epochs=3, patches_per_case=4, batch=2).in_steps(10)
    assert (run.steps, run.validate_every, run.epochs) == (60, 20, None)
    assert run.in_steps(99) == run


def test_cases_to_learn_from_and_to_choose_by_never_meet(settings):
    with pytest.raises(ValidationError, match="not for both"):
        settings(cases={"first_seed": 1, "count": 5, "validation_first_seed": 5, "validation_count": 1})
    with pytest.raises(ValidationError, match="not for both"):
        settings(cases={"first_seed": 1, "count": 3, "variants": {"lung_mass": {"first_seed": 3, "count": 2}},
                        "validation_first_seed": 5, "validation_count": 1,
                        "validation_variants": {"lung_mass": {"first_seed": 4, "count": 2}}})


@pytest.mark.parametrize(("changes", "reason"), [
    ({"task": "spleen"}, "task is one of"),
    ({"patch": [16, 16, 15]}, "multiples of 2"),
    ({"window": [24, 24, 25]}, "multiples of 2"),
    ({"recipe": {"primary": "T1", "channels": [{"role": "T1", "scale": "zscore"}], "spacing_mm": [1, 1, 1]}}, "roles"),
    ({"network": PARTED | {"window": [32, 32, 32]}}, "larger than the patch"),
    ({"network": PARTED | {"window": [8, 8, 8]}, "replayed": 5}, "answers of whole patches"),
    ({"speed": "fast"}, "speed"),
    ({"cases": None}, "learns from phantoms"),
    ({"task": "liver_tumour", "cases": {"first_seed": 1, "count": 3, "validation_first_seed": 5, "validation_count": 1,
                                        "variants": {"lung_mass": {"first_seed": 1, "count": 1}}}},
     "lung_mass is no variant of liver_tumour, which has none"),
    ({"cases": {"first_seed": 1, "count": 0, "validation_first_seed": 5, "validation_count": 1}}, "`count` is 0"),
    ({"data": {"kind": "lits", "folder": "x"}}, "learns from phantoms"),
    ({"cases": None, "data": {"kind": "luna16", "folder": "x"}}, "needs a `split`"),
    ({"cases": None, "data": {"kind": "lits", "folder": "x"}, "split": {"file": "s.json"}}, "not of lung_nodule"),
    ({"recipe": {"primary": "CT", "channels": [{"role": "CT", "scale": "zscore"}], "spacing_mm": [1, 1, 1]},
      "implants": {"share": 1, "label": 1, "densities": [{"weight": 1, "hu": [0, 1]}]}}, "has to be a window"),
    ({"entropy_weight": 0, "dice_weight": 0}, "both weights are 0"),
    ({"given_for_recall": {"tumour": 0.01}}, "names tumour, which the output lacks"),
])
def test_what_does_not_fit_is_refused(settings, changes, reason):
    with pytest.raises(ValidationError, match=reason):
        settings(**changes)


def test_a_wrong_file_names_its_keys(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(re.sub(r"\nbatch: \d+", "\nbatch: 0", (CONF / "lung_nodule.yaml").read_text()))
    with pytest.raises(ModelError, match=r"x\.yaml: batch: "):
        load_settings(path)
    path.write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        load_settings(path)
    path.write_bytes("task: brain_tumour  # für".encode("cp1252"))
    with pytest.raises(ModelError, match=r"x\.yaml cannot be read: it is not written in UTF-8 \(byte 23\)"):
        load_settings(path)
    with pytest.raises(ModelError, match="cannot be read"):
        load_settings(tmp_path / "none.yaml")
