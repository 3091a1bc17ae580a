"""A route as the fields of a form, made from the settings' own JSON schema, and what was filled in as the route again.

A field is named by its place, like `when.of.2.at_least`. A new kind of predicate needs no word here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

from dicom_node.configuring.form_fields import Sort, filled, read_back
from dicom_node.errors import ConfigurationError
from dicom_node.routing.route import Route
from dicom_node.settings.text import flow

Sent = Mapping[str, Sequence[str]]
Schema = Mapping[str, Any]

PARTS = ("when", "select")  # of a route, that have a kind and fields of their own
MOST_DEEP = 8


@dataclass(frozen=True)
class Field:
    """One field: `value` is what stands in it, `values` what is ticked; empty, it is left out of the file."""

    place: str
    sort: Sort
    label: str
    hint: str = ""
    value: str = ""
    values: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True)
class Box:
    """Fields that belong together: the route itself, its choice of series, or a predicate with those that it holds."""

    place: str
    kind: str
    hint: str
    fields: tuple[Field, ...]
    boxes: tuple[Box, ...] = ()
    kinds: tuple[str, ...] = ()  # that may be added to it
    can_go: bool = False


def form_of(data: Mapping[str, Any], choices: Mapping[str, Collection[str]]) -> Box:
    """The form that shows a route; `choices` are what the other files name, by place."""
    schema = _schema()
    fields = [f for f in _fields(schema, data, "", choices) if f.place not in PARTS]
    boxes = tuple(_box(data.get(part), schema["properties"][part], part) for part in PARTS)
    return Box("", "route", "", tuple(fields), tuple(box for box in boxes if box))


def filled_in(data: Mapping[str, Any], sent: Sent, choices: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """The route `data` with what its form says; ConfigurationError where a text is no YAML."""
    found, problems = deepcopy(dict(data)), list[str]()
    for box in _walk(form_of(data, choices)):
        here = _at(found, box.place)
        for field in box.fields:
            key = field.place.rpartition(".")[2]
            words = filled(sent, field.place)
            if field.place not in sent and field.sort is not Sort.TICKS:
                continue  # not on this form
            try:
                _put(here, key, field, words)
            except ConfigurationError as wrong:
                problems += wrong.problems
    if problems:
        raise ConfigurationError(problems)
    for box in reversed(list(_walk(form_of(data, choices)))):  # the last first, so that places stay what they are
        where, _, last = box.place.rpartition(".")
        if box.can_go and sent.get(f"{box.place}.go"):
            del _at(found, where)[int(last)]
        for kind in sent.get(f"{box.place}.add", ()):
            if kind in box.kinds:
                _at(found, box.place)["of"].append({"kind": kind})
    return found


def _put(here: dict[str, Any], key: str, field: Field, words: list[str]) -> None:
    if not words:
        here.pop(key, None)
        return
    value = read_back(field.place, field.sort, field.options, words)
    if key not in here or here[key] != value:
        here[key] = value


def _walk(box: Box) -> Iterator[Box]:
    yield box
    for inner in box.boxes:
        yield from _walk(inner)


def _at(data: Any, place: str) -> Any:
    for part in place.split(".") if place else ():
        data = data[int(part)] if isinstance(data, list) else data[part]
    return data


@cache
def _schema() -> Schema:
    return Route.model_json_schema()


def _box(data: Any, prop: Schema, place: str, *, can_go: bool = False) -> Box | None:
    """What has a kind; None where the file says something else there, which its own check tells."""
    if not isinstance(data, Mapping) or place.count(".") > 2 * MOST_DEEP:
        return None
    shapes = {shape["properties"]["kind"]["const"]: shape for shape in _shapes(prop) if "kind" in _keys(shape)}
    shape = shapes.get(str(data.get("kind")))
    if shape is None:
        return None
    of, held = shape["properties"].get("of"), data.get("of")
    boxes: list[Box | None] = []
    kinds: tuple[str, ...] = ()
    if of is not None and isinstance(held, list):
        boxes = [_box(one, of["items"], f"{place}.of.{number}", can_go=True) for number, one in enumerate(held)]
        kinds = tuple(sorted(shapes))
    elif of is not None:
        boxes = [_box(held, of, f"{place}.of")]
    fields = tuple(field for field in _fields(shape, data, f"{place}.", {}) if not field.place.endswith(".of"))
    hint = str(shape.get("description", ""))
    return Box(place, str(data["kind"]), hint, fields, tuple(one for one in boxes if one), kinds, can_go)


def _fields(
    shape: Schema, data: Mapping[str, Any], at: str, choices: Mapping[str, Collection[str]]
) -> Iterator[Field]:
    for name, prop in shape["properties"].items():
        if name == "kind":
            continue
        sort, options = _sort(prop)
        if name in choices:
            sort, options = (Sort.TICKS if sort is Sort.YAML else Sort.CHOICE), tuple(choices[name])
        said = data.get(name)
        ticked = tuple(map(str, said)) if sort is Sort.TICKS and isinstance(said, list) else ()
        there = (str(said),) if sort is Sort.CHOICE and isinstance(said, str) else ticked
        options += tuple(one for one in there if one not in options)
        yield Field(
            place=f"{at}{name}",
            sort=sort,
            label=name.replace("_", " "),
            hint=_hint(prop),
            value="" if said is None else str(said) if sort is Sort.TEXT else flow(said),
            values=ticked,
            options=options,
            required=name in shape.get("required", ()),
        )


def _hint(prop: Schema) -> str:
    usual = prop.get("default")
    words = [str(prop.get("description", ""))]
    if isinstance(usual, bool | int | float | str) and usual != "":
        words.append(f"left out: {flow(usual)}")
    return "; ".join(word for word in words if word)


def _sort(prop: Schema) -> tuple[Sort, tuple[str, ...]]:
    """How a value of this shape is filled in, and what can be chosen."""
    shapes = [one for one in _shapes(prop) if one.get("type") != "null"]
    if len(shapes) != 1:
        return Sort.YAML, ()
    (only,) = shapes
    if "enum" in only:
        return Sort.CHOICE, tuple(map(str, only["enum"]))
    if only.get("type") == "boolean":
        return Sort.CHOICE, ("true", "false")
    if only.get("type") in ("integer", "number"):
        return Sort.NUMBER, ()
    if only.get("type") == "string":
        return Sort.TEXT, ()
    items = [one for one in _shapes(only.get("items", {})) if "enum" in one]
    return (Sort.TICKS, tuple(map(str, items[0]["enum"]))) if items else (Sort.YAML, ())


def _shapes(prop: Schema) -> Iterator[Schema]:
    """A property with its references followed and its unions spread out."""
    if "$ref" in prop:
        yield from _shapes(_schema()["$defs"][prop["$ref"].rpartition("/")[2]])
        return
    branches = [branch for union in ("anyOf", "oneOf", "allOf") for branch in prop.get(union, ())]
    for branch in branches:
        yield from _shapes(branch)
    if not branches:
        yield prop


def _keys(shape: Schema) -> Collection[str]:
    return shape.get("properties", {})
