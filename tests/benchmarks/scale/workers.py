"""Workers and their lanes, as inference/executors/processes.py gives them out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import simpy
from scale.stations import Shared

from inference.executors.processes import AT_A_TIME


@dataclass
class Pipeline:
    """One pipeline process: `process` is what its own interpreter can do, `cores` its machine."""

    process: Shared
    cores: Shared


@dataclass
class Worker:
    """One device; several jobs are in it, of which one has the device."""

    pipeline: Pipeline
    device: simpy.Resource
    free: int = AT_A_TIME
    used_s: float = field(default=0.0)  # so long was the device somebody's


class Workers:
    """Jobs wait in the order in which they came; each gets a lane of a worker that has most of them free."""

    def __init__(self, env: simpy.Environment, workers: Sequence[Worker]) -> None:
        self._env = env
        self._waiting: deque[simpy.Event] = deque()
        self._with_free: list[list[Worker]] = [[] for _ in range(AT_A_TIME + 1)]  # by how many are; some by hindsight
        for worker in workers:
            self._with_free[worker.free].append(worker)

    def take(self) -> simpy.Event:
        """The event comes with a worker of which one lane is the job's."""
        given = self._env.event()
        worker = self._freest()
        if worker is None:
            self._waiting.append(given)
        else:
            self._change(worker, -1)
            given.succeed(worker)
        return given

    def give_back(self, worker: Worker) -> None:
        """A lane is free: of whoever waits, or of who comes next."""
        if self._waiting:
            self._waiting.popleft().succeed(worker)
        else:
            self._change(worker, +1)

    def _change(self, worker: Worker, by: int) -> None:
        worker.free += by
        if worker.free:
            self._with_free[worker.free].append(worker)

    def _freest(self) -> Worker | None:
        for free in range(AT_A_TIME, 0, -1):
            listed = self._with_free[free]
            while listed:
                worker = listed.pop()
                if worker.free == free:
                    return worker
        return None
