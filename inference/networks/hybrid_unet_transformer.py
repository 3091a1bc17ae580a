"""The paper's hybrid of U-Net and transformer (Table 3), in two or three dimensions.

Table 3            here
Encoder            `ConvStack` (Conv-BN-ReLU, twice) and max-pooling, one a level
Transformer Block  `TransformerBottleneck`: multi-head self-attention over the coarsest grid
Decoder            transposed convolution, skip connection, `ConvStack`
Attention Gates    `AttentionGate` on every skip connection
Output Layer       1×1 convolution; the sigmoid or softmax is the caller's, so that losses see logits
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from inference.networks.attention_gate import AttentionGate

RARE = -3.0  # first logits: lesions are few voxels, and features have to speak for them (Lin et al. 2017, 3.3)


class ConvStack(nn.Sequential):
    """Two times Conv-BN-ReLU with kernel 3; keeps the grid."""

    def __init__(self, in_channels: int, out_channels: int, dimensions: int, dropout: float = 0.0) -> None:
        convolution = nn.Conv3d if dimensions == 3 else nn.Conv2d
        norm = nn.BatchNorm3d if dimensions == 3 else nn.BatchNorm2d
        drop = nn.Dropout3d if dimensions == 3 else nn.Dropout2d
        super().__init__(
            convolution(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
            norm(out_channels),
            nn.ReLU(inplace=True),
            drop(dropout),
            convolution(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
            norm(out_channels),
            nn.ReLU(inplace=True),
        )


class TransformerBottleneck(nn.Module):
    """Self-attention over every position of the coarsest grid; keeps the shape.

    A depthwise convolution tells the positions apart, so that any window size can be run.
    """

    def __init__(self, channels: int, dimensions: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        convolution = nn.Conv3d if dimensions == 3 else nn.Conv2d
        self.position = convolution(channels, channels, kernel_size=3, padding=1, groups=channels)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(channels, heads, 2 * channels, dropout, "gelu", batch_first=True,
                                       norm_first=True)
            for _ in range(layers)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Same shape as `x`."""
        x = x + self.position(x)
        tokens = x.flatten(2).transpose(1, 2)
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens.transpose(1, 2).reshape(x.shape)


class DecoderLevel(nn.Module):
    """One step up: transposed convolution, gated skip connection, Conv-BN-ReLU."""

    def __init__(self, below: int, skip: int, dimensions: int) -> None:
        super().__init__()
        transposed = nn.ConvTranspose3d if dimensions == 3 else nn.ConvTranspose2d
        self.up = transposed(below, skip, kernel_size=2, stride=2)
        self.gate = AttentionGate(skip, below, dimensions)
        self.stack = ConvStack(2 * skip, skip, dimensions)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """Features on the grid of `skip`."""
        return self.stack(torch.cat((self.up(x), self.gate(skip, x)), dim=1))


class HybridUNetTransformer(nn.Module):
    """U-Net with a transformer at its bottom and attention gates on its skip connections (paper Table 3).

    Takes (batch, in_channels, [z,] y, x) with every axis a multiple of `divisor`; returns logits
    (batch, out_channels, [z,] y, x). `widths` are the channels of each level, finest first.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        dimensions: int = 3,
        widths: Sequence[int] = (8, 16, 32, 64, 128),
        transformer_layers: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if dimensions not in (2, 3) or len(widths) < 2:
            raise ValueError(f"2 or 3 dimensions and at least 2 levels, not {dimensions} and {len(widths)}")
        self.divisor = 2 ** (len(widths) - 1)
        self.encoder = nn.ModuleList(
            ConvStack(before, width, dimensions, dropout if level > 1 else 0.0)
            for level, (before, width) in enumerate(zip((in_channels, *widths), widths, strict=False))
        )
        self.pool = nn.MaxPool3d(2) if dimensions == 3 else nn.MaxPool2d(2)
        self.transformer = TransformerBottleneck(widths[-1], dimensions, transformer_layers, heads, dropout)
        self.decoder = nn.ModuleList(
            DecoderLevel(below, skip, dimensions)
            for below, skip in zip(reversed(widths[1:]), reversed(widths[:-1]), strict=True)
        )
        output = nn.Conv3d if dimensions == 3 else nn.Conv2d
        self.output = output(widths[0], out_channels, kernel_size=1)
        assert self.output.bias is not None
        nn.init.constant_(self.output.bias, RARE)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits on the grid of `x`; ValueError where an axis is no multiple of `divisor`."""
        if any(size % self.divisor for size in x.shape[2:]):
            raise ValueError(f"every axis must be a multiple of {self.divisor}, not {tuple(x.shape[2:])}")
        skips = []
        for level, stack in enumerate(self.encoder):
            x = stack(self.pool(x) if level else x)
            skips.append(x)
        x = self.transformer(skips.pop())
        for step_up in self.decoder:
            x = step_up(x, skips.pop())
        return self.output(x)
