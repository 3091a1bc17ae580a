"""Changes the configuration's files for a person: validated as a whole, written whole, recorded with who and what.

The running roles see the new file and take it up (reload.py). Every change is a revision, and an earlier one comes
back by being written again, as a new one.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dicom_node.audit.facts import Participant
from dicom_node.audit.recorder import person
from dicom_node.configuring.configuration_shown import without_passwords
from dicom_node.errors import NotWritable, Overtaken
from dicom_node.settings import load, shipped_folder
from storage.database import Transaction
from storage.errors import NotFound
from storage.files.durable import put_in_place
from storage.watching.revisions import Revision

if TYPE_CHECKING:
    from dicom_node.assembly import Parts

_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Changed:
    """What came of a change: the revision that says so, and the difference; empty where there was none."""

    revision: int
    change: str = ""


@dataclass(frozen=True)
class Author:
    """Who changes something, and when; None stands for who runs this process."""

    now: float
    who: Participant | None = None

    @property
    def name(self) -> str:
        who = self.who or person()
        return who.name or who.user_id


def text_of(folder: Path | None, name: str) -> str:
    """What a file of the configuration says; the shipped one where the folder has none."""
    own = folder / name if folder else None
    return (own if own is not None and own.exists() else shipped_folder() / name).read_text(encoding="utf-8")


def writable(folder: Path | None, name: str) -> bool:
    """Whether a file of the configuration can be written here, as far as that is known before it is tried."""
    if folder is None:
        return False
    place = (folder / name).resolve()
    return os.access(place.parent, os.W_OK)


def change(
    parts: Parts, name: str, new: Callable[[str], str], what: str, author: Author, subject: str = ""
) -> Changed:
    """Have file `name` say what `new` makes of its text; `what` tells it in a sentence without an end.

    ConfigurationError where the whole configuration would not be valid any more, NotWritable where the file cannot
    be written here. `subject` is whom the audit trail is told about, or the file.
    """
    folder = parts.settings.folder
    with _ONE_AT_A_TIME:
        before = text_of(folder, name)
        after = new(before)
        if after == before:
            return Changed(parts.revision)
        difference = difference_of(before, after, name)
        settings = load(folder, look_at_files=True, instead={name: after})
        if folder is None:
            way_out = "start it with --conf FOLDER, and keep the files there"
            raise NotWritable(f"the node runs with the settings that are shipped: {way_out}", difference)
        with parts.database.transaction() as tx:
            said: dict[str, Any] = {"by": author.name, "what": what}
            revision = tx.revisions.record(settings.sha256, settings.content, author.now, **said)
            sentence = f"{what}; changed by {author.name}"
            tx.journal.add(author.now, "configuration changed", sentence, revision=revision, detail=said)
            _write(folder / name, after, difference)
    parts.audit.peer_touched(subject or name, what, author.who)
    return Changed(revision, difference)


def fingerprint(text: str) -> str:
    """By which it is known whether a file still says what a person has seen."""
    return hashlib.sha256(text.encode()).hexdigest()


def check_seen(name: str, text: str, seen: str) -> None:
    """Overtaken where file `name` says something else by now than what was seen."""
    if fingerprint(text) != seen:
        late = f"{name} has been changed since this page was made"
        raise Overtaken(f"{late}: load it again, and look at what it says now")


def restore(parts: Parts, name: str, number: int, author: Author, *, seen: str = "") -> Changed:
    """Have file `name`, whose fingerprint was `seen` by who wants it, say what it said under revision `number`.

    `seen` is "" where nobody looked. NotFound, Overtaken, and what `change` raises.
    """
    with parts.database.reading() as tx:
        found = tx.revisions.find(number)
    if found is None or name not in found.content:
        raise NotFound(f"there is no revision {number} of {name}")
    then = found.content[name]

    def new(text: str) -> str:
        if seen:
            check_seen(name, text, seen)
        return then

    return change(parts, name, new, f"{name} as in revision {number} again", author)


@dataclass(frozen=True)
class Step:
    """One change of a file in its history; `change` is a diff. `by` is empty where a person edited the file itself."""

    number: int
    at: float
    by: str
    what: str
    change: str


def history(tx: Transaction, name: str, limit: int, before: int | None = None) -> tuple[list[Step], int | None]:
    """So many changes of a file, the newest first; and where the list goes on, None at its end.

    Revisions in which only other files changed are passed over.
    """
    steps: list[Step] = []
    while len(steps) < limit:
        found = tx.revisions.list(limit + 1, before)
        steps += _steps(found, name, limit)
        before = found[limit - 1].number if len(found) > limit else None
        if before is None:
            break
    if len(steps) > limit:
        return steps[:limit], steps[limit - 1].number
    return steps, before


def _steps(found: Sequence[Revision], name: str, limit: int) -> Iterator[Step]:
    """What changed in each of the revisions, the newest first; one beyond `limit` is what the last is compared with."""
    for new, old in zip(found, [*found, None][1:], strict=True):
        if old is None and len(found) > limit:
            return  # the first of the next page
        said, was = new.content.get(name, ""), old.content.get(name, "") if old else ""
        if old is None:
            yield Step(new.number, new.at, new.by, new.what or "the first that was recorded", "")
        elif said != was:
            yield Step(new.number, new.at, new.by, new.what, difference_of(was, said, name))


def difference_of(before: str, after: str, name: str) -> str:
    """What changes in a file, line by line, without passwords in addresses."""
    lines = unified_diff(before.splitlines(), after.splitlines(), name, name, n=1, lineterm="")
    return without_passwords("\n".join(lines))


def _write(path: Path, text: str, difference: str) -> None:
    try:
        put_in_place(path, text)
    except OSError as trouble:
        why = f"the file {path.name} cannot be written here ({trouble.strerror})"
        raise NotWritable(f"{why}: make this change where it is kept", difference) from trouble
