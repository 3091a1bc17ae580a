"""An nnU-Net folder is read as data, and says before any job what it lacks."""

from __future__ import annotations

import json
import re
import sys
import zipfile

import pytest
import torch
from nnunet_folders import ARCHITECTURE, OUTPUTS, model, nnunet_folder

from inference.backends import build
from inference.backends.nnunet_folder import read_checkpoint, read_folder
from inference.backends.pins import hashes_of
from inference.errors import BundleBroken, ModelError


def test_labels_that_are_numbers_in_writing_are_those_numbers(tmp_path):
    folder = nnunet_folder(tmp_path, labels={"background": "0", "tumor": "2", "liver": "1"})
    assert read_folder(folder).finds == ("liver", "tumor")


@pytest.mark.parametrize("core", ["core", "_core"])
def test_numbers_of_any_numpy_are_read(tmp_path, core):
    """The log of scores in a checkpoint holds numpy's numbers, under the names of the numpy that wrote them."""
    folder = nnunet_folder(tmp_path)
    path = folder / "fold_0" / "checkpoint_final.pth"
    with zipfile.ZipFile(path) as written:
        parts = {name: written.read(name) for name in written.namelist()}
    with zipfile.ZipFile(path, "w") as other:
        for name, content in parts.items():
            other.writestr(name, re.sub(rb"numpy\._?core\.", b"numpy.%s." % core.encode(), content))
    assert read_checkpoint(path).mirror_axes == (0, 1, 2)


class Harm:
    """A pickle that would call a function when it is read."""

    def __reduce__(self):
        return (print, ("harm",))


def test_a_checkpoint_is_data_and_never_code(tmp_path, capsys):
    folder = nnunet_folder(tmp_path)
    torch.save({"network_weights": Harm()}, folder / "fold_0" / "checkpoint_final.pth")
    with pytest.raises(BundleBroken, match="no nnU-Net checkpoint that can be read as data"):
        model(folder)
    assert "harm" not in capsys.readouterr().out


def test_plans_name_no_code_but_networks(tmp_path):
    folder = nnunet_folder(tmp_path, architecture=ARCHITECTURE | {"network_class_name": "os.system"})
    with pytest.raises(BundleBroken, match=r"name 'os\.system'; only networks of dynamic_network_architectures"):
        model(folder)
    harmful = ARCHITECTURE["arch_kwargs"] | {"nonlin": "os.system"}
    folder = nnunet_folder(tmp_path / "layer", architecture=ARCHITECTURE | {"arch_kwargs": harmful})
    with pytest.raises(BundleBroken, match=r"name 'os\.system'"):
        model(folder)


def test_plans_reach_no_code_through_what_torch_imports(tmp_path):
    """A path may lead through a module of torch to one that it imports."""
    ran, shell = tmp_path / "it ran", "torch.nn.parallel.distributed.os.system"
    harmful = ARCHITECTURE["arch_kwargs"] | {"nonlin": shell, "nonlin_kwargs": {"command": f"touch '{ran}'"}}
    folder = nnunet_folder(tmp_path, architecture=ARCHITECTURE | {"arch_kwargs": harmful})
    with pytest.raises(BundleBroken, match=rf"name '{shell}'; only networks"):
        model(folder)
    assert not ran.exists()


def test_the_second_stage_of_a_cascade_is_refused_before_any_job(tmp_path):
    """When it is added, by its folder's name; and when it is loaded, however that is called."""
    folder = nnunet_folder(tmp_path)
    plans = json.loads((folder / "plans.json").read_text())
    plans["configurations"]["3d_cascade_fullres"] = {"inherits_from": "3d_fullres", "previous_stage": "3d_lowres"}
    (folder / "plans.json").write_text(json.dumps(plans))
    path = folder / "fold_0" / "checkpoint_final.pth"
    content = torch.load(path, weights_only=False)
    content["init_args"]["configuration"] = "3d_cascade_fullres"
    torch.save(content, path)
    with pytest.raises(BundleBroken, match="is the second stage of a cascade"):
        model(folder)
    named = folder.rename(folder.with_name("nnUNetTrainer__nnUNetPlans__3d_cascade_fullres"))
    with pytest.raises(BundleBroken, match="3d_cascade_fullres is the second stage of a cascade"):
        build({"kind": "nnunet", "path": named}).describe()


@pytest.mark.parametrize("step", [lambda settings: settings.describe(), lambda settings: settings.load("cpu")])
def test_a_fold_that_is_still_trained_is_named_before_any_job(tmp_path, step):
    folder = nnunet_folder(tmp_path, folds=(0, 1))
    (folder / "fold_1" / "checkpoint_final.pth").rename(folder / "fold_1" / "checkpoint_latest.pth")
    settings = {"kind": "nnunet", "path": folder, "sha256": hashes_of(folder), "outputs": OUTPUTS}
    with pytest.raises(BundleBroken, match=r"fold_1 of .* has no checkpoint_final\.pth: say which `folds` are trained"):
        step(build(settings))
    step(build(settings | {"folds": [0]}))


def test_weights_of_another_network_are_named(tmp_path):
    wider = ARCHITECTURE["arch_kwargs"] | {"features_per_stage": [6, 8]}
    folder = nnunet_folder(tmp_path, trainer="nnUNetTrainer_Wide",
                           architecture=ARCHITECTURE | {"arch_kwargs": wider})
    with pytest.raises(BundleBroken, match=r"do not fit the network of its plans\. Its trainer nnUNetTrainer_Wide may"):
        model(folder)


@pytest.mark.parametrize(("keys", "sentence"), [
    ({"folds": [3]}, "has no fold 3; there are: 0"),
    ({"outputs": {"tumour": "Liver tumour"}}, "does not find 'tumour'. It finds: liver, tumor"),
    ({"inputs": {"MR": "CT"}}, "has no input 'MR'. It has: CT"),
])
def test_wrong_names_are_answered_with_those_that_there_are(tmp_path, keys, sentence):
    folder = nnunet_folder(tmp_path)
    with pytest.raises(BundleBroken, match=sentence.replace(".", r"\.")):
        model(folder, **keys)


def test_a_missing_library_is_a_sentence(tmp_path, monkeypatch):
    folder = nnunet_folder(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "nnunetv2"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "nnunetv2", None)
    with pytest.raises(ModelError, match=r"pip install 'segnode\[nnunet\]'"):
        model(folder)


@pytest.mark.parametrize("name", ["plans.json", "dataset.json"])
def test_a_folder_that_is_no_model_says_what_it_lacks(tmp_path, name):
    folder = nnunet_folder(tmp_path)
    (folder / name).unlink()
    with pytest.raises(BundleBroken, match=f"{name} of .* cannot be read"):
        model(folder)
