"""Which network a state dict belongs to, judged by the names and shapes in it; for messages to people."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch

# A convolution that only one kind of network calls so, looked up in this order.
FIRST_CONVOLUTION = {
    "encoder.resnet.conv1.weight": "the hybrid network with a ResNet-34 encoder",
    "coarse.encoder.resnet.conv1.weight": "the coarse-to-fine network with a ResNet-34 encoder",
    "coarse.encoder.0.0.weight": "the coarse-to-fine network",
    "near.encoder.resnet.conv1.weight": "the network of two scales with a ResNet-34 encoder",
    "near.encoder.0.0.weight": "the network of two scales",
    "encoder.conv1.weight": "DeepLabv3+",
    "encoder.0.0.0.weight": "SegNet",
    "encoder.0.0.weight": "the hybrid network or U-Net",
    "input_block.conv1.conv.weight": "DynUNet",
    "convInit.conv.weight": "SegResNet",
}
# Blocks of each stage, and whether they are bottlenecks of three convolutions (He et al. 2016, table 1).
DEPTHS = {
    ((1, 1, 1, 1), False): 10,
    ((2, 2, 2, 2), False): 18,
    ((3, 4, 6, 3), False): 34,
    ((3, 4, 6, 3), True): 50,
    ((3, 4, 23, 3), True): 101,
    ((3, 8, 36, 3), True): 152,
    ((3, 24, 36, 3), True): 200,
}


def recognise(state: Mapping[str, torch.Tensor]) -> str:
    """Such as "ResNet-50 in 2D for 3 channels, widths 64 64 128 256 512"; "no network known here" where it is none."""
    blocks = resnet_blocks(state)
    if "conv1.weight" in state and blocks:
        return _resnet(state, blocks)
    for name, network in FIRST_CONVOLUTION.items():
        if name in state:
            return f"{network}{_grid(state[name])}"
    return "no network known here"


def resnet_blocks(state: Mapping[str, torch.Tensor]) -> dict[int, int]:
    """How many residual blocks each stage has, by the stage's number; empty where there are none."""
    found: dict[int, int] = {}
    for name in state:
        if block := re.fullmatch(r"layer([1-9])\.(\d{1,3})\.conv1\.weight", name):
            stage, number = int(block[1]), int(block[2])
            found[stage] = max(found.get(stage, 0), number + 1)
    return dict(sorted(found.items()))


def _resnet(state: Mapping[str, torch.Tensor], blocks: dict[int, int]) -> str:
    bottleneck = "layer1.0.conv3.weight" in state
    depth = next((depth for (counts, narrow), depth in DEPTHS.items()
                  if narrow == bottleneck and counts[:len(blocks)] == tuple(blocks.values())), None)
    name = f"ResNet-{depth}" if depth else f"a ResNet of {' + '.join(map(str, blocks.values()))} blocks"
    firsts = ("conv1.weight", *(f"layer{stage}.0.conv1.weight" for stage in blocks))
    widths = " ".join(str(*state[first].shape[:1]) for first in firsts if first in state)
    return f"{name}{_grid(state['conv1.weight'])}, widths {widths}"


def _grid(convolution: torch.Tensor) -> str:
    if convolution.dim() not in (4, 5):
        return ""
    channels = convolution.shape[1]
    return f" in {convolution.dim() - 2}D for {channels} channel{'s' if channels > 1 else ''}"
