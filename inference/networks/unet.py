"""U-Net (Ronneberger et al. 2015; in 3D Çiçek et al. 2016), the paper's first comparator."""

from __future__ import annotations

from collections.abc import Sequence

from inference.networks.hybrid_unet_transformer import HybridUNetTransformer


class UNet(HybridUNetTransformer):
    """The hybrid network without transformer and attention gates, so that a comparison shows what these two do.

    Two things differ from 2015: padding keeps the grid, so that the logits lie on the input's, and convolutions are
    followed by batch normalisation, as in 3D U-Net. The widths are the article's.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        dimensions: int = 3,
        widths: Sequence[int] = (64, 128, 256, 512, 1024),
        dropout: float = 0.0,
        deep_supervision: bool = False,
    ) -> None:
        super().__init__(in_channels, out_channels, dimensions=dimensions, widths=widths, dropout=dropout,
                         transformer_layers=0, attention_gates=False, deep_supervision=deep_supervision)
