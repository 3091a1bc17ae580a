"""DeepLabv3+ (Chen et al. 2018) on ResNet-34, one of the paper's comparators."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from inference.networks.layers import check_grid, conv_norm_relu, layers, logits_layer
from inference.networks.resnet import ResNetEncoder


class AtrousPyramid(nn.Module):
    """Atrous spatial pyramid pooling: one grid seen through convolutions of several reaches, and as a whole.

    The branch of the whole has a bias in place of a normalisation, which cannot be taken over a single value.
    """

    def __init__(self, in_channels: int, width: int, dimensions: int, rates: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList([conv_norm_relu(in_channels, width, dimensions, kernel=1)])
        self.branches.extend(conv_norm_relu(in_channels, width, dimensions, dilation=rate) for rate in rates)
        self.whole = nn.Sequential(layers(dimensions).convolution(in_channels, width, kernel_size=1),
                                   nn.ReLU(inplace=True))
        self.project = conv_norm_relu((len(rates) + 2) * width, width, dimensions, kernel=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`width` channels on the grid of `x`."""
        mean = x.mean(dim=tuple(range(2, x.dim())), keepdim=True)
        seen = [branch(x) for branch in self.branches]
        return self.project(torch.cat((*seen, self.whole(mean).expand_as(seen[0])), dim=1))


class DeepLabV3Plus(nn.Module):
    """ResNet whose last stage is dilated, a pyramid of atrous convolutions, and a decoder that adds fine features.

    Takes (batch, in_channels, [z,] y, x) with every axis a multiple of `divisor`; returns logits
    (batch, out_channels, [z,] y, x). `widths` are the channels of ResNet's stem and four stages, ResNet-34's by
    default; pyramid and decoder follow them as 256 and 48 follow 512. `rates` are dilations on 1/16 of the grid, the
    article's by default: for patches of less than 18 · 16 voxels smaller ones see more than padding.
    """

    divisor = 16

    def __init__(self, in_channels: int, out_channels: int, *, dimensions: int = 3,
                 widths: Sequence[int] = (64, 64, 128, 256, 512), rates: Sequence[int] = (6, 12, 18),
                 dropout: float = 0.1) -> None:
        super().__init__()
        of = layers(dimensions)
        if len(widths) != 5:
            raise ValueError(f"DeepLabv3+ has the widths of a stem and 4 stages, not {len(widths)}")
        self.encoder = ResNetEncoder(in_channels, widths, dimensions, dilated=1)
        width, detail = max(1, widths[-1] // 2), max(1, widths[-1] * 3 // 32)
        self.pyramid = AtrousPyramid(widths[-1], width, dimensions, rates)
        self.detail = conv_norm_relu(widths[1], detail, dimensions, kernel=1)
        self.decoder = nn.Sequential(conv_norm_relu(width + detail, width, dimensions),
                                     conv_norm_relu(width, width, dimensions), of.dropout(dropout))
        self.output = logits_layer(width, out_channels, dimensions)
        self.mode = of.linear

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits on the grid of `x`; ValueError where an axis is no multiple of `divisor`."""
        check_grid(x, self.divisor)
        _, fine, *_, coarse = self.encoder(x)
        detail = self.detail(fine)
        features = self.decoder(torch.cat((self._on(detail, self.pyramid(coarse)), detail), dim=1))
        return self._on(x, self.output(features))

    def _on(self, grid: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Features interpolated onto the grid of another tensor."""
        return functional.interpolate(features, size=grid.shape[2:], mode=self.mode, align_corners=False)
