"""The dates of a patient as plain data: what a job keeps for the next one, JSON-ready."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from inference.codes import Code
from inference.trend import Seen, Size, TimePoint


def to_plain(points: Iterable[TimePoint]) -> list[dict[str, Any]]:
    """Time points as JSON has them; sizes to a thousandth, places to a tenth of a mm."""
    return [
        {
            "taken": point.taken.isoformat(),
            "seen": {uid: _seen_to_plain(seen) for uid, seen in point.seen.items()},
            "new": sorted(point.new),
            "vanished": sorted(point.vanished),
            "lost": {uid: [round(axis, 1) for axis in centre] for uid, centre in point.lost.items()},
        }
        for point in points
    ]


def from_plain(plain: Sequence[Mapping[str, Any]]) -> tuple[TimePoint, ...]:
    """Time points that `to_plain` wrote, also that of an earlier release, which knew no `lost`."""
    return tuple(
        TimePoint(
            date.fromisoformat(one["taken"]),
            {uid: _seen(seen) for uid, seen in one["seen"].items()},
            frozenset(one["new"]),
            frozenset(one["vanished"]),
            {uid: (x, y, z) for uid, (x, y, z) in one.get("lost", {}).items()},
        )
        for one in plain
    )


def _seen_to_plain(seen: Seen) -> dict[str, Any]:
    size = seen.size
    return {
        "label": seen.label,
        "type": list(seen.type) if seen.type else None,
        "organ": list(seen.organ) if seen.organ else None,
        "ml": round(size.volume_ml, 3),
        "long_mm": round(size.long_mm, 3),
        "short_mm": round(size.short_mm, 3),
        "whole": size.whole,
    }


def _seen(plain: Mapping[str, Any]) -> Seen:
    size = Size(plain["ml"], plain["long_mm"], plain["short_mm"], plain["whole"])
    type_, organ = (Code(*plain[name]) if plain[name] else None for name in ("type", "organ"))
    return Seen(size, organ, plain["label"], type_)
