"""The configuration as it may be shown to strangers: what the files say without comments, passwords and tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import StringIO
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ruamel.yaml import YAML

from dicom_node.settings.files import document_of

MASK = "***"
SECRET_KEY = re.compile(r"password|passphrase|secret|token|credential|api_?key|routing_key", re.IGNORECASE)
PLACES = frozenset({"file", "environment", "token_url"})  # where a secret is, which is none itself
PASSWORD = re.compile(r"(://[^\s:/]*:)\S*(?=@)|([?&]password=)[^\s&]*")  # databases take / # ? @ and quotes in it
URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s\"'<>]+", re.IGNORECASE)
TOKEN = re.compile(r"(?=[^/]*\d)[^/.]{16,}")  # a part of a path that nobody chose as a name
WIDTH = 100


def shown(content: Mapping[str, str]) -> dict[str, str]:
    """The files' texts by name, as YAML anew; ConfigurationError where one is no YAML."""
    return {name: _text(_masked(document_of(text, name).data)) for name, text in sorted(content.items())}


def without_passwords(text: str) -> str:
    """Any text, with the passwords taken out of the addresses in it."""
    return PASSWORD.sub(r"\1\2…", text)


def without_secrets(text: str) -> str:
    """Any text, with the passwords and tokens taken out of the addresses in it."""
    return URL.sub(lambda found: _address(found.group()), without_passwords(text))


def _masked(data: Any, key: str = "") -> Any:
    if isinstance(data, Mapping):
        return {name: _masked(value, str(name)) for name, value in data.items()}
    if isinstance(data, list):
        return [_masked(value, key) for value in data]
    if SECRET_KEY.search(key) and key not in PLACES and data not in (None, ""):
        return MASK
    return without_secrets(data) if isinstance(data, str) else data


def _address(url: str) -> str:
    """The address without user, password, query, and without parts of its path that look like a token."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return MASK
    user = f"{MASK}@" if "@" in parts.netloc else ""
    path = "/".join(TOKEN.sub(MASK, part) for part in parts.path.split("/"))
    query = MASK if parts.query else ""
    return urlunsplit((parts.scheme, user + host, path, query, MASK if parts.fragment else ""))


def _text(data: Any) -> str:
    writer, sink = YAML(typ="safe", pure=True), StringIO()
    writer.default_flow_style, writer.width = False, WIDTH
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.dump(data, sink)
    return sink.getvalue()
