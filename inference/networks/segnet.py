"""SegNet (Badrinarayanan et al. 2017), one of the paper's comparators."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from inference.networks.layers import check_grid, conv_norm_relu, layers, logits_layer

DEPTHS = (2, 2, 3, 3, 3)  # convolutions of each level of VGG16


class SegNet(nn.Module):
    """The convolutions of VGG16 and their mirror image; the decoder puts values back where max-pooling found them.

    Takes (batch, in_channels, [z,] y, x) with every axis a multiple of `divisor`; returns logits
    (batch, out_channels, [z,] y, x). `widths` are the channels of one to five levels, finest first, VGG16's by
    default. No features cross from encoder to decoder, only the places of the maxima.
    """

    def __init__(self, in_channels: int, out_channels: int, *, dimensions: int = 3,
                 widths: Sequence[int] = (64, 128, 256, 512, 512)) -> None:
        super().__init__()
        if not 1 <= len(widths) <= len(DEPTHS):
            raise ValueError(f"SegNet has 1 to {len(DEPTHS)} levels, not {len(widths)}")
        of = layers(dimensions)
        self.max_pool, self.max_unpool = of.max_pool, of.max_unpool
        self.divisor = 2 ** len(widths)
        levels = list(zip((in_channels, *widths), widths, DEPTHS, strict=False))
        self.encoder = nn.ModuleList(_stack((before, *[width] * depth), dimensions) for before, width, depth in levels)
        self.decoder = nn.ModuleList(_stack((*[width] * depth, before), dimensions)
                                     for before, width, depth in reversed(levels[1:]))
        self.decoder.append(_stack([widths[0]] * DEPTHS[0], dimensions))  # its last convolution is the output
        self.output = logits_layer(widths[0], out_channels, dimensions, kernel=3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits on the grid of `x`; ValueError where an axis is no multiple of `divisor`."""
        check_grid(x, self.divisor)
        places = []
        for stack in self.encoder:
            x, place = self.max_pool(stack(x), 2, return_indices=True)
            places.append(place)
        for stack in self.decoder:
            x = stack(self.max_unpool(x, places.pop(), 2))
        return self.output(x)


def _stack(channels: Sequence[int], dimensions: int) -> nn.Sequential:
    return nn.Sequential(*(conv_norm_relu(before, after, dimensions) for before, after in pairwise(channels)))
