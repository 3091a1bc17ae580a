"""nnU-Net's network (Isensee et al. 2021) as MONAI builds it: the field's yardstick."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.nets import DynUNet as MonaiDynUNet

from inference.networks.dynunet_plan import divisors
from inference.networks.layers import layers, start_rare

WIDEST = {2: 512, 3: 320}  # channels at most, by dimensions
SUPERVISED = 2  # coarser levels that deep supervision looks at


class DynUNet(MonaiDynUNet):
    """U-Net with instance normalisation and a kernel and stride for each level and axis.

    Takes (batch, in_channels, [z,] y, x) with every axis a multiple of `divisor` (or of its own strides' product)
    and more than one voxel left on the coarsest grid; returns logits (batch, out_channels, [z,] y, x).
    `kernels` and `strides` have a number or one for each axis, finest level first, as `dynunet_plan.plan` gives them;
    the first stride is 1. `widths` are the channels of each level, nnU-Net's where left out: 32, doubled a level.

    With `deep_supervision` the answer in training mode is a tuple of logits, the finest and up to two coarser ones,
    each interpolated onto the input's grid.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        dimensions: int = 3,
        kernels: Sequence[int | Sequence[int]] = (3, 3, 3, 3, 3, 3),
        strides: Sequence[int | Sequence[int]] = (1, 2, 2, 2, 2, 2),
        widths: Sequence[int] | None = None,
        deep_supervision: bool = False,
    ) -> None:
        layers(dimensions)  # first of all, is it 2 or 3 dimensions?
        kernel, stride = _along_axes(kernels, dimensions), _along_axes(strides, dimensions)
        if widths is None:
            widths = [min(32 * 2**level, WIDEST[dimensions]) for level in range(len(stride))]
        if not len(kernel) == len(stride) == len(widths) >= 3:
            raise ValueError(f"kernels, strides and widths have 3 or more levels, the same number of each, not "
                             f"{len(kernel)}, {len(stride)} and {len(widths)}")
        if max(stride[0]) > 1:
            raise ValueError(f"the first level keeps the input's grid: its stride is 1, not {stride[0]}")
        super().__init__(spatial_dims=dimensions, in_channels=in_channels, out_channels=out_channels,
                         kernel_size=kernel, strides=stride, upsample_kernel_size=stride[1:], filters=widths,
                         deep_supervision=deep_supervision, deep_supr_num=min(SUPERVISED, len(stride) - 2))
        self.divisors = divisors(stride)
        self.divisor = max(self.divisors)
        for output in (self.output_block, *getattr(self, "deep_supervision_heads", ())):
            start_rare(output.conv.conv)

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Logits on the grid of `x`; ValueError where an axis does not fit."""
        sizes = tuple(x.shape[2:])
        if any(size % divisor for size, divisor in zip(sizes, self.divisors, strict=True)):
            raise ValueError(f"every axis must be a multiple of {self.divisor}, or each of its own of "
                             f"{self.divisors}, not {sizes}")
        if sizes == self.divisors:
            raise ValueError(f"an axis must be longer than its multiple {self.divisors}: instance normalisation "
                             "cannot be taken over the one voxel that is left at the bottom")
        answer = super().forward(x)
        self.heads[:] = [torch.empty(0)] * len(self.heads)  # results left here would keep the network from being copied
        return answer.unbind(1) if self.training and self.deep_supervision else answer


def _along_axes(levels: Sequence[int | Sequence[int]], dimensions: int) -> list[tuple[int, ...]]:
    """A number for each axis of each level."""
    found = [(level,) * dimensions if isinstance(level, int) else tuple(level) for level in levels]
    if wrong := [level for level in found if len(level) != dimensions]:
        raise ValueError(f"a kernel or stride has {dimensions} axes, not {len(wrong[0])}: {wrong[0]}")
    return found
