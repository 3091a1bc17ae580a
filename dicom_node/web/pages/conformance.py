"""The DICOM conformance statement, to be read and to be taken away."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from dicom_node.conformance.document import numbered
from dicom_node.web.access import Here
from dicom_node.web.api.conformance import as_document, statement_of
from dicom_node.web.rendering import page

router = APIRouter(include_in_schema=False)


@router.get("/about/conformance")
def conformance(request: Request, console: Here) -> Response:
    """All of it on one page."""
    document = statement_of(console).document
    return page(request, "conformance.html", document=document, parts=list(numbered(document.sections)))


@router.get("/about/conformance.md")
def as_markdown(console: Here) -> Response:
    """As Markdown."""
    return as_document(console, "markdown")


@router.get("/about/conformance.pdf")
def as_pdf(console: Here) -> Response:
    """As PDF."""
    return as_document(console, "pdf")
