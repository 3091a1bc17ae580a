"""Which slices of a result show most, where not all can be shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from dicom_node.objects.painting import Segment

Slice = TypeVar("Slice")


def key_slices(areas: Mapping[Slice, Mapping[int, int]], segments: Iterable[Segment], count: int) -> list[Slice]:
    """Each lesion's largest slice, each organ's largest, then those richest in segments; at most `count`.

    `areas`: pixels of each segment that a slice shows, by segment number.
    """
    chosen: list[Slice] = []
    largest_first = sorted(segments, key=lambda s: (not s.lesion, -sum(a.get(s.number, 0) for a in areas.values())))
    for segment in largest_first:
        best = max(areas, key=lambda r: areas[r].get(segment.number, 0))
        if best not in chosen:
            chosen.append(best)
    chosen += sorted((r for r in areas if r not in chosen), key=lambda r: (-len(areas[r]), -sum(areas[r].values())))
    return chosen[:count]
