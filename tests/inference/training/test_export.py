"""A trained network becomes a bundle that says what it is."""

import json
from pathlib import Path

import pytest
import torch

import inference
from inference.backends.bundle_files import INFERENCE, METADATA, WEIGHTS, read_bundle
from inference.errors import ModelError
from inference.networks.registry import Hybrid
from inference.tasks import TASKS
from inference.training import export as exporting
from inference.training.config import load_settings
from inference.training.export import engine_configuration, export, half_weights
from inference.training.loop import Best
from inference.training.material import Material

BUNDLES = Path(inference.__file__).parent / "bundles"
CONF = BUNDLES.parents[1] / "conf" / "training"
JOINED = {"lung_nodule": "lung_two_scales"}  # configurations that put the shipped model together from others


@pytest.fixture
def folder(settings, tmp_path):
    torch.manual_seed(0)
    network = settings().network.build(1, 1)
    export(settings(), network, Best(0.91, {"nodule": 0.91}, 30), tmp_path / "balls", Material([], [], "three balls"))
    return tmp_path / "balls"


def test_the_card_repeats_the_recipe_of_the_training(folder, settings):
    card = read_bundle(folder).card
    assert (card.recipe, card.output, card.window) == (settings().recipe, settings().output, settings().window)
    assert card.task == "lung_nodule"


def test_a_temperature_is_written_and_read(settings, tmp_path):
    region = {"name": "nodule", "label": 1, "members": [1]}
    for name, more in (("plain", {}), ("warm", {"temperature": 1.7})):
        chosen = settings(output={"activation": "sigmoid", "regions": [region | more]})
        export(chosen, chosen.network.build(1, 1), Best(), tmp_path / name, Material([], [], "three balls"))
        assert ("temperature" in (tmp_path / name / METADATA).read_text()) is bool(more)
        assert read_bundle(tmp_path / name).card.output == chosen.output


def test_it_says_that_no_patient_was_seen(folder):
    card, metadata = (folder / "docs" / "README.md").read_text(), json.loads((folder / METADATA).read_text())
    for text in (card, metadata["intended_use"]):
        assert "synthetic cases only" in text
        assert "demonstration" in text.lower()
    assert "| nodule | 0.910 |" in card


def test_the_card_says_what_was_given_for_a_lower_threshold(folder, settings, tmp_path):
    assert "lower threshold" not in (folder / "docs" / "README.md").read_text()
    lenient = settings(given_for_recall={"nodule": 0.02})
    network = lenient.network.build(1, 1)
    export(lenient, network, Best(), tmp_path / "lenient", Material([], [], "nothing"))
    assert "less is missed: nodule, 0.02." in (tmp_path / "lenient" / "docs" / "README.md").read_text()


@pytest.mark.parametrize(("more", "said"), [
    ({}, "The best of its states was chosen by"),
    ({"keep": "last"}, "Its last state was kept, whether or not it was the best; its thresholds were chosen by"),
    ({"steps": 0}, "Its thresholds were chosen by"),
])
def test_the_card_says_which_weights_they_are(settings, tmp_path, more, said):
    chosen = settings(**more)
    export(chosen, chosen.network.build(1, 1), Best(), tmp_path / "kept", Material([], [], "nothing"))
    assert f"Nothing. {said} cases" in (tmp_path / "kept" / "docs" / "README.md").read_text()


def test_the_card_says_what_it_went_on_from_and_what_that_had_learnt_from(folder, settings, tmp_path):
    later = settings(start=folder)
    export(later, later.network.build(1, 1), Best(), tmp_path / "later", Material([], [], "nothing"))
    card = (tmp_path / "later" / "docs" / "README.md").read_text()
    assert f"going on from the weights of balls ({settings().version}: trained on three balls)" in card


def test_weights_are_a_plain_state_dict_of_half_precision(folder):
    state = torch.load(folder / WEIGHTS, weights_only=True)
    assert {value.dtype for value in state.values() if value.dim() > 1} == {torch.float16}
    assert {value.dtype for name, value in state.items() if "running" in name} == {torch.float32}


def test_the_network_and_its_data_format_agree(folder, settings):
    data = json.loads((folder / METADATA).read_text())["network_data_format"]
    assert data["inputs"]["image"]["num_channels"] == settings().network_definition["in_channels"]
    assert data["outputs"]["pred"]["num_channels"] == settings().network_definition["out_channels"]
    assert data["outputs"]["pred"]["channel_def"] == {"0": "nodule"}


def test_a_full_size_network_fits_into_12_megabytes(settings, tmp_path):
    network = Hybrid().build(4, 3)
    torch.save(half_weights(network), tmp_path / "model.pt")
    assert (tmp_path / "model.pt").stat().st_size < 12e6


@pytest.mark.parametrize("task", sorted(TASKS))
def test_the_shipped_bundles_are_configured_as_they_would_be_today(task):
    """What is in them is what training by their configuration would write, but for the weights."""
    settings = load_settings(CONF / f"{JOINED.get(task, task)}.yaml")
    assert json.loads((BUNDLES / task / INFERENCE).read_text()) == engine_configuration(settings)
    card = read_bundle(BUNDLES / task).card
    assert (card.recipe, card.window, card.overlap) == (settings.recipe, settings.window, settings.overlap)


class Killed(BaseException):
    """What nobody catches: the disk is left as by SIGKILL."""


def die(*_: object) -> None:
    raise Killed


@pytest.mark.parametrize("dies_at", ["write_hashes", "half_weights"])
def test_a_kill_while_it_is_written_leaves_no_bundle(settings, tmp_path, monkeypatch, dies_at):
    monkeypatch.setattr(exporting, dies_at, die)
    with pytest.raises(Killed):
        export(settings(), settings().network.build(1, 1), Best(), tmp_path / "balls", Material([], [], "nothing"))
    assert not (tmp_path / "balls").exists()


def test_a_kill_while_it_is_written_leaves_the_bundle_that_was_there(folder, settings, monkeypatch):
    before = read_bundle(folder).identity
    later = settings(version="0.0.2")
    monkeypatch.setattr(exporting, "write_hashes", die)
    with pytest.raises(Killed):
        export(later, later.network.build(1, 1), Best(), folder, Material([], [], "nothing"))
    assert read_bundle(folder).identity == before
    monkeypatch.undo()
    export(later, later.network.build(1, 1), Best(), folder, Material([], [], "nothing"))
    assert read_bundle(folder).identity.version == "0.0.2"
    assert list(folder.parent.iterdir()) == [folder], "what the killed one had begun is gone"


def test_what_was_put_into_a_bundle_stays_in_the_next(folder, settings):
    (folder / "images").mkdir()
    (folder / "images" / "case.nii").write_bytes(b"kept")
    export(settings(), settings().network.build(1, 1), Best(), folder, Material([], [], "nothing"))
    assert (folder / "images" / "case.nii").read_bytes() == b"kept"
    assert read_bundle(folder)


def test_a_folder_of_other_things_is_refused(settings, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(ModelError, match="thesis holds other things than a bundle"):
        export(settings(), settings().network.build(1, 1), Best(), tmp_path / "thesis", Material([], [], "nothing"))
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.tex"]
