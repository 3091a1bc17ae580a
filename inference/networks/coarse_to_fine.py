"""Two hybrid networks, one after the other: what the first finds on half the grid the second corrects on the whole one.

A whole organ fits into the first one's window, so it says what is tumour and what is not; the second one only has to
say where it ends. The second answers with a correction of the first one's logits, before training with hardly any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import torch
from torch import nn
from torch.nn import functional

from inference.networks.hybrid_unet_transformer import HybridUNetTransformer
from inference.networks.layers import check_grid, layers

STEP = 2  # voxels of the whole grid to one of the first network's, along each axis
CERTAIN = 1e-6  # how unsure an answer counts at the least
LITTLE = 0.01  # share of the usual first weights of the correction: enough to learn by


class Windowed(NamedTuple):
    """What a network answers that learns by windows: its logits there, coarser ones of all, where each one begins."""

    logits: torch.Tensor  # (batch, channel, *window)
    coarse: torch.Tensor  # (batch, channel, *half the grid)
    starts: torch.Tensor  # (batch, axis), in voxels of the whole grid

    def inside(self, whole: torch.Tensor) -> torch.Tensor:
        """What of (batch, channel, *whole grid) lies in each sample's window."""
        return cut(whole, self.starts, self.logits.shape[2:])


def cut(whole: torch.Tensor, starts: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """A window of `size` voxels of each sample of (batch, channel, *grid), from where it starts (batch, axis)."""
    return torch.stack([sample[:, *(slice(at, at + width) for at, width in zip(start, size, strict=True))]
                        for sample, start in zip(whole, starts.tolist(), strict=True)])


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
        self.window: tuple[int, ...] = ()
        self._of = layers(dimensions)

    def learn_in(self, window: Sequence[int]) -> None:
        """Have the second network learn by a part of each sample only, of `window` voxels (z, y, x).

        It lies around a place where the first one is unsure: a whole organ is learnt from in a fraction of the time.
        The second one's normalisation stays as it is, since such parts are not like a whole. The answer in training
        is a `Windowed` then.
        """
        self.window = tuple(window)[-self._of.dimensions:]

    def train(self, mode: bool = True) -> Self:
        """Training mode; with a window the second network's normalisation is left out of it."""
        super().train(mode)
        if self.window:
            for part in self.fine.modules():
                if isinstance(part, self._of.norm):
                    part.eval()
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...] | Windowed:
        """Logits on the grid of `x`; ValueError where an axis is no multiple of `divisor`."""
        check_grid(x, self.divisor)
        found = self.coarse(self._of.average_pool(x, STEP))
        if self.training and self.window:
            return self._by_windows(x, found)
        first = self._on_whole_grid(found)
        logits = first + self._correction(x, first)
        return (logits, found) if self.training else logits

    def _by_windows(self, x: torch.Tensor, found: torch.Tensor) -> Windowed:
        starts = self._unsure(found)
        seen, first = (cut(whole, starts, self.window) for whole in (x, self._on_whole_grid(found)))
        return Windowed(first + self._correction(seen, first), found, starts)

    def _unsure(self, found: torch.Tensor) -> torch.Tensor:
        """Where each sample's window begins (batch, axis): around a voxel drawn by how unsure the first answer is."""
        chance = found.detach().float().sigmoid()
        unsure = (chance * (1 - chance)).amax(1) + CERTAIN
        places = torch.unravel_index(torch.multinomial(unsure.flatten(1), 1)[:, 0], unsure.shape[1:])
        size, grid = (torch.tensor(sizes, device=found.device) for sizes in (self.window, unsure.shape[1:]))
        starts = STEP * torch.stack(places, dim=1) - size // 2
        return torch.minimum(starts.clamp(min=0), STEP * grid - size)

    def _on_whole_grid(self, found: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(found, scale_factor=STEP, mode=self._of.linear, align_corners=False)

    def _correction(self, x: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
        """By the second network, which sees the image and the first answer as a probability, from -1 to 1."""
        answer: torch.Tensor = self.fine(torch.cat((x, torch.tanh(first / 2)), dim=1))
        return answer
