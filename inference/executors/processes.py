"""One worker process a device, weights resident, restarted when it dies.

A crash, an out-of-memory kill or a time-out there is an error here, and no other process loads torch.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import queue
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from inference import errors
from inference.errors import InferenceError, ModelError, WorkerDied
from inference.executors.base import Report
from inference.executors.devices import resolve
from inference.explain.explanation import Explanation
from inference.findings import Result
from inference.request import ExplainRequest, Request

log = logging.getLogger(__name__)

STOP_S = 5.0


class _Worker:
    """One worker process and our end of its pipe."""

    def __init__(self, device: str) -> None:
        self.device = device
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None

    def ensure(self) -> Connection:
        """A live worker's pipe; a dead worker is replaced. An idle one has nothing to say but its end."""
        if self._process is not None and self._pipe is not None and self._process.is_alive() and not self._pipe.poll():
            return self._pipe
        self.clear()
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

    def run(self, request: Request, report: Report) -> Any:
        """One request's answer. Without one the worker ends, lest its late answer be taken for the next job's."""
        with ExitStack() as unanswered:
            unanswered.callback(self.clear)
            kind, *told = self._ask(request, report)
            unanswered.pop_all()
        if kind == "error":
            raise _error(*told)
        return told[0]

    def _ask(self, request: Request, report: Report) -> tuple[Any, ...]:
        """The worker's last message, progress passed on; raises `WorkerDied`."""
        pipe = self.ensure()
        deadline = time.monotonic() + request.time_limit_s
        try:
            pipe.send(request)
            while (left := deadline - time.monotonic()) > 0 and pipe.poll(left):
                kind, *told = pipe.recv()
                if kind != "progress":
                    return kind, *told
                report(*told)
        except (EOFError, BrokenPipeError, ConnectionResetError) as lost:
            raise WorkerDied(f"the worker on {self.device} ended under the job ({self._epitaph()})") from lost
        limit = f"{request.time_limit_s:g} s"
        raise WorkerDied(f"the job exceeded its time limit of {limit}; its worker was killed", timed_out=True)

    def _epitaph(self) -> str:
        """How the process ended."""
        if self._process is None:
            return "stopped"
        self._process.join(STOP_S)
        code = self._process.exitcode
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"

    def kill(self) -> None:
        """End the process at once; who waits for its answer sees the pipe close."""
        if self._process is not None:
            self._process.kill()

    def clear(self) -> None:
        """End the process and take away what is left of it; only for whoever has the worker to himself."""
        self.kill()
        if self._process is not None:
            self._process.join(STOP_S)
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None

    @property
    def pid(self) -> int | None:
        """Process id while there is one."""
        process = self._process  # another thread may take it away meanwhile
        return None if process is None else process.pid


class Processes:
    """The default executor: `devices` is "auto" (every GPU, else the CPU) or a list such as ("cuda:0", "cuda:1")."""

    def __init__(self, devices: str | Sequence[str] = "auto") -> None:
        self._workers = [_Worker(device) for device in resolve(devices)]
        self._free: queue.Queue[_Worker] = queue.Queue()
        self._stopped = threading.Event()

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
        """End every worker now; whatever runs there, or comes later, ends with `WorkerDied`."""
        self._stopped.set()
        for worker in self._workers:
            worker.kill()
        idle: list[_Worker] = []
        with suppress(queue.Empty):  # one that is not given back is dead all the same
            while len(idle) < len(self._workers):
                idle.append(self._free.get(timeout=STOP_S))
        for worker in idle:
            worker.clear()
            self._free.put(worker)

    def run(self, request: Request, report: Report) -> Result:
        """Run on the first free worker; see `Executor.run` for the errors."""
        result: Result = self._answer(request, report)
        return result

    def explain(self, request: ExplainRequest, report: Report) -> Explanation:
        """The same for what is asked of a network."""
        explanation: Explanation = self._answer(request, report)
        return explanation

    def _answer(self, request: Request, report: Report) -> Any:
        worker = self._free.get()
        try:
            if not self._stopped.is_set():
                return worker.run(request, report)
        except WorkerDied:
            if not self._stopped.is_set():
                raise
        finally:
            self._free.put(worker)
        raise WorkerDied("the node was stopped under the job", stopped=True)

    def pids(self) -> dict[str, int]:
        """Worker process ids by device."""
        return {worker.device: pid for worker in self._workers if (pid := worker.pid) is not None}


def _enter(pipe: Connection, device: str, parent: int) -> None:
    from inference.executors.worker import main  # only the worker's process loads torch

    main(pipe, device, parent)


def _error(name: str, sentence: str) -> InferenceError:
    kind: type[InferenceError] = getattr(errors, name, ModelError)
    return kind(sentence)
