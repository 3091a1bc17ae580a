"""The files that a model is made of, by SHA-256: as they were when it was added, and whether they still are.

A folder counts whole: a file that nobody recorded might be code that a bundle imports.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from inference.errors import BundleBroken

PIN_AGAIN = "If that is meant, `segnode models pin` records it anew."


def hashes_of(path: Path) -> dict[str, str]:
    """SHA-256 of a model's file, or of every file in its folder, by name below the folder (with slashes)."""
    return {name: sha256_of(file) for name, file in _files(path).items()}


def verified(path: Path, recorded: Mapping[str, str]) -> str:
    """One SHA-256 for all of a model's files; BundleBroken names the file that is not as `recorded`."""
    if not recorded:
        raise BundleBroken(f"The files of model {path.name} were never recorded, so that a change would not be "
                           "noticed: `segnode models pin` records them as they are now.")
    files = _files(path)
    for name in sorted(recorded.keys() | files.keys()):
        if name not in files:
            raise BundleBroken(f"Model {path.name} lacks {name}, which was there when it was added.")
        if name not in recorded:
            raise BundleBroken(f"Model {path.name} contains {name}, which was not there when it was added. {PIN_AGAIN}")
        if sha256_of(files[name]) != recorded[name]:
            raise BundleBroken(f"{name} of model {path.name} was changed: its SHA-256 is not the recorded one. "
                               f"{PIN_AGAIN}")
    return digest_of(dict(recorded))


def digest_of(content: object) -> str:
    """SHA-256 of plain data, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file; it is read again only after it was touched."""
    at = path.stat()
    return _sha256(path, at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns)


def read_anew() -> None:
    """Have every file read once more, also where it seems untouched: for who wants to know, not to be fast."""
    _sha256.cache_clear()


@lru_cache(maxsize=4096)
def _sha256(path: Path, *_touched: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(path: Path) -> dict[str, Path]:
    """Every file of a model by its name; BundleBroken where there is none."""
    if path.is_file():
        return {path.name: path}
    found = sorted(path.rglob("*"))
    for linked in found:
        if linked.is_symlink() and linked.is_dir():  # it is not walked into, so its files could not be recorded
            raise BundleBroken(f"Model {path.name} contains {linked.name}, a link to a folder; copy that folder there.")
    files = {file.relative_to(path).as_posix(): file for file in found if file.is_file()}
    if not files:
        raise BundleBroken(f"There is no model at {path}.")
    return files
