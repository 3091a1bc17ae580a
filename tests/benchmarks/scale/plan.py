"""How much of everything so many scanners need, and what the simulation says of that: one row of the table."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace

import simpy
from scale.scanners import DISK_STREAM_MB_S, LINK_MBIT_S, MIX, Demand, arrivals, demand
from scale.setups import quantile
from scale.steps import Steps
from scale.walk import Flow, Nodes, Plant

from dicom_node.running.clock import RETAIN_EVERY_S
from inference.executors.processes import AT_A_TIME, ON_A_GPU
from storage.upkeep.cleaning import IN_ONE_TURN

SCANNERS = (1, 10, 100, 1000, 10_000)
BUSY = 0.6  # no station is planned to be busier in the busiest hour
DEVICES_EACH = 4  # of a pipeline's machine at most
DATABASE_CORES = 16.0
STORAGE_MB_S = 2000.0  # reading and writing
BALANCER_MBIT_S = 10_000.0
KEPT_DAYS = 14  # as conf/node.yaml has it for what the PACS took responsibility for
INDEX_TB = 2.0  # what is still backed up, vacuumed and restored in a night
RUN_UP_S = 1800.0
RESULTS = 4000  # that are counted, from studies that came after the run-up
SEED = 1
PLANNED_FOR, OVERLOAD = 1000, (0.5, 1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0)


@dataclass(frozen=True)
class Row:
    """What so many scanners need and get. `busy` is how much of the time each kind of station worked."""

    demand: Demand
    plant: Plant
    storages: int
    balancers: int
    result_s: tuple[float, float, float]  # p50, p95, p99: last image to result in the archive
    sent_s: float  # p95: first image to last
    busy: dict[str, float]

    @property
    def limit(self) -> str:
        """The kind of station that worked most."""
        return max(self.busy, key=lambda name: self.busy[name])


def planned(asked: Demand, steps: Steps) -> Plant:
    """Everything as large as `BUSY` wants it, and so many devices that few jobs wait."""
    wanted = devices_for(asked)
    pipelines = max(math.ceil(wanted / DEVICES_EACH), math.ceil(asked.encoders / BUSY))
    looks = looking_cores(pipelines, wanted, steps)
    databases = math.ceil((asked.database_cores + looks) / DATABASE_CORES / BUSY)
    return Plant(
        receivers=math.ceil(asked.receivers / BUSY),
        pipelines=pipelines,
        devices=wanted,
        at_a_time=ON_A_GPU,
        databases=databases,
        database_cores=DATABASE_CORES - looks / databases,
        disk_streams=storages(asked) * STORAGE_MB_S / DISK_STREAM_MB_S,
        balancer_streams=balancers(asked) * BALANCER_MBIT_S / LINK_MBIT_S,
    )


def devices_for(asked: Demand) -> int:
    """By the square root rule, a + 2 √a for a load of a: a job has a device to itself (Halfin and Whitt 1981)."""
    return math.ceil(asked.devices + 2 * math.sqrt(asked.devices))


def looking_cores(pipelines: int, devices: int, steps: Steps) -> float:
    """Cores of the database that stages without work take: each looks once a second, and `ON_A_GPU` infer a GPU."""
    idle, device = steps.accounts["idle"], steps.accounts["device"]
    each = device.cpu_s / AT_A_TIME  # measured on devices that take so many
    return pipelines * idle.cpu_s + (devices * ON_A_GPU - pipelines * AT_A_TIME) * each


def storages(asked: Demand) -> int:
    """How many of `STORAGE_MB_S`."""
    return math.ceil((asked.megabytes_a_s + asked.read_mb_a_s) / STORAGE_MB_S / BUSY)


def balancers(asked: Demand) -> int:
    """How many of `BALANCER_MBIT_S`."""
    return math.ceil(asked.megabytes_a_s * 8 / BALANCER_MBIT_S / BUSY)


def row(
    scanners: int, steps: Steps, results: int = RESULTS, seed: int = SEED, plant: Plant | None = None
) -> Row:
    """So many scanners in an endless busiest hour, until so many results were counted; `plant` is what they need."""
    asked = demand(scanners, steps)
    plant = plant or planned(asked, steps)
    env, draw = simpy.Environment(), random.Random(seed)
    nodes = Nodes(env, plant, random.Random(seed + 1))
    places = [simpy.Resource(env) for _ in range(scanners)]

    def come() -> Flow:
        counted = 0
        for at, scanner, case in arrivals(scanners, steps, draw):
            yield env.timeout(at - env.now)
            env.process(nodes.study(places[scanner], case, counted=at >= RUN_UP_S))
            counted += at >= RUN_UP_S and case.walk is not None
            if counted >= results:
                return

    coming = env.process(come())
    env.run(coming)
    busy = _busy(nodes, env.now)
    env.run()
    ordered = sorted(nodes.told.result_s)
    p50, p95, p99 = (quantile(ordered, part) for part in (0.5, 0.95, 0.99))
    return Row(asked, plant, storages(asked), balancers(asked), (p50, p95, p99),
               quantile(sorted(nodes.told.sent_s), 0.95), busy)  # fmt: skip


def overload(steps: Steps) -> list[Row]:
    """What was planned for a thousand scanners, with fewer and with more of them."""
    plant = planned(demand(PLANNED_FOR, steps), steps)
    return [row(round(share * PLANNED_FOR), steps, plant=plant) for share in OVERLOAD]


def _busy(nodes: Nodes, lasted_s: float) -> dict[str, float]:
    """Of each kind, the share of what it could have done."""
    kinds = {"receivers": nodes.receivers, "database": nodes.databases, "storage": [nodes.disk],
             "balancer": [nodes.balancer], "pipelines": [one.process for one in nodes.pipelines]}  # fmt: skip
    busy = {name: sum(one.worked_s for one in some) / sum(one.capacity for one in some) / lasted_s
            for name, some in kinds.items()}  # fmt: skip
    return busy | {"GPUs": sum(worker.used_s for worker in nodes.workers) / len(nodes.workers) / lasted_s}


@dataclass(frozen=True)
class Limit:
    """How many scanners one of a kind bears in the busiest hour, no busier than `BUSY`."""

    what: str
    scanners: float


def limits(steps: Steps) -> list[Limit]:
    """Of each kind of station and of what there is once, by multiplication: the demand grows with the scanners."""
    asked = demand(1000, steps)
    plant = planned(asked, steps)
    cores = asked.database_cores + looking_cores(plant.pipelines, plant.devices, steps)
    removing = asked.images_a_day * steps.remove_s / 86400
    kept = BUSY * index_tb(asked, steps) / INDEX_TB  # a disk may be full
    looking = asked.studies_a_day / (IN_ONE_TURN * 86400 / RETAIN_EVERY_S)
    shares = {  # of what one can do, that 1,000 scanners ask
        "GPU": asked.devices,
        "receiver process": asked.receivers,
        "pipeline process": asked.encoders,
        f"clock, which removes what comes, {1000 * steps.remove_s:.1f} ms a file": removing,
        f"index of {INDEX_TB:g} TB, {KEPT_DAYS} days of {steps.row_bytes / 1000:.1f} kB an image": kept,
        f"storage of {STORAGE_MB_S / 1000:g} GB/s": (asked.megabytes_a_s + asked.read_mb_a_s) / STORAGE_MB_S,
        f"balancer of {BALANCER_MBIT_S / 1000:g} Gbit/s": asked.megabytes_a_s * 8 / BALANCER_MBIT_S,
        f"PostgreSQL of {DATABASE_CORES:g} cores": cores / DATABASE_CORES,
        f"retention, which looks at {IN_ONE_TURN:,} studies in {RETAIN_EVERY_S / 60:g} minutes": looking,
    }
    return sorted((Limit(what, 1000 * BUSY / share) for what, share in shares.items()), key=lambda one: one.scanners)


def index_tb(asked: Demand, steps: Steps) -> float:
    """How large the table of images and its indexes become, in TB."""
    return asked.images_a_day * KEPT_DAYS * steps.row_bytes / 1e12


def devices_of(scanners: int, steps: Steps, times: float = 1.0) -> int:
    """How many GPUs are planned where the networks take so many times as long."""
    mix = [replace(kind, network_s=times * kind.network_s) for kind in MIX]
    return devices_for(demand(scanners, steps, mix))
