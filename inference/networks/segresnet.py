"""SegResNet (Myronenko 2018, without its autoencoder) as MONAI builds it: a winner of BraTS, a yardstick."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from monai.networks.nets import SegResNet as MonaiSegResNet

from inference.networks.layers import check_grid, layers, start_rare

GROUPS = 8  # of the normalisation, or the most that divide the width


class SegResNet(MonaiSegResNet):
    """Residual blocks, group normalisation, additive skip connections.

    Takes (batch, in_channels, [z,] y, x) with every axis a multiple of `divisor`; returns logits
    (batch, out_channels, [z,] y, x). `width` are the channels of the finest level, doubled with each halving;
    `blocks` the residual blocks of each level on the way down, with one on the way up.
    """

    def __init__(self, in_channels: int, out_channels: int, *, dimensions: int = 3, width: int = 16,
                 blocks: Sequence[int] = (1, 2, 2, 4), dropout: float = 0.0) -> None:
        layers(dimensions)  # first of all, is it 2 or 3 dimensions?
        super().__init__(spatial_dims=dimensions, init_filters=width, in_channels=in_channels,
                         out_channels=out_channels, dropout_prob=dropout or None, blocks_down=tuple(blocks),
                         blocks_up=(1,) * (len(blocks) - 1),
                         norm=("group", {"num_groups": math.gcd(GROUPS, width)}))
        self.divisor = 2 ** (len(blocks) - 1)
        start_rare(self.conv_final[-1].conv)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits on the grid of `x`; ValueError where an axis is no multiple of `divisor`."""
        check_grid(x, self.divisor)
        return super().forward(x)
