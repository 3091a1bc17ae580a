"""What U-shaped networks are made of: convolution stacks, the encoders that halve the grid, the decoder that returns.

An encoder answers with the features of every level, finest first; level n lies on a grid of 1/2ⁿ.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from inference.networks.attention_gate import AttentionGate
from inference.networks.layers import layers
from inference.networks.resnet import ResNetEncoder


class ConvStack(nn.Sequential):
    """Two times Conv-BN-ReLU with kernel 3; keeps the grid."""

    def __init__(self, in_channels: int, out_channels: int, dimensions: int, dropout: float = 0.0) -> None:
        of = layers(dimensions)
        super().__init__(
            of.convolution(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
            of.norm(out_channels),
            nn.ReLU(inplace=True),
            of.dropout(dropout),
            of.convolution(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
            of.norm(out_channels),
            nn.ReLU(inplace=True),
        )


class ConvEncoder(nn.ModuleList):
    """A `ConvStack` a level with max-pooling between; dropout from the third level on, where channels are many."""

    def __init__(self, in_channels: int, widths: Sequence[int], dimensions: int, dropout: float) -> None:
        super().__init__(
            ConvStack(before, width, dimensions, dropout if level > 1 else 0.0)
            for level, (before, width) in enumerate(zip((in_channels, *widths), widths, strict=False))
        )
        self.max_pool = layers(dimensions).max_pool

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Features of every level, finest first."""
        features = []
        for level, stack in enumerate(self):
            x = stack(self.max_pool(x, 2) if level else x)
            features.append(x)
        return features


class ResNetLevels(nn.Module):
    """A `ResNetEncoder`, which begins at half the grid, and a `ConvStack` on the whole grid for the finest detail."""

    def __init__(self, in_channels: int, widths: Sequence[int], dimensions: int) -> None:
        super().__init__()
        self.detail = ConvStack(in_channels, widths[0], dimensions)
        self.resnet = ResNetEncoder(in_channels, widths[1:], dimensions)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Features of every level, finest first."""
        return [self.detail(x), *self.resnet(x)]


class DecoderLevel(nn.Module):
    """One step up: transposed convolution, skip connection where there is one, Conv-BN-ReLU twice."""

    def __init__(self, below: int, width: int, dimensions: int, *, skips: bool = True, gates: bool = True) -> None:
        super().__init__()
        self.skips = skips
        self.up = layers(dimensions).transposed(below, width, kernel_size=2, stride=2)
        self.gate = AttentionGate(width, below, dimensions) if skips and gates else None
        self.stack = ConvStack(2 * width if skips else width, width, dimensions)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """Features on the grid of `skip`."""
        if not self.skips:
            return self.stack(self.up(x))
        return self.stack(torch.cat((self.up(x), self.gate(skip, x) if self.gate else skip), dim=1))


class Decoder(nn.ModuleList):
    """From the coarsest level back to the finest; `widths` are those of the encoder, finest first."""

    def __init__(self, widths: Sequence[int], dimensions: int, *, skips: bool = True, gates: bool = True) -> None:
        super().__init__(
            DecoderLevel(below, width, dimensions, skips=skips, gates=gates)
            for below, width in zip(reversed(widths[1:]), reversed(widths[:-1]), strict=True)
        )

    def forward(self, x: torch.Tensor, skips: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Features of every level, finest first; `x` is the coarsest level, `skips` the others, finest first."""
        features = []
        for step_up, skip in zip(self, reversed(skips), strict=True):
            x = step_up(x, skip)
            features.append(x)
        return features[::-1]
