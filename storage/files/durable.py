"""What power loss must not take: fsync of files, and of the names in a folder."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path


def sync(path: Path) -> None:
    """Make a file's bytes or a folder's names durable; syncing a file alone keeps its bytes, not its name."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link_or_copy(source: Path, target: Path) -> None:
    """Have `target` durably hold what `source` does; what is there stays. OSError; FileNotFoundError: no `source`."""
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one that knows no links
        shutil.copyfile(source, target)
        sync(target)


def put_in_place(path: Path, text: str) -> None:
    """Have a file say `text` from one moment to the next: never half of it, not even where the power fails.

    A link stays one, and the file keeps its permissions. OSError where it cannot be written.
    """
    place = path.resolve()
    beside = place.with_name(f".{place.name}.new")
    try:
        beside.write_text(text, encoding="utf-8")
        if place.exists():
            shutil.copymode(place, beside)
        sync(beside)
        beside.replace(place)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    sync(place.parent)
