"""A network over a volume that is larger than its window.

Overlapping windows are weighed by a Gaussian and averaged as logits. Windows that show nothing of the region are
skipped, and, where all that is looked for lies in one organ, those that have little to say of it (`inference.narrow`).
Where device memory does not suffice it is tried again with less: one window at a time, then sums in main memory, then
all of it on the CPU.
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
from inference.narrow import STEP, Narrow, Place, needed
from inference.networks.planes import over_volumes
from inference.precision import Precision
from inference.recipe import Output

Window = tuple[int, int, int]
Voxels = NDArray[np.float32] | torch.Tensor
Progress = Callable[[float], None]
GAUSSIAN = 0.125  # sigma of a window's weights, as a share of its size
LARGE = 80**3  # voxels of a window from which on one twice as wide would ask for too much memory
WORTH = 6  # windows from which on a first look at half the resolution saves more than it costs
_POINTS = (slice(STEP // 2, None, STEP),) * 3
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


def slide(network: nn.Module, array: Voxels, foreground: NDArray[np.bool_], sliding: Sliding,
          progress: Progress = lambda _: None, narrow: Narrow | None = None) -> NDArray[np.float32]:
    """Logits float32 (channel, z, y, x) for an array (channel, z, y, x); UNSEEN where no window looked.

    A network of two dimensions sees the planes (y, x) of each window one by one. `progress` is told the share that
    is done. With `narrow` the network looks closely only where its organ lies. Exhausted where the CPU's memory does
    not suffice.
    """
    network = over_volumes(network)
    for attempt in _ladder(sliding):
        try:
            return _slide(network.to(attempt.device), array, foreground, attempt, progress, narrow)
        except torch.OutOfMemoryError:  # of the device; a CPU says MemoryError or RuntimeError
            torch.cuda.empty_cache()
        except (MemoryError, RuntimeError) as fault:
            if not isinstance(fault, MemoryError) and "allocate memory" not in str(fault):
                raise
            break
    raise Exhausted("Memory does not suffice for this volume, not even one window at a time on the CPU.")


def probabilities(logits: NDArray[np.float32], foreground: NDArray[np.bool_], output: Output) -> NDArray[np.float32]:
    """Sigmoid (at each region's temperature) or softmax of logits (channel, z, y, x).

    Background outside the region, and where no window looked.
    """
    tensor = torch.from_numpy(logits)
    outside = torch.from_numpy(np.logical_not(foreground, order="C"))
    if output.activation == "sigmoid":
        return _tempered(tensor, output).sigmoid().masked_fill_(outside, 0.0).numpy()
    outside |= (tensor == UNSEEN).all(0)  # else every class would be as likely there as another
    chance = tensor.softmax(0).masked_fill_(outside, 0.0)
    chance[0].masked_fill_(outside, 1.0)
    return chance.numpy()


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
    """Where windows begin along an axis: `overlap` shared, the last one flush; as MONAI has it."""
    return [*range(0, size - window, max(1, int(window * (1 - overlap)))), max(0, size - window)]


def gaussian_weights(window: Sequence[int], share: float = GAUSSIAN) -> torch.Tensor:
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


def _slide(network: nn.Module, array: Voxels, foreground: NDArray[np.bool_], sliding: Sliding,
           progress: Progress, narrow: Narrow | None) -> NDArray[np.float32]:
    shape = foreground.shape
    network.eval()
    volume = array if isinstance(array, torch.Tensor) else torch.from_numpy(np.ascontiguousarray(array))
    sums = _Sums(network, volume, sliding)
    places = [place for place in sums.places if foreground[place].any()]
    if not places:
        raise ValueError("a volume without foreground gives a network nothing to look at")
    if narrow is None or sliding.fixed or len(places) < WORTH or min(shape) < STEP:
        sums.look(places, progress, len(places))
    else:
        _look_narrowly(sums, places, progress, narrow)
    return sums.logits()[:, :shape[0], :shape[1], :shape[2]].cpu().numpy()


class _Sums:
    """Weighed answers of a network to windows of a volume (channel, z, y, x), and which windows these were."""

    def __init__(self, network: nn.Module, volume: torch.Tensor, sliding: Sliding) -> None:
        shape = tuple(volume.shape[1:])
        divisor = getattr(network, "divisor", 1)
        self.network, self.sliding, self.looked = network, sliding, list[Place]()
        self.window = sliding.window if sliding.fixed else fitting(shape, sliding.window, divisor)
        self.volume = padded(volume, self.window)
        self.places = list(_places(tuple(self.volume.shape[1:]), self.window, sliding.overlap))
        self._on = sliding.sums_on or sliding.device
        self._weights = gaussian_weights(self.window).to(self._on)
        self._total: torch.Tensor | None = None
        self._seen = torch.zeros(self.volume.shape[1:], device=self._on)

    def look(self, places: Sequence[Place], progress: Progress, out_of: int) -> None:
        """Look through more windows."""
        sliding, layout = self.sliding, getattr(self.network, "layout", torch.channels_last_3d)
        with torch.inference_mode(), autocast(sliding.device, sliding.precision):
            for first in range(0, len(places), sliding.batch):
                batch = places[first:first + sliding.batch]
                windows = torch.stack([self.volume[(slice(None), *place)] for place in batch]).to(sliding.device)
                logits = self.network(windows.contiguous(memory_format=layout)).float().to(self._on)
                for answer, place in zip(logits, batch, strict=True):
                    self._add(answer, place)
                progress(min(1.0, len(self.looked) / out_of))

    def logits(self, part: tuple[slice, ...] = (slice(None),) * 3) -> torch.Tensor:
        """The mean (channel, z, y, x) of what was answered, in a part of the volume."""
        assert self._total is not None
        seen = self._seen[part]
        mean = self._total[(slice(None), *part)] / seen.clamp_min(1e-6)
        mean[:, seen == 0] = UNSEEN
        return mean

    def _add(self, answer: torch.Tensor, place: Place) -> None:
        if self._total is None:
            self._total = torch.zeros((answer.shape[0], *self.volume.shape[1:]), device=self._on)
        self._total[(slice(None), *place)].addcmul_(answer, self._weights)
        self._seen[place] += self._weights
        self.looked.append(place)


def _look_narrowly(sums: _Sums, places: Sequence[Place], progress: Progress, narrow: Narrow) -> None:
    """Look through the windows that matter for the organ, and for what is found of it in doing so; else through all."""
    points = _first_look(sums, narrow)
    if not narrow.is_sure(points):
        narrow.tell(f"A first look at half the resolution did not show the {narrow.name}; all of the volume was "
                    "looked at closely.")
        sums.look(places, progress, len(places))
        return
    while more := needed(places, narrow.around(points), sums.looked, GAUSSIAN):
        sums.look(more, progress, len(places))
        points |= _found(sums.logits(_POINTS), narrow)
    narrow.tell(f"Looked at closely where the {narrow.name} lies: {len(sums.looked)} of {len(places)} windows.")
    progress(1.0)


def _first_look(sums: _Sums, narrow: Narrow) -> NDArray[np.bool_]:
    """Points of the organ as half the resolution shows it."""
    small = functional.avg_pool3d(sums.volume[None], STEP)[0]
    times = STEP if math.prod(sums.window) <= LARGE else 1
    window: Window = (times * sums.window[0], times * sums.window[1], times * sums.window[2])
    look = _Sums(sums.network, small, replace(sums.sliding, window=window, batch=1))
    look.look(look.places, lambda _: None, len(look.places))
    return _found(look.logits()[:, :small.shape[1], :small.shape[2], :small.shape[3]], narrow)


def _found(logits: torch.Tensor, narrow: Narrow) -> NDArray[np.bool_]:
    everywhere = np.ones(tuple(logits.shape[1:]), dtype=bool)
    return narrow.found(probabilities(logits.cpu().numpy(), everywhere, narrow.output))


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


def _places(shape: tuple[int, ...], window: Window, overlap: float) -> Iterator[Place]:
    starts = [window_starts(size, wanted, overlap) for size, wanted in zip(shape, window, strict=True)]
    for corner in itertools.product(*starts):
        yield tuple(slice(start, start + size) for start, size in zip(corner, window, strict=True))
