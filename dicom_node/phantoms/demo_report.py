"""What the demo shows when it is over: a table, and pictures read back from the delivered SEG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from rich.console import Console
from rich.table import Table

from dicom_node.objects.overlay import write_overlays
from dicom_node.phantoms.against_truth import labels_in, scores
from dicom_node.phantoms.playing import Played
from dicom_node.terminal.present import said


def show(console: Console, played: list[Played], folder: Path, delivered: dict[str, Path]) -> None:
    """The closing table, then the pictures read back from the delivered SEG."""
    columns = ("study", "images", "route and why", "model", "seconds by step", "Dice, volume (true)")
    table = Table(*columns, title="Results")
    pictures: list[Path] = []
    for study in played:
        path = next((delivered[uid] for uid in study.objects("seg") if uid in delivered), None)
        table.add_row(
            study.task,
            str(study.view.get("images", 0)),
            said(_route(study)),
            study.job.get("model", "-"),
            "\n".join(f"{step} {s:.1f}" for step, s in study.job.get("seconds", {}).items()) or "-",
            "\n".join(_against_truth(study, path)) or said(study.job.get("reason") or "-"),
        )
        if path:
            pictures += write_overlays(path, list(study.paths), folder / "pictures" / study.task, 3)
    console.print(table)
    for study in played:
        for kind, name in (("seg", "SEG"), ("sr", "SR"), ("summary", "SR")):
            for uid in study.objects(kind):
                where = "in the archive" if uid in delivered else "delivered" if study.delivered else "not delivered"
                console.print(f"{study.task} {name} {uid} {where}")
    if pictures:
        sheet = contact_sheet(pictures, folder / "pictures" / "overview.png")
        where = said(f"{sheet.parent} ({len(pictures)}, and {sheet.name})")
        console.print(f"[bold]Pictures[/] of the delivered SEG: {where}")
    console.print("Phantoms and models are synthetic: nothing here is for diagnosis.")


def _route(study: Played) -> str:
    job = study.job
    if not job:
        return "not routed; see segnode explain"
    why = [v["reason"] for v in study.view["verdicts"] if v["route"] == job["route"] and not v["series"]]
    return f"{job['route']}: {'; '.join(why[-1:])}"


def _against_truth(study: Played, seg: Path | None) -> list[str]:
    """A line a region: Dice of the delivered SEG against the phantom's truth, volume against true volume.

    A result without findings has no SEG; nothing is then compared with the truth. No lines before a result.
    """
    if seg is not None:
        labels = labels_in([seg], study.case)
    elif study.job.get("state") == "DONE" and not study.objects("seg"):
        labels = np.zeros(study.case.grid.shape, dtype=np.uint8)
    else:
        return []
    return [f"{one.region} {one.dice:.3f}, {one.found_ml:.1f} ({one.true_ml:.1f}) ml"
            for one in scores(labels, study.case)]


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
