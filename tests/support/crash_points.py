"""A node's work in a process that dies at a chosen point: before or after a commit, a rename, an answer to a peer.

The points are not listed by hand: a first run tells which ones it passed, so that a new stage brings its own.
Children are forked from a server process without threads, which has loaded everything once.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import pkgutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dicom_node.pipeline
from dicom_node.assembly import assemble, server, stages
from dicom_node.settings import load
from inference.executors.inline import Inline
from storage.database import Database
from storage.recovery import recover

LATER_S = 3600.0  # every lease of the dead has run out by then
IDLE_ROUNDS = 3
PATIENCE_S = 60.0
_HOUSE = ("dicom_node", "storage")
_QUIET = ("keeper.py", "heartbeat.py", "database.py", "crash_points.py")  # threads beside the work; plumbing

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(  # all that a walk loads on its way: what is left out here, every child loads anew
    [*(f"dicom_node.pipeline.{module.name}" for module in pkgutil.iter_modules(dicom_node.pipeline.__path__)),
     "dicom_node.assembly", "dicom_node.encoding", "dicom_node.network.client", "dicom_node.network.remote",
     "dicom_node.network.server", "dicom_node.network.dicomweb.web_remote", "dicom_node.objects.encode",
     "dicom_node.objects.rejection", "highdicom", "inference.backends.threshold", "inference.executors.residents",
     "inference.predict", "scipy.ndimage", "scipy.spatial", "SimpleITK", "storage.migrations.upgrade",
     "tests.support.iod_tables"]  # the last by its place in the checkout, where the tests are started
)  # fmt: skip


class Points:
    """Counts the points that the process passes, writes their names down, and dies at number `fatal`."""

    def __init__(self, told: Path, fatal: int | None) -> None:
        self._told, self._fatal = told, fatal
        self._passed = 0
        self._lock = threading.Lock()

    def passed(self, name: str) -> None:
        with self._lock:
            with self._told.open("a") as file:
                file.write(json.dumps(name) + "\n")
            if self._passed == self._fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            self._passed += 1


def watch(points: Points) -> None:
    """Let every commit and every rename of this process be a point."""
    transaction, replace = Database.transaction, Path.replace

    @contextmanager
    def watched(database: Database) -> Iterator[Any]:
        place = _place()
        with transaction(database) as tx:
            yield tx
            if place:
                points.passed(f"{place}: before the commit")
        if place:
            points.passed(f"{place}: after the commit")

    def renamed(path: Path, target: Path) -> Path:
        place = _place()
        if place:
            points.passed(f"{place}: before the rename")
        done = replace(path, target)
        if place:
            points.passed(f"{place}: after the rename")
        return done

    Database.transaction, Path.replace = watched, renamed  # type: ignore[method-assign]


def _place() -> str:
    """Who of the house is at it: `dicom_node/pipeline/infer.py _commit`."""
    frame = sys._getframe(1)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.name in ("keeper.py", "heartbeat.py"):
            return ""
        if path.name not in _QUIET and any(house in path.parts for house in _HOUSE):
            part = next(n for n in range(len(path.parts) - 1, -1, -1) if path.parts[n] in _HOUSE)
            return f"{'/'.join(path.parts[part:])} {frame.f_code.co_name}"
        frame = frame.f_back  # type: ignore[assignment]
    return ""


def walk(conf: Path, told: Path, fatal: int | None) -> None:
    """Take every study as far as it goes, in this process, an hour from now; dies at point `fatal`."""
    parts = assemble(load(conf))
    run = Inline()
    run.start()
    work = stages(parts, run)
    watch(Points(told, fatal))
    now = time.time() + LATER_S * (1 if fatal is not None else 2)
    recover(parts.database, parts.archive, now, max_crashes=5)
    idle, deadline = 0, time.monotonic() + PATIENCE_S
    while idle < IDLE_ROUNDS and time.monotonic() < deadline:
        worked = [stage.step(now) for stage in work]  # each has its turn
        idle = 0 if any(worked) else idle + 1
        now += 60
    parts.close()


def receive(conf: Path, told: Path, fatal: int | None) -> None:
    """Listen until told to end; dies at point `fatal`."""
    parts = assemble(load(conf))
    watch(Points(told, fatal))
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with server(parts):
        ended.wait(PATIENCE_S)
    parts.close()


def start(target: Callable[..., None], *arguments: Any) -> Any:
    """Run `target` in a child; the process object, started."""
    child = CONTEXT.Process(target=target, args=arguments)
    child.start()
    return child


def read(told: Path) -> list[str]:
    """The names of the points that were passed, in order."""
    return [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
