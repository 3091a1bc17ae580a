"""Identifiers that came over the network, checked before anything is stored under them."""

from __future__ import annotations

import re

from storage.errors import BadIdentifier

# PS3.5 9.1, but a component may start with 0: old scanners write that, and nothing here counts with components.
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


def check_uid(uid: str) -> str:
    """Give `uid` back, or raise BadIdentifier; the message does not repeat what a stranger sent."""
    if len(uid) > 64 or not _UID.fullmatch(uid):
        raise BadIdentifier(f"not a UID (PS3.5 9.1): {len(uid)} characters")
    return uid
