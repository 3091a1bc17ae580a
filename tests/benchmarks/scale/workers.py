"""Workers and their lanes, as inference/executors/processes.py gives them out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import simpy
from scale.stations import Shared


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
    free: int  # of its lanes
    used_s: float = field(default=0.0)  # so long was the device somebody's


class Workers:
    """Jobs wait in the order in which they came; each gets a lane of a worker that has most of them free."""

    def __init__(self, env: simpy.Environment, workers: Sequence[Worker]) -> None:
        self._env = env
        self._waiting: deque[simpy.Event] = deque()
        most = max((worker.free for worker in workers), default=0)
        self._with_free: list[list[Worker]] = [[] for _ in range(most + 1)]  # by how many are; some by hindsight
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
        for free, listed in reversed(list(enumerate(self._with_free))[1:]):
            while listed:
                worker = listed.pop()
                if worker.free == free:
                    return worker
        return None
