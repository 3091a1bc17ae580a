"""What the demo shows: each study's way through the five steps, then a table and pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from dicom_node.objects.overlay import write_overlays
from dicom_node.objects.readback import read_labels
from inference.evaluation.metrics import dice
from inference.phantom import PhantomCase
from inference.tasks import TASKS
from inference.tasks.card import TaskCard

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


def show(console: Console, played: list[Played], folder: Path, delivered: dict[str, Path]) -> None:
    """The closing table, then the pictures read back from the delivered SEG."""
    columns = ("study", "images", "route and why", "model", "seconds by step", "Dice, volume (true)")
    table = Table(*columns, title="Results")
    pictures: list[Path] = []
    for study in played:
        path = next((delivered[uid] for uid in _objects(study, "seg") if uid in delivered), None)
        table.add_row(
            study.task,
            str(study.view.get("images", 0)),
            _route(study),
            study.job.get("model", "-"),
            "\n".join(f"{step} {s:.1f}" for step, s in study.job.get("seconds", {}).items()) or "-",
            "\n".join(_against_truth(study, path)) or study.job.get("reason") or "-",
        )
        if path:
            pictures += write_overlays(path, list(study.paths), folder / "pictures" / study.task, 3)
    console.print(table)
    for study in played:
        for kind, name in (("seg", "SEG"), ("sr", "SR"), ("summary", "SR")):
            for uid in _objects(study, kind):
                where = "in the archive" if uid in delivered else "delivered" if study.delivered else "not delivered"
                console.print(f"{study.task} {name} {uid} {where}")
    if pictures:
        sheet = contact_sheet(pictures, folder / "pictures" / "overview.png")
        console.print(f"[bold]Pictures[/] of the delivered SEG: {sheet.parent} ({len(pictures)}, and {sheet.name})")
    console.print("Phantoms and models are synthetic: nothing here is for diagnosis.")


def _route(study: Played) -> str:
    job = study.job
    if not job:
        return "not routed; see segnode explain"
    why = [v["reason"] for v in study.view["verdicts"] if v["route"] == job["route"] and not v["series"]]
    return f"{job['route']}: {'; '.join(why[-1:])}"


def _objects(study: Played, kind: str) -> list[str]:
    return [
        result["sop_instance_uid"]
        for result in study.view.get("results", [])
        if result["kind"] == kind and result["job"] == study.job.get("job")
    ]


def _against_truth(study: Played, seg: Path | None) -> list[str]:
    """A line a region: Dice of the delivered SEG against the phantom's truth, volume against true volume.

    A result without findings has no SEG; nothing is then compared with the truth. No lines before a result.
    """
    card = TASKS[study.task]
    if seg is not None:
        labels = read_labels(seg, study.case.grid, card.structures)
    elif study.job.get("state") == "DONE" and not _objects(study, "seg"):
        labels = np.zeros(study.case.grid.shape, dtype=np.uint8)
    else:
        return []
    voxel_ml = study.case.grid.voxel_ml
    lines = []
    for name, members in _regions(card):
        found, true = np.isin(labels, members), np.isin(study.case.truth, members)
        score = dice(found, true)
        lines.append(f"{name} {score:.3f}, {_ml(found, voxel_ml):.1f} ({_ml(true, voxel_ml):.1f}) ml")
    return lines


def _regions(card: TaskCard) -> list[tuple[str, tuple[int, ...]]]:
    """Unions where the task names them, else each structure."""
    return list(card.totals) or [(s.name, (s.label,)) for s in card.structures]


def _ml(mask: NDArray[np.bool_], voxel_ml: float) -> float:
    return float(np.count_nonzero(mask)) * voxel_ml


def contact_sheet(pictures: list[Path], path: Path, columns: int = 3, side: int = 420) -> Path:
    """All pictures on one sheet, row by row, each fitted into a square of `side` pixels."""
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * side, rows * side))
    for number, picture in enumerate(pictures):
        with Image.open(picture) as image:
            tile = ImageOps.contain(image.convert("RGB"), (side - 6, side - 6))
        left = number % columns * side + (side - tile.width) // 2
        top = number // columns * side + (side - tile.height) // 2
        sheet.paste(tile, (left, top))
    sheet.save(path)
    return path
