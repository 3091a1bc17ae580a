"""Changes one entry in the text of a YAML file; every other byte of it, comments included, stays.

Where each value stands is read from the file by ruamel.yaml, and only what differs is written anew. What comes out is
read again: a file that is laid out so unusually that this fails is left alone, and a person is told to change it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

from dicom_node.errors import ConfigurationError
from dicom_node.settings.files import document_of

STEP = 2  # columns that an entry is set in
WIDEST = 1_000_000  # never fold a line


@dataclass(frozen=True)
class _Edit:
    """The characters from `start` to `end` become `text`."""

    start: int
    end: int
    text: str


def with_entry(text: str, name: str, section: str, key: str, entry: Mapping[str, Any] | None) -> str:
    """`text` of file `name` with `section.key` saying `entry`, or without it where that is None.

    Comments beside and above what stays, stay; those in lines that go, go with them. ConfigurationError where the file
    is no YAML, or its layout does not allow the change.
    """
    before = document_of(text, name).data
    known = dict(before.get(section) or {})
    wanted = {other: value for other, value in known.items() if other != key or entry is not None}
    if entry is not None:
        wanted[key] = dict(entry)
    try:
        edits = list(_edits(text, section, key, known, wanted))
    except (YAMLError, _Unusual):
        edits = []
    except RecursionError:
        raise ConfigurationError([f"{name}: {section}.{key} is nested too deep"]) from None
    changed = _applied(text, edits)
    if changed != text or wanted != known:
        _check(changed, name, before | {section: wanted}, f"{section}.{key}")
    return changed


class _Unusual(Exception):
    """A layout that is not understood here."""


def _edits(
    text: str, section: str, key: str, known: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Iterator[_Edit]:
    root = YAML(typ="rt").compose(text)
    if root is not None and not isinstance(root, MappingNode):
        raise _Unusual
    found = _pair(root, section) if root else None
    if found is None:
        lead = "" if not text or text.endswith("\n") else "\n"
        lines = [f"{section}:", *(_entry(name, entry, STEP) for name, entry in wanted.items())]
        yield _Edit(len(text), len(text), lead + "\n".join(lines) + "\n")
        return
    at, value = found
    if not _is_block(value) or not wanted:
        yield from _whole_section(text, at, value, wanted)
        return
    old, new = ({key: said[key]} if key in said else {} for said in (known, wanted))
    yield from _mapping(text, value, old, new)


def _whole_section(text: str, at: Node, value: Node, wanted: Mapping[str, Any]) -> Iterator[_Edit]:
    """A section that holds nothing yet, or nothing any more, or stands on one line: its value is written anew."""
    start, end = value.start_mark.index, _end(value)
    if _is_block(value):  # its last entry goes: what its lines say goes, comments after them stay
        key_end = at.end_mark.index + 1  # after the colon
        yield _Edit(key_end, key_end, " {}")
        yield _Edit(_line_start(text, start), _after_line(text, end), "")
        return
    if isinstance(value, ScalarNode) and start == end:  # `peers:` alone
        start = end = at.end_mark.index + 1
    lines = [_entry(name, entry, at.start_mark.column + STEP) for name, entry in wanted.items()]
    if not wanted:
        yield _Edit(start, end, " {}" if text[start - 1 : start] == ":" else "{}")
        return
    stop = _line_end(text, end)
    behind = text[end:stop].rstrip()  # a comment behind it stays behind the section's name
    yield _Edit(at.end_mark.index + 1, stop, "\n".join([behind, *lines]))


def _mapping(text: str, node: Node, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[_Edit]:
    """What makes the mapping `node` say `new` where it says `old`; keys that are in neither stay."""
    pairs = {at.value: (at, value) for at, value in node.value}
    if not all(key in pairs for key in old):
        raise _Unusual  # merged from elsewhere
    for key, value in old.items():
        at, place = pairs[key]
        if key not in new:
            yield _Edit(_line_start(text, at.start_mark.index), _after_line(text, _end(place)), "")
        elif new[key] != value:
            yield from _value(text, at, place, value, new[key])
    added = [key for key in new if key not in old]
    if added:
        last = _line_end(text, _end(node))
        column = node.value[0][0].start_mark.column
        lines = [_entry(key, new[key], column) for key in added]
        yield _Edit(last, last, "".join(f"\n{line}" for line in lines))


def _value(text: str, at: Node, place: Node, old: Any, new: Any) -> Iterator[_Edit]:
    """What makes the value at `place` say `new`."""
    if _is_block(place) and isinstance(new, dict) and isinstance(old, dict) and new:
        yield from _mapping(text, place, old, new)
        return
    if isinstance(place, MappingNode) and isinstance(new, dict) and isinstance(old, dict) and old.keys() <= new.keys():
        yield from _flow(place, old, new)
        return
    start, end = place.start_mark.index, _end(place)
    if _is_block(place) or text[start:end].count("\n") or start == end:
        start = at.end_mark.index + 1
        yield _Edit(start, end, f" {flow(new)}")
    else:
        yield _Edit(start, end, flow(new))


def _flow(node: Node, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[_Edit]:
    """The same within braces, where nothing goes."""
    for at, place in node.value:
        if new[at.value] != old[at.value]:
            yield _Edit(place.start_mark.index, _end(place), flow(new[at.value]))
    added = [f"{flow(key)}: {flow(new[key])}" for key in new if key not in old]
    if added:
        last = _end(node.value[-1][1]) if node.value else node.end_mark.index - 1
        yield _Edit(last, last, ", ".join([""] * bool(node.value) + added))


def _entry(key: str, value: Any, column: int) -> str:
    """`key: value` in a block: a mapping of several keys on lines of their own, anything else on one."""
    lead = " " * column
    if isinstance(value, dict) and value:
        inner = [f"{' ' * (column + STEP)}{flow(name)}: {flow(one)}" for name, one in value.items()]
        return "\n".join([f"{lead}{flow(key)}:", *inner])
    return f"{lead}{flow(key)}: {flow(value)}"


def flow(value: Any) -> str:
    """A value on one line, as YAML."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.width = True, WIDEST
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    written = StringIO()
    yaml.dump({"": value}, written)
    return written.getvalue().strip().removeprefix("{'': ").removesuffix("}")


def _is_block(node: Node) -> bool:
    return isinstance(node, MappingNode) and not node.flow_style


def _pair(node: Node, key: str) -> tuple[Node, Node] | None:
    return next(((at, value) for at, value in node.value if at.value == key), None)


def _end(node: Node) -> int:
    """Where the last character of a value is over; of a block that of its last value."""
    if not isinstance(node, CollectionNode) or node.flow_style:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(node, MappingNode) else last)


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _line_end(text: str, index: int) -> int:
    """Where the line ends on which a value ended; a literal text has ended at the start of the next line."""
    if index and text[index - 1 : index] == "\n":
        return index - 1
    end = text.find("\n", index)
    return len(text) if end < 0 else end


def _after_line(text: str, index: int) -> int:
    return min(len(text), _line_end(text, index) + 1)


def _applied(text: str, edits: list[_Edit]) -> str:
    for edit in sorted(edits, key=lambda one: (one.start, one.end), reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _check(text: str, name: str, wanted: Mapping[str, Any], place: str) -> None:
    try:
        said = document_of(text, name).data
    except ConfigurationError:
        said = None
    if said != wanted:
        raise ConfigurationError([f"{name}: {place} is laid out so that it cannot be changed here; edit the file"])
