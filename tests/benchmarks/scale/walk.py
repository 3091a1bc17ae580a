"""The walk of a study through simulated nodes: receive, complete, dispatch, infer, deliver.

A study's images are one flow, not an event each. It goes at the pace of its scanner, through a receiver, a database, a
disk and a balancer at once; each of these shares itself among all flows, and the slowest of them says when the last
image is there. That is what group commit and TCP do over hundreds of images; a single image's wait is not modelled.
From there on every step is an event, with the queues that the node has: one stage looks for studies that have become
quiet when a bell rings or a second is over, a lane of a worker takes a job, one job at a time has the device.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import simpy
from scale.stations import Bell, Shared
from scale.steps import Walk
from scale.workers import Pipeline, Worker, Workers

from dicom_node.pipeline.loop import IDLE_MAX_S
from inference.executors.processes import AT_A_TIME

Flow = Iterator[simpy.Event]


@dataclass(frozen=True)
class Plant:
    """What there is of everything, and how much each can do. Devices are dealt out to the pipelines.

    `database_cores` are those that are left beside the looks of idle stages; `disk_streams` and `balancer_streams` say
    how many associations at full pace fill the storage and the balancer. `machine_cores`: all of it, senders too, is on
    one machine of so many cores, as in the measured set-ups.
    """

    receivers: int = 1
    pipelines: int = 1
    devices: int = 1
    at_a_time: int = AT_A_TIME  # jobs of a device
    pipeline_cores: float = 16.0
    databases: int = 1
    database_cores: float = 16.0
    disk_streams: float = 1e6
    balancer_streams: float = 1e6
    quiet_s: float = 30.0
    machine_cores: float | None = None


@dataclass(frozen=True)
class Case:
    """What one study asks of the plant, in seconds of work; `walk` is None where no route wants it."""

    send_s: float  # at the scanner's own pace
    receiver_s: float = 0.0
    database_s: float = 0.0  # of its images' arrival
    walk_database_s: float = 0.0  # of all that follows
    disk_s: float = 0.0
    balancer_s: float = 0.0
    walk: Walk | None = None
    network_s: float = 0.0


@dataclass
class Told:
    """What became of the studies: how many came and ended; seconds by study that was counted."""

    came: int = 0
    ended: int = 0
    sent_s: list[float] = field(default_factory=list)  # first image to last
    result_s: list[float] = field(default_factory=list)  # last image to result
    last_end: float = 0.0


class Nodes:
    """The plant in simulated time."""

    def __init__(self, env: simpy.Environment, plant: Plant, draw: random.Random) -> None:
        self._env, self._plant, self._draw = env, plant, draw
        self.machine = Shared(env, plant.machine_cores) if plant.machine_cores else None
        self.receivers = [Shared(env, 1.0) for _ in range(plant.receivers)]
        self.databases = [Shared(env, plant.database_cores) for _ in range(plant.databases)]
        self.disk = Shared(env, plant.disk_streams)
        self.balancer = Shared(env, plant.balancer_streams)
        self.pipelines = [Pipeline(Shared(env, 1.0), Shared(env, plant.pipeline_cores)) for _ in range(plant.pipelines)]
        dealt = itertools.islice(itertools.cycle(self.pipelines), plant.devices)
        self.workers = [Worker(pipeline, simpy.Resource(env), plant.at_a_time) for pipeline in dealt]
        self._lanes = Workers(env, self.workers)
        self._bell = Bell(env)
        self._numbers = itertools.count()
        self.told = Told()

    def study(self, scanner: simpy.Resource, case: Case, *, counted: bool = True) -> Flow:
        """One study from its scanner to its result in the archive."""
        self.told.came += 1
        database = self.databases[next(self._numbers) % len(self.databases)]
        begin = self._env.now
        with scanner.request() as turn:
            yield turn
            yield from self._sent(case, database)
        complete = self._env.now
        if counted:
            self.told.sent_s.append(complete - begin)
        if case.walk is not None:
            yield from self._walked(case, case.walk, database)
            if counted:
                self.told.result_s.append(self._env.now - complete)
        self.told.ended += 1
        self.told.last_end = self._env.now

    def _sent(self, case: Case, database: Shared) -> Flow:
        receiver = min(self.receivers, key=len)  # as a balancer does that counts connections
        yield self._env.all_of(
            [self._own_pace(case.send_s), receiver.work(case.receiver_s), database.work(case.database_s),
             self.disk.work(case.disk_s), self.balancer.work(case.balancer_s)]
        )  # fmt: skip

    def _own_pace(self, seconds: float) -> simpy.Event:
        return self.machine.work(seconds) if self.machine is not None else self._env.timeout(seconds)

    def _walked(self, case: Case, walk: Walk, database: Shared) -> Flow:
        yield self._env.timeout(self._plant.quiet_s)
        yield from self._looked_at()
        third = case.walk_database_s / 3
        yield from self._step(walk.stages, database, third)
        self._bell.ring()
        worker: Worker = yield self._lanes.take()
        yield from self._in_worker(worker, walk, case.network_s)
        pipeline = worker.pipeline
        yield self._of(pipeline.process, walk.encode)
        yield database.work(third)
        self._lanes.give_back(worker)
        self._bell.ring()
        yield from self._step(walk.deliver, database, third, pipeline.process)
        self._bell.ring()

    def _looked_at(self) -> Flow:
        """The stage `complete` of some pipeline looks: when its pause is over, or when another stage has worked."""
        first_of_all = 1.0 - self._draw.random() ** (1.0 / len(self.pipelines))
        yield self._env.any_of([self._env.timeout(IDLE_MAX_S * first_of_all), self._bell.next])

    def _in_worker(self, worker: Worker, walk: Walk, network_s: float) -> Flow:
        yield self._of(worker.pipeline.cores, walk.read + walk.prepare)
        with worker.device.request() as turn:
            yield turn
            yield self._env.timeout(network_s)
            worker.used_s += network_s
        yield self._of(worker.pipeline.cores, walk.measure)

    def _step(self, seconds: float, database: Shared, database_s: float, process: Shared | None = None) -> Flow:
        """A step whose time alone includes the database's share, and which waits where that one has more to do."""
        own = self._env.timeout(seconds) if process is None and self.machine is None else self._of(process, seconds)
        yield self._env.all_of([own, database.work(database_s)])

    def _of(self, station: Shared | None, seconds: float) -> simpy.Event:
        """Work of a station, and of the machine where all are on one."""
        places = [one for one in (station, self.machine) if one is not None]
        return self._env.all_of([place.work(seconds) for place in places])


def run(env: simpy.Environment, nodes: Nodes, arrivals: Sequence[tuple[float, int, Case]], scanners: int) -> Told:
    """Studies from these scanners at these moments, to the end of all of them."""
    places = [simpy.Resource(env) for _ in range(scanners)]

    def come() -> Flow:
        for at, scanner, case in arrivals:
            yield env.timeout(at - env.now)
            env.process(nodes.study(places[scanner], case))

    env.process(come())
    env.run()
    return nodes.told
