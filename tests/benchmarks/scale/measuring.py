"""Measures what the simulation reads: images received, studies of full size, the database's accounts, and the curve.

Everything is `segnode serve` over a PostgreSQL that syncs. Lone studies and studies under load take turns on the same
node, so that what else the machine does slows both.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import psycopg
from harness import machine, versions
from ingest import MEMORY, Bench, Images, scanner
from network import large_ct
from receivers import Receiver
from running_node import RunningNode, laid_out
from scale.committing import committed
from scale.ledger import Ledger
from scale.running import Rig, each, rig
from scale.setups import IMAGES, SETUPS
from scale.steps import Account, Receiving, Steps, Walk, plain, rounded
from study import MODELS, NODE, ROUTES, mr, orthanc, steps_of, write_layer

from inference.writers.acquisition import Acquisition
from inference.writers.dicom_series import StudyDetails, write_series
from storage.cleaning import Cleaner
from storage.database import Database
from storage.folder_archive import FolderArchive

A_TURN = 160  # images of a turn of receiving
SLICES, FEW = 400, 60
ROUNDS = 2  # of a study of full size
ALONE = 2  # studies before and after each load
IDLE_S = 6.0
RECEIVER = "segnode receive"
CT_MODEL = '  bright: {task: liver_tumour, kind: bundle, path: "shipped:liver_tumour"}\n'

NewDatabase = Callable[[], str]


@contextmanager
def databases(url: Callable[[str], str]) -> Iterator[NewDatabase]:
    """Gives a function that makes an empty database and tells its URL."""
    numbers = itertools.count()
    with psycopg.connect(url("postgres"), autocommit=True) as admin:

        def new() -> str:
            name = f"scale{next(numbers)}"
            admin.execute(f"CREATE DATABASE {name}")
            return url(name)

        yield new


def measure(place: Path, new: NewDatabase, tell: Callable[[str], None]) -> dict[str, Any]:
    """A whole calibration."""
    received, of_images, row_bytes = _received(place / "received", new())
    tell(f"received: {received}")
    commits = _commits(new())
    tell(f"commits: {commits}")
    walks, remove_s = _full_size(place / "full", new())
    tell(f"walks: {walks}")
    curve, of_studies, version = measure_curve(place, new, of_images["image"], tell)
    steps = Steps(received, walks, {**of_images, **of_studies}, remove_s, row_bytes)
    return {"machine": machine(), "versions": {**versions(), "PostgreSQL": version}, **plain(steps), "commits": commits,
            "curve": curve}  # fmt: skip


def measure_curve(
    place: Path, new: NewDatabase, image: Account, tell: Callable[[str], None]
) -> tuple[list[dict[str, Any]], dict[str, Account], str]:
    """Every set-up's lone steps and outcome; the accounts of a study, an idle second and a device; the version of
    PostgreSQL."""
    points, idle, accounts = [], {}, {}
    for (workers, model_s), setups in itertools.groupby(SETUPS, key=lambda one: (one.workers, one.model_s)):
        folder, url = place / f"workers-{workers}", new()
        folder.mkdir(parents=True)
        with rig(folder, workers, model_s, url) as running:
            ledger = Ledger(url)
            idle[workers] = _idle(ledger)
            if workers == 1:
                accounts["study"] = _of_studies(ledger, running, idle[1], image)
            for setup in setups:
                walks = running.alone(ALONE)
                measured = running.under(setup)
                walks += running.alone(ALONE)
                points.append({"setup": asdict(setup), "alone": rounded(asdict(each(median, walks))),
                               "measured": rounded(asdict(measured))})  # fmt: skip
                tell(f"{setup.name}: {measured}")
            version = ledger.version
            ledger.close()
    most = max(idle)
    device = idle[most].less(idle[1], 1).share(most - 1)
    return points, {**accounts, "idle": idle[1], "device": device}, version


def _commits(url: str) -> list[dict[str, float]]:
    """How fast rows of images are committed from one process, and from several."""
    Database.open(url).close()
    return [rounded(asdict(committed(url, processes))) for processes in (1, 4)]


def _idle(ledger: Ledger) -> Account:
    """Of a second."""
    before, start = ledger.read(), time.monotonic()
    time.sleep(IDLE_S)
    return ledger.read().less(before, 1).share(time.monotonic() - start)


def _of_studies(ledger: Ledger, running: Rig, idle: Account, image: Account, studies: int = 6) -> Account:
    """Of one, without its images and without what the node does anyhow."""
    before, start = ledger.read(), time.monotonic()
    running.sent_alone(studies)
    spent = ledger.read().less(before, 1).less(idle, time.monotonic() - start)
    return spent.less(image, studies * IMAGES).share(studies)


def _received(place: Path, url: str) -> tuple[dict[str, Receiving], dict[str, Account], float]:
    """Images of CT and MR over one association and over four, to a node that routes nothing; the database's accounts of
    an image, and how large its row is."""
    node = laid_out(place, f"quiet_s: 3600\nweb: {{port: null}}\ndatabase_url: {url}\n", routes="routes: []\n")
    node.start()
    try:
        time.sleep(3.0)  # the other roles start beside the one that listens
        assert node.process is not None
        roles = psutil.Process(node.process.pid).children(recursive=True)
        (pid,) = (one.pid for one in roles if one.name() == RECEIVER)
        receiver = Receiver("SEGNODE", node.peer.port, pid)
        ledger = Ledger(url)
        idle = _idle(ledger)
        received, accounts = {}, {}
        for name in ("ct", "mr"):
            images = Images.of(name, place)
            one, alone = _turn(images, receiver, ledger, idle, 1)
            four, together = _turn(images, receiver, ledger, idle, 4)
            received[name.upper()] = Receiving(len(images.template) / 1e6, 1.0 / one.images_a_s, one.cpu_ms / 1000.0,
                                               four.images_a_s)  # fmt: skip
            accounts = accounts or {"image": alone, "image_of_four": together}
        row_bytes = ledger.row_bytes()
        ledger.close()
    finally:
        node.stop()
    return received, accounts, row_bytes


def _turn(images: Images, receiver: Receiver, ledger: Ledger, idle: Account, associations: int) -> Any:
    """The better of two turns, and the database's account of an image."""
    bench = Bench(images, MEMORY if MEMORY.is_dir() else Path(), A_TURN, associations)
    bench.turn(receiver, scanner())
    before, start = ledger.read(), time.monotonic()
    turns = [bench.turn(receiver, scanner()) for _ in range(2)]
    account = ledger.read().less(before, 1).less(idle, time.monotonic() - start).share(2 * A_TURN)
    return max(turns, key=lambda turn: turn.images_a_s), account


def _full_size(place: Path, url: str) -> tuple[dict[str, Walk], float]:
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
    study = StudyDetails.of(f"scale-{number}")
    volume = large_ct("liver_tumour", SLICES if number else FEW)
    grid = replace(volume.grid, frame_of_reference_uid=f"1.2.3.{number}")
    write_series(replace(volume, grid=grid), Acquisition.ct(study), folder)
    return study.study_instance_uid


def _mr(folder: Path, number: int) -> str:
    """A phantom's four series; its Study Instance UID."""
    return mr(folder, number, 0)


def _walked(node: RunningNode, place: Path, write: Callable[[Path, int], str]) -> Walk:
    """The shortest of each step: what others do on the machine can only lengthen one. The first loads the model."""
    walks = []
    for number in range(ROUNDS + 1):
        folder = place / f"{write.__name__}-{number}"
        uid = write(folder, number)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        start = time.perf_counter()
        node.send(files)
        sent = time.perf_counter() - start
        node.until_delivered(uid)
        steps, _ = steps_of(node, uid)
        with node.database.reading() as tx:
            (job,) = tx.jobs.of_study(uid)
            size = sum(item.file.size for item in tx.results.of_job(job.job_id))
        walks.append(_as_walk({step.name: step.seconds for step in steps}, len(files), sent, size / 1e6))
    return each(min, walks[1:])


def _as_walk(took: dict[str, float], images: int, sent: float, result_mb: float) -> Walk:
    """Without the network's own time: its device is another one."""
    return Walk(
        images=images,
        send=sent,
        stages=took["routed"] + took["taken up"],
        before_device=took["read"] + took.get("look", 0.0),
        on_device=took["prepare"] + took["restore"],
        after_device=took["measure"],
        encode=took["encode"] + took["store"] + max(0.0, took["handed over, stored"]),
        deliver=took["delivered"],
        result_mb=result_mb,
    )
