"""An archive whose file system goes away while the node runs, and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def unmounted(place: Path) -> Iterator[None]:
    """While the block lasts another folder is in its place, as nodes leave one that began before the mount."""
    aside = place.with_name("unmounted")
    place.rename(aside)
    (place / "incoming").mkdir(parents=True)
    try:
        yield
        assert list(place.iterdir()) == [place / "incoming"], "nothing is written where it would be hidden"
        assert list((place / "incoming").iterdir()) == []
    finally:
        for path in sorted(place.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        place.rmdir()
        aside.rename(place)
