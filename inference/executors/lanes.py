"""A worker process as its parent sees it: several pipes into one process, a job in each."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any

from inference.errors import WorkerDied, error_named
from inference.executors.base import Report
from inference.executors.turns import WAITS
from inference.request import Request

log = logging.getLogger(__name__)

STOP_S = 5.0


class _Process:
    """One process and our ends of its pipes. `ended_by` is the lane whose job had it killed, if one did."""

    def __init__(self, device: str, lanes: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        pairs = [spawn.Pipe() for _ in range(lanes)]
        self.pipes = [ours for ours, _ in pairs]
        theirs = [their for _, their in pairs]
        self.ended_by: int | None = None
        self._lock = threading.Lock()  # only one may wait for a process at a time
        self._process = spawn.Process(
            target=_enter, args=(theirs, device, os.getpid()), name=f"worker {device}", daemon=True
        )
        self._process.start()
        for their in theirs:
            their.close()
        log.info("worker started", extra={"device": device, "pid": self._process.pid})

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def lives(self) -> bool:
        with self._lock:
            return self._process.is_alive()

    def kill(self) -> None:
        """End it at once; who waits for its answer sees the pipe close."""
        with self._lock:
            self._process.kill()
            self._process.join(STOP_S)

    def epitaph(self) -> str:
        """How it ended."""
        with self._lock:
            self._process.join(STOP_S)
            code = self._process.exitcode
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


class Worker:
    """A device and the process of now that has it."""

    def __init__(self, device: str, lanes: int) -> None:
        self.device = device
        self.lanes = [Lane(self, number) for number in range(lanes)]
        self._process: _Process | None = None
        self._over = False
        self._starting = threading.Lock()
        self._changed = threading.Condition()
        self._inside = 0
        self._to_be_alone = 0  # how many are by themselves, or want to be

    def current(self, dead: _Process | None = None) -> _Process:
        """A live process; one that has died, or is known to be `dead`, is replaced. WorkerDied after the `end`."""
        with self._starting:
            if self._over:
                raise WorkerDied(f"the worker on {self.device} was stopped", stopped=True)
            if self._process is None or self._process is dead or not self._process.lives():
                if self._process is not None:
                    self._process.kill()
                self._process = _Process(self.device, len(self.lanes))
            return self._process

    def end(self) -> None:
        """Kill the process, if there is one; no other follows."""
        with self._starting:
            self._over = True
            if self._process is not None:
                self._process.kill()
                self._process = None

    def let_go(self, process: _Process) -> None:
        """Kill this one; where another has taken its place, that lives on."""
        process.kill()
        with self._starting:
            if self._process is process:
                self._process = None

    @property
    def pid(self) -> int | None:
        """Process id while there is one."""
        process = self._process  # another thread may take it away meanwhile
        return None if process is None else process.pid

    @contextmanager
    def entered(self, *, alone: bool) -> Iterator[None]:
        """Be one of those whose job the process has; with `alone` the only one, before whom nobody new comes."""
        with self._changed:
            self._to_be_alone += alone
            self._changed.wait_for(lambda: not self._inside if alone else not self._to_be_alone)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._to_be_alone -= alone
                self._changed.notify_all()


class Lane:
    """One of a worker's pipes; a job at a time."""

    def __init__(self, worker: Worker, number: int) -> None:
        self.worker = worker
        self._number = number

    def run(self, request: Request, report: Report, *, alone: bool = False) -> Any:
        """One request's answer. Without one the worker ends, lest its late answer be taken for the next job's."""
        with self.worker.entered(alone=alone), ExitStack() as unanswered:
            process, pipe = self._live()
            unanswered.callback(self._end, process)
            kind, *told = self._ask(process, pipe, request, report)
            unanswered.pop_all()
        if kind == "error":
            raise error_named(*told)
        return told[0]

    def _live(self) -> tuple[_Process, Connection]:
        """A live worker's pipe. An idle one has nothing to say but its end."""
        process = self.worker.current()
        if process.pipes[self._number].poll():
            process = self.worker.current(dead=process)
        return process, process.pipes[self._number]

    def _end(self, process: _Process) -> None:
        if process.ended_by is None and process.lives():
            process.ended_by = self._number
        self.worker.let_go(process)

    def _ask(self, process: _Process, pipe: Connection, request: Request, report: Report) -> tuple[Any, ...]:
        """The worker's last message, progress passed on; raises `WorkerDied`."""
        deadline = time.monotonic() + request.time_limit_s
        try:
            pipe.send(request)
            while (left := deadline - time.monotonic()) > 0 and pipe.poll(left):
                kind, *told = _message(pipe)
                if kind != "progress":
                    return kind, *told
                report(*told)
                if told[-1] == WAITS:
                    deadline += _seconds_until(pipe)
        except (EOFError, BrokenPipeError, ConnectionResetError) as lost:
            raise self._lost(process) from lost
        raise WorkerDied.at_limit(request.time_limit_s)

    def _lost(self, process: _Process) -> WorkerDied:
        """What became of the job; where another one had the worker killed it was no fault of this one."""
        how, device = process.epitaph(), self.worker.device
        if process.ended_by is not None:
            return WorkerDied(f"the worker on {device} was ended for another job", stopped=True)
        return WorkerDied(f"the worker on {device} ended under the job ({how})")


def _message(pipe: Connection) -> tuple[Any, ...]:
    """The next message; EOFError where the other end is closed, be it in the middle of one."""
    try:
        message: tuple[Any, ...] = pipe.recv()
    except OSError as cut:  # a plain one in the middle, which the caller could not tell from one that `report` raises
        raise EOFError from cut
    return message


def _seconds_until(pipe: Connection) -> float:
    """Wait for the next message; whoever has the device has a time limit of its own."""
    since = time.monotonic()
    pipe.poll(None)
    return time.monotonic() - since


def _enter(pipes: list[Connection], device: str, parent: int) -> None:
    from inference.executors.worker import main  # only the worker's process loads torch

    main(pipes, device, parent)
