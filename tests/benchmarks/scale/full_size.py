"""Measures studies of full size that walk alone: a CT for the shipped liver model, and four MR series.

A step's seconds are those of a processor: where the machine is busy with other things a step gets less of one than it
could use, and takes longer by that. What the worker got of it says by how much.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
from running_node import RunningNode, laid_out
from scale.running import each, walk_of
from scale.steps import Walk
from study import MODELS, NODE, ROUTES, mr, orthanc, steps_of, write_layer

from inference.writers.acquisition import Acquisition
from inference.writers.dicom_series import StudyDetails, write_series
from storage.files.folder_archive import FolderArchive
from storage.upkeep.cleaning import Cleaner

SLICES, FEW = 400, 60
ROUNDS = 2
PIPELINE = "segnode pipelin"  # as far as the system keeps a name
OF_WORKER = ("read", "look", "prepare", "network", "restore", "measure")
CT_MODEL = '  bright: {task: liver_tumour, kind: bundle, path: "shipped:liver_tumour"}\n'


def full_size(place: Path, url: str) -> tuple[dict[str, Walk], float]:
    """A CT of 400 slices for the shipped liver model, and four MR series, registered, for a network of one layer; then
    the seconds that the clock takes to remove a file and its row."""
    place.mkdir(parents=True)
    with orthanc(place / "orthanc") as pacs:
        settings = NODE.format(pacs=pacs) + f"database_url: {url}\n"
        models = re.sub("  bright: .*\n", CT_MODEL, MODELS, count=1)
        node = laid_out(place / "node", settings, models=models, routes=ROUTES)
        write_layer(node.conf / "layer.ts")
        pinned = node.run("models", "pin", "layer")
        assert pinned.returncode == 0, pinned.stderr
        node.start()
        try:
            walks = {"CT": _walked(node, place, _ct), "MR": _walked(node, place, _mr)}
            return walks, _removed(node)
        finally:
            node.stop()


def _removed(node: RunningNode) -> float:
    """Of the studies that are here, the one that goes fastest."""
    cleaner = Cleaner(node.database, FolderArchive(node.folder / "data" / "archive"), ())
    with node.database.reading() as tx:
        uids = {job.study_instance_uid for job in tx.jobs.list()}
    took = []
    for uid in uids:
        start = time.perf_counter()
        gone = cleaner.remove_now(uid, time.time())
        took.append((time.perf_counter() - start) / gone.files)
    return min(took)


def _ct(folder: Path, number: int) -> str:
    """A liver on as many voxels as a scanner gives; its Study Instance UID."""
    from network import large_ct  # which loads torch

    study = StudyDetails.of(f"scale-{number}")
    volume = large_ct("liver_tumour", SLICES if number else FEW)
    grid = replace(volume.grid, frame_of_reference_uid=f"1.2.3.{number}")
    write_series(replace(volume, grid=grid), Acquisition.ct(study), folder)
    return study.study_instance_uid


def _mr(folder: Path, number: int) -> str:
    """A phantom's four series; its Study Instance UID."""
    return mr(folder, number, 0)


def _workers(node: RunningNode) -> list[psutil.Process]:
    """The processes that models run in."""
    assert node.process is not None
    roles = psutil.Process(node.process.pid).children()
    (pipeline,) = (one for one in roles if one.name() == PIPELINE)
    return pipeline.children()


def _cpu_s(processes: Sequence[psutil.Process]) -> float:
    return sum(times.user + times.system for times in (one.cpu_times() for one in processes))


def _walked(node: RunningNode, place: Path, write: Callable[[Path, int], str]) -> Walk:
    """The shortest of each step. The first study loads the model, and does not count."""
    walks = []
    for number in range(ROUNDS + 1):
        folder = place / f"{write.__name__}-{number}"
        uid = write(folder, number)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        before, start = _cpu_s(_workers(node)), time.perf_counter()
        node.send(files)
        sent = time.perf_counter() - start
        node.until_delivered(uid)
        spent = _cpu_s(_workers(node)) - before
        steps, _ = steps_of(node, uid)
        took = on_a_processor({step.name: step.seconds for step in steps}, spent)
        with node.database.reading() as tx:
            (job,) = tx.jobs.of_study(uid)
            size = sum(item.file.size for item in tx.results.of_job(job.job_id))
        walks.append(walk_of(took, len(files), sent, result_mb=size / 1e6))
    return each(min, walks[1:])


def on_a_processor(took: Mapping[str, float], workers_s: float) -> dict[str, float]:
    """The steps' seconds, shortened by the share of a processor that the worker got for its own; never lengthened.

    The pipeline's steps are thought to have got as much: it runs beside the worker.
    """
    share = min(1.0, workers_s / sum(seconds for name, seconds in took.items() if name in OF_WORKER))
    return {name: share * seconds for name, seconds in took.items()}
