"""Two hybrid networks, one after the other: what the first finds on half the grid the second corrects on the whole one.

A whole organ fits into the first one's window, so it says what is tumour and what is not; the second one only has to
say where it ends. The second answers with a correction of the first one's logits, before training with hardly any.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from inference.networks.hybrid_unet_transformer import HybridUNetTransformer
from inference.networks.layers import check_grid, layers

STEP = 2  # voxels of the whole grid to one of the first network's, along each axis
LITTLE = 0.01  # share of the usual first weights of the correction: enough to learn by


class CoarseToFine(nn.Module):
    """`coarse` and `fine` are the arguments of a `HybridUNetTransformer`, but for channels and dimensions.

    Takes (batch, in_channels, [z,] y, x) with every axis a multiple of `divisor`; returns logits
    (batch, out_channels, [z,] y, x). In training mode the answer is a tuple: these, and the first network's on half
    the grid, so that it keeps to what it is there for.
    """

    def __init__(self, in_channels: int, out_channels: int, *, dimensions: int = 3,
                 coarse: Mapping[str, Any] = MappingProxyType({}),
                 fine: Mapping[str, Any] = MappingProxyType({})) -> None:
        super().__init__()
        self.coarse = HybridUNetTransformer(in_channels, out_channels, dimensions=dimensions, **coarse)
        self.fine = HybridUNetTransformer(in_channels + out_channels, out_channels, dimensions=dimensions, **fine)
        weight, bias = self.fine.output.parameters()
        with torch.no_grad():
            weight.mul_(LITTLE)
        nn.init.zeros_(bias)
        self.divisor = max(STEP * self.coarse.divisor, self.fine.divisor)
        self._of = layers(dimensions)

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Logits on the grid of `x`; ValueError where an axis is no multiple of `divisor`."""
        check_grid(x, self.divisor)
        found = self.coarse(self._of.average_pool(x, STEP))
        first = functional.interpolate(found, scale_factor=STEP, mode=self._of.linear, align_corners=False)
        logits = first + self.fine(torch.cat((x, torch.tanh(first / 2)), dim=1))  # as a probability, from -1 to 1
        return (logits, found) if self.training else logits
