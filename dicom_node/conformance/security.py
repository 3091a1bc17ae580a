"""The chapters on media, character sets, security and configuration."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dicom_node.conformance.document import Section, Table
from dicom_node.destinations.dimse import DimseDestination
from dicom_node.network.tls.settings import PROFILES, ServerTls
from dicom_node.settings.tls import every_tls

if TYPE_CHECKING:
    from dicom_node.settings import Settings

PROFILE_NAMES = {
    "bcp195": "BCP 195 RFC 8996, 9325 TLS (PS3.15 B.12)",
    "bcp195_modified": "Modified BCP 195 RFC 8996, 9325 TLS (PS3.15 B.13)",
}


def media() -> Section:
    """No media."""
    return Section(
        "Media interchange",
        (("No media application profile (PS3.11) is supported. A destination of kind folder takes results as files "
         "(PS3.10), without a DICOMDIR."),),
    )


def character_sets(settings: Settings) -> Section:
    """What is read and written."""
    written = [
        (name, "that of the source images" if one.profile.character_set == "source" else "ISO_IR 192 (UTF-8)")
        for name, one in settings.destinations().items()
    ]
    return Section(
        "Support of character sets",
        (
            (
                "Instances are stored in their own character set, whichever it is. For display and routing all defined "
                "terms of Specific Character Set (PS3.3 C.12.1.1.2) that pydicom decodes are read, code extensions "
                "among them. Queries whose keys are not ASCII are sent in ISO_IR 192."
            ),
            Table.of("Character sets of created objects", ("Destination", "Character set"), written),
        ),
    )


def security(settings: Settings) -> Section:
    """TLS, the audit trail, and who may use the console."""
    suites = [(PROFILE_NAMES[name], suite) for name, found in PROFILES.items() for suite in found]
    return Section(
        "Security",
        sections=(
            Section("Secure transport connection profiles", (
                (
                    "TLS 1.2 and TLS 1.3; no renegotiation, no compression. RSA and DH keys of less than 2048 bits and "
                    "signatures with SHA-1 are refused. With TLS 1.3 the library's own suites are used "
                    f"({ssl.OPENSSL_VERSION})."
                ),
                Table.of("Where TLS is used", ("Setting", "Side", "Profile", "Certificates"), _uses(settings)),
                Table.of("TLS 1.2 cipher suites by profile", ("Profile", "Suite"), suites),
            )),
            Section("Association level security", (
                (
                    "By the admission table: AE titles, addresses and services (see Networking). User identity "
                    "negotiation is not used."
                ),
            )),
            Section("Application level security", (_audit(settings),)),
        ),
    )


def configuration(settings: Settings) -> Section:
    """Titles and addresses of the others, and what an administrator may set."""
    node = settings.node
    called = [*settings.peers().items(),
              *((name, one.peer) for name, one in node.destinations.items() if isinstance(one, DimseDestination))]
    peers = [(name, one.ae_title, one.host, str(one.port), "yes" if one.tls else "no") for name, one in called]
    values = [
        ("ae_title", node.ae_title),
        ("host, port", node.ears),
        ("require_called_aet", str(node.require_called_aet).lower()),
        ("max_associations", str(node.max_associations)),
        ("max_pdu_bytes", str(node.max_pdu_bytes)),
        ("associate_s, idle_s", f"{node.associate_s:g}, {node.idle_s:g}"),
        ("quiet_s", f"{node.quiet_s:g}"),
        ("commitment.service", node.commitment.service),
        ("commitment.wait_s, ask_again_s, give_up_s",
         f"{node.commitment.wait_s:g}, {node.commitment.ask_again_s:g}, {node.commitment.give_up_s:g}"),
        ("delivery.attempts", str(node.delivery.attempts)),
    ]
    return Section(
        "Configuration",
        (
            (
                "All parameters are in node.yaml and routes.yaml, each with its meaning and unit beside it; an "
                "administrator may also change peers and destinations in the console. Sources of this statement are "
                "these files and the program itself."
            ),
            Table.of("Remote application entities", ("Name", "AE title", "Host", "Port", "TLS"), peers),
            Table.of("Parameters", ("Parameter", "Value"), values),
        ),
    )


def _uses(settings: Settings) -> Iterator[tuple[str, str, str, str]]:
    for place, tls in every_tls(settings.node):
        if isinstance(tls, ServerTls):
            asked = f"the caller's: {tls.client_certificates}"
        else:
            asked = "shows one" if tls.certificate else "shows none"
        side = "calls" if place[0] in ("peers", "destinations") else "is called"
        yield ".".join(map(str, place)), side, PROFILE_NAMES[tls.profile], asked


def _audit(settings: Settings) -> str:
    audit = settings.node.audit
    if audit.mode == "off":
        return "No audit trail is kept (audit.mode is off)."
    told = "Audit messages are made as PS3.15 A.5 says"
    if audit.mode == "syslog" and audit.syslog:
        return f"{told} and sent to {audit.syslog.host}, port {audit.syslog.port}, by syslog ({audit.syslog.protocol})."
    return f"{told} and kept as files on the node."
