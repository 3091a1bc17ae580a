"""Models that are brought to a machine: their files in a folder of its own, by what they hold.

A model is brought once and stays; whoever runs it is given the folder. What is on the shelf is not trusted for being
there: its files are compared with the digest that is asked for, and the backend compares them with what was recorded.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from inference.backends.pins import digest_of, hashes_of
from inference.errors import BundleBroken

KEPT_S = 90 * 86400.0  # a model that nobody has asked for in so long makes room

Bytes = NDArray[np.uint8]


def digest_of_files(path: Path) -> str:
    """SHA-256 over the names and contents of a model's files; BundleBroken where there are none."""
    return digest_of(hashes_of(path))


def files_of(path: Path) -> Iterator[tuple[str, Bytes]]:
    """Each file of a model, by its name beside the model's own."""
    for name in hashes_of(path):
        file = path if path.is_file() else path / name
        yield file.relative_to(path.parent).as_posix(), np.fromfile(file, np.uint8)


@dataclass(frozen=True)
class Shelf:
    """The models that were brought to this machine, in `folder`, which only our own user may write to."""

    folder: Path

    def find(self, name: str, digest: str) -> Path | None:
        """The model of that name whose files have that digest; None where it has not been brought, or was changed."""
        place = self.folder / digest
        path = place / _plain(name)
        try:
            if not path.exists() or digest_of_files(path) != digest:
                return None
        except BundleBroken:  # emptied, or with a link in it
            return None
        os.utime(place)
        return path

    def put(self, name: str, digest: str, files: Mapping[str, Bytes]) -> Path:
        """Keep a model; BundleBroken where its files are not those that the digest is of."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked(), tempfile.TemporaryDirectory(dir=self.folder, prefix=".coming-") as coming:
            if (there := self.find(name, digest)) is not None:  # another worker was faster
                return there
            self._make_room(time.time())
            whole, place = Path(coming, "whole"), self.folder / digest
            for file, content in files.items():
                path = whole / _plain(file)
                path.parent.mkdir(parents=True, exist_ok=True)
                content.tofile(path)
            if digest_of_files(whole / _plain(name)) != digest:
                raise BundleBroken(f"Model {name} was changed on its way to this machine.")
            if place.exists():  # somebody has changed it here
                shutil.rmtree(place)
            whole.rename(place)
        return place / _plain(name)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One worker of this machine at a time."""
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make_room(self, now: float) -> None:
        for place in self.folder.iterdir():
            if place.is_dir() and now - place.stat().st_mtime > KEPT_S:
                shutil.rmtree(place)


def _plain(name: str) -> Path:
    """A relative path that leads nowhere else; BundleBroken for any other."""
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts:
        raise BundleBroken(f"A model's file is called {name!r}, which is no name below its folder.")
    return Path(path)
