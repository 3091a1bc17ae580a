"""DICOMweb (PS3.18), as a user agent: whom the node stores to, searches and retrieves from, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.conformance.document import Section, Table
from dicom_node.destinations.stow import StowDestination
from dicom_node.network.dicomweb.dicom_json import MEDIA_TYPE
from dicom_node.network.dicomweb.multipart import CONTENT_TYPE
from dicom_node.network.dicomweb.qido import PAGE
from dicom_node.network.dicomweb.stow import ANSWERED
from dicom_node.network.dicomweb.web_remote import DICOM_FILES
from dicom_node.network.dicomweb.web_words import MEANINGS

if TYPE_CHECKING:
    from dicom_node.network.dicomweb.web_server import WebServer
    from dicom_node.settings import Settings

LOGINS = {"basic": "HTTP Basic (RFC 7617)", "oauth2": "OAuth 2.0 client credentials (RFC 6749)"}


def web_services(settings: Settings) -> Section:
    """The three transactions and the servers that are configured for them."""
    stored = {n: one for n, one in settings.destinations().items() if isinstance(one, StowDestination)}
    asked = {**settings.web_servers(), **stored}
    servers = [(name, one.url, "STOW-RS" if name in stored else "QIDO-RS, WADO-RS", _login(one), _tls(one))
               for name, one in sorted(asked.items())]
    statuses = [(f"{a}" if a == b else f"{a} – {b}", words) for a, b, _, words in MEANINGS]
    return Section(
        "DICOMweb services",
        (
            (
                "The node is a user agent; it is no origin server: it offers no STOW-RS, QIDO-RS or WADO-RS of its "
                "own. (Its console has an HTTP API for uploads and downloads, which is not PS3.18.)"
            ),
            Table.of("Servers called", ("Name", "URL", "Services", "Authentication", "TLS"), servers),
        ),
        (
            Section("STOW-RS (Store, PS3.18 10.5)", (
                (
                    f"POST /studies with {CONTENT_TYPE}, part 10 files as they lie on the disk, in their transfer "
                    f"syntax; Accept: {MEDIA_TYPE}. Answers with HTTP {', '.join(map(str, ANSWERED))} are read "
                    "instance by instance, in XML too where a server gives nothing else; their failure reasons count "
                    "as C-STORE statuses do. A request that is too large (413) is halved."
                ),
            )),
            Section("QIDO-RS (Search, PS3.18 10.6)", (
                (
                    f"GET /studies, /studies/UID/series and /studies/UID/series/UID/instances, Accept: {MEDIA_TYPE}, "
                    f"in pages of {PAGE} (limit, offset); StudyInstanceUID, StudyDate, ModalitiesInStudy as keys, "
                    "StudyDescription as a field included. Patients are not searched for."
                ),
            )),
            Section("WADO-RS (Retrieve, PS3.18 10.4)", (
                (
                    f"GET of series and instances, Accept: {DICOM_FILES['Accept']}. What comes is checked and kept as "
                    "what comes by C-STORE is, in the SOP classes and transfer syntaxes of the acceptor."
                ),
            )),
            Section("HTTP statuses", (
                "Redirects are not followed.",
                Table.of("Meaning of HTTP statuses: the server …", ("Status", "Meaning"), statuses),
            )),
        ),
    )


def _login(server: WebServer) -> str:
    return LOGINS[server.authentication.kind] if server.authentication else "none"


def _tls(server: WebServer) -> str:
    if not server.url.startswith("https:"):
        return "no"
    return f"profile {server.tls.profile}" if server.tls else "TLS 1.2 or later, the system's authorities"
