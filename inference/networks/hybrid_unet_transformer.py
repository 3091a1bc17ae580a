"""The paper's hybrid of U-Net and transformer (Table 3), in two or three dimensions, and what is left without a part.

Table 3            here                                                            taken out by
Encoder            `ConvEncoder`: Conv-BN-ReLU twice a level, max-pooling          encoder="resnet34" (another one)
Transformer Block  `TransformerBottleneck`: self-attention over the coarsest grid  transformer_layers=0
Decoder            `Decoder`: transposed convolution, skip connection, Conv-BN-ReLU  skips=False (its skip connections)
Attention Gates    `AttentionGate` on every skip connection                        attention_gates=False
Output Layer       1×1 convolution; the sigmoid or softmax is the caller's, so that losses see logits

The paper's "multi-scale feature extraction" is the hierarchy of the encoder's levels that skip connections bring to
the decoder. Without them the decoder builds on a single scale, the coarsest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from inference.networks.layers import check_grid, layers, logits_layer
from inference.networks.transformer import TransformerBottleneck
from inference.networks.unet_parts import ConvEncoder, Decoder, ResNetLevels

SUPERVISED = 2  # coarser levels that deep supervision looks at


class HybridUNetTransformer(nn.Module):
    """U-Net with a transformer at its bottom and attention gates on its skip connections (paper Table 3).

    Takes (batch, in_channels, [z,] y, x) with every axis a multiple of `divisor`; returns logits
    (batch, out_channels, [z,] y, x). `widths` are the channels of each level, finest first. With
    `encoder="resnet34"` these are a level of plain convolutions, ResNet's stem and its one to four stages; pretrained
    weights need widths (any, 64, 64, 128, 256, 512). `dropout` acts in the plain encoder and in the transformer.

    With `deep_supervision` the answer in training mode is a tuple of logits: on the input's grid, on half and on a
    quarter of it, as far as there are levels.
    """

    def __init__(  # noqa: PLR0913 (each argument is a size or a switch of one row of Table 3)
        self,
        in_channels: int,
        out_channels: int,
        *,
        dimensions: int = 3,
        widths: Sequence[int] = (8, 16, 32, 64, 128),
        transformer_layers: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
        attention_gates: bool = True,
        skips: bool = True,
        encoder: Literal["plain", "resnet34"] = "plain",
        deep_supervision: bool = False,
    ) -> None:
        super().__init__()
        layers(dimensions)  # first of all, is it 2 or 3 dimensions?
        if len(widths) < 2:
            raise ValueError(f"at least 2 levels make a network, not {len(widths)}")
        self.divisor = 2 ** (len(widths) - 1)
        self.encoder = _encoder(encoder, in_channels, widths, dimensions, dropout)
        self.transformer = (TransformerBottleneck(widths[-1], dimensions, transformer_layers, heads, dropout)
                            if transformer_layers else nn.Identity())
        self.decoder = Decoder(widths, dimensions, skips=skips, gates=attention_gates)
        self.output = logits_layer(widths[0], out_channels, dimensions)
        supervised = widths[1:-1][:SUPERVISED] if deep_supervision else ()
        self.supervised = nn.ModuleList(logits_layer(width, out_channels, dimensions) for width in supervised)
        self.deep_supervision = deep_supervision

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Logits on the grid of `x`; ValueError where an axis is no multiple of `divisor`."""
        check_grid(x, self.divisor)
        *skips, x = self.encoder(x)
        finest, *coarser = self.decoder(self.transformer(x), skips)
        logits = self.output(finest)
        if not (self.training and self.deep_supervision):
            return logits
        return (logits, *(output(features) for output, features in zip(self.supervised, coarser, strict=False)))


def _encoder(kind: str, in_channels: int, widths: Sequence[int], dimensions: int, dropout: float) -> nn.Module:
    if kind == "plain":
        return ConvEncoder(in_channels, widths, dimensions, dropout)
    if kind == "resnet34":
        return ResNetLevels(in_channels, widths, dimensions)
    raise ValueError(f"the encoder is plain or resnet34, not {kind!r}")
