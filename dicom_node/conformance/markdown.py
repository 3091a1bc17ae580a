"""A document as Markdown, with tables as GitHub and most others read them."""

from __future__ import annotations

from collections.abc import Iterator

from dicom_node.conformance.document import Block, Document, Table, numbered


def to_markdown(document: Document) -> str:
    """The whole document, with its contents first."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Document) -> Iterator[str]:
    yield f"# {_plain(document.title)}"
    yield ""
    yield from (f"- {name}: {_plain(value)}" for name, value in document.cover)
    yield ""
    parts = list(numbered(document.sections))
    yield from (f"{'  ' * (part.depth - 1)}- {_plain(part.heading)}" for part in parts if part.depth < 3)
    for part in parts:
        yield ""
        yield f"{'#' * min(part.depth + 1, 6)} {_plain(part.heading)}"
        for block in part.blocks:
            yield ""
            yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    if not isinstance(block, Table):
        yield _plain(block)
        return
    yield f"**{_plain(block.caption)}**"
    yield ""
    yield _row(block.columns)
    yield _row(tuple("---" for _ in block.columns))
    yield from map(_row, block.rows)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(_plain(cell).replace('|', '&#124;') for cell in cells)} |"


def _plain(text: str) -> str:
    """On one line, without what Markdown would read as markup."""
    line = " ".join(text.split())
    return "".join(f"\\{letter}" if letter in "\\`*_<>[]" else letter for letter in line)
