"""Edited routes: judged as a whole before anybody uses them, rehearsed, and written back into routes.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.configuring.changes import Author, Changed, change, check_seen, text_of
from dicom_node.configuring.routes_text import NAME, data_of, route_text, with_route
from dicom_node.errors import NodeError
from dicom_node.routing.facts import study_facts
from dicom_node.routing.table import Decision, decide
from dicom_node.settings import Settings, load
from dicom_node.settings.models import closed_models
from inference.tasks import TASKS
from storage.errors import NotFound

if TYPE_CHECKING:
    from dicom_node.assembly import Parts
    from dicom_node.network.headers.headers_only import HeadersOnly
    from storage.records import Study


class NoName(NodeError):
    """A route without a name of its own."""


def text_now(parts: Parts) -> str:
    """What routes.yaml says now."""
    return text_of(parts.settings.folder, NAME)


def route_now(parts: Parts, name: str) -> str:
    """The text of a route; NotFound."""
    text = route_text(text_now(parts), name)
    if not text:
        raise NotFound(f"there is no route {name}")
    return text


def drafted(parts: Parts, name: str, route: str) -> Settings:
    """The whole configuration in which route `name` is as the text `route` says; ConfigurationError, NoName."""
    text = text_now(parts)
    return load(parts.settings.folder, instead={NAME: with_route(text, _named(text, name, route), route)})


def go_live(parts: Parts, name: str, route: str, seen: str, author: Author) -> Changed:
    """Write it into routes.yaml, whose fingerprint was `seen` by who wants it; the running roles take it up.

    ConfigurationError, NoName, Overtaken, NotWritable.
    """

    def new(text: str) -> str:
        check_seen(NAME, text, seen)
        return with_route(text, _named(text, name, route), route)

    what = f"route {name} changed" if name else f"route {data_of(route).get('name')} added"
    return change(parts, NAME, new, what, author)


def choices(settings: Settings) -> dict[str, list[str]]:
    """What other files name that a route may name."""
    return {"task": sorted(TASKS), "model": sorted(settings.models), "destinations": sorted(settings.destinations())}


def judged(settings: Settings, intake: HeadersOnly) -> list[tuple[Study, Decision]]:
    """What the routes would make of files that were looked at, each study by itself."""
    vocabulary, routes, closed = settings.vocabulary, settings.routes, closed_models(settings.models)
    return [(study, decide(routes, study_facts(study, series, instances, vocabulary), closed))
            for study, series, instances in intake.studies()]


def _named(text: str, name: str, route: str) -> str:
    """Whom the change is about: a route keeps its place when its name changes. NoName where a new one has none."""
    if name and not route_text(text, name):
        raise NotFound(f"there is no route {name}")
    said = name or str(data_of(route).get("name") or "")
    if not said or (not name and route_text(text, said)):
        raise NoName(f"there is a route {said} already: give the new one another name" if said else "it has no name")
    return said
