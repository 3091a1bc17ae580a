"""What the demo shows in the end: a table beside the truth, and pictures on one sheet."""

from __future__ import annotations

from pathlib import Path

from commissioned import seg_of, small_case, written
from PIL import Image
from reviewing import FOUND
from rich.console import Console

from dicom_node.phantoms.demo_report import contact_sheet, show
from dicom_node.phantoms.playing import Played


def test_contact_sheet_holds_every_picture(tmp_path: Path) -> None:
    pictures = []
    for number, colour in enumerate(("red", "lime", "blue", "white"), start=1):
        pictures.append(tmp_path / f"{number}.png")
        Image.new("RGB", (30, 60), colour).save(pictures[-1])
    with Image.open(contact_sheet(pictures, tmp_path / "sheet.png", columns=3, side=40)) as sheet:
        assert sheet.size == (120, 80)
        seen = {sheet.getpixel((x, y)) for x, y in ((20, 20), (60, 20), (100, 20), (20, 60))}
    assert seen == {(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)}


def test_the_table_measures_the_delivered_seg_against_the_truth(tmp_path: Path) -> None:
    case = small_case()
    seg = seg_of(case, FOUND, tmp_path)
    uid, images = str(seg.SOPInstanceUID), tuple(sorted((tmp_path / "ct").iterdir()))
    job = {"job": "j", "task": case.task, "route": "r", "model": "net", "state": "DONE", "seconds": {"network": 2.5}}
    view = {
        "state": "DISPATCHED", "images": 10, "jobs": [job], "deliveries": [{"job": "j", "state": "SENT"}],
        "results": [{"kind": "seg", "sop_instance_uid": uid, "job": "j"}],
        "verdicts": [{"route": "r", "series": "", "reason": "it is a [/volume]"}],
    }  # fmt: skip
    out = Console(width=160)
    with out.capture() as capture:
        show(out, [Played(case.task, case, images, view)], tmp_path, {uid: written(seg, tmp_path / "seg.dcm")})
    text = capture.get()
    for said in ("r: it is a [/volume]", "network 2.5", "Liver tumour 1.000", f"SEG {uid} in the archive", "synthetic"):
        assert said in text, text
    assert (tmp_path / "pictures" / "overview.png").exists()
