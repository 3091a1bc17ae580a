"""How much more is done by four workers than by one, and what it costs to hand a job to one.

python tests/benchmarks/workers.py [--jobs 8] [--model-s 0.5] [--rounds 3] [--record FOLDER]
Both executors, on this machine: worker processes of one device each, and actors on a Ray cluster of two machines, which
are two raylets here. The model takes half a second, in which it computes nothing (tests/support/sleeping), so that the
cores do not matter; each worker has so many jobs on average. What a job costs beyond its model is measured with one job
after another, which reads 8 images of 64², and compared with the same in this process. Exits with 1 where four workers
do less than 0.9 of four times as much as one, or where a job costs more than 20 ms.
"""

from __future__ import annotations

import os
import runpy
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from harness import Comparison, Record, options, report, take_turns
from ray_machines import SUPPORT, machines

from inference.executors.base import Executor
from inference.executors.inline import Inline
from inference.executors.processes import Processes
from inference.executors.ray_cluster import RayCluster
from inference.request import Request, SeriesFiles
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

FEW, MANY = 1, 4
LINEAR, DISPATCH_MS = 0.9, 20.0
ALONE = 8  # jobs one after another, for what one costs
MODEL = {"kind": "threshold", "lower": 100, "upper": 3000, "label": 1}

Run = Callable[[str], None]


def small_series(folder: Path) -> SeriesFiles:
    """A CT with something bright."""
    array = np.full((8, 64, 64), -50, np.float32)
    array[2:5, 20:30, 20:30] = 300
    grid = Grid(array.shape, regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(3.0, 1.0, 1.0)))
    paths = write_series(Volume(array, grid, "HU"), Acquisition.ct(StudyDetails.of("workers")), folder / "series")
    return SeriesFiles("1.2.3", tuple(paths), ())


@contextmanager
def working(executor: Executor, series: SeriesFiles, folder: Path) -> Iterator[Run]:
    """Runs one job by its name, on workers that have all loaded their model."""

    def run(name: str) -> None:
        scratch = folder / name
        scratch.mkdir(exist_ok=True)
        executor.run(Request(name, "liver_tumour", {"CT": series}, MODEL, scratch), lambda *_: None)

    executor.start()
    try:
        for _ in range(2):
            at_once(run, executor.slots, executor.slots)
        yield run
    finally:
        executor.stop()


def at_once(run: Run, jobs: int, slots: int) -> float:
    """Jobs a second, of so many in so many threads, as the pipeline has them."""
    start = time.perf_counter()
    with ThreadPoolExecutor(slots) as threads:
        list(threads.map(run, (f"job-{number}" for number in range(jobs))))
    return jobs / (time.perf_counter() - start)


def alone_ms(run: Run, model_s: float) -> float:
    """What a job takes beyond its model, in ms: the median of some, one after another."""
    took = []
    for _ in range(ALONE):
        start = time.perf_counter()
        run("alone")
        took.append(time.perf_counter() - start - model_s)
    return 1000 * median(took)


def measured(make: Callable[[int], Executor], asked, folder: Path) -> dict[str, list[float]]:
    """Of one executor: rates with few and many workers, and ms that a job costs there and in this process."""
    series = small_series(folder)
    with (
        working(make(FEW), series, folder) as few,
        working(make(MANY), series, folder) as many,
        working(Inline(), series, folder) as here,
    ):
        return take_turns(
            {
                "few": partial(at_once, few, FEW * asked.jobs, 2 * FEW),
                "many": partial(at_once, many, MANY * asked.jobs, 2 * MANY),
                "alone": partial(alone_ms, few, asked.model_s),
                "here": partial(alone_ms, here, asked.model_s),
            },
            asked.rounds,
            warm_ups=0,
        )


def lines(name: str, found: dict[str, list[float]], model_s: float) -> list[Comparison]:
    """The comparisons of an executor."""
    limit = (f"{MANY} that only sleep", [MANY / model_s])
    return [
        Comparison(f"{name}: {MANY} workers", "jobs/s", (name, found["many"]), limit, less_is_better=False),
        Comparison(f"{name}: {MANY} workers for {MANY} times one", "jobs/s", (f"{MANY} workers", found["many"]),
                   (f"{MANY} × one worker", [MANY * rate for rate in found["few"]]), less_is_better=False,
                   wanted=LINEAR),
        Comparison(f"{name}: a job beyond its model", "ms", (name, found["alone"]), ("in this process", found["here"])),
    ]  # fmt: skip


def main() -> None:
    parser = options(__doc__, rounds=3)
    parser.add_argument("--jobs", type=int, default=8, help="of each worker")
    parser.add_argument("--model-s", type=float, default=0.5)
    asked = parser.parse_args()
    path = os.pathsep.join((str(SUPPORT / "sleeping"), os.environ.get("PYTHONPATH", "")))
    with tempfile.TemporaryDirectory() as place:
        slept = Path(place, "slept")
        os.environ.update(SEGNODE_SLEEP_S=str(asked.model_s), SEGNODE_SLEPT=str(slept), PYTHONPATH=path)
        runpy.run_path(str(SUPPORT / "sleeping/sitecustomize.py"))  # in this process, too
        found = {"processes": measured(lambda workers: Processes(["cpu"] * workers), asked, Path(place))}
        with machines("east", "west", cpus=MANY) as cluster:
            found["ray"] = measured(lambda workers: RayCluster(cluster.settings(workers=workers)), asked, Path(place))
    comparisons = [one for name, figures in found.items() for one in lines(name, figures, asked.model_s)]
    costs = max(median(figures["alone"]) for figures in found.values())
    remarks = [f"wanted: at most {DISPATCH_MS:g} ms beyond the model; the most is {costs:.1f} ms",
               f"a model of {asked.model_s:g} s; load of the machine {os.getloadavg()[0]:.1f}"]  # fmt: skip
    report(Record("workers", comparisons, remarks), asked.record)
    sys.exit(costs > DISPATCH_MS or any(one.wanted is not None and one.ratio < one.wanted for one in comparisons))


if __name__ == "__main__":
    main()
