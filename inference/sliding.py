"""A network over a volume that is larger than its window.

Overlapping windows are weighed by a Gaussian and averaged as logits. Windows that show nothing of the region are
skipped. Where device memory does not suffice it is tried again with less: one window at a time, then sums in
main memory, then all of it on the CPU.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from inference.errors import Exhausted
from inference.networks.planes import over_volumes
from inference.precision import Precision
from inference.recipe import Output

Window = tuple[int, int, int]
Progress = Callable[[float], None]
UNSEEN = -30.0  # logit of what no window looked at: probability 0


@dataclass(frozen=True)
class Sliding:
    """How windows are laid: size (z, y, x), share that neighbours overlap, windows at once, where."""

    window: Window
    overlap: float = 0.25
    batch: int = 2
    device: str = "cpu"
    sums_on: str = ""  # device of the accumulators; the network's where empty
    precision: Precision = "auto"
    fixed: bool = False  # the network takes no smaller window, not even for a smaller volume


def slide(network: nn.Module, array: NDArray[np.float32], foreground: NDArray[np.bool_], sliding: Sliding,
          progress: Progress = lambda _: None) -> NDArray[np.float32]:
    """Logits float32 (channel, z, y, x) for an array (channel, z, y, x); UNSEEN where no window looked.

    A network of two dimensions sees the planes (y, x) of each window one by one.
    `progress` is told the share of windows that are done. Exhausted where the CPU's memory does not suffice.
    """
    network = over_volumes(network)
    for attempt in _ladder(sliding):
        try:
            return _slide(network.to(attempt.device), array, foreground, attempt, progress)
        except torch.OutOfMemoryError:  # of the device; a CPU says MemoryError or RuntimeError
            torch.cuda.empty_cache()
        except (MemoryError, RuntimeError) as fault:
            if not isinstance(fault, MemoryError) and "allocate memory" not in str(fault):
                raise
            break
    raise Exhausted("Memory does not suffice for this volume, not even one window at a time on the CPU.")


def probabilities(logits: NDArray[np.float32], foreground: NDArray[np.bool_], output: Output) -> NDArray[np.float32]:
    """Sigmoid (at each region's temperature) or softmax of logits (channel, z, y, x); outside the region background."""
    tensor = torch.from_numpy(logits)
    chance = (_tempered(tensor, output).sigmoid() if output.activation == "sigmoid" else tensor.softmax(0)).numpy()
    outside = ~foreground
    chance[:, outside] = 0.0
    if output.activation == "softmax":
        chance[0, outside] = 1.0
    return chance


def _tempered(logits: torch.Tensor, output: Output) -> torch.Tensor:
    temperatures = [region.temperature for region in output.regions]
    if all(temperature == 1.0 for temperature in temperatures):
        return logits
    return logits / torch.tensor(temperatures)[:, None, None, None]


def autocast(device: str, precision: Precision = "auto") -> AbstractContextManager[None]:
    """The precision that was asked for; "auto" is half precision where the device computes faster in it, else none."""
    kind = torch.device(device).type
    if precision != "auto":
        return torch.autocast(kind, torch.bfloat16, enabled=precision == "bf16")
    if kind == "cuda":
        return torch.autocast("cuda", torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16)
    return torch.autocast(kind, torch.bfloat16, enabled=kind == "cpu" and cpu_has_bfloat16())


@cache
def cpu_has_bfloat16() -> bool:
    """True where the CPU multiplies bfloat16 itself (AVX512-BF16 or AMX); elsewhere float32 is faster."""
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def window_starts(size: int, window: int, overlap: float) -> list[int]:
    """Where windows begin along an axis: evenly spread, at least `overlap` shared, the last one flush."""
    if size <= window:
        return [0]
    count = math.ceil((size - window) / max(1, int(window * (1 - overlap)))) + 1
    return [round(k * (size - window) / (count - 1)) for k in range(count)]


def gaussian_weights(window: Sequence[int], share: float = 0.125) -> torch.Tensor:
    """Weight of each voxel of a window: a Gaussian of `share` of its size, 1 in the middle, never 0."""
    weights = torch.ones(())
    for size in window:
        distance = torch.arange(size) - (size - 1) / 2
        weights = weights[..., None] * torch.exp(-0.5 * (distance / (share * size)) ** 2)
    return weights.clamp_min(1e-3)


def _ladder(sliding: Sliding) -> Iterator[Sliding]:
    """The wanted way first, then ways that need less device memory."""
    yield sliding
    if sliding.device != "cpu":
        yield replace(sliding, batch=1)
        yield replace(sliding, batch=1, sums_on="cpu")
        yield replace(sliding, batch=1, device="cpu", sums_on="cpu")


def _slide(network: nn.Module, array: NDArray[np.float32], foreground: NDArray[np.bool_], sliding: Sliding,
           progress: Progress) -> NDArray[np.float32]:
    shape = foreground.shape
    window = sliding.window if sliding.fixed else fitting(shape, sliding.window, getattr(network, "divisor", 1))
    volume = padded(torch.from_numpy(np.ascontiguousarray(array)), window)
    places = [place for place in _places(tuple(volume.shape[1:]), window, sliding.overlap) if foreground[place].any()]
    sums_on = sliding.sums_on or sliding.device
    weights = gaussian_weights(window).to(sums_on)
    total: torch.Tensor | None = None
    seen = torch.zeros(volume.shape[1:], device=sums_on)
    network.eval()
    with torch.inference_mode(), autocast(sliding.device, sliding.precision):
        for first in range(0, len(places), sliding.batch):
            batch = places[first:first + sliding.batch]
            windows = torch.stack([volume[(slice(None), *place)] for place in batch]).to(sliding.device)
            logits = network(windows.contiguous(memory_format=torch.channels_last_3d)).float().to(sums_on)
            if total is None:
                total = torch.zeros((logits.shape[1], *volume.shape[1:]), device=sums_on)
            for answer, place in zip(logits, batch, strict=True):
                total[(slice(None), *place)] += answer * weights
                seen[place] += weights
            progress(min(1.0, (first + len(batch)) / len(places)))
        if total is None:
            raise ValueError("a volume without foreground gives a network nothing to look at")
        total /= seen.clamp_min(1e-6)
        total[:, seen == 0] = UNSEEN
        return total[:, :shape[0], :shape[1], :shape[2]].cpu().numpy()


def fitting(shape: Sequence[int], window: Window, divisor: int | Window) -> Window:
    """The window, smaller along axes where the volume is, still a multiple of `divisor`."""
    steps = (divisor,) * 3 if isinstance(divisor, int) else divisor
    fitted = [min(wanted, math.ceil(size / step) * step)
              for size, wanted, step in zip(shape, window, steps, strict=True)]
    return (fitted[0], fitted[1], fitted[2])


def padded(volume: torch.Tensor, window: Window) -> torch.Tensor:
    """The volume with zeros at its ends where it is smaller than the window."""
    missing = [max(0, wanted - size) for size, wanted in zip(volume.shape[1:], window, strict=True)]
    return functional.pad(volume, (0, missing[2], 0, missing[1], 0, missing[0])) if any(missing) else volume


def _places(shape: tuple[int, ...], window: Window, overlap: float) -> Iterator[tuple[slice, ...]]:
    starts = [window_starts(size, wanted, overlap) for size, wanted in zip(shape, window, strict=True)]
    for corner in itertools.product(*starts):
        yield tuple(slice(start, start + size) for start, size in zip(corner, window, strict=True))
