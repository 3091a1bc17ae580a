"""What forms have in common: after one is sent, another page is shown, and says what was done."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Form
from starlette.responses import RedirectResponse

from dicom_node.web.console import Console

Text = Annotated[str, Form(max_length=2048)]
Ticked = Annotated[bool, Form()]


def plain_lines(text: str) -> str:
    """What stands in a text area; a browser sends its lines with CR and LF (HTML Standard, form submission)."""
    return text.replace("\r\n", "\n")


def go_to(place: str) -> RedirectResponse:
    """Have the browser GET another page of ours; one elsewhere becomes the first page."""
    ours = place.startswith("/") and not place.startswith(("//", "/\\"))
    return RedirectResponse(place if ours else "/", HTTPStatus.SEE_OTHER)


def done(console: Console, place: str, text: str) -> RedirectResponse:
    """…and say there what was done."""
    response = go_to(place)
    console.cookies.say(response, text)
    return response
