"""Two hybrid networks side by side: one looks near, at what is small, one from afar, at what is larger than a window.

A nodule of 5 mm and a mass of 90 mm ask for other voxels. Each network learns by itself what it is good at, and neither
unlearns it for the other's sake; what either finds is found.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from inference.networks.hybrid_unet_transformer import HybridUNetTransformer
from inference.networks.layers import check_grid, layers

STEP = 3  # voxels of the whole grid to one of the far network's, along each axis


class TwoScales(nn.Module):
    """`near` and `far` are the arguments of a `HybridUNetTransformer`, but for channels and dimensions.

    Takes (batch, in_channels, [z,] y, x) with every axis a multiple of `divisor`; returns logits
    (batch, out_channels, [z,] y, x), of each voxel the higher of the two networks'. In training mode the answer is a
    tuple: these, and the far network's on its own grid.
    """

    def __init__(self, in_channels: int, out_channels: int, *, dimensions: int = 3,
                 near: Mapping[str, Any] = MappingProxyType({}),
                 far: Mapping[str, Any] = MappingProxyType({})) -> None:
        super().__init__()
        self.near = HybridUNetTransformer(in_channels, out_channels, dimensions=dimensions, **near)
        self.far = HybridUNetTransformer(in_channels, out_channels, dimensions=dimensions, **far)
        self.divisor = math.lcm(self.near.divisor, STEP * self.far.divisor)
        self._of = layers(dimensions)

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Logits on the grid of `x`; ValueError where an axis is no multiple of `divisor`."""
        check_grid(x, self.divisor)
        large = self.far(self._of.average_pool(x, STEP))
        logits = torch.maximum(self.near(x), functional.interpolate(large, scale_factor=STEP, mode=self._of.linear,
                                                                    align_corners=False))
        return (logits, large) if self.training else logits
