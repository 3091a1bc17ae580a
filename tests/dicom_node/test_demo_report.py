"""The demo's pictures on one sheet."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from dicom_node.demo_report import contact_sheet


def test_contact_sheet_holds_every_picture(tmp_path: Path) -> None:
    pictures = []
    for number, colour in enumerate(("red", "lime", "blue", "white"), start=1):
        pictures.append(tmp_path / f"{number}.png")
        Image.new("RGB", (30, 60), colour).save(pictures[-1])
    with Image.open(contact_sheet(pictures, tmp_path / "sheet.png", columns=3, side=40)) as sheet:
        assert sheet.size == (120, 80)
        seen = {sheet.getpixel((x, y)) for x, y in ((20, 20), (60, 20), (100, 20), (20, 60))}
    assert seen == {(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)}
