"""An entry is made of what was said and what is understood, and all is checked that can be without running a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dicom_node.errors import ConfigurationError
from dicom_node.models.new_model import NewModel
from inference.errors import BundleBroken, ModelError

NETWORK = {
    "recipe": {"primary": "CT", "channels": [{"role": "CT", "scale": "none"}], "spacing_mm": [2, 2, 2]},
    "output": {"activation": "softmax", "regions": [{"name": "liver"}, {"name": "tumor"}]},
    "window": [64, 64, 64],
}


@pytest.fixture
def network(tmp_path: Path) -> Path:
    (tmp_path / "net.ts").write_bytes(b"weights")
    return tmp_path / "net.ts"


def test_a_network_in_a_file_needs_what_a_card_would_say(network: Path) -> None:
    entry, recorded = NewModel.at(network, "liver_tumour", None, NETWORK).checked(network.parent)
    assert entry == {"task": "liver_tumour", "kind": "torchscript", "path": "net.ts", **NETWORK,
                     "outputs": {"liver": "Liver", "tumor": "Liver tumour"}}
    assert set(recorded) == {"net.ts"}
    with pytest.raises(ModelError, match="recipe"):
        NewModel.at(network, "liver_tumour", None, {}).checked(network.parent)


def test_a_path_elsewhere_stays_whole(network: Path, tmp_path: Path) -> None:
    entry, _ = NewModel.at(network, "liver_tumour", None, NETWORK).checked(tmp_path / "conf")
    assert entry["path"] == str(network)


def test_only_code_asks_for_trust(network: Path) -> None:
    assert not NewModel.at(network, "liver_tumour", None, NETWORK).brings_code
    exported = NewModel.at(network, "liver_tumour", "exported", NETWORK)
    assert exported.brings_code
    with pytest.raises(BundleBroken, match="is not trusted"):
        exported.checked(network.parent)
    assert exported.trusted().checked(network.parent)[0]["trusted"] is True


def test_roles_of_another_task_are_told(network: Path) -> None:
    outputs = {"outputs": {"liver": "Oedema"}}
    with pytest.raises(ConfigurationError, match=r"recipe = 'CT': task brain_tumour has no such role"):
        NewModel.at(network, "brain_tumour", None, NETWORK | outputs).checked(network.parent)


def test_a_bundle_of_ours_records_its_own_files(tmp_path: Path) -> None:
    from inference.backends import bundle_files

    shipped = Path(bundle_files.__file__).parents[1] / "bundles" / "lung_nodule"
    entry, recorded = NewModel.at(shipped, "lung_nodule", None, {}).checked(tmp_path)
    assert entry == {"task": "lung_nodule", "kind": "bundle", "path": str(shipped)}
    assert recorded == {}


def test_an_input_that_is_not_understood_is_asked_for(tmp_path: Path) -> None:
    dataset = {"channel_names": {"0": "DWI"}, "labels": {"background": 0, "ED": 1}}
    (tmp_path / "dataset.json").write_text(json.dumps(dataset))
    (tmp_path / "plans.json").write_text(json.dumps({"configurations": {}}))
    (tmp_path / "fold_0").mkdir()
    (tmp_path / "fold_0" / "checkpoint_final.pth").touch()
    with pytest.raises(BundleBroken, match=r"Say which role its input DWI is by --input CHANNEL=ROLE"):
        NewModel.at(tmp_path, "brain_tumour", None, {}).checked(tmp_path)
