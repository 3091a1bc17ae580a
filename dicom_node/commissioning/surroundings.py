"""The node as it stands when it is commissioned: where it runs, its partners and what they take, its models."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

from dicom_node.assembly import Parts
from dicom_node.checking.asking_partners import WORDS, echoed, probed
from dicom_node.commissioning.record import Check, Partner, SignOff
from dicom_node.configuring.configuration_shown import shown
from dicom_node.configuring.partners import GROUPS, ONE
from dicom_node.destinations import DimseDestination
from dicom_node.errors import Unreachable
from dicom_node.models.model_views import model_lines
from dicom_node.network.peer import Peer
from dicom_node.settings import Settings
from dicom_node.views.status import node_status

NEEDED = ("receive", "pipeline")


def surroundings(parts: Parts, pacs: str, now: float) -> SignOff:
    """The page before anything was played."""
    settings = parts.settings
    return SignOff(
        node=settings.node.ae_title,
        version=version("segnode"),
        machine=machine(),
        revision=parts.revision,
        configuration_sha256=settings.sha256,
        pacs=pacs,
        started_at=now,
        configuration=shown(settings.content),
        partners=list(partners(settings)),
        models=model_lines(settings),
    )


def _in_use(parts: Parts, status: Mapping[str, Any]) -> Check:
    """Whether the node runs by the files that these pages show."""
    with parts.database.reading() as tx:
        number, sha256 = tx.revisions.newest() or (0, "")
    old = [role["role"] for role in status["roles"] if role.get("revision", number) != number]
    name = "configuration is in use"
    if sha256 != parts.settings.sha256:
        return Check(name, passed=False, words="the files were changed since the node read them: restart it")
    if old:
        return Check(name, passed=False, words=f"{', '.join(old)} runs by an older revision than {number}: restart it")
    return Check(name, passed=True, words=f"revision {number}")


def machine() -> str:
    """System, processor and Python; no name of the machine."""
    return f"{platform.system()} {platform.release()} {platform.machine()}, Python {platform.python_version()}"


def require_running(parts: Parts) -> Mapping[str, Any]:
    """The node's status; Unreachable where it does not run on this configuration's database."""
    with parts.database.reading() as tx:
        status = node_status(parts, tx, time.time())
    alive = {role["role"] for role in status["roles"] if role["alive"]}
    if lacking := [role for role in NEEDED if role not in alive]:
        raise Unreachable(
            f"the node is not running: no sign of {' and '.join(lacking)}; start it with `segnode serve`, "
            "with the same --conf"
        )
    return status


def partners(settings: Settings) -> Iterator[Partner]:
    """Every peer and destination, called and, where that can be, asked what it takes."""
    for group in GROUPS:
        for name, one in sorted(getattr(settings.node, group).items()):
            what = f"{ONE[group]}, {one.kind}"
            if isinstance(one, Peer | DimseDestination):
                asked = probed(one, settings.node.ae_title)
                where = f"{one.ae_title} at {one.host}:{one.port}{' by TLS' if one.tls else ''}"
                taken = {WORDS.get(key, key): syntaxes for key, syntaxes in asked.accepted.items()}
                yield Partner(name, f"{what}, {where}", asked.answers, asked.sentence, taken)
            else:
                called = echoed(one, settings.node.ae_title)
                yield Partner(name, what, called.answers, called.sentence)


def of_the_node(parts: Parts, status: Mapping[str, Any], sign_off: SignOff) -> Iterator[Check]:
    """Checks that are about no study."""
    yield _in_use(parts, status)
    silent = [role["role"] for role in status["roles"] if not role["alive"]]
    words = f"silent: {', '.join(silent)}" if silent else ", ".join(role["role"] for role in status["roles"])
    yield Check("every role is alive", not silent, words)
    for one in sign_off.partners:
        yield Check(f"{one.name} answers", one.answers, one.words)
    broken = [str(one["model"]) for one in sign_off.models if one["version"] == "unreadable"]
    words = f"cannot be read: {', '.join(broken)}" if broken else f"{len(sign_off.models)} models"
    yield Check("models are whole", not broken, words)
