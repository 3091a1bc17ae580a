"""OpenVINO's answer is the network's own, for windows of any size and for weights that are put in later."""

import pytest
import torch
from torch import nn

from inference.errors import ModelError
from inference.networks.compiled import Compiled
from inference.networks.hybrid_unet_transformer import HybridUNetTransformer


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return HybridUNetTransformer(1, 2, widths=(4, 8), transformer_layers=1, heads=2).eval()


def shown(size: int, batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, 1, size, size, size, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def test_it_answers_as_the_network_for_every_size_of_window(network):
    compiled = Compiled(network, "f32")
    for x in (shown(16), shown(8, batch=2), shown(16)):
        assert torch.allclose(compiled(x), network(x), atol=1e-4)
    assert compiled.divisor == network.divisor == 2
    assert len(compiled._programs) == 2, "a size that was seen is not compiled again"


@torch.inference_mode()
def test_half_precision_is_near(network):
    assert torch.allclose(Compiled(network, "bf16")(shown(16)), network(shown(16)), atol=0.1)


@torch.inference_mode()
def test_the_callers_autocast_is_not_its_own(network):
    exact = network(shown(16))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(Compiled(network, "f32")(shown(16)), exact, atol=1e-4)


@torch.inference_mode()
def test_folds_are_asked_by_turns(network):
    torch.manual_seed(1)
    other = HybridUNetTransformer(1, 2, widths=(4, 8), transformer_layers=1, heads=2).eval()
    folds = [one.state_dict() for one in (network, other)]
    wanted = [one(shown(16)) for one in (network, other)]
    folds = [{name: value.clone() for name, value in fold.items()} for fold in folds]
    compiled = Compiled(network, "f32")
    for _ in range(2):
        for weights, answer in zip(folds, wanted, strict=True):
            compiled.load_state_dict(weights)
            assert torch.allclose(compiled(shown(16)), answer, atol=1e-4)
    assert len(compiled._programs) == 2


class Odd(nn.Module):
    def forward(self, x):
        return torch.special.bessel_j0(x)


def test_what_openvino_lacks_is_told():
    with pytest.raises(ModelError, match="Say engine: torch"):
        Compiled(Odd(), "f32")(shown(8))
