"""Who may be in a worker at the same time; what becomes of its jobs stands in tests/contracts/test_executors.py."""

from __future__ import annotations

import multiprocessing
import os
import struct
import threading
from pathlib import Path
from typing import cast

import pytest

from inference.errors import WorkerDied
from inference.executors.lanes import Lane, Worker, _Process
from inference.request import Request

PATIENCE_S = 30.0


class Killed:
    """A process that was killed, as a lane looks at it."""

    ended_by = None

    def epitaph(self) -> str:
        return "signal 9"


class Visitor:
    """Enters a worker in a thread of its own, and stays until it is told to go."""

    def __init__(self, worker: Worker, *, alone: bool) -> None:
        self.inside, self._go = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._visit, args=(worker, alone), daemon=True)
        self._thread.start()

    def _visit(self, worker: Worker, alone: bool) -> None:
        with worker.entered(alone=alone):
            self.inside.set()
            self._go.wait(PATIENCE_S)

    def leave(self) -> None:
        assert self.inside.wait(PATIENCE_S)
        self._go.set()
        self._thread.join(PATIENCE_S)


def test_jobs_share_it() -> None:
    worker = Worker("cpu", 2)
    visitors = [Visitor(worker, alone=False) for _ in range(2)]
    assert all(one.inside.wait(PATIENCE_S) for one in visitors)
    for one in visitors:
        one.leave()


def test_one_that_is_to_be_alone_waits_for_the_others_and_lets_nobody_pass() -> None:
    worker = Worker("cpu", 3)
    here = Visitor(worker, alone=False)
    assert here.inside.wait(PATIENCE_S)
    alone = Visitor(worker, alone=True)
    while not worker._to_be_alone:
        pass
    late = Visitor(worker, alone=False)
    assert not alone.inside.wait(0.05)
    here.leave()
    assert alone.inside.wait(PATIENCE_S)
    assert not late.inside.wait(0.05)
    alone.leave()
    late.leave()


def test_after_its_end_no_process_is_started() -> None:
    worker = Worker("cpu", 1)
    worker.end()
    with pytest.raises(WorkerDied, match="was stopped") as died:
        worker.current()
    assert died.value.stopped
    assert worker.pid is None


MESSAGE = struct.pack("!i", 1000)  # how a message of 1000 bytes begins in a pipe


@pytest.mark.parametrize("sent", [b"", MESSAGE[:2], MESSAGE, MESSAGE + bytes(500)])
def test_one_killed_before_its_answer_was_whole_has_died(tmp_path: Path, sent: bytes) -> None:
    """Results are large: a kill for want of memory may well come while one goes through the pipe."""
    ours, theirs = multiprocessing.Pipe()

    def begin_to_answer() -> None:
        with theirs:
            theirs.recv()
            os.write(theirs.fileno(), sent)

    worker = threading.Thread(target=begin_to_answer, daemon=True)
    worker.start()
    request = Request("j1", "", {}, {}, tmp_path, time_limit_s=PATIENCE_S)
    with ours, pytest.raises(WorkerDied, match=r"ended under the job \(signal 9\)"):
        Lane(Worker("cpu", 1), 0)._ask(cast(_Process, Killed()), ours, request, lambda *_: None)
    worker.join(PATIENCE_S)
