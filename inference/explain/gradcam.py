"""Grad-CAM for one finding: where a network's deepest layer spoke for it.

The score is the sum of a class's logits over the finding's voxels (Seg-Grad-CAM; Vinogradova et al. 2020, arXiv
2002.11434), the rest is Grad-CAM as MONAI has it (Selvaraju et al. 2017).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from copy import deepcopy
from itertools import product

import numpy as np
import torch
from monai.visualize import GradCAM
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from inference.networks.planes import over_volumes
from inference.sliding import Sliding, fitting, gaussian_weights, padded, window_starts
from inference.tasks.postprocess import Box, bounding_box


class Score(nn.Module):
    """A network that answers with one number: a channel's logits, summed over the voxels of `mask` (z, y, x)."""

    def __init__(self, network: nn.Module, channel: int) -> None:
        super().__init__()
        self.network, self.channel = network, channel
        self.mask = torch.ones(())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, 1)"""
        return (self.network(x)[:, self.channel] * self.mask).flatten(1).sum(1, keepdim=True)


def grad_cam(network: nn.Module, array: NDArray[np.float32], mask: NDArray[np.bool_], channel: int,
             sliding: Sliding) -> NDArray[np.float32]:
    """Map (z, y, x), 0..1 of its own maximum, for an array (channel, z, y, x) and a finding's voxels (z, y, x).

    A finding that one window holds lies amid it; a larger one is seen window by window. 0 where nothing was looked at,
    and everywhere where nothing spoke for the finding.
    """
    network = over_volumes(network)
    window = fitting(mask.shape, sliding.window, getattr(network, "divisor", 1))
    volume = padded(torch.from_numpy(np.ascontiguousarray(array)), window).to(sliding.device)
    inside = padded(torch.from_numpy(mask.astype(np.float32))[None], window)[0].to(sliding.device)
    score = Score(deepcopy(network).to(sliding.device).eval(), channel)  # hooks stay with the copy
    first, *others = _windows(mask, window, sliding.overlap, tuple(volume.shape[1:]))
    layer = deepest(score.network, volume[(slice(None), *first)][None])
    camera = GradCAM(score, target_layers=f"network.{layer}", upsampler=_enlarging, postprocessing=lambda cam: cam)
    total, seen = torch.zeros(volume.shape[1:]), torch.zeros(volume.shape[1:])
    weights = gaussian_weights(window)
    for place in (first, *others):
        score.mask = inside[place]
        if score.mask.any():
            seen_here = volume[(slice(None), *place)][None].requires_grad_()
            cam = camera(seen_here, class_idx=0)[0, 0].detach().cpu()
            total[place] += cam * weights
            seen[place] += weights
    cam = (total / seen.clamp_min(1e-6)).numpy()[tuple(slice(0, size) for size in mask.shape)]
    return np.asarray(cam / max(float(cam.max()), 1e-12), dtype=np.float32)


def deepest(network: nn.Module, x: torch.Tensor) -> str:
    """The name of the stage that answers on the coarsest grid of more than one voxel; the last where several do.

    Stages are the network's parts, and the members of those that are lists. A network around another one is looked
    through, and of a part that is a network itself its own stages count.
    """
    around, inner = "", network
    while len(parts := list(inner.named_children())) == 1 and any(parts[0][1].children()):
        around, inner = f"{around}{parts[0][0]}.", parts[0][1]
    stages = {around + name: stage for name, stage in _stages(inner)}
    sizes: dict[str, int] = {}
    with ExitStack() as hooks, torch.no_grad():
        for name, stage in stages.items():
            def measure(_module: nn.Module, _inputs: object, answer: object, name: str = name) -> None:
                if isinstance(answer, torch.Tensor) and answer.dim() >= 4:
                    sizes[name] = math.prod(answer.shape[2:])

            hooks.callback(stage.register_forward_hook(measure).remove)
        network(x)
    grids = {name: size for name, size in sizes.items() if size > 1} or sizes
    return min(reversed(list(grids)), key=lambda name: grids[name])


def _enlarging(size: tuple[int, ...]) -> Callable[[torch.Tensor], torch.Tensor]:
    """Linear interpolation of a map (1, 1, z, y, x) to `size`; of planes (z, 1, y, x) each by itself."""
    def enlarge(cam: torch.Tensor) -> torch.Tensor:
        if cam.dim() == 4:
            planes = functional.interpolate(cam, size=size[1:], mode="bilinear", align_corners=False)
            return planes.transpose(0, 1)[None]
        return functional.interpolate(cam, size=size, mode="trilinear", align_corners=False)

    return enlarge


def _stages(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Parts by their names, in order, and then what is inside of them."""
    parts = dict(network.named_children())
    yield from parts.items()
    for name, part in parts.items():
        if isinstance(part, nn.ModuleList | nn.Sequential):
            yield from ((f"{name}.{member}", module) for member, module in part.named_children())
        elif hasattr(part, "divisor"):
            yield from ((f"{name}.{stage}", module) for stage, module in _stages(part))


def _windows(mask: NDArray[np.bool_], window: tuple[int, int, int], overlap: float,
             shape: tuple[int, ...]) -> Iterator[Box]:
    """Windows that hold the mask's voxels between them, inside `shape`."""
    box = bounding_box(mask)
    if box is None:
        raise ValueError("a finding without voxels has no map")
    starts = []
    for side, wide, size in zip(box, window, shape, strict=True):
        spare = max(wide - (side.stop - side.start), 0) // 2  # so that it lies amid its window
        first = min(max(side.start - spare, 0), size - wide)
        starts.append([first + step for step in window_starts(side.stop - first, wide, overlap)])
    for z, y, x in product(*starts):
        yield (slice(z, z + window[0]), slice(y, y + window[1]), slice(x, x + window[2]))
