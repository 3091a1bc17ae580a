"""Text that every database takes: what comes from strangers may hold what none does."""

from __future__ import annotations


def plain(line: str) -> str:
    """The text without NUL, and without halves of surrogate pairs."""
    return line.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
