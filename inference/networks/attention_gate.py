"""Attention gate: lets through what the coarser level asks for (paper Table 3; Oktay et al. 2018)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class AttentionGate(nn.Module):
    """Weighs a skip connection by a coefficient in 0..1 for each voxel, learned from skip and gate together.

    The gate comes from the decoder at half the skip's resolution. The coefficients are computed on that coarser
    grid and interpolated back. `psi` is a module of its own so that a forward hook can read the map.
    """

    def __init__(self, skip_channels: int, gate_channels: int, dimensions: int = 3) -> None:
        super().__init__()
        convolution = nn.Conv3d if dimensions == 3 else nn.Conv2d
        inner = max(skip_channels // 2, 4)
        self.project_skip = convolution(skip_channels, inner, kernel_size=2, stride=2, bias=False)
        self.project_gate = convolution(gate_channels, inner, kernel_size=1)
        self.psi = nn.Sequential(convolution(inner, 1, kernel_size=1), nn.Sigmoid())
        self.mode = "trilinear" if dimensions == 3 else "bilinear"

    def forward(self, skip: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
        """The skip connection, weighed; same shape as `skip`."""
        coarse = self.psi(functional.relu(self.project_skip(skip) + self.project_gate(gate)))
        return skip * functional.interpolate(coarse, size=skip.shape[2:], mode=self.mode, align_corners=False)
