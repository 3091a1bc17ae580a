"""The node's DICOM conformance statement, as data and as documents."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from dicom_node.conformance.markdown import to_markdown
from dicom_node.conformance.pdf import to_pdf
from dicom_node.conformance.statement import Statement, conformance_statement
from dicom_node.web.access import Here
from dicom_node.web.api.answers import PROBLEMS
from dicom_node.web.console import Console

router = APIRouter(tags=["node"], responses=PROBLEMS)

Form = Literal["json", "markdown", "pdf"]
MEDIA_TYPES = {"markdown": "text/markdown; charset=utf-8", "pdf": "application/pdf"}
NAMES = {"markdown": "conformance.md", "pdf": "conformance.pdf"}


@router.get(
    "/api/v1/conformance",
    response_model=None,
    responses={200: {"content": {"text/markdown": {}, "application/pdf": {"schema": {"type": "string"}}}}},
)
def conformance(
    console: Here, form: Annotated[Form, Query(alias="format", description="JSON, or a document.")] = "json"
) -> dict[str, Any] | Response:
    """The sections and tables of the statement (PS3.2), the contexts that are accepted, and those that are proposed."""
    return asdict(statement_of(console)) if form == "json" else as_document(console, form)


def statement_of(console: Console) -> Statement:
    """The statement of the node as it is configured now."""
    return conformance_statement(console.parts.settings, console.clock())


def as_document(console: Console, form: Form) -> Response:
    """The statement as a file to take away."""
    told = statement_of(console)
    content = to_pdf(told.document, told.made_on) if form == "pdf" else to_markdown(told.document).encode()
    named = {"Content-Disposition": f'attachment; filename="{NAMES[form]}"'}
    return Response(content, media_type=MEDIA_TYPES[form], headers=named)
