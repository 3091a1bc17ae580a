"""ResNet-34 without its classifier, as an encoder (He et al. 2016; the paper's transfer learning starts from it).

The names of its weights are torchvision's, which MedicalNet shares: `inference.networks.pretrained` fills them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from inference.networks.layers import layers

BLOCKS = (3, 4, 6, 3)  # residual blocks of each stage


class BasicBlock(nn.Module):
    """Two convolutions beside a shortcut, which is projected where a stage begins on another grid or other channels.

    `dilation` is that of the first and of the second convolution.
    """

    def __init__(self, in_channels: int, width: int, dimensions: int, *, stride: int = 1, project: bool = False,
                 dilation: tuple[int, int] = (1, 1)) -> None:
        super().__init__()
        of = layers(dimensions)
        self.conv1 = of.convolution(in_channels, width, 3, stride, padding=dilation[0], dilation=dilation[0],
                                    bias=False)
        self.bn1 = of.norm(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = of.convolution(width, width, 3, padding=dilation[1], dilation=dilation[1], bias=False)
        self.bn2 = of.norm(width)
        self.downsample = None
        if project:
            self.downsample = nn.Sequential(of.convolution(in_channels, width, 1, stride, bias=False), of.norm(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features on the grid of `x`, or on half of it with stride 2."""
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))) + shortcut)


class ResNetEncoder(nn.Module):
    """The stem on half the grid, then up to four stages on 1/4, 1/8, 1/16 and 1/32 of it.

    `widths` are the channels of the stem and of each stage, ResNet-34's by default. The last `dilated` stages keep
    the grid of the stage before and widen their convolutions instead, with the same weights (DeepLab's atrous
    convolution): every second voxel of theirs is what the strided stage computes.
    """

    def __init__(self, in_channels: int, widths: Sequence[int] = (64, 64, 128, 256, 512), dimensions: int = 3, *,
                 dilated: int = 0) -> None:
        super().__init__()
        stages = len(widths) - 1
        if not 1 <= stages <= len(BLOCKS):
            raise ValueError(f"a ResNet has a stem and 1 to {len(BLOCKS)} stages, not {len(widths)} widths")
        of = layers(dimensions)
        self.max_pool = of.max_pool
        self.conv1 = of.convolution(in_channels, widths[0], 7, 2, padding=3, bias=False)
        self.bn1 = of.norm(widths[0])
        self.relu = nn.ReLU(inplace=True)
        dilation = 1
        for number in range(1, stages + 1):
            strided = number > 1 and number <= stages - dilated
            wider = dilation if number == 1 or strided else 2 * dilation
            before, width = widths[number - 1], widths[number]
            blocks = [BasicBlock(before, width, dimensions, stride=2 if strided else 1, dilation=(dilation, wider),
                                 project=number > 1 or before != width)]
            blocks += [BasicBlock(width, width, dimensions, dilation=(wider, wider))
                       for _ in range(BLOCKS[number - 1] - 1)]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
            dilation = wider
        self.stages = stages
        for module in self.modules():
            if isinstance(module, of.convolution):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Features of the stem and of every stage, finest first."""
        x = self.relu(self.bn1(self.conv1(x)))
        features = [x]
        x = self.max_pool(x, 3, stride=2, padding=1)
        for number in range(1, self.stages + 1):
            x = self.get_submodule(f"layer{number}")(x)
            features.append(x)
        return features
