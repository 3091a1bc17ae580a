"""A network of two dimensions over volumes, plane by plane."""

from __future__ import annotations

import torch
from torch import nn


class Planes(nn.Module):
    """Takes (batch, channel, z, y, x) and shows `network` each plane (y, x) by itself; logits on the same grid.

    Any number of planes is taken: `divisor` is 1 along z.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        inside = int(getattr(network, "divisor", 1))
        self.divisor = (1, inside, inside)

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Logits (batch, channel, z, y, x); several of them where the network answers with those of coarser levels."""
        batch, depth = x.shape[0], x.shape[2]
        answer = self.network(x.transpose(1, 2).flatten(0, 1))
        if isinstance(answer, tuple):
            return tuple(_stacked(level, batch, depth) for level in answer)
        return _stacked(answer, batch, depth)


def _stacked(planes: torch.Tensor, batch: int, depth: int) -> torch.Tensor:
    return planes.unflatten(0, (batch, depth)).transpose(1, 2)


def over_volumes(network: nn.Module) -> nn.Module:
    """The network itself where it has three dimensions, else over planes; in the layout that computes fastest."""
    flat = any(isinstance(module, nn.Conv2d) for module in network.modules())
    layout = torch.channels_last if flat else torch.channels_last_3d
    network = network.to(memory_format=layout)  # type: ignore[call-overload]
    return Planes(network) if flat and not isinstance(network, Planes) else network
