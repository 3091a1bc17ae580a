"""How unsure a model was: the entropy of its probabilities, voxel by voxel and finding by finding.

0 where it is sure either way, 1 where it might as well toss a coin (sigmoid: bits) or draw lots among the classes
(softmax: bits by the most that there can be). A probability that is not calibrated makes an entropy that is not.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy
from numpy.typing import NDArray

from inference.findings import Entropy
from inference.measure import Measured
from inference.recipe import Output
from inference.tasks.postprocess import boxes_of

_LN2 = float(np.log(2))


def entropy(probabilities: NDArray[np.floating], output: Output) -> NDArray[np.floating]:
    """Entropy (z, y, x), 0..1, of probabilities (channel, z, y, x).

    Regions of a sigmoid are questions of their own: the one that the model is least sure of counts. By torch, which
    takes every core.
    """
    import torch

    chances = torch.from_numpy(np.ascontiguousarray(probabilities))
    if output.activation == "softmax":
        return np.asarray((torch.special.entr(chances).sum(0) / np.log(len(chances))).numpy())
    chance = 0.5 - (chances - 0.5).abs().amin(0)
    return np.asarray(((torch.special.entr(chance) + torch.special.entr(1 - chance)) / _LN2).numpy())


def with_entropy(measured: Measured, values: NDArray[np.floating]) -> Measured:
    """Each finding with the mean entropy (z, y, x) of its voxels, and of those on both sides of its surface."""
    boxes = boxes_of(measured.labelmap)
    findings = []
    for finding in measured.findings:
        box = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in boxes[finding.number])
        mask, inside = measured.labelmap[box] == finding.number, np.asarray(values[box], dtype=np.float64)
        shell = border(mask)
        mean = float(inside[mask].mean())
        at_border = float(inside[shell].mean()) if shell.any() else mean
        findings.append(replace(finding, entropy=Entropy(mean, at_border)))
    return measured._replace(findings=tuple(findings))


def border(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The voxels on both sides of a mask's surface: a face apart from what is not its like. The array's end is none."""
    return scipy.ndimage.binary_dilation(mask) & ~scipy.ndimage.binary_erosion(mask, border_value=1)
