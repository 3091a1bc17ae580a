"""LIDC-IDRI's XML: who outlined which nodule, and where at least half of a nodule's readers agree.

Rule. A nodule of 3 mm or more is one that a reader outlined (`unblindedReadNodule` with more than one point; a single
point marks a smaller one and is left out). The outline is drawn around the nodule: its own pixels do not belong to it
(Armato et al., Med Phys 2011;38:915). Regions with `inclusion` FALSE are cut out of their reader's nodule. Outlines of
any readers that share a voxel are of one nodule. Of its readers, at least half have to hold a voxel for it to be truth;
where three or four of four readers outlined it, which is what LUNA16 asks for, that is two.

The files come from the network, so no document type and no entity is expanded (defusedxml), and sizes are bounded.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element, ParseError  # types only: defusedxml parses

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import parse
from numpy.typing import NDArray
from scipy import ndimage, sparse

from inference.errors import Unfit
from inference.volume import Grid

MAX_BYTES = 64 * 2**20  # the largest that is published has some five million
HEADER_BYTES = 64 * 2**10  # the series' UID stands in the first few hundred

_SERIES = re.compile(rb"<(?:\w+:)?SeriesInstanceU[iI][dD]>\s*([0-9.]{1,64})\s*<")


class Outline(NamedTuple):
    """One closed line on one slice: LPS z in mm of the slice's first pixel, pixels (n, 2) as (column, row) from 0."""

    z_mm: float
    included: bool
    pixels: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Nodule:
    """A nodule on which readers agree: flat voxel indices of a grid, and how many readers outlined it."""

    voxels: NDArray[np.int64]
    readers: int


def series_of(path: Path) -> str:
    """The Series Instance UID that an XML file speaks of, from its first bytes; "" where it names none."""
    with path.open("rb") as file:
        match = _SERIES.search(file.read(HEADER_BYTES))
    return match[1].decode() if match else ""


def read_outlines(path: Path) -> list[list[list[Outline]]]:
    """The outlines in a file: by reader, then by nodule of 3 mm or more; Unfit where the file is no such file."""
    if path.stat().st_size > MAX_BYTES:
        raise Unfit(f"{path.name} is larger than {MAX_BYTES // 2**20} MiB.")
    try:
        root = parse(path, forbid_dtd=True).getroot()
    except (ParseError, DefusedXmlException, UnicodeError, LookupError, ValueError) as fault:
        raise Unfit(f"{path.name} cannot be read as XML ({type(fault).__name__}).") from fault
    if _name(root) != "LidcReadMessage":
        raise Unfit(f"{path.name} holds {_name(root)}, no LidcReadMessage of a CT.")
    return [_nodules(session, path) for session in _children(root, "readingSession")]


def alike(one: Sequence[Sequence[Sequence[Outline]]], other: Sequence[Sequence[Sequence[Outline]]]) -> bool:
    """Whether two files outline the same, reader for reader and nodule for nodule, whatever else they say."""
    return _plain(one) == _plain(other)


def agreed(readers: Sequence[Sequence[Sequence[Outline]]], grid: Grid) -> list[Nodule]:
    """What at least half of a nodule's readers outlined, nodule by nodule; Unfit where an outline leaves the grid."""
    drawn = [(reader, _voxels(outlines, grid)) for reader, nodules in enumerate(readers) for outlines in nodules]
    drawn = [(reader, voxels) for reader, voxels in drawn if voxels.size]
    together: dict[int, dict[int, list[NDArray[np.int64]]]] = defaultdict(lambda: defaultdict(list))
    for cluster, (reader, voxels) in zip(_clusters([voxels for _, voxels in drawn]), drawn, strict=True):
        together[cluster][reader].append(voxels)
    found = []
    for by_reader in together.values():
        each = [np.unique(np.concatenate(voxels)) for voxels in by_reader.values()]
        voxels, votes = np.unique(np.concatenate(each), return_counts=True)
        found.append(Nodule(voxels[2 * votes >= len(each)], len(each)))
    return found


def _plain(readers: Sequence[Sequence[Sequence[Outline]]]) -> list[list[list[tuple[object, ...]]]]:
    return [[[(outline.z_mm, outline.included, outline.pixels.tolist()) for outline in nodule] for nodule in nodules]
            for nodules in readers]


def _clusters(drawn: list[NDArray[np.int64]]) -> list[int]:
    """A number for every set of voxels; sets that share a voxel, directly or through others, have the same."""
    if not drawn:
        return []
    owners = np.repeat(np.arange(len(drawn)), [voxels.size for voxels in drawn])
    voxels = np.concatenate(drawn)
    order = np.argsort(voxels, kind="stable")
    same = voxels[order][1:] == voxels[order][:-1]
    one, other = owners[order][:-1][same], owners[order][1:][same]
    shared = sparse.coo_matrix((np.ones(one.size), (one, other)), shape=(len(drawn), len(drawn)))
    return [int(number) for number in sparse.csgraph.connected_components(shared, directed=False)[1]]


def _voxels(outlines: Sequence[Outline], grid: Grid) -> NDArray[np.int64]:
    """Flat indices of a reader's nodule: inside the lines, not on them, less what is cut out."""
    heights = grid.to_lps([(k, 0, 0) for k in range(grid.shape[0])])[:, 2]
    slices: dict[int, list[Outline]] = defaultdict(list)
    for outline in outlines:
        slices[_slice(outline, heights, grid.spacing.z / 2)].append(outline)
    found = []
    for k, on_slice in slices.items():
        pixels = np.concatenate([outline.pixels for outline in on_slice])
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        if (low < 0).any() or (high >= grid.shape[:0:-1]).any():
            raise Unfit("an outline leaves the image")
        inside = np.zeros(high[::-1] - low[::-1] + 1, dtype=bool)
        for outline in sorted(on_slice, key=lambda outline: not outline.included):
            inside[_filled(outline.pixels - low, inside.shape)] = outline.included
        rows, columns = np.nonzero(inside)
        found.append(np.ravel_multi_index((np.full(rows.size, k), rows + low[1], columns + low[0]), grid.shape))
    return np.unique(np.concatenate(found)).astype(np.int64) if found else np.empty(0, dtype=np.int64)


def _slice(outline: Outline, heights: NDArray[np.float64], most_mm: float) -> int:
    """The slice whose first voxel lies at the outline's z, or beside it by `most_mm` at most."""
    k = int(np.argmin(np.abs(heights - outline.z_mm)))
    if abs(heights[k] - outline.z_mm) > most_mm:
        raise Unfit(f"an outline at z = {outline.z_mm:g} mm lies on no slice, which run from {heights.min():g} to "
                    f"{heights.max():g} mm")
    return k


def _filled(pixels: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Pixels (row, column) that a closed line encloses; the line itself is none of them."""
    line = np.zeros(shape, dtype=bool)
    for start, end in zip(pixels, np.roll(pixels, -1, axis=0), strict=True):
        steps = int(np.abs(end - start).max()) + 1
        columns, rows = np.rint(np.linspace(start, end, steps)).astype(int).T
        line[rows, columns] = True
    return np.asarray(ndimage.binary_fill_holes(line) & ~line)


def _nodules(session: Element, path: Path) -> list[list[Outline]]:
    nodules = [[outline for roi in _children(nodule, "roi") if len((outline := _outline(roi, path)).pixels)]
               for nodule in _children(session, "unblindedReadNodule")]
    return [outlines for outlines in nodules if sum(len(outline.pixels) for outline in outlines) > 1]


def _outline(roi: Element, path: Path) -> Outline:
    try:
        z_mm = float(_text(roi, "imageZposition"))
        pixels = [(int(_text(edge, "xCoord")), int(_text(edge, "yCoord"))) for edge in _children(roi, "edgeMap")]
        array = np.array(pixels, dtype=np.int32).reshape(-1, 2).astype(np.int64)
    except (ValueError, OverflowError) as fault:
        raise Unfit(f"{path.name} holds a region without a place: {fault}.") from fault
    if not np.isfinite(z_mm):
        raise Unfit(f"{path.name} holds a region without a place: z is {z_mm}.")
    return Outline(z_mm, _text(roi, "inclusion").upper() != "FALSE", array)


def _text(element: Element, name: str) -> str:
    return next((child.text or "" for child in _children(element, name)), "").strip()


def _children(element: Element, name: str) -> Iterator[Element]:
    return (child for child in element if _name(child) == name)


def _name(element: Element) -> str:
    """An element's name without its namespace."""
    return str(element.tag).rsplit("}", 1)[-1]
