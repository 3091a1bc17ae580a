"""What a model's files say of it for people: what it is for, what it learned from, and where its limits are.

The files are read as text and as data, a bounded part of each; what they do not say is told as that.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from inference.findings import IntendedUse

MOST = 40_000  # characters of a file
DATA = ("configs/metadata.json", "dataset.json")  # of a MONAI bundle; of an nnU-Net folder
TEXTS = ("docs/README.md", "README.md")
UNSAID = "its files do not say"
FIELDS = (
    ("description", "What it is"), ("intended_use", "Intended use"), ("data_source", "Training data"),
    ("data_type", "Kind of data"), ("reference", "Source"), ("authors", "Authors"), ("copyright", "Copyright"),
    ("licence", "Licence"), ("license", "Licence"),
)  # fmt: skip
LIMITS = {
    IntendedUse.DEMONSTRATION: "for demonstration and commissioning alone: no result of it is for a patient",
    IntendedUse.RESEARCH: "for research alone: no result of it is for diagnosis",
    IntendedUse.CLINICAL: "those of its clearance",
}


class Section(NamedTuple):
    """A heading of a model's own description, and what stands below it."""

    title: str
    text: str


class ModelCard(NamedTuple):
    """What is to be known by everybody, in a line each; and the description that came with the model."""

    facts: dict[str, str]
    sections: tuple[Section, ...]


def card_of(path: Path | None, use: IntendedUse) -> ModelCard:
    """The card of a model in this folder, or of one without files."""
    folder = path if path is not None and path.is_dir() else None
    said = _said(folder) if folder else {}
    sections = _sections(folder) if folder else ()
    known = "; ".join(part.text for part in sections if "limit" in part.title.lower())
    facts = {"Intended use": str(use), "Training data": UNSAID, **said}
    return ModelCard({**facts, "Limits": known or LIMITS[use]}, sections)


def _said(folder: Path) -> dict[str, str]:
    """The fields of its data files that people know, by what they are called here."""
    found: dict[str, str] = {}
    for data in (_object(folder / name) for name in DATA):
        for key, name in FIELDS:
            text = str(data.get(key) or "").strip()[:MOST]
            if text and text not in found.values():
                found.setdefault(name, text)
    return found


def _object(path: Path) -> dict[str, Any]:
    """A JSON object; an empty one where there is none, which its identity tells as a fault where it needs it."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _sections(folder: Path) -> tuple[Section, ...]:
    """The parts of its description (Markdown) by their headings; none where there is none to be read."""
    for path in (folder / name for name in TEXTS):
        try:
            text = path.read_text(encoding="utf-8")[:MOST]
        except (OSError, ValueError):
            continue
        parts = re.split(r"^#{1,6} +(.*)$", text.replace("**", ""), flags=re.MULTILINE)
        pairs = zip(parts[1::2], parts[2::2], strict=True)
        return tuple(Section(title.strip(), below.strip()) for title, below in pairs)
    return ()
