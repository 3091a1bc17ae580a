"""The DICOM conformance statement of a node as it is configured (PS3.2), with its presentation contexts as data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from dicom_node.conformance.contexts import Call, Context, accepted, proposed
from dicom_node.conformance.created import created_objects
from dicom_node.conformance.document import Document, Section, Table
from dicom_node.conformance.networking import networking
from dicom_node.conformance.security import character_sets, configuration, media, security

if TYPE_CHECKING:
    from dicom_node.settings import Settings

PRODUCT = "Segnode"


@dataclass(frozen=True)
class Statement:
    """The document, and what its presentation context tables are made of."""

    made_on: date  # UTC
    document: Document
    accepted: tuple[Context, ...]
    proposed: tuple[Call, ...]


def conformance_statement(settings: Settings, now: float) -> Statement:
    """What the node says of itself under `settings`; `now` in seconds since 1970."""
    made_on = datetime.fromtimestamp(now, UTC).date()
    node, takes, asks = settings.node, accepted(settings.node), proposed(settings)
    document = Document(
        f"DICOM conformance statement of {node.ae_title}",
        (
            ("Product", f"{PRODUCT} {version('segnode')}"),
            ("AE title", node.ae_title),
            ("Listens on", node.ears),
            ("Configuration (SHA-256)", settings.sha256),
            ("Made on", made_on.isoformat()),
        ),
        (
            _overview(settings, takes, asks),
            _introduction(),
            networking(settings),
            media(),
            character_sets(settings),
            security(settings),
            configuration(settings),
            Section("Annexes", sections=(created_objects(settings),)),
        ),
    )
    return Statement(made_on, document, takes, asks)


def _overview(settings: Settings, takes: tuple[Context, ...], asks: tuple[Call, ...]) -> Section:
    """Which SOP classes in which role: the table that a reader looks for first."""
    roles: dict[tuple[str, str], Counter[str]] = {}
    for context in takes:
        roles.setdefault((context.name, context.uid), Counter()).update(context.role.split(" and "))
    for call in asks:
        if not call.service.startswith("Negotiation"):
            for context in call.contexts:
                roles.setdefault((context.name, context.uid), Counter())[context.role] += 1
    rows = [(name, uid, _yes(found["SCU"]), _yes(found["SCP"])) for (name, uid), found in roles.items()]
    return Section(
        "Conformance statement overview",
        (
            (
                f"{settings.node.ae_title} receives images, runs segmentation models on those that its routes choose, "
                "and sends the results as DICOM objects. It is no medical device."
            ),
            Table.of("Network services", ("SOP class", "UID", "User (SCU)", "Provider (SCP)"), rows),
        ),
    )


def _introduction() -> Section:
    terms = (
        ("AE", "application entity"),
        ("SCP, SCU", "service class provider, service class user"),
        ("SOP", "service-object pair"),
        ("IOD", "information object definition"),
        ("PDU", "protocol data unit"),
        ("TID", "template identifier (PS3.16)"),
    )
    return Section(
        "Introduction",
        (
            (
                "For those who connect the node to other systems and know the DICOM standard. The statement is made by "
                "the node itself from its configuration and its program, so that it says what is negotiated; another "
                "configuration gives another statement."
            ),
            "Conformance alone does not ensure that two systems work together: test the exchange before it is used.",
            Table.of("Terms", ("Term", "Meaning"), terms),
            (
                "References: the DICOM standard, PS3.2 (form of this statement), PS3.3, PS3.4, PS3.5, PS3.7, PS3.8, "
                "PS3.10, PS3.15, PS3.16 and PS3.18; IHE Radiology Technical Framework, AI Results (AIR) and Imaging "
                "Object Change Management (IOCM)."
            ),
        ),
    )


def _yes(number: int) -> str:
    return "yes" if number else "no"
