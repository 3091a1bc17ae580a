"""Until when our certificates and those that we trust are valid, and whether our keys are kept to ourselves."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dicom_node.network.tls.settings import certificates_in
from dicom_node.settings.tls import every_tls

if TYPE_CHECKING:
    from dicom_node.settings import NodeSettings

DAY_S = 86400.0
SOON_DAYS = 30


@dataclass
class Outlook:
    """What has expired, and what is worth knowing."""

    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def outlook_of(node: NodeSettings, now: float) -> Outlook:
    """Look at every certificate file of TLS once; the files are known to be good (`settings.tls.tls_mistakes`)."""
    found = Outlook()
    certificates: dict[Path, str] = {}
    keys: dict[Path, str] = {}
    for place, tls in every_tls(node):
        where = ".".join(map(str, place))
        if tls.authorities:
            certificates.setdefault(tls.authorities, f"{where}.authorities")
        if tls.certificate:
            certificates.setdefault(tls.certificate, f"{where}.certificate")
            keys.setdefault(tls.key or tls.certificate, f"{where}.key")
    for path, where in certificates.items():
        _certificates(where, path, now, found)
    for path, where in keys.items():
        found.remarks.extend(_open_key(where, path))
    return found


def _certificates(where: str, path: Path, now: float, found: Outlook) -> None:
    for one in certificates_in(where, path):
        day = datetime.fromtimestamp(one.not_after, UTC).strftime("%Y-%m-%d")
        left = (one.not_after - now) / DAY_S
        what = f"node.yaml: {where} = {str(path)!r}: {one.name or 'the certificate'}"
        if left < 0:
            found.problems.append(f"{what} has expired on {day}; put a new one in its place, no restart is needed")
        elif one.not_before > now:
            found.problems.append(f"{what} is not valid yet; is the clock of this machine right?")
        else:
            soon = ": renew it" if left < SOON_DAYS else ""
            found.remarks.append(f"{what} is valid until {day} ({left:.0f} days){soon}")


def _open_key(where: str, path: Path) -> Iterator[str]:
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) & ~stat.S_IRGRP:
        yield f"node.yaml: {where} = {str(path)!r}: others than its owner may use this key; `chmod 600` it"
