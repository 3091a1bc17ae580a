"""The settings of a peer or destination as the fields of a form, and what was filled in as an entry of node.yaml.

The fields are those of the settings' own classes; here they only get the words that people read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dicom_node.configuring.form_fields import Sort, filled, read_back
from dicom_node.configuring.partners import Entry, Group
from dicom_node.destinations import KINDS
from dicom_node.errors import ConfigurationError
from dicom_node.network.dicomweb.web_server import NamedWebServer
from dicom_node.network.peer import Peer
from dicom_node.network.tls.settings import ClientTls
from dicom_node.objects.profile import PRESETS
from dicom_node.settings.text import flow
from storage.errors import NotFound

MODELS: Mapping[Group, Mapping[str, type[BaseModel]]] = {
    "peers": {"dimse": Peer, "dicomweb": NamedWebServer},
    "destinations": KINDS,
}
KIND_WORDS = {
    "dimse": "DICOM (C-STORE, C-FIND, C-ECHO)",
    "dicomweb": "DICOMweb (QIDO-RS, WADO-RS)",
    "stow": "DICOMweb (STOW-RS)",
    "folder": "folder",
}
WORDS: Mapping[str, tuple[str, str]] = {  # label and hint by field
    "ae_title": ("AE title", "1 to 16 plain characters"),
    "host": ("Host", "name or address"),
    "port": ("Port", "1 to 65535"),
    "url": ("Address", "root of its DICOMweb services, without user and password"),
    "path": ("Folder", "relative to the folder of node.yaml"),
    "calling_ae_title": ("Our AE title there", "left out: the node's own"),
    "commitment": ("Storage commitment", "required: a delivery without it is given up"),
    "accepts": ("Accepts results that are for", "others are held; none chosen: clinical"),
    "profile": ("Profile", "a preset, or one with what differs: {preset: images, captures: key}"),
    "iocm": ("Rejection notes (IOCM)", "on results that are no longer valid"),
    "concurrency": ("At a time", "so many results at once, 1 to 16"),
    "alternative": ("Alternative", "destination that gets the results while this one is down"),
    "alternative_after_s": ("Alternative after", "so many seconds of being down"),
    "authentication": ("Credentials", "{kind: basic, user: NAME, password: {file: PATH}}; never the password itself"),
    "connect_s": ("Connects within", "seconds"),
    "answer_s": ("Answers within", "seconds"),
    "request_bytes": ("Largest request", "bytes"),
    "tls": ("TLS", "no: what stands below is left out"),
    "tls.profile": ("Profile of TLS", "PS3.15 B.12, or B.13 (modified)"),
    "tls.certificate": ("Our certificate", "PEM file; left out: the node's own"),
    "tls.key": ("Its key", "PEM file; left out: in the file of the certificate"),
    "tls.key_password": ("Password of the key", "{file: PATH} or {environment: NAME}"),
    "tls.authorities": ("Authorities", "PEM file of who signs its certificate; left out: the node's own"),
    "tls.revocations": ("Revocations", "PEM file; left out: the node's own"),
    "tls.server_name": ("Name in its certificate", "left out: its host"),
    "tls.check_name": ("Look at that name", ""),
}


@dataclass(frozen=True)
class Field:
    """One field: `value` is what stands in it, `values` what is ticked, `usual` what counts where it is left empty."""

    name: str
    sort: Sort
    value: str = ""
    values: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    usual: str = ""
    required: bool = False

    @property
    def label(self) -> str:
        return WORDS[self.name][0]

    @property
    def hint(self) -> str:
        return WORDS[self.name][1]

    @property
    def id(self) -> str:
        return self.name.replace(".", "-")


def model_of(group: Group, kind: str) -> type[BaseModel]:
    """The settings' class; NotFound where there is no such kind."""
    if kind not in MODELS[group]:
        raise NotFound(f"there are no {group} of kind {kind}; there are {', '.join(MODELS[group])}")
    return MODELS[group][kind]


def fields_of(model: type[BaseModel], entry: Entry) -> list[Field]:
    """The fields of a form that shows `entry`; TLS and all that belongs to it come last."""
    shown = [_field(name, info, entry) for name, info in model.model_fields.items() if name not in ("kind", "tls")]
    shown.sort(key=lambda field: (not field.required, list(WORDS).index(field.name)))
    return [*shown, *(_tls_fields(entry.get("tls")) if "tls" in model.model_fields else ())]


def filled_in(model: type[BaseModel], sent: Mapping[str, Sequence[str]], kind: str = "") -> dict[str, Any]:
    """The entry that a form means, with `kind` where that is said; what is left empty is left out.

    ConfigurationError where a text is no YAML.
    """
    entry: dict[str, Any] = {"kind": kind} if kind else {}
    tls: dict[str, Any] = {}
    problems: list[str] = []
    for field in fields_of(model, {}):
        words = filled(sent, field.name)
        if not words or field.name == "tls":
            continue
        place, name = (tls, field.name[4:]) if field.name.startswith("tls.") else (entry, field.name)
        try:
            place[name] = read_back(field.name, field.sort, field.options, words)
        except ConfigurationError as wrong:
            problems += wrong.problems
    if problems:
        raise ConfigurationError(problems)
    return entry | ({"tls": tls} if "yes" in sent.get("tls", ()) else {})


def again(fields: Sequence[Field], sent: Mapping[str, Sequence[str]]) -> list[Field]:
    """The fields as they were sent, so that a person goes on where something was wrong."""
    return [
        replace(one, value=next(iter(sent.get(one.name, ())), ""), values=tuple(sent.get(one.name, ())))
        for one in fields
    ]


def _tls_fields(tls: Any) -> Iterator[Field]:
    said = tls if isinstance(tls, dict) else {}
    yield Field("tls", Sort.CHOICE, "no" if tls is None else "yes", options=("no", "yes"), required=True)
    for name, info in ClientTls.model_fields.items():
        yield _field(f"tls.{name}", info, {f"tls.{name}": said[name]} if name in said else {})


def _field(name: str, info: FieldInfo, entry: Entry) -> Field:
    sort, options = _sort(info.annotation, name)
    said = entry.get(name)
    values = tuple(str(one) for one in said) if sort is Sort.TICKS and isinstance(said, list) else ()
    return Field(name, sort, _written(sort, said), values, options, _usual(info), info.is_required())


def _sort(annotation: Any, name: str) -> tuple[Sort, tuple[str, ...]]:
    """How a value of this type is filled in, and what can be chosen."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _sort(inner[0], name)
    if origin in (Union, UnionType):
        others = [one for one in inner if one is not NoneType]
        return _sort(others[0], name) if len(others) == 1 else (Sort.YAML, ())
    if origin is Literal:
        return Sort.CHOICE, tuple(map(str, inner))
    if annotation is bool:
        return Sort.CHOICE, ("true", "false")
    if origin is tuple and isinstance(inner[0], type) and issubclass(inner[0], StrEnum):
        return Sort.TICKS, tuple(map(str, inner[0]))
    if annotation in (int, float):
        return Sort.NUMBER, ()
    if annotation in (str, Path):
        return Sort.TEXT, ()
    return Sort.YAML, tuple(PRESETS) if name == "profile" else ()


def _written(sort: Sort, said: Any) -> str:
    if said is None:
        return ""
    return str(said) if sort is Sort.TEXT else flow(said)


def _usual(info: FieldInfo) -> str:
    usual = None if info.is_required() else info.default
    if usual is None or isinstance(usual, BaseModel | tuple):
        return ""
    return str(usual).lower() if isinstance(usual, bool) else f"{usual:g}" if isinstance(usual, float) else str(usual)
