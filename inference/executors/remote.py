"""What runs on the machines of a cluster: a worker that has one model, and a reader beside the archive.

Both are plain classes: whoever drives the cluster makes actors of them. A worker loads torch; a reader does not.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from inference.executors.carried import Carried, InHand, carry
from inference.executors.quiet import keep_quiet
from inference.executors.shelf import Bytes, Shelf
from inference.findings import Result
from inference.request import Request

CONTEXT_BYTES = 600 * 2**20  # what CUDA takes of a GPU before the first tensor


class Model(NamedTuple):
    """What a worker runs: the settings, and of its files, where it has any, name and digest."""

    settings: dict[str, Any]
    name: str = ""
    digest: str = ""


class Whereabouts(NamedTuple):
    """Where an actor runs and what it runs; `lacks`: its machine has to be brought the model's files."""

    host: str
    pid: int
    device: str
    version: str
    lacks: bool = False


@dataclass(frozen=True, eq=False)
class Answer:
    """The last message of a job that went well: its answer, the masks by name, and what the model takes of a GPU."""

    answer: Any
    masks: dict[str, Any]
    gpu_share: float | None  # 0..1 of its memory, the most so far; None where there is no GPU


class RemoteWorker:
    """A model on a device. Several requests may be in it, of which one has the device."""

    def __init__(self, model: Model, device: str, share: float, models: Path) -> None:
        keep_quiet()
        self._model, self._device, self._share = model, device, share
        self._shelf = Shelf(models.expanduser())
        self._path: Path | None = None
        self._loads = threading.Lock()
        self._ready: tuple[Any, Any] | None = None

    def begin(self) -> Whereabouts:
        """Say where this is."""
        if self._model.digest:
            self._path = self._shelf.find(self._model.name, self._model.digest)
        return _whereabouts(self._device)._replace(lacks=bool(self._model.digest) and self._path is None)

    def bring(self, names: list[str], *contents: Bytes) -> tuple[Any, ...]:
        """Keep the model's files on this machine. The last word as a worker process says it."""
        from inference.executors.worker import outcome

        files = dict(zip(names, contents, strict=True))
        said = outcome(partial(self._shelf.put, self._model.name, self._model.digest, files))
        self._path = said[1] if said[0] == "result" else None
        return said

    def answer(self, request: Request, carried: Carried) -> Iterator[tuple[Any, ...]]:
        """What a worker process says to a request, message by message; the result as `Answer`."""
        said: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        threading.Thread(target=self._work, args=(request, carried, said), daemon=True).start()
        while True:
            message = said.get()
            yield message
            if message[0] != "progress":
                return

    def _work(self, request: Request, carried: Carried, said: SimpleQueue[tuple[Any, ...]]) -> None:
        from inference.executors.worker import outcome

        said.put(outcome(partial(self._answer, request, carried, said)))

    def _answer(self, request: Request, carried: Carried, said: SimpleQueue[tuple[Any, ...]]) -> Answer:
        from inference.executors.worker import answer

        residents, turn = self._prepared()
        settings = self._model.settings | ({"path": str(self._path)} if self._path else {})
        material = InHand(request.scratch, carried)
        told = answer(
            replace(request, model=settings), residents, turn, lambda *told: said.put(("progress", *told)), material
        )
        if isinstance(told, Result):
            told = replace(told, seconds={**carried.seconds, **told.seconds, "read": carried.seconds["read"]})
        return Answer(told, material.masks, self._taken())

    def _prepared(self) -> tuple[Any, Any]:
        """The loaded models, one at most, and the device's turns; made by the first request."""
        from inference.executors.residents import Residents
        from inference.executors.turns import Device

        with self._loads:
            if self._ready is None:
                if self._device != "cpu" and self._share < 1:
                    _keep_to(self._share)
                self._ready = Residents(self._device), Device()
            return self._ready

    def _taken(self) -> float | None:
        torch = sys.modules.get("torch")  # a model that needs none has taken nothing
        if self._device == "cpu" or torch is None or not torch.cuda.is_available():
            return None
        whole = torch.cuda.get_device_properties(self._device).total_memory
        return float(min(1.0, (torch.cuda.max_memory_reserved(self._device) + CONTEXT_BYTES) / whole))


class RemoteReader:
    """Reads the files of requests where the archive is."""

    def __init__(self) -> None:
        keep_quiet()

    def begin(self) -> Whereabouts:
        """Say where this is."""
        return _whereabouts("reader")

    def read(self, request: Request) -> tuple[tuple[Any, ...], Carried | None]:
        """The last word on it, as a worker process says it but for the result, and the result."""
        from inference.executors.worker import outcome

        kind, *told = outcome(partial(carry, request))
        return (("result",), told[0]) if kind == "result" else ((kind, *told), None)


def version() -> str:
    """Of this program."""
    return metadata.version("segnode")


def _whereabouts(device: str) -> Whereabouts:
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "") if device.startswith("cuda") else ""
    return Whereabouts(socket.gethostname(), os.getpid(), f"cuda:{gpu}" if gpu else device, version())


def _keep_to(share: float) -> None:
    """Have torch take no more of the GPU than this, lest the neighbours lack it."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(share)
