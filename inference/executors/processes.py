"""One worker process a device, weights resident, restarted when it dies.

A crash, an out-of-memory kill or a time-out there is an error here, and no other process loads torch. A worker has
several jobs at a time, of which one has the device: the others are read, prepared or measured, so that it need not wait
for that. Beside a GPU that is most of the work: there more jobs keep one busy.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from inference.errors import WorkerDied
from inference.executors.base import OneWay, Report
from inference.executors.devices import numbered, resolve
from inference.executors.lanes import STOP_S, Lane, Worker
from inference.request import Request

AT_A_TIME = 2  # jobs of one worker
ON_A_GPU = 4  # and of one that has a GPU


class Processes(OneWay):
    """The default executor: `devices` is "auto" (every GPU, else the CPU) or a list such as ("cuda:0", "cuda:1").

    So many jobs of a worker `at_a_time`; None: by its device.
    """

    trouble = ""  # a worker that cannot be started is told by its jobs

    def __init__(self, devices: str | Sequence[str] = "auto", at_a_time: int | None = None) -> None:
        self._workers = [Worker(device, at_a_time or (AT_A_TIME if device == "cpu" else ON_A_GPU))
                         for device in resolve(devices)]
        self._lanes = [lane for worker in self._workers for lane in worker.lanes]
        self._free: list[Lane] = []
        self._given_back = threading.Condition()
        self._stopped = threading.Event()
        self._suspects: set[str] = set()  # jobs under which a worker died: they have one to themselves

    @property
    def slots(self) -> int:
        """Several a device."""
        return len(self._lanes)

    def start(self) -> None:
        """Start the workers, so that the first job does not wait for imports."""
        for worker in self._workers:
            worker.current()
        self._free += self._lanes

    def stop(self) -> None:
        """End every worker now; whatever runs there, or comes later, ends with `WorkerDied`."""
        self._stopped.set()
        for worker in self._workers:
            worker.end()
        with self._given_back:  # one that is not given back is dead all the same
            self._given_back.wait_for(lambda: len(self._free) == len(self._lanes), timeout=STOP_S)

    def _answer(self, request: Request, report: Report) -> Any:
        """On the first free worker."""
        lane = self._taken()
        try:
            if not self._stopped.is_set():
                return self._run(lane, request, report)
        except WorkerDied:
            if not self._stopped.is_set():
                raise
        finally:
            with self._given_back:
                self._free.append(lane)
                self._given_back.notify_all()
        raise WorkerDied("the node was stopped under the job", stopped=True)

    def _taken(self) -> Lane:
        """A free lane, of the device that has least to do."""
        with self._given_back:
            self._given_back.wait_for(lambda: self._free)
            lane = max(self._free, key=lambda one: sum(other.worker is one.worker for other in self._free))
            self._free.remove(lane)
            return lane

    def _run(self, lane: Lane, request: Request, report: Report) -> Any:
        """Of jobs that shared a worker nobody knows which one killed it; each is by itself the next time."""
        try:
            answer = lane.run(request, report, alone=request.job_id in self._suspects)
        except WorkerDied as died:
            if not died.stopped:
                self._suspects.add(request.job_id)
            raise
        self._suspects.discard(request.job_id)
        return answer

    def pids(self) -> dict[str, int]:
        """Worker process ids by device."""
        return numbered((worker.device, pid) for worker in self._workers if (pid := worker.pid) is not None)
