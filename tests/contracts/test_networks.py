"""What every kind of network keeps: settings without torch, logits on the image's grid, a bundle's form."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from copy import deepcopy
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from inference.backends.bundle import build_network
from inference.backends.bundle_files import WEIGHTS, BundleFiles
from inference.errors import ModelError
from inference.networks.registry import KINDS, Hybrid, NetworkSettings, OfParts, network_settings
from inference.sliding import Sliding, slide

# Small settings of each kind, and of variants that are networks of their own.
EXAMPLES: dict[str, dict[str, Any]] = {
    "hybrid": {"widths": [4, 8, 8], "heads": 2},
    "hybrid-bare": {"widths": [4, 8, 8], "transformer_layers": 0, "attention_gates": False, "skips": False},
    "hybrid-resnet34": {"widths": [4, 4, 8, 8], "heads": 2, "encoder": "resnet34"},
    "hybrid-supervised": {"widths": [4, 8, 8], "heads": 2, "deep_supervision": True},
    "unet": {"widths": [4, 8, 8]},
    "segnet": {"widths": [4, 8]},
    "deeplabv3plus": {"widths": [4, 4, 4, 8, 8], "rates": [1, 2]},
    "dynunet": {"kernels": [3, 3, 3, 3], "strides": [1, 2, 2, 2], "widths": [4, 4, 4, 8]},
    "dynunet-supervised": {"kernels": [3, 3, 3], "strides": [1, 2, 2], "widths": [4, 4, 8], "deep_supervision": True},
    "segresnet": {"width": 4, "blocks": [1, 1, 1]},
    "coarse_to_fine": {"coarse": {"widths": [4, 8], "heads": 2}, "fine": {"widths": [4, 8, 8], "heads": 2}},
    "two_scales": {"near": {"widths": [4, 8, 8], "heads": 2}, "far": {"widths": [4, 8], "heads": 2}},
}
IN, OUT = 2, 3


@pytest.fixture(params=sorted(EXAMPLES))
def example(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=[2, 3], ids=["2D", "3D"])
def dimensions(request: pytest.FixtureRequest) -> int:
    return request.param


def settings_of(example: str) -> NetworkSettings:
    return network_settings({"kind": example.partition("-")[0], **EXAMPLES[example]})


@cache
def built(example: str, dimensions: int) -> nn.Module:
    torch.manual_seed(0)
    return settings_of(example).build(IN, OUT, dimensions)


def image(network: nn.Module, dimensions: int, batch: int = 2) -> torch.Tensor:
    """The least image with two voxels left along each axis of the coarsest grid."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, IN, *[2 * network.divisor] * dimensions, generator=generator)


def all_of(answer: torch.Tensor | tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return (answer,) if isinstance(answer, torch.Tensor) else answer


def test_every_kind_is_tried() -> None:
    assert {example.partition("-")[0] for example in EXAMPLES} == set(KINDS)


def test_settings_come_back_as_they_went_and_are_frozen_and_closed(example: str) -> None:
    settings = settings_of(example)
    assert network_settings(json.loads(settings.model_dump_json())) == settings
    with pytest.raises(ValidationError, match="frozen"):
        settings.kind = "other"  # type: ignore[attr-defined]
    with pytest.raises(ModelError, match="colour"):
        network_settings(settings.model_dump() | {"colour": "red"})


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_defaults_of_settings_are_those_of_the_constructor(kind: str) -> None:
    module, _, name = KINDS[kind].target.rpartition(".")
    known = inspect.signature(getattr(import_module(module), name)).parameters
    arguments = KINDS[kind]().arguments(IN, OUT)
    assert set(arguments) == set(known)
    assert list(known)[:3] == ["in_channels", "out_channels", "dimensions"]
    for parameter, value in list(arguments.items())[2:]:
        default = known[parameter].default
        if isinstance(value, dict):  # a part of the network, which has defaults of its own
            default = {name: one for name, one in Hybrid().arguments(IN, OUT).items() if name in value} | default
        assert value == (list(default) if isinstance(default, tuple) else default), parameter


def test_the_divisor_is_known_without_building(example: str, dimensions: int) -> None:
    assert settings_of(example).divisor == built(example, dimensions).divisor


def test_logits_lie_on_the_grid_of_the_image(example: str, dimensions: int) -> None:
    network = built(example, dimensions).eval()
    x = image(network, dimensions)
    longer = torch.cat((x, x), dim=-1)
    with torch.inference_mode():
        assert network(x).shape == (2, OUT, *x.shape[2:])
        assert network(longer).shape == (2, OUT, *longer.shape[2:])


def test_a_size_that_does_not_fit_is_refused_with_what_would(example: str, dimensions: int) -> None:
    network = built(example, dimensions).eval()
    with pytest.raises(ValueError, match=f"multiple of {network.divisor}"):
        network(torch.zeros(1, IN, *[2 * network.divisor] * (dimensions - 1), 2 * network.divisor + 1))


def test_gradients_reach_every_parameter(example: str, dimensions: int) -> None:
    torch.manual_seed(0)
    network = settings_of(example).build(IN, OUT, dimensions).train()
    sum(logits.square().mean() for logits in all_of(network(image(network, dimensions)))).backward()
    unreached = [name for name, weights in network.named_parameters()
                 if weights.grad is None or not weights.grad.abs().max() > 0]
    assert unreached == []


def test_several_answers_are_given_in_training_only(example: str, dimensions: int) -> None:
    network = settings_of(example).build(IN, OUT, dimensions).train()
    x = image(network, dimensions)
    answers = all_of(network(x))
    assert (len(answers) > 1) == getattr(settings_of(example), "deep_supervision",
                                           isinstance(settings_of(example), OfParts))
    assert answers[0].shape == (2, OUT, *x.shape[2:])
    assert all(len(answer) == 2 and answer.shape[1] == OUT for answer in answers)
    assert isinstance(network.eval()(x), torch.Tensor)


def test_images_of_a_batch_know_nothing_of_each_other_once_trained(example: str, dimensions: int) -> None:
    network = built(example, dimensions).eval()
    x = image(network, dimensions, batch=3)
    with torch.inference_mode():
        together, alone = network(x), torch.cat([network(one[None]) for one in x])
    assert torch.allclose(together, alone, rtol=1e-4, atol=1e-5)


def test_a_network_that_has_run_can_be_copied(example: str) -> None:
    network = settings_of(example).build(IN, OUT).train()
    network(image(network, 3))
    assert list(deepcopy(network).state_dict()) == list(network.state_dict())


def test_a_seed_decides_the_first_weights(example: str) -> None:
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(settings_of(example).build(IN, OUT).state_dict())
    first, again, other = states
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert any(not torch.equal(value, other[name]) for name, value in first.items())


def test_an_untrained_network_finds_little(example: str, dimensions: int) -> None:
    network = built(example, dimensions).train()
    with torch.inference_mode():
        chance = all_of(network(image(network, dimensions)))[0].sigmoid().mean()
    network.eval()
    assert 0.005 < float(chance) < 0.2


def test_a_bundle_rebuilds_it_from_plain_values(example: str, dimensions: int, tmp_path: Path) -> None:
    network = built(example, dimensions).eval()
    definition = json.loads(json.dumps(settings_of(example).definition(IN, OUT, dimensions)))
    (tmp_path / WEIGHTS).parent.mkdir()
    torch.save(network.state_dict(), tmp_path / WEIGHTS)
    again = build_network(BundleFiles(tmp_path, None, definition, None))  # type: ignore[arg-type]
    x = image(network, dimensions)
    with torch.inference_mode():
        assert torch.equal(network(x), again(x))


def test_it_runs_over_a_volume(example: str) -> None:
    network = built(example, 3)
    window = 2 * network.divisor
    volume = np.random.default_rng(0).normal(size=(IN, window, window, window + 5)).astype(np.float32)
    logits = slide(network, volume, np.ones(volume.shape[1:], bool), Sliding((window, window, window)))
    assert logits.shape == (OUT, *volume.shape[1:])
    assert np.isfinite(logits).all()


def test_settings_need_no_torch() -> None:
    code = f"""
import sys
from inference.networks.registry import complete, network_settings
for name, settings in {EXAMPLES!r}.items():
    network = network_settings({{"kind": name.partition("-")[0], **settings}})
    complete(network.definition(1, 1)), network.divisor
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
