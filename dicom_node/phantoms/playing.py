"""Phantom studies that are played through a running node as a scanner would, and how each fares on its way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from dicom_node.network.client import send
from dicom_node.network.peer import Peer
from dicom_node.views.study_views import Looking, whole_study
from inference.phantom import PhantomCase, write_study
from storage.database import Database
from storage.errors import NotFound

STEPS = ("receive", "complete", "route", "infer", "deliver")
ENDED = {"DONE", "REFUSED", "FAILED", "SUPERSEDED"}
GONE = {"SENT", "COMMITTED", "DEAD", "HELD", "SUPERSEDED"}


@dataclass
class Played:
    """One phantom study on its way, with the node's latest view of it."""

    task: str
    case: PhantomCase
    paths: tuple[Path, ...]
    view: dict[str, Any] = field(default_factory=dict)

    @property
    def study_uid(self) -> str:
        return self.case.acquisitions[self.case.primary].study.study_instance_uid

    @property
    def job(self) -> dict[str, Any]:
        """The job of the task that this phantom was made for; empty before there is one."""
        return next((job for job in self.view.get("jobs", []) if job["task"] == self.task), {})

    @property
    def deliveries(self) -> list[dict[str, Any]]:
        return [d for d in self.view.get("deliveries", []) if d["job"] == self.job.get("job")]

    @property
    def ended(self) -> bool:
        jobs = self.view.get("jobs", [])
        if self.view.get("state") == "NOT_ROUTED":
            return True
        return (
            bool(jobs)
            and all(job["state"] in ENDED for job in jobs)
            and all(d["state"] in GONE for d in self.view["deliveries"])
        )

    @property
    def delivered(self) -> bool:
        return bool(self.deliveries) and all(d["state"] in ("SENT", "COMMITTED") for d in self.deliveries)

    def objects(self, kind: str) -> list[str]:
        """SOP instance UIDs of what its job made of a kind: seg, sr, summary."""
        return [
            result["sop_instance_uid"]
            for result in self.view.get("results", [])
            if result["kind"] == kind and result["job"] == self.job.get("job")
        ]

    def progress(self) -> tuple[float, str]:
        """How far along the five steps (0..5), and the step's name."""
        state = self.view.get("state")
        if state in (None, "RECEIVING"):
            return (1.0, "complete: waiting for quiet") if state else (0.5, "receive")
        if state == "COMPLETE" or not self.job:
            return 2.0, "route"
        if self.job["state"] not in ENDED:
            return 3.0 + (self.job["progress"] or 0.0), f"infer: {self.job['step'] or 'waiting for the device'}"
        if self.job["state"] != "DONE":
            return 5.0, f"{self.job['state'].lower()}: {self.job['reason']}"
        return (5.0, "delivered") if self.delivered else (4.5, "deliver")


class Progress:
    """A live bar a study."""

    def __init__(self, console: Console) -> None:
        self._bars = Bars(
            TextColumn("{task.fields[name]:<14}"),
            BarColumn(),
            TextColumn("{task.fields[step]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._rows: dict[str, TaskID] = {}
        self._last: dict[str, str] = {}
        self._console = console

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bars.stop()

    def show(self, study: Played) -> None:
        """Move the study's bar; in a pipe, a line for each new step."""
        done, step = study.progress()
        if not self._console.is_terminal:
            if self._last.get(study.task) != step:
                self._console.print(f"{study.task}: {step}", markup=False)
                self._last[study.task] = step
            return
        if study.task not in self._rows:
            self._rows[study.task] = self._bars.add_task("", total=len(STEPS), name=study.task, step="")
        self._bars.update(self._rows[study.task], completed=done, step=step)


def play(case: PhantomCase, folder: Path, node: Peer, calling_aet: str, console: Console) -> Played:
    """Write a phantom study and send it as a scanner would; PeerError where the node does not take it."""
    with console.status(f"writing {case.task}"):
        paths = write_study(case, folder)
    with console.status(f"sending {len(paths)} images of {case.task}"):
        started = time.monotonic()
        statuses = send(paths, node, calling_aet=calling_aet)
        seconds = time.monotonic() - started
    stored = sum(status.stored for status in statuses.values())
    console.print(f"[bold]Scanner[/] sent {case.task}: {stored} of {len(paths)} images in {seconds:.1f} s")
    return Played(case.task, case, tuple(paths))


def watch(
    database: Database,
    played: Sequence[Played],
    console: Console,
    limit_s: float,
    ended: Callable[[Played], bool] = lambda study: study.ended,
) -> None:
    """Show each study's way until all have `ended`, or `limit_s` seconds are over."""
    deadline = time.monotonic() + limit_s
    with Progress(console) as progress:
        while time.monotonic() < deadline:
            for study in played:
                study.view = _view(database, study.study_uid)
                progress.show(study)
            if all(ended(study) for study in played):
                return
            time.sleep(0.25)


def _view(database: Database, uid: str) -> dict[str, Any]:
    with database.reading() as tx:
        try:
            return whole_study(tx, uid, Looking(time.time(), names=True))
        except NotFound:
            return {}
