"""Torch's layers by one name in two and three dimensions, so that each network is written once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

RARE = -3.0  # first logits: lesions are few voxels, and features have to speak for them (Lin et al. 2017, 3.3)


@dataclass(frozen=True)
class Layers:
    """What depends on the number of dimensions; pooling and unpooling are functions, they hold no weights."""

    dimensions: int
    convolution: type[nn.Conv2d] | type[nn.Conv3d]
    transposed: type[nn.ConvTranspose2d] | type[nn.ConvTranspose3d]
    norm: type[nn.BatchNorm2d] | type[nn.BatchNorm3d]
    dropout: type[nn.Dropout2d] | type[nn.Dropout3d]
    max_pool: Callable[..., Any]
    max_unpool: Callable[..., torch.Tensor]
    average_pool: Callable[..., torch.Tensor]
    linear: str  # mode of linear interpolation


_LAYERS = {
    2: Layers(2, nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.Dropout2d, functional.max_pool2d,
              functional.max_unpool2d, functional.avg_pool2d, "bilinear"),
    3: Layers(3, nn.Conv3d, nn.ConvTranspose3d, nn.BatchNorm3d, nn.Dropout3d, functional.max_pool3d,
              functional.max_unpool3d, functional.avg_pool3d, "trilinear"),
}


def layers(dimensions: int) -> Layers:
    """The layers for 2 or 3 dimensions; ValueError for another number."""
    if dimensions not in _LAYERS:
        raise ValueError(f"a network has 2 or 3 dimensions, not {dimensions}")
    return _LAYERS[dimensions]


def conv_norm_relu(in_channels: int, out_channels: int, dimensions: int, *, kernel: int = 3,
                   dilation: int = 1) -> nn.Sequential:
    """Conv-BN-ReLU that keeps the grid; without bias, as the normalisation brings one."""
    of = layers(dimensions)
    return nn.Sequential(
        of.convolution(in_channels, out_channels, kernel_size=kernel, padding=dilation * (kernel // 2),
                       dilation=dilation, bias=False),
        of.norm(out_channels),
        nn.ReLU(inplace=True),
    )


def logits_layer(in_channels: int, out_channels: int, dimensions: int, *, kernel: int = 1) -> nn.Module:
    """The last convolution of a network; before training it finds little (see `RARE`)."""
    return start_rare(layers(dimensions).convolution(in_channels, out_channels, kernel_size=kernel,
                                                     padding=kernel // 2))


def start_rare(convolution: nn.Conv2d | nn.Conv3d) -> nn.Module:
    """The same convolution with its bias at `RARE`."""
    assert convolution.bias is not None
    nn.init.constant_(convolution.bias, RARE)
    return convolution


def check_grid(x: torch.Tensor, divisor: int) -> None:
    """ValueError where an axis of (batch, channel, [z,] y, x) is no multiple of `divisor`."""
    if any(size % divisor for size in x.shape[2:]):
        raise ValueError(f"every axis must be a multiple of {divisor}, not {tuple(x.shape[2:])}")
