"""An administrator takes a support bundle away, from the page About or by a program; audited with who took it."""

from __future__ import annotations

from starlette.responses import Response

from dicom_node.support.support_bundle import bundled
from dicom_node.web.access import Visit
from dicom_node.web.console import Console


def support_bundle(console: Console, caller: Visit) -> Response:
    """The ZIP, as a file to keep; peers are not called for it."""
    content = bundled(console.parts, console.clock())
    console.parts.audit.bundle_taken(caller.participant)
    headers = {"Content-Disposition": 'attachment; filename="segnode-support.zip"'}
    return Response(content, media_type="application/zip", headers=headers)
