"""Who stands in for whom while a destination is down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dicom_node.destinations.base import Destination

Destinations = Mapping[str, Destination]


def chain(name: str, destinations: Destinations) -> Iterator[str]:
    """The alternative of `name`, the alternative's own, and so on; ends before one that is unknown or comes again."""
    seen = {name}
    while (following := destinations[name].alternative) in destinations and following not in seen:
        assert following is not None
        yield following
        seen.add(following)
        name = following


def stood_in_by(name: str, destinations: Destinations) -> dict[str, dict[str, float]]:
    """For whom `name` stands in; by destination, who must have been down for how many seconds before it does."""
    stands_in = {}
    for other in destinations:
        row = [other, *chain(other, destinations)]
        if name in row[1:]:
            before = row[: row.index(name)]
            stands_in[other] = {each: destinations[each].alternative_after_s for each in before}
    return stands_in


def problems(destinations: Destinations) -> Iterator[tuple[str, str]]:
    """What is wrong with the alternatives: the destination and a sentence."""
    for name, destination in destinations.items():
        other = destination.alternative
        if other is None:
            continue
        if other not in destinations:
            known = ", ".join(sorted(destinations))
            yield name, f"names alternative {other!r}; known: {known}"
        elif name in (other, *(destinations[last].alternative for last in chain(name, destinations))):
            yield name, f"is in the end its own alternative, through {other}"
        elif missing := [use for use in destination.accepts if use not in destinations[other].accepts]:
            yield name, f"accepts {', '.join(missing)}, its alternative {other} does not"
