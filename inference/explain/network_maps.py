"""What a network looked at, as maps on the source grid. torch is loaded by the functions, in the worker."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inference.answer import map_on_source
from inference.backends.base import Report, Target
from inference.errors import ModelError
from inference.explain.explanation import GATE, GRAD_CAM
from inference.prepare import Prepared
from inference.recipe import Output

if TYPE_CHECKING:
    from torch import nn

    from inference.sliding import Sliding

Maps = dict[str, NDArray[np.float16]]


def gate_maps(network: nn.Module, prepared: Prepared, sliding: Sliding, report: Report) -> Maps:
    """The coefficients, 0..1, of every attention gate over the whole region, by name; gate 1 is the coarsest."""
    from inference.explain.gates import GateMaps
    from inference.sliding import slide

    gates = GateMaps(network)
    if not gates.names:
        return {}
    maps = slide(gates, prepared.array, prepared.foreground, sliding, lambda done: report(done, "attention gates"))
    return {f"{GATE}-{number}": map_on_source(np.clip(one, 0, 1) * prepared.foreground, prepared)
            for number, one in enumerate(maps, start=1)}


def grad_cam_map(network: nn.Module, prepared: Prepared, output: Output, target: Target, sliding: Sliding) -> Maps:
    """Grad-CAM of a finding, by name. ModelError where the network has no channel for it, or never looked there."""
    from inference.explain.gradcam import grad_cam

    channel = next((channel for channel, region in output.foreground() if region.label == target.label), None)
    if channel is None:
        raise ModelError(f"the network has no channel for label {target.label}")
    mask = on_working_grid(target.mask, prepared)
    if not mask.any():
        raise ModelError("the finding lies outside of what the network looked at")
    cam = grad_cam(network, prepared.array, mask, channel, replace(sliding, batch=1))
    return {GRAD_CAM: map_on_source(cam, prepared)}


def on_working_grid(mask: NDArray[np.bool_], prepared: Prepared) -> NDArray[np.bool_]:
    """The working voxels nearest to a mask's voxels (z, y, x) on the source grid: however small it is, some are left.

    ModelError where the mask lies on another grid.
    """
    if mask.shape != prepared.source.shape:
        raise ModelError(f"a finding on a grid of {mask.shape} is none of a source of {prepared.source.shape}")
    at = np.rint(prepared.grid.to_index(prepared.source.to_lps(np.argwhere(mask)))).astype(int)
    at = at[((at >= 0) & (at < prepared.grid.shape)).all(axis=1)]
    found = np.zeros(prepared.grid.shape, dtype=bool)
    found[tuple(at.T)] = True
    return found
