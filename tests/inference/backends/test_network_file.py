"""A network in one file is run as models.yaml says, and means what its channels are called."""

import numpy as np
import pytest
import torch
from torch import nn
from turns import Told

from inference.backends import build
from inference.backends.by_recipe import Plan, segment_by_recipe
from inference.backends.exported import Exported
from inference.backends.network_file import NamedOutput
from inference.backends.pins import hashes_of
from inference.backends.torchscript import TorchScript
from inference.errors import BundleBroken, ModelError
from inference.networks.closed import Closed
from inference.recipe import Output
from inference.tasks import TASKS

RECIPE = {"primary": "CT", "channels": [{"role": "CT", "scale": "window", "low": -500, "high": 500}],
          "spacing_mm": [4, 4, 4]}
OUTPUT = {"activation": "softmax", "regions": [{"name": "liver"}, {"name": "tumor"}]}
KEYS = {"recipe": RECIPE, "output": OUTPUT, "window": [8, 8, 8], "precision": "fp32",
        "outputs": {"liver": "Liver", "tumor": "Liver tumour"}}
KINDS = ("torchscript", "exported")


@pytest.fixture
def network() -> nn.Module:
    """One that views its input as memory lies, as traced programs do."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.InstanceNorm3d(4, affine=True), nn.LeakyReLU(),
                         nn.Flatten(2), nn.Unflatten(2, (8, 8, 8)), nn.Conv3d(4, 3, 1)).eval()


@pytest.fixture
def model(network, tmp_path):
    """Settings of a kind for the network, saved in that kind's file."""
    example = torch.zeros(1, 1, 8, 8, 8)

    def make(kind, **keys):
        path = tmp_path / {"torchscript": "net.ts", "exported": "net.pt2"}[kind]
        if path.exists():
            pass
        elif kind == "torchscript":
            torch.jit.trace(network, example).save(str(path))
        else:
            torch.export.save(torch.export.export(network, (example,)), path)
        return build({"kind": kind, "path": path, "sha256": hashes_of(path), "trusted": True, "batch": 1,
                      "fixed": True, **KEYS, **keys})

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_it_answers_as_the_network_itself(model, network, ct, kind):
    answer = model(kind).load("cpu").segment({"CT": ct}, TASKS["liver_tumour"], lambda *_: None)
    output = NamedOutput.model_validate(OUTPUT).labelled({"liver": 1, "tumor": 2})
    plan = Plan(model(kind).recipe, output, (8, 8, 8), 0.25, 1, fixed=True, precision="fp32")
    own = segment_by_recipe(Closed(network), {"CT": ct}, plan, "cpu", lambda *_: None)
    assert set(np.unique(answer.labels)) == {0, 1, 2}
    assert np.mean(answer.labels == own.labels) > 0.999
    assert answer.probability.dtype == np.float16
    assert list(answer.seconds) == ["prepare", "network", "restore"]


def test_only_the_network_needs_the_device(model, ct):
    told = Told()
    model("torchscript").load("cpu").segment({"CT": ct}, TASKS["liver_tumour"], told.report, told.turn)
    assert told.steps == ["prepare", "turn", "network", "over", "back to the source grid"]


def test_channels_that_are_left_out_stay_background(model, ct):
    whole, part = (model("torchscript", outputs=outputs).load("cpu").segment(
        {"CT": ct}, TASKS["liver_tumour"], lambda *_: None).labels
        for outputs in (KEYS["outputs"], {"tumor": "Liver tumour"}))
    assert np.array_equal(part, np.where(whole == 2, 2, 0))


def test_a_label_beside_a_name_must_be_that_names(model, ct):
    """What a bundle's card says may be copied; a number that contradicts its name is a mistake."""
    regions = [{"name": "liver", "label": 1, "members": [1, 2]}, {"name": "tumor", "label": 2, "members": [2]}]
    card = NamedOutput.model_validate({"activation": "softmax", "regions": regions})
    assert isinstance(card.labelled({"liver": 1, "tumor": 2}), Output)
    with pytest.raises(BundleBroken, match="Region 'liver' says label 1; by its name it is 2"):
        card.labelled({"liver": 2, "tumor": 1})


def test_another_number_of_channels_is_told(model, ct):
    output = {"activation": "sigmoid", "regions": [{"name": "tumor"}]}
    loaded = model("torchscript", output=output, outputs={"tumor": "Liver tumour"}).load("cpu")
    with pytest.raises(ModelError, match=r"answers with 3 channels; its output names 1 \(sigmoid: tumor\)"):
        loaded.segment({"CT": ct}, TASKS["liver_tumour"], lambda *_: None)


def test_a_recipe_names_the_tasks_roles(model, ct):
    loaded = model("torchscript").load("cpu")
    with pytest.raises(BundleBroken, match=r"has no role 'CT'\. It has: T1, T1ce, T2, FLAIR"):
        loaded.segment({"CT": ct}, TASKS["brain_tumour"], lambda *_: None)
    with pytest.raises(ModelError, match="inputs has nothing to map"):
        model("torchscript", inputs={"CT": "CT"})


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_another_kind_is_told(model, tmp_path, kind):
    settings = model(kind)
    settings.path.write_bytes(b"no network")
    with pytest.raises(BundleBroken, match="that this torch reads"):
        settings.model_copy(update={"sha256": hashes_of(settings.path)}).load("cpu")


def test_an_exported_program_is_code_and_needs_trust(model):
    assert (Exported.runs_code, TorchScript.runs_code) == (True, False)
    with pytest.raises(BundleBroken, match="is not trusted"):
        model("exported", trusted=False).load("cpu")
    assert model("torchscript", trusted=False).load("cpu").device == "cpu"
