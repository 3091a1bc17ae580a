"""YAML files as plain data that remembers its lines, and validation errors as sentences about them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from dicom_node.errors import ConfigurationError

Place = tuple[str | int, ...]

SECRET = ("url", "password", "secret")  # an address may hold a password
LONGEST_VALUE = 60
MOST_ENTRIES = 100_000
_NONE = re.compile("[\0\ud800-\udfff]")  # YAML can write what no path, database or answer can hold
NO_TEXT = "holds a character that is none (NUL, or half of a pair)"


class _TooMuch(Exception):
    """A few lines of aliases of aliases say billions of things."""


@dataclass(frozen=True)
class Document:
    """One file: its text, its data without YAML's trimmings, and the line of every key, counted from 1."""

    name: str
    text: str
    data: Any
    lines: Mapping[Place, int] = field(repr=False)

    def at(self, place: Place) -> str:
        """`file:line` of `place`, or of what surrounds it."""
        while place and place not in self.lines:
            place = place[:-1]
        return f"{self.name}:{self.lines.get(place, 1)}"


def read_document(path: Path, name: str) -> Document:
    """Read a YAML file; ConfigurationError where it cannot be read or is no YAML. An empty file is an empty mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{name}: cannot be read: {type(error).__name__}"]) from error
    return document_of(text, name)


def document_of(text: str, name: str) -> Document:
    """What a YAML file says whose text this is; ConfigurationError where it is no YAML."""
    try:
        loaded = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigurationError([f"{name}:{line}: no valid YAML: {error.problem}"]) from error
    except YAMLError as error:
        raise ConfigurationError([f"{name}: cannot be read: {type(error).__name__}"]) from error
    except RecursionError:
        raise ConfigurationError([f"{name}: is nested too deep"]) from None
    except AttributeError:  # of ruamel.yaml
        raise ConfigurationError([f"{name}: no valid YAML: a mapping is merged (<<) into itself"]) from None
    lines: dict[Place, int] = {}
    try:
        data = _plain(loaded, (), lines)
    except _TooMuch:
        raise ConfigurationError([f"{name}: says more than {MOST_ENTRIES} things: do its aliases multiply?"]) from None
    except RecursionError:
        raise ConfigurationError([f"{name}: is nested too deep: does an alias stand within itself?"]) from None
    wrong = [f"{name}:{lines.get(place, 1)}: {'.'.join(map(str, place))}: {NO_TEXT}" for place in _unwritable(data)]
    if wrong:
        raise ConfigurationError(wrong)
    return Document(name, text, {} if data is None else data, lines)


def problems_of(error: ValidationError, document: Document, model: type[BaseModel]) -> list[str]:
    """One sentence for each mistake: file, line, key, value, and what is allowed."""
    schema = model.model_json_schema()
    return [_sentence(dict(mistake), document, schema) for mistake in error.errors(include_url=False)]


def _plain(node: Any, place: Place, lines: dict[Place, int]) -> Any:
    """Copy `node` into dict, list and scalars, noting the line of each entry in `lines`."""
    if len(lines) > MOST_ENTRIES:
        raise _TooMuch
    if isinstance(node, CommentedMap):
        for key in node:
            if key in (node.lc.data or {}):  # not merged from elsewhere (`<<`)
                lines[(*place, key)] = node.lc.key(key)[0] + 1
        return {key: _plain(value, (*place, key), lines) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        for index in range(len(node)):
            lines[(*place, index)] = node.lc.item(index)[0] + 1
        return [_plain(value, (*place, index), lines) for index, value in enumerate(node)]
    for scalar in (bool, int, float, str):
        if isinstance(node, scalar):
            return scalar(node)
    return node


def _unwritable(node: Any, place: Place = ()) -> Iterator[Place]:
    """Where a text stands that holds what is no character."""
    if isinstance(node, str) and _NONE.search(node):
        yield place
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from _unwritable(value, (*place, key))


def _sentence(mistake: dict[str, Any], document: Document, schema: dict[str, Any]) -> str:
    where = tuple(mistake["loc"])
    place = _written(where, document)
    key = (*place, where[-1]) if mistake["type"] == "missing" else place or where[:1]  # a default
    name = ".".join(map(str, key)) or "the whole file"
    return f"{document.at(key)}: {name}{_shown(mistake, name)}: {_allowed(mistake, where, schema)}"


def _written(where: Place, document: Document) -> Place:
    """The part of an error's location that stands in the file: kinds of a union and inner names do not."""
    place: Place = ()
    for part in where:
        if (*place, part) in document.lines:
            place = (*place, part)
    return place


def _shown(mistake: dict[str, Any], name: str) -> str:
    value = mistake["input"]
    if isinstance(value, dict | list) or mistake["type"] in ("missing", "extra_forbidden") or name.endswith(SECRET):
        return ""
    text = repr(value)
    return f" = {text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + '…'}"


def _allowed(mistake: dict[str, Any], where: Place, schema: dict[str, Any]) -> str:
    if mistake["type"] == "missing":
        return "is needed and not there"
    if mistake["type"] == "extra_forbidden":
        known = ", ".join(sorted(_properties(schema, where[:-1])))
        return f"no such key; allowed: {known}"
    message = str(mistake["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _properties(schema: dict[str, Any], where: Place) -> set[str]:
    """The keys that `schema` allows at `where`, through references, unions, mappings and lists."""
    reached = [schema]
    for part in where:
        narrower = [inner for outer in reached for inner in _into(outer, part, schema)]
        reached = narrower or reached  # a union's kind names no level of its own
    return {key for outer in reached for shape in _shapes(outer, schema) for key in shape.get("properties", {})}


def _into(outer: dict[str, Any], part: str | int, root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for shape in _shapes(outer, root):
        if shape.get("properties", {}).get("kind", {}).get("const") == part:
            yield shape
        elif part in shape.get("properties", {}):
            yield shape["properties"][part]
        elif isinstance(part, int) and "items" in shape:
            yield shape["items"]
        else:
            values = [*shape.get("patternProperties", {}).values(), shape.get("additionalProperties")]
            yield from (value for value in values if isinstance(value, dict))


def _shapes(node: dict[str, Any], root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """`node` with its references followed and its unions spread out."""
    if "$ref" in node:
        yield from _shapes(root["$defs"][node["$ref"].rpartition("/")[2]], root)
        return
    for union in ("anyOf", "oneOf", "allOf"):
        for branch in node.get(union, ()):
            yield from _shapes(branch, root)
    yield node
