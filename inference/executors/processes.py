"""One worker process a device, weights resident, restarted when it dies.

A crash, an out-of-memory kill or a time-out there is an error here, and no other process loads torch.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import queue
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from inference import errors
from inference.errors import InferenceError, ModelError, WorkerDied
from inference.executors.base import Report
from inference.executors.devices import resolve
from inference.findings import Result
from inference.request import Request

log = logging.getLogger(__name__)

POLL_S = 0.2
STOP_S = 5.0


class _Worker:
    """One worker process and our end of its pipe."""

    def __init__(self, device: str) -> None:
        self.device = device
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None

    def ensure(self) -> Connection:
        """A live worker's pipe; a dead worker is replaced."""
        if self._process is not None and self._pipe is not None and self._process.is_alive():
            return self._pipe
        self.kill()
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        self._process = spawn.Process(
            target=_enter, args=(theirs, self.device, os.getpid()), name=f"worker {self.device}", daemon=True
        )
        self._process.start()
        theirs.close()
        self._pipe = ours
        log.info("worker started", extra={"device": self.device, "pid": self._process.pid})
        return ours

    def run(self, request: Request, report: Report) -> Result:
        pipe = self.ensure()
        deadline = time.monotonic() + request.time_limit_s
        try:
            pipe.send(request)
            while True:
                if pipe.poll(POLL_S):
                    kind, *told = pipe.recv()
                    if kind == "progress":
                        report(*told)
                    elif kind == "result":
                        return told[0]  # type: ignore[no-any-return]
                    else:
                        raise _error(*told)
                elif time.monotonic() > deadline:
                    self.kill()
                    limit = f"{request.time_limit_s:.0f} s"
                    raise WorkerDied(f"the job exceeded its time limit of {limit}; its worker was killed", timed_out=True)
        except (EOFError, BrokenPipeError, ConnectionResetError) as lost:
            raise WorkerDied(f"the worker on {self.device} ended under the job ({self._epitaph()})") from lost

    def _epitaph(self) -> str:
        """How the process ended, and its remains are cleared away."""
        if self._process is None:
            return "stopped"
        self._process.join(STOP_S)
        code = self._process.exitcode
        self.kill()
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None and self._process.is_alive():
            self._process.kill()
            self._process.join(STOP_S)
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None

    @property
    def pid(self) -> int | None:
        """Process id while it lives."""
        return self._process.pid if self._process is not None else None


class Processes:
    """The default executor: `devices` is "auto" (every GPU, else the CPU) or a list such as ("cuda:0", "cuda:1")."""

    def __init__(self, devices: str | Sequence[str] = "auto") -> None:
        self._workers = [_Worker(device) for device in resolve(devices)]
        self._free: queue.Queue[_Worker] = queue.Queue()

    @property
    def slots(self) -> int:
        """One a device."""
        return len(self._workers)

    def start(self) -> None:
        """Start the workers, so that the first job does not wait for imports."""
        for worker in self._workers:
            worker.ensure()
            self._free.put(worker)

    def stop(self) -> None:
        """End every worker now; whatever runs there ends with `WorkerDied`."""
        for worker in self._workers:
            worker.kill()

    def run(self, request: Request, report: Report) -> Result:
        """Run on the first free worker; see `Executor.run` for the errors."""
        worker = self._free.get()
        try:
            return worker.run(request, report)
        finally:
            self._free.put(worker)

    def pids(self) -> dict[str, int]:
        """Worker process ids by device."""
        return {worker.device: worker.pid for worker in self._workers if worker.pid is not None}


def _enter(pipe: Connection, device: str, parent: int) -> None:
    from inference.executors.worker import main  # only the worker's process loads torch

    main(pipe, device, parent)


def _error(name: str, sentence: str) -> InferenceError:
    kind = getattr(errors, name, ModelError)
    return kind(sentence)  # type: ignore[no-any-return]
