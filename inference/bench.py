"""How fast a model is here, and how much memory it takes, by each engine and in each precision that may run it."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inference.backends import build
from inference.engine import engines
from inference.precision import chosen
from inference.tasks import TASKS
from inference.volume import Volume

if TYPE_CHECKING:
    from torch import nn

PRECISIONS = ("fp32", "bf16")
PARENT_CHECK_S = 1.0
ALIKE = 0.998  # Dice of the two answers from which on the faster way may be taken


def way(engine: str, precision: str) -> str:
    """A way of running a network in words: its precision, after its engine where that is not torch."""
    return precision if engine == "torch" else f"{engine} {precision}"


def settings_of(words: str) -> dict[str, str]:
    """The keys of models.yaml that ask for a way."""
    *engine, precision = words.split()
    return {"engine": engine[0] if engine else "torch", "precision": precision}


@dataclass(frozen=True, eq=False)
class Measured:
    """One run: windows that the network looked at, seconds in all and in the network, peak of memory in MB."""

    way: str
    windows: int
    seconds: float
    network_s: float
    peak_mb: float
    labels: NDArray[np.uint8]
    auto: str  # the way that it is run here as its settings stand, with precision: auto


@dataclass(frozen=True)
class Bench:
    """Runs in every way, how alike each answer is to the first one's (fp32 by torch; Dice), and what is done now."""

    runs: tuple[Measured, ...]
    alike: dict[str, float]
    auto: str

    @property
    def found(self) -> bool:
        """Whether anything was found: that every way finds nothing does not say that they find the same."""
        return bool(self.runs[0].labels.any())

    @property
    def better(self) -> str | None:
        """Another way that is a tenth faster and answers alike; None where there is none, or none can be told."""
        if not self.found:
            return None
        times = {run.way: run.network_s for run in self.runs if self.alike[run.way] >= ALIKE}
        best = min(times, key=lambda way: times[way], default=self.auto)
        return best if self.auto in times and times[best] < 0.9 * times[self.auto] else None


def bench(settings: Mapping[str, Any], task: str, device: str, inputs: Mapping[str, Volume]) -> Bench:
    """Run a model on `inputs` in each way, each in a process of its own, which is where its code belongs."""
    fields = type(build(settings)).model_fields
    ways: list[dict[str, Any]] = [{"precision": one} for one in PRECISIONS] if "precision" in fields else [{}]
    if "engine" in fields:
        ways = [{"engine": engine, **one} for engine in engines(device) for one in ways]
    runs = tuple(_apart({**settings, **one}, task, device, inputs) for one in ways)
    alike = {run.way: _dice(run.labels, runs[0].labels) for run in runs}
    return Bench(runs, alike, way(str(settings.get("engine", "torch")), runs[0].auto))


def measure(settings: Mapping[str, Any], task: str, device: str, inputs: Mapping[str, Volume]) -> Measured:
    """Load and run a model in this process; once before where the first run sets up what later ones have."""
    loaded = build(settings).load(device)
    network: nn.Module | None = getattr(loaded, "network", None)
    engine = str(settings.get("engine", "torch"))
    if device.startswith("cuda") or engine != "torch":
        loaded.segment(inputs, TASKS[task], lambda *_: None)
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device)
    with _counted(network) as windows:
        started = time.perf_counter()
        answer = loaded.segment(inputs, TASKS[task], lambda *_: None)
        seconds = time.perf_counter() - started
    return Measured(way(engine, str(settings.get("precision", "auto"))), windows[0], seconds,
                    answer.seconds.get("network", seconds), _peak_mb(device), answer.labels, chosen(device))


def _apart(settings: Mapping[str, Any], task: str, device: str, inputs: Mapping[str, Volume]) -> Measured:
    spawn, us = get_context("spawn"), os.getpid()
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=_end_with, initargs=(us,)) as pool:
        return pool.submit(measure, dict(settings), task, device, dict(inputs)).result()


def _end_with(parent: int) -> None:
    """Have this process leave when the one that asks is gone, even in mid-computation."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _counted(network: nn.Module | None) -> Iterator[list[int]]:
    """How many windows a network is shown meanwhile."""
    windows = [0]

    def count(_: object, shown: tuple[Any, ...]) -> None:
        windows[0] += len(shown[0])

    hook = network.register_forward_pre_hook(count) if network is not None else None
    try:
        yield windows
    finally:
        if hook is not None:
            hook.remove()


def _peak_mb(device: str) -> float:
    """Of the device, or of this process where that is the CPU."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10  # Linux counts in KiB


def _dice(labels: NDArray[np.uint8], others: NDArray[np.uint8]) -> float:
    """Of everything that is found, label by label."""
    found = int(np.count_nonzero(labels)) + int(np.count_nonzero(others))
    return 2.0 * int(np.count_nonzero((labels == others) & (labels > 0))) / found if found else 1.0
