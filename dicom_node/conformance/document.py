"""A document of numbered sections, paragraphs and tables, whatever it is written as."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Table:
    """What it shows, its headings, and its cells row by row."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, caption: str, columns: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> Table:
        """The same of whatever rows there are."""
        return cls(caption, tuple(columns), tuple(tuple(row) for row in rows))


Block = str | Table


@dataclass(frozen=True)
class Section:
    """A title, paragraphs and tables, and the sections within. A table without a row is left out."""

    title: str
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True)
class Document:
    """A title, what stands on the cover by name, and the sections."""

    title: str
    cover: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


class Numbered(NamedTuple):
    """A section with its number, "3.2.1", and how deep it stands, 1 for a chapter."""

    number: str
    depth: int
    section: Section

    @property
    def heading(self) -> str:
        return f"{self.number} {self.section.title}"

    @property
    def anchor(self) -> str:
        """Its name within a page."""
        return f"s-{self.number.replace('.', '-')}"

    @property
    def blocks(self) -> tuple[Block, ...]:
        """What is shown of it."""
        return tuple(block for block in self.section.blocks if isinstance(block, str) or block.rows)


def numbered(sections: Sequence[Section], above: str = "", depth: int = 1) -> Iterator[Numbered]:
    """Every section in the order of reading."""
    for place, section in enumerate(sections, start=1):
        number = f"{above}{place}"
        yield Numbered(number, depth, section)
        yield from numbered(section.sections, f"{number}.", depth + 1)
