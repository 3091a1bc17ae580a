"""A state dict is told by its names and shapes."""

import pytest
import torch
from resnet_weights import WIDTHS, imagenet_state

from inference.networks.recognise import recognise, resnet_blocks
from inference.networks.registry import KINDS

BASIC = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
BOTTLENECK = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
SMALL = {"hybrid": {"widths": (4, 8), "heads": 2}, "unet": {"widths": (4, 8)}, "segnet": {"widths": (4, 8)},
         "deeplabv3plus": {"widths": (4, 4, 4, 4, 4)}, "segresnet": {"width": 4}, "dynunet": {"widths": (4,) * 6},
         "coarse_to_fine": {part: {"widths": (4, 8), "heads": 2} for part in ("coarse", "fine")},
         "two_scales": {part: {"widths": (4, 8), "heads": 2} for part in ("near", "far")}}


@pytest.mark.parametrize("depth", [*BASIC, *BOTTLENECK])
def test_a_resnet_is_told_by_its_blocks(depth):
    blocks = {**BASIC, **BOTTLENECK}[depth]
    state = imagenet_state((2, 2, 2, 2, 2), blocks, bottleneck=depth in BOTTLENECK)
    assert resnet_blocks(state) == dict(enumerate(blocks, start=1))
    assert recognise(state) == f"ResNet-{depth} in 2D for 3 channels, widths 2 2 2 2 2"


def test_dimensions_channels_and_widths_are_told():
    state = imagenet_state(channels=1)
    solid = {name: value[:, :, None] if value.dim() == 4 else value for name, value in state.items()}
    assert recognise(solid) == f"ResNet-34 in 3D for 1 channel, widths {' '.join(map(str, WIDTHS))}"


def test_an_unusual_resnet_is_described():
    assert recognise(imagenet_state((2, 2, 2, 2, 2), (1, 2, 1, 1))).startswith("a ResNet of 1 + 2 + 1 + 1 blocks in 2D")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_our_own_networks_are_told(kind):
    state = KINDS[kind](**SMALL[kind]).build(2, 1, 3).state_dict()
    name = {"unet": "the hybrid network or U-Net", "hybrid": "the hybrid network or U-Net",
            "coarse_to_fine": "the coarse-to-fine network", "two_scales": "the network of two scales"}.get(kind, kind)
    assert recognise(state).lower().replace("deeplabv3+", "deeplabv3plus") == f"{name.lower()} in 3d for 2 channels"


@pytest.mark.parametrize("state", [{}, {"conv1.weight": torch.zeros(())}, {"some.thing": torch.zeros(3)}])
def test_what_is_not_known_is_said(state):
    assert recognise(state) == "no network known here"
