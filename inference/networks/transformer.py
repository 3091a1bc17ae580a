"""The transformer at the bottom of the hybrid network (paper Table 3, "Transformer Block")."""

from __future__ import annotations

import torch
from torch import nn

from inference.networks.layers import layers as layers_of


class TransformerBottleneck(nn.Module):
    """Self-attention over every position of the coarsest grid; keeps the shape.

    A depthwise convolution tells the positions apart, so that any window size can be run.
    """

    def __init__(self, channels: int, dimensions: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"{heads} heads of attention cannot share {channels} channels evenly")
        self.position = layers_of(dimensions).convolution(channels, channels, kernel_size=3, padding=1,
                                                          groups=channels)
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
