"""One route in the text of routes.yaml: its lines are taken out, changed, and put back; all others stay as they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import StringIO
from textwrap import dedent, indent
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from dicom_node.errors import ConfigurationError
from dicom_node.settings.files import document_of
from storage.errors import NotFound

NAME = "routes.yaml"
SECTION = "routes"
NEVER = 1_000_000  # columns; lines are never folded
_SECTION = re.compile(rf"^{SECTION}:([ \t]*\[[ \t]*\])?([ \t]*(#.*)?)$", re.MULTILINE)  # with no route on its line


class _Lines(NamedTuple):
    """Where a route stands: its first line, the line after its last one, and the column of its dash."""

    first: int
    end: int
    column: int


def route_text(text: str, name: str) -> str:
    """The route's own lines as a mapping, comments included; "" where there is no such route. ConfigurationError."""
    places = _places(text)
    if name not in places:
        return ""
    at = places[name]
    lines = text.splitlines(keepends=True)[at.first : at.end]
    first = lines[0][at.column + 1 :]  # behind the dash
    width = at.column + 1 + len(first) - len(first.lstrip())
    return dedent(" " * width + first.lstrip() + "".join(lines[1:]))


def with_route(text: str, name: str, route: str) -> str:
    """`text` in which the route `name` is said by the mapping `route`; a new one stands behind the others.

    ConfigurationError where either is no YAML, or the file is laid out so that it cannot be done.
    """
    _mapping(route)
    places, lines = _places(text), text.splitlines(keepends=True)
    if name in places:
        at = places[name]
    elif places:
        last = max(places.values())
        at = _Lines(last.end, last.end, last.column)
    else:
        return _as_the_first(text, route)
    body = indent(route.rstrip("\n") + "\n", " " * (at.column + 2))
    if body.lstrip().startswith("#"):
        raise ConfigurationError([f"{NAME}: a route begins with a key, not with a comment"])
    entry = " " * at.column + "- " + body.lstrip()
    before = "".join(lines[: at.first])
    gap = "\n" if at.first == at.end else ""
    return before + ("" if before.endswith("\n") or not before else "\n") + gap + entry + "".join(lines[at.end :])


def without_route(text: str, name: str) -> str:
    """`text` without the lines of the route `name`; comments above it stay. NotFound; ConfigurationError."""
    places, lines = _places(text), text.splitlines(keepends=True)
    if name not in places:
        raise NotFound(f"there is no route {name}")
    at = places[name]
    before, after = lines[: at.first], lines[at.end :]
    while before and not before[-1].strip() and (not after or not after[0].strip()):
        before.pop()  # one gap goes with it
    if len(places) == 1:
        section = next(number for number, line in enumerate(before) if _SECTION.match(line))
        before[section] = _SECTION.sub(rf"{SECTION}: []\2", before[section])
    return "".join(before + after)


def _as_the_first(text: str, route: str) -> str:
    """`text` that holds no route yet, with one."""
    entry = f"  - {indent(route.rstrip(), '    ').lstrip()}"
    lines = text.splitlines()
    section = next((number for number, line in enumerate(lines) if _SECTION.match(line)), len(lines))
    head = _SECTION.sub(rf"{SECTION}:\2", lines[section]) if lines[section:] else f"{SECTION}:"
    made = "\n".join([*lines[:section], head, entry, *lines[section + 1 :], ""])
    if data_of(made).get(SECTION) != [data_of(route)]:
        raise ConfigurationError([f"{NAME}: is laid out so that no route can be added here; edit the file"])
    return made


def merged(route: str, data: Mapping[str, Any]) -> str:
    """The mapping `route` that says `data` now; comments, order and layout of what stays are kept (round trip)."""
    yaml = _yaml()
    node = _mapping(route) if route.strip() else CommentedMap()
    _merge(node, data)
    written = StringIO()
    yaml.dump(node, written)
    return written.getvalue()


def data_of(route: str) -> dict[str, Any]:
    """What the text of a route says; ConfigurationError where it is no mapping."""
    _mapping(route)
    return dict(document_of(route, "the route").data)


def _places(text: str) -> dict[str, _Lines]:
    """Where each route stands. ConfigurationError where the file is no YAML or its routes are no block."""
    document_of(text, NAME)
    routes = (_yaml().load(text) or {}).get(SECTION)
    if not isinstance(routes, CommentedSeq) or not routes:
        return {}
    if routes.fa.flow_style() or not all(isinstance(one, CommentedMap) for one in routes):
        raise ConfigurationError([f"{NAME}: its routes stand on one line, or are none; edit the file"])
    lines = text.splitlines()
    firsts = [routes.lc.item(number)[0] for number in range(len(routes))]
    column = routes.lc.item(0)[1] - 2
    column = lines[firsts[0]].rindex("-", 0, column + 2)
    places = {}
    for number, route in enumerate(routes):
        limit = firsts[number + 1] if number + 1 < len(routes) else _section_end(lines, firsts[number], column)
        end = limit
        while end > firsts[number] + 1 and _is_between(lines[end - 1], column):
            end -= 1
        places[str(route.get("name", number))] = _Lines(firsts[number], end, column)
    return places


def _is_between(line: str, column: int) -> bool:
    """Whether a line belongs to no route: it is empty, or a comment that stands no further in than their dashes."""
    rest = line.strip()
    return not rest or (rest.startswith("#") and len(line) - len(line.lstrip()) <= column)


def _section_end(lines: list[str], first: int, column: int) -> int:
    """The line after the last one of the routes: the next that stands no further in than the dashes."""
    for number in range(first + 1, len(lines)):
        line = lines[number]
        if line.strip() and not line.lstrip().startswith("#") and len(line) - len(line.lstrip()) <= column:
            return number
    return len(lines)


def _mapping(route: str) -> CommentedMap:
    try:
        node = _yaml().load(route)
    except (YAMLError, RecursionError):
        document_of(route, "the route")  # says in which line
        raise
    if not isinstance(node, CommentedMap):
        raise ConfigurationError(["the route: is no mapping; it begins with a key like `name: …`"])
    return node


def _merge(node: CommentedMap, data: Mapping[str, Any]) -> None:
    for key in [key for key in node if key not in data]:
        del node[key]
    for key, value in data.items():
        node[key] = _merged(node.get(key), value)


def _merged(old: Any, new: Any) -> Any:
    """`new` in the layout of `old`, as far as they are alike."""
    if isinstance(old, CommentedMap) and isinstance(new, Mapping) and old.get("kind") == new.get("kind"):
        _merge(old, new)
        return old
    if isinstance(old, CommentedSeq) and isinstance(new, list):
        _merge_list(old, new)
        return old
    return old if old == new and isinstance(old, bool) is isinstance(new, bool) else _laid_out(new)


def _merge_list(old: CommentedSeq, new: list[Any]) -> None:
    """Entries of a kind stay where they are, with their comments; others go, or are put between them."""
    for number, value in enumerate(new):
        known = next((at for at in range(number, len(old)) if _alike(old[at], value)), None)
        if known is None:
            old.insert(number, _laid_out(value))
            continue
        for _ in range(known - number):
            del old[number]
        old[number] = _merged(old[number], value)
    while len(old) > len(new):
        del old[-1]


def _alike(old: Any, new: Any) -> bool:
    """Whether one became the other, rather than came in its stead."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.get("kind") == new.get("kind")
    return bool(old == new)


def _laid_out(value: Any) -> Any:
    """A new value: on one line, however much it holds."""
    if isinstance(value, Mapping):
        made = CommentedMap({key: _laid_out(one) for key, one in value.items()})
        made.fa.set_flow_style()
        return made
    if isinstance(value, list):
        listed = CommentedSeq(_laid_out(one) for one in value)
        listed.fa.set_flow_style()
        return listed
    return value


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.preserve_quotes, yaml.width = True, NEVER
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml
