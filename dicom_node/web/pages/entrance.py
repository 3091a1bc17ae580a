"""Signing in, signing out, and the first way in by a link."""

from __future__ import annotations

import secrets
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from dicom_node.errors import NoSecret, NotVouched, PeerError
from dicom_node.web import single_sign_on
from dicom_node.web.access import Caller, Here, Visit
from dicom_node.web.console import Console
from dicom_node.web.cookies import AWAY, SESSION, VISITOR
from dicom_node.web.pages.forms import Text, go_to
from dicom_node.web.passwords import SHORTEST, WeakPassword, agreed
from dicom_node.web.rendering import page
from dicom_node.web.signing_in import Comer, LinkSpent, NotSignedIn, come_by_link, sign_in, sign_out, whose_link
from dicom_node.web.single_sign_on import ASKED_S, COME_BACK
from storage.errors import IllegalStep

router = APIRouter(include_in_schema=False)

UNVOUCHED = (NotVouched, PeerError, NoSecret, IllegalStep)  # IllegalStep: of a name that is none, or is taken twice


@router.get("/sign-in")
def ask_name(request: Request, console: Here, caller: Caller, next: str = "/") -> Response:  # noqa: A002 (its name there)
    """The form; who has signed in already goes on."""
    return go_to(next) if caller.user else _sign_in(request, console, caller, next)


@router.post("/sign-in")
def take_name(
    request: Request, console: Here, caller: Caller, name: Text, password: Text, next: Text = "/"  # noqa: A002
) -> Response:
    """Open a session and go on to where the person wanted to."""
    try:
        token = sign_in(console, Comer(name, password, caller.address))
    except NotSignedIn as wrong:
        return _sign_in(request, console, caller, next, str(wrong), name)
    return _enter(console, token, next)


@router.get("/sign-in/oidc")
def send_away(request: Request, console: Here, caller: Caller, next: str = "/") -> Response:  # noqa: A002
    """Have the site's own provider find out who it is."""
    try:
        place, kept = single_sign_on.send_away(console, next)
    except UNVOUCHED as wrong:
        return _sign_in(request, console, caller, next, str(wrong))
    response = RedirectResponse(place, HTTPStatus.SEE_OTHER)
    console.cookies.hold(response, AWAY, kept, int(ASKED_S))
    return response


@router.get(COME_BACK)
def take_back(request: Request, console: Here, caller: Caller) -> Response:
    """Open a session for who comes back from there."""
    brought = console.cookies.held(request, AWAY, int(ASKED_S)) or {}
    wanted = str(brought.get("next", "/"))
    try:
        token = single_sign_on.take_back(console, brought, request.query_params, caller.address)
        response = _enter(console, token, wanted)
    except UNVOUCHED as wrong:
        response = _sign_in(request, console, caller, wanted, str(wrong))
    console.cookies.clear(response, AWAY)
    return response


@router.post("/sign-out")
def leave(console: Here, caller: Caller) -> Response:
    """End the session."""
    sign_out(console, caller.somebody, caller.ticket_id, caller.participant)
    response = go_to("/sign-in")
    console.cookies.clear(response, SESSION)
    return response


@router.get("/welcome")
def ask_password(request: Request, console: Here, caller: Caller, link: str = "") -> Response:
    """The form behind a link; looking at it does not use the link up."""
    try:
        user = whose_link(console, link)
    except LinkSpent as spent:
        return page(request, "problem.html", HTTPStatus.GONE, status=HTTPStatus.GONE, detail=str(spent))
    return _welcome(request, console, caller, link, user.name if user else "", "")


@router.post("/welcome")
def take_password(
    request: Request, console: Here, caller: Caller, link: Text, password: Text, again: Text, name: Text = ""
) -> Response:
    """Keep the password that was chosen, and open a session."""
    try:
        user = whose_link(console, link)
        token = come_by_link(console, link, Comer(name, agreed(password, again), caller.address))
    except LinkSpent as spent:
        return page(request, "problem.html", HTTPStatus.GONE, status=HTTPStatus.GONE, detail=str(spent))
    except (WeakPassword, IllegalStep) as wrong:
        return _welcome(request, console, caller, link, user.name if user else "", str(wrong), name)
    return _enter(console, token, "/")


def _sign_in(
    request: Request, console: Console, caller: Visit, wanted: str, wrong: str = "", name: str = ""
) -> Response:
    status = HTTPStatus.UNAUTHORIZED if wrong else HTTPStatus.OK
    oidc = console.settings.oidc
    values = {"next": wanted, "wrong": wrong, "name": name, "elsewhere": oidc.label if oidc else ""}
    return _form(request, console, caller, "sign_in.html", status, **values)


def _welcome(
    request: Request, console: Console, caller: Visit, link: str, user: str, wrong: str, name: str = ""
) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK
    values = {"link": link, "user": user, "wrong": wrong, "name": name, "shortest": SHORTEST}
    return _form(request, console, caller, "welcome.html", status, **values)


def _form(
    request: Request, console: Console, caller: Visit, template: str, status: int = HTTPStatus.OK, **values: object
) -> Response:
    """A form for somebody without a session: the browser gets a token that the form is bound to."""
    token = caller.token or secrets.token_urlsafe(32)
    response = page(request, template, status, **(values | {"csrf": console.cookies.form_token(token)}))
    if not caller.token:
        console.cookies.write(response, VISITOR, token)
    return response


def _enter(console: Console, token: str, place: str) -> Response:
    response = go_to(place)
    console.cookies.write(response, SESSION, token)
    console.cookies.clear(response, VISITOR)
    return response
