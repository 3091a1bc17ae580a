"""Time to result when many studies come at once, and how long the device then stands idle.

python tests/benchmarks/load.py [--studies 20] [--images 60] [--size 256] [--model-s 2] [--rounds 1] [--record FOLDER]
A real node (`segnode serve`) with one device gets the studies by C-STORE over four associations; its model takes two
seconds, in which it computes nothing (tests/support/sleeping). Time to result is from a study's last image to its SEG
and SR in the archive. The limit is a device that is never idle: the n-th study waits for n - 1 others, and the quiet
time. Idle is what of the time between its first use and its last it stands still though a job is there; exits with 1
above a tenth.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from harness import Comparison, Record, options, report
from running_node import QUIET_S, RunningNode, laid_out

from dicom_node.network.embedded_archive import EmbeddedArchive
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.acquisition import Acquisition
from inference.writers.dicom_series import StudyDetails, write_series
from storage.lifecycle import DeliveryState

SUPPORT = Path(__file__).resolve().parents[1] / "support"
WANTED_BUSY = 0.9
SENDERS = 4
PATIENCE_S = 600.0


def node_in(folder: Path, archive: EmbeddedArchive) -> RunningNode:
    """A node with a bright model and one device, whose results go to `archive`."""
    from bright_conf import MODELS, routes

    settings = (
        f"quiet_s: {QUIET_S}\ndevices: [cpu]\nweb: {{port: null}}\ndestinations:\n"
        f"  pacs: {{kind: dimse, ae_title: ARCHIVE, host: 127.0.0.1, port: {archive.port}, accepts: [demonstration]}}\n"
    )
    return laid_out(folder, settings, archive, models=MODELS, routes=routes("seg", "sr"))


def study(folder: Path, name: str, images: int, size: int) -> list[Path]:
    """A CT with a bright body of its own."""
    number = int.from_bytes(name.encode()[-6:], "big")
    array = np.random.default_rng(number).normal(40, 10, (images, size, size)).astype(np.float32)
    array[images // 4 : images // 2, size // 3 : size // 2, size // 3 : size // 2] = 400
    grid = Grid(array.shape, regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(2.0, 0.8, 0.8)), f"1.2.3.{number}")
    return write_series(Volume(array, grid, "HU"), Acquisition.ct(StudyDetails.of(name)), folder / name)


def until_delivered(node: RunningNode, studies: int) -> list[float]:
    """Seconds from the last image of each to its delivered result, once all are."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with node.database.reading() as tx:
            if tx.deliveries.counts().get(DeliveryState.SENT, 0) >= studies:
                return sorted(tx.figures.since(0.0).result_s)
        time.sleep(0.5)
    raise SystemExit((node.folder / "node.log").read_text()[-3000:])


def idle_share(used: list[tuple[float, float]], wanted: list[float]) -> float:
    """The part of the time from the first use to the last in which the device stood still though a job was there.

    `used` are begins and ends, `wanted` is when each job was made.
    """
    first, last = used[0][0], used[-1][1]
    idle = 0.0
    for number, ((_, free), (begin, _)) in enumerate(itertools.pairwise(used), start=1):
        there = wanted[number] if number < len(wanted) else last  # the job that is next in line
        idle += max(0.0, begin - max(free, there))
    return idle / (last - first)


def never_idle(wanted: list[float], model_s: float) -> list[float]:
    """Times to result, with the quiet time, where the device takes each job the moment that it can."""
    free, found = 0.0, []
    for at in wanted:
        free = max(free, at) + model_s
        found.append(QUIET_S + free - at)
    return sorted(found)


@dataclass(frozen=True)
class Run:
    """Times to result, what they would be if the device never stood still, and how long it did, as a share."""

    took: list[float]
    limit: list[float]
    idle: float


def once(asked, place: Path) -> Run:
    """All studies through one node."""
    slept = place / "slept"
    path = os.pathsep.join((str(SUPPORT / "sleeping"), os.environ.get("PYTHONPATH", "")))
    os.environ.update(SEGNODE_SLEEP_S=str(asked.model_s), SEGNODE_SLEPT=str(slept), PYTHONPATH=path)
    series = [study(place, f"{place.name}-{number:03d}", asked.images, asked.size) for number in range(asked.studies)]
    with EmbeddedArchive(place / "archive") as archive:
        node = node_in(place / "node", archive)
        node.start()
        try:
            with ThreadPoolExecutor(SENDERS) as senders:
                list(senders.map(node.send, series))
            found = until_delivered(node, asked.studies)
            with node.database.reading() as tx:
                wanted = sorted(job.created_at for job in tx.jobs.list())
        finally:
            node.stop()
    used = sorted(tuple(map(float, line.split())) for line in slept.read_text().splitlines())
    return Run(found, never_idle(wanted, asked.model_s), idle_share(used, wanted))


def main() -> None:
    parser = options(__doc__, rounds=1)
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--size", type=int, default=256, help="rows and columns of an image")
    parser.add_argument("--model-s", type=float, default=2.0)
    asked = parser.parse_args()
    runs = []
    for number in range(asked.rounds):
        with tempfile.TemporaryDirectory(prefix=f"load-{number}-") as place:
            runs.append(once(asked, Path(place)))
    lines = [
        Comparison(f"time to result, {asked.studies} studies at once, p{round(100 * part)}", "s",
                   ("segnode", [at(part, run.took) for run in runs]),
                   ("a device never idle", [at(part, run.limit) for run in runs]))
        for part in (0.5, 0.95)
    ]  # fmt: skip
    lines.append(Comparison("the device is in use while work waits", "of the time",
                            ("segnode", [1.0 - run.idle for run in runs]), ("never idle", [1.0]),
                            less_is_better=False, wanted=WANTED_BUSY))  # fmt: skip
    idle = ", ".join(f"{100 * run.idle:.1f} %" for run in runs)
    remark = (f"{asked.images} images of {asked.size}² a study, a model of {asked.model_s:g} s, quiet {QUIET_S:g} s; "
              f"idle while work waits: {idle}; load of the machine {os.getloadavg()[0]:.1f}")  # fmt: skip
    report(Record("load", lines, [remark]), asked.record)
    sys.exit(median(run.idle for run in runs) > 1.0 - WANTED_BUSY)


def at(part: float, of: list[float]) -> float:
    """A quantile of what is sorted."""
    return of[min(len(of) - 1, int(part * len(of)))]


if __name__ == "__main__":
    main()
