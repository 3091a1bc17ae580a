"""Whom the node exchanges images with, for people: peers and destinations, what each is for, what it may do here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from dicom_node.configuring.changes import Author, Changed, change, text_of
from dicom_node.destinations import DimseDestination, FolderDestination
from dicom_node.errors import ConfigurationError, Overtaken
from dicom_node.network.admission import Caller, HouseRules, Rejection, decide
from dicom_node.network.dicomweb.web_server import WebServer
from dicom_node.network.peer import Peer
from dicom_node.settings import Settings
from dicom_node.settings.files import document_of
from dicom_node.settings.text import flow, with_entry
from storage.errors import NotFound

if TYPE_CHECKING:
    from dicom_node.assembly import Parts

FILE = "node.yaml"

Group = Literal["peers", "destinations"]
GROUPS: tuple[Group, ...] = ("peers", "destinations")
ONE: Mapping[str, str] = {"peers": "peer", "destinations": "destination"}
Entry = Mapping[str, Any]


class Unseen:
    """Stands for an entry that nobody has looked at before it is changed."""


UNSEEN = Unseen()


def partners(settings: Settings) -> list[dict[str, Any]]:
    """All of them, sorted by group and name."""
    return [partner(settings, group, name) for group in GROUPS for name in sorted(getattr(settings.node, group))]


def partner(settings: Settings, group: Group, name: str) -> dict[str, Any]:
    """One: how it is called, by TLS or not, what it is here for, what it may do when it calls; NotFound."""
    one = configured(settings, group, name)
    tls = getattr(one, "tls", None)
    title = getattr(one, "ae_title", None) or (name if isinstance(one, WebServer) and group == "peers" else "")
    return {
        "group": group,
        "name": name,
        "kind": one.kind,
        "ae_title": title,
        "address": _address(one),
        "tls": _tls(one, tls),
        "roles": list(_roles(settings, group, name)),
        "may": _may(settings.node, title) if title and not isinstance(one, WebServer) else "",
        "profile": _profile(one),
        "probed": isinstance(one, Peer | DimseDestination),
    }


def configured(settings: Settings, group: Group, name: str) -> Any:
    """A peer or a destination as the settings have it; NotFound where there is none."""
    found = getattr(settings.node, group).get(name)
    if found is None:
        raise NotFound(f"there is no {ONE[group]} {name}")
    return found


def entry_of(settings: Settings, group: Group, name: str) -> dict[str, Any] | None:
    """What node.yaml says of it now, as plain data; None where it says nothing."""
    return _said(text_of(settings.folder, FILE), group, name)


def put(
    parts: Parts, group: Group, name: str, entry: Entry | None, author: Author, *, was: Entry | Unseen | None
) -> Changed:
    """Have node.yaml say `entry` of a peer or destination, or nothing where that is None.

    `was` is what it said when the person looked, UNSEEN where nobody did: Overtaken where it says something else by
    now. ConfigurationError where the configuration would be wrong; NotWritable.
    """

    def new(text: str) -> str:
        now = _said(text, group, name)
        _check_same(group, name, was, now)
        if entry is None and now is None:
            raise NotFound(f"there is no {ONE[group]} {name}")
        return with_entry(text, FILE, group, name, entry)

    there = name in getattr(parts.settings.node, group)
    what = f"{ONE[group]} {name} {'removed' if entry is None else 'changed' if there else 'added'}"
    return change(parts, FILE, new, what, author, name)


def _said(text: str, group: Group, name: str) -> dict[str, Any] | None:
    data = document_of(text, FILE).data
    found = (data.get(group) or {}).get(name) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else None


def _check_same(group: Group, name: str, was: Entry | Unseen | None, now: Entry | None) -> None:
    if isinstance(was, Unseen) or was == now:
        return
    if was is None:
        raise ConfigurationError([f"{group}.{name}: there is a {ONE[group]} of this name already; choose another"])
    if now is None:
        raise Overtaken(f"{ONE[group]} {name} was removed since you looked; add it anew, if it is needed")
    told = "; ".join(
        f"{key} was {_shown(was, key)}, is {_shown(now, key)}" for key in {**was, **now} if was.get(key) != now.get(key)
    )
    raise Overtaken(f"{ONE[group]} {name} was changed since you looked: {told}. Nothing was written; look again")


def _shown(entry: Entry, key: str) -> str:
    return flow(entry[key]) if key in entry else "not there"


def _address(one: Any) -> str:
    if isinstance(one, WebServer):
        return one.url
    return str(one.path) if isinstance(one, FolderDestination) else f"{one.host}:{one.port}"


def _tls(one: Any, tls: Any) -> str:
    if isinstance(one, FolderDestination):
        return ""
    if isinstance(one, WebServer) and one.url.startswith("https:"):
        return "yes" if tls else "yes, by the system's authorities"
    if tls is None:
        return "no"
    expected = f", as {tls.server_name}" if tls.server_name else "" if tls.check_name else ", under any name"
    return f"yes{expected}"


def _profile(one: Any) -> str:
    profile = getattr(one, "profile", None)
    if profile is None:
        return ""
    preset = type(profile)(preset=profile.preset).model_dump()
    own = {key: value for key, value in profile.model_dump().items() if preset[key] != value}
    return f"{profile.preset}, with {flow(own).strip('{}')}" if own else str(profile.preset)


def _roles(settings: Settings, group: Group, name: str) -> Iterator[str]:
    """What it is here for, in words."""
    node = settings.node
    if group == "destinations":
        routes = [route.name for route in settings.routes if name in route.destinations]
        yield f"gets results of {', '.join(routes)}" if routes else "gets no results: no route names it"
        yield from (f"stands in for {other}" for other, one in node.destinations.items() if one.alternative == name)
        if node.commitment.service == "relay" and node.commitment.relay_to == name:
            yield "is asked to keep what others ask us to keep"
        if name in node.peers:
            return  # a source or archive of this name is the peer
    senders = [sender for sender, source in node.sources.items() if source.peer == name]
    if senders:
        who = "everybody" if "*" in senders else ", ".join(senders)
        yield f"is asked whether studies of {who} are here in full"
    if node.priors.archive == name:
        yield "is asked for earlier results"


def _may(rules: HouseRules, title: str) -> str:
    """What a caller of this title may, by the address that it calls from where the table says any."""
    if not rules.admission:
        verdict = decide(Caller(title, rules.ae_title, ""), rules)
        return f"not call: {verdict.sentence}" if isinstance(verdict, Rejection) else "store, find, commit"
    if rules.accept_calling_aets and title not in rules.accept_calling_aets:
        return "not call: its AE title is not in accept_calling_aets"
    rows = [row for row in rules.admission if not row.ae_titles or title in row.ae_titles]
    told = [
        (", ".join(row.may) or "only C-ECHO") + (f" from {', '.join(row.addresses)}" if row.addresses else "")
        for row in rows
    ]
    return "; ".join(told) or "not call: its AE title is in no row of admission"

