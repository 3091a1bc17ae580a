"""A network is chosen by `kind`; what is wrong with its settings is said before anything is built."""

import json
import logging
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError
from resnet_weights import WIDTHS, imagenet_state

import inference
from inference.backends.bundle_files import INFERENCE
from inference.errors import ModelError
from inference.networks.registry import KINDS, AnyNetwork, DynUNet, Hybrid, complete, network_settings

BUNDLES = Path(inference.__file__).parent / "bundles"


class Run(BaseModel):
    """A configuration that has a network."""

    network: AnyNetwork = Hybrid()


def test_without_a_kind_it_is_the_papers_network():
    assert Run.model_validate({"network": {"widths": [4, 8], "heads": 2}}).network == Hybrid(widths=(4, 8), heads=2)
    assert Run().network == network_settings({})


def test_the_schema_has_a_form_for_every_kind():
    schema = Run.model_json_schema()["properties"]["network"]
    assert set(schema["discriminator"]["mapping"]) == set(KINDS)


def test_what_a_yaml_leaves_out_means_what_it_meant_when_there_was_one_network():
    then = {"widths": (8, 16, 32, 64, 128), "transformer_layers": 2, "heads": 4, "dropout": 0.1}
    assert Hybrid().model_dump(include=set(then)) == then


@pytest.mark.parametrize("bundle", sorted(path.parent.parent.name for path in BUNDLES.glob(f"*/{INFERENCE}")))
def test_a_shipped_bundles_definition_is_completed_by_what_it_left_at_its_default(bundle):
    definition = json.loads((BUNDLES / bundle / INFERENCE).read_text())["network_def"]
    whole = complete(definition)
    assert {name: whole[name] for name in definition} == definition
    parts = [part for part in whole.values() if isinstance(part, dict)] or [whole]
    assert all(part["attention_gates"] is part["skips"] is True for part in parts)
    assert complete(whole) == whole


@pytest.mark.parametrize(("definition", "reason"), [
    ({"_target_": "torch.nn.Linear"}, "no network of this program"),
    ({}, "None is no network"),
    ({"_target_": Hybrid.target, "in_channels": 1}, "names no channels"),
    ({"_target_": Hybrid.target, "in_channels": 1, "out_channels": 1, "speed": 3}, "speed"),
])
def test_a_definition_of_something_else_is_refused(definition, reason):
    with pytest.raises(ModelError, match=reason):
        complete(definition)


@pytest.mark.parametrize(("settings", "reason"), [
    ({"widths": [8]}, "at least 2"),
    ({"widths": [8, 0]}, "greater than or equal to 1"),
    ({"widths": [8, 9]}, "no multiple of 4 heads"),
    ({"encoder": "resnet34", "widths": [8, 8]}, "3 to 6 widths"),
    ({"pretrained": "weights.pth"}, "need the encoder resnet34"),
    ({"kind": "segnet", "widths": [4] * 6}, "at most 5"),
    ({"kind": "deeplabv3plus", "widths": [4] * 4}, "at least 5"),
    ({"kind": "dynunet", "patch": [32, 32, 32]}, "patch and spacing_mm together"),
    ({"kind": "dynunet", "patch": [32] * 3, "spacing_mm": [1] * 3, "strides": [1, 2, 2]}, "either patch"),
    ({"kind": "dynunet", "patch": [8] * 3, "spacing_mm": [1] * 3}, "3 or more levels"),
    ({"kind": "dynunet", "patch": [18, 32, 32], "spacing_mm": [1] * 3}, "take a patch of 16 or 20"),
    ({"kind": "dynunet", "widths": [4, 4]}, "the plan has 6 levels"),
    ({"kind": "dynunet", "kernels": [3, 3, 3]}, "the same number of each"),
    ({"kind": "dynunet", "kernels": [3, 3, 3], "strides": [1, [2, 2], [2, 2, 2]]}, "the same everywhere"),
    ({"kind": "coarse_to_fine", "fine": {"deep_supervision": True}}, "no part of coarse_to_fine"),
    ({"kind": "two_scales", "far": {"deep_supervision": True}}, "no part of two_scales"),
    ({"kind": "coarse_to_fine", "coarse": {"kind": "unet"}}, "Input should be 'hybrid'"),
])
def test_what_cannot_be_built_is_said_at_once(settings, reason):
    with pytest.raises(ModelError, match=reason):
        network_settings(settings)


def test_attention_without_layers_needs_no_heads_that_fit():
    assert Hybrid(widths=(4, 9), transformer_layers=0).build(1, 1).divisor == 2


def test_a_plan_is_kept_as_data():
    settings = DynUNet(patch=(16, 64, 64), spacing_mm=(4, 1, 1))
    arguments = settings.arguments(2, 3)
    assert arguments["strides"][:2] == [[1, 1, 1], [1, 2, 2]]
    assert settings.divisor == 16
    assert not {"patch", "spacing_mm"} & set(arguments)
    given = DynUNet(kernels=arguments["kernels"], strides=arguments["strides"])
    assert given.arguments(2, 3) == arguments
    with pytest.raises(ModelError, match="2 dimensions has no patch of 3 axes"):
        settings.arguments(2, 3, dimensions=2)


def test_what_only_the_constructor_knows_is_a_model_error_too():
    with pytest.raises(ModelError, match="DynUNet cannot be built: a kernel or stride has 3 axes, not 2"):
        DynUNet(kernels=(3, 3, 3), strides=(1, (2, 2), 2)).build(1, 1)
    with pytest.raises(ModelError, match="2 or 3 dimensions"):
        Hybrid().build(1, 1, dimensions=4)


def test_pretrained_weights_are_loaded_and_reported(save, caplog):
    settings = Hybrid(widths=(4, *WIDTHS), encoder="resnet34", pretrained=save(imagenet_state()))
    with caplog.at_level(logging.INFO):
        settings.build(1, 1)
    assert "weights.pth (ResNet-34 in 2D for 3 channels" in caplog.text
    assert "pretrained" not in settings.arguments(1, 1)


def test_an_unknown_kind_is_answered_with_those_there_are():
    with pytest.raises(ValidationError, match="'hybrid', 'unet', 'segnet', 'deeplabv3plus', 'dynunet', 'segresnet'"):
        Run.model_validate({"network": {"kind": "oracle"}})
