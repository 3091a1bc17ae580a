"""Plain words inside objects: what fits DICOM's short text types, and the mark of intended use."""

from __future__ import annotations

import re
import unicodedata

from dicom_node.letters import WHOLE_LETTERS
from inference.findings import IntendedUse, ModelIdentity, Result
from inference.tasks import TASKS

LONG_STRING = 64  # LO: at most 64 characters, no backslash (PS3.5 6.2)
CUT = "..."
UNSHOWN = "?"  # stands for a letter that ASCII has no likeness of
_LATIN = WHOLE_LETTERS | str.maketrans({
    "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "TH", "ħ": "h",
    "Ħ": "H", "ı": "i", "\u2018": "'", "\u2019": "'", "\u2013": "-", "\u2014": "-"})


def plain(text: str, limit: int = LONG_STRING) -> str:
    """`text` in printable ASCII, which every Specific Character Set can hold, cut to `limit` characters.

    Letters of other scripts are told by UNSHOWN, so that no name comes out empty or as another.
    """
    ascii_text = "".join(map(_nearest, unicodedata.normalize("NFC", text).translate(_LATIN)))
    return " ".join(re.sub(r"[\\\x00-\x1f\x7f]", " ", ascii_text).split())[:limit].rstrip()


def _nearest(letter: str) -> str:
    known = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return known or (UNSHOWN if letter.isalnum() else "")


def mark(use: IntendedUse) -> str:
    """The words that stand on every result which no one may treat a patient by; empty for clinical use."""
    return {
        IntendedUse.DEMONSTRATION: "DEMONSTRATION - not for clinical use",
        IntendedUse.RESEARCH: "RESEARCH - not for clinical use",
        IntendedUse.CLINICAL: "",
    }[use]


def short_marks(use: IntendedUse, incomplete: str = "") -> str:
    """The same, and that the study lacks images, in one word each; empty where there is nothing to say."""
    marks = ["INCOMPLETE"] if incomplete else []
    return ", ".join(marks if use is IntendedUse.CLINICAL else [*marks, use.upper()])


def task_title(task: str) -> str:
    """What a task is called in front of a radiologist."""
    card = TASKS.get(task)
    return card.title if card else task.replace("_", " ")


def series_description(result: Result, what: str, incomplete: str = "") -> str:
    """Marks first, so that a viewer's narrow column cannot cut them off: "DEMONSTRATION: Nodules on CT, SEG".

    Where the study lacks images, "INCOMPLETE" stands before all else.
    """
    marks = short_marks(result.model.intended_use, incomplete)
    prefix = f"{marks}: " if marks else ""
    room = LONG_STRING - len(prefix) - len(what) - 2
    return f"{prefix}{plain(task_title(result.task), room)}, {what}"


def content_description(model: ModelIdentity) -> str:
    """The mark and the model that made it, for (0070,0081); a long name is cut, which shows, its version is not."""
    version = plain(model.version, LONG_STRING // 4)
    room = LONG_STRING - len(version) - 1
    words = plain("; ".join(part for part in (mark(model.intended_use), model.name) if part), room + 1)
    if len(words) > room:
        words = f"{words[:room - len(CUT)].rstrip()}{CUT}"
    return f"{words} {version}"


def content_label(task: str) -> str:
    """The task as a code string of at most 16 characters, for (0070,0080)."""
    return re.sub(r"[^A-Z0-9_]", "_", plain(task).upper())[:16]


def intended_use_sentence(model: ModelIdentity) -> str:
    """Intended use in a full sentence, for text items of reports."""
    if model.intended_use is IntendedUse.CLINICAL:
        return plain(f"Intended use: clinical. {model.clearance}", 1024)
    return f"Intended use: {model.intended_use}. Not for clinical use."


def incomplete_sentence(incomplete: str) -> str:
    """What the study lacked, in a full sentence, for text items of reports."""
    return plain(f"The study was {incomplete} when this was computed.", 1024)
