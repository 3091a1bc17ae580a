"""One's own account: the password, the tokens of one's programs, one's other sessions."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from dicom_node.web.access import Caller, Here, Visit
from dicom_node.web.console import Console
from dicom_node.web.pages.forms import Text, done
from dicom_node.web.passwords import SHORTEST, WeakPassword, agreed
from dicom_node.web.rendering import page
from dicom_node.web.signing_in import NotSignedIn, confirm
from storage.errors import NotFound
from storage.people.tickets import TicketKind

router = APIRouter(include_in_schema=False)

DAY_S = 86400.0
Days = Annotated[int, Form(ge=1, le=3650)]


@router.get("/account")
def account(request: Request, console: Here, caller: Caller) -> Response:
    """Who one is here, and what opens doors in one's name."""
    return _account(request, console, caller)


@router.post("/account/password")
def change_password(
    request: Request, console: Here, caller: Caller, old: Text, password: Text, again: Text
) -> Response:
    """Take a new password and end the other sessions."""
    user = caller.somebody
    try:
        confirm(console, user, old, caller.participant)
        hashed = console.passwords.hashed(agreed(password, again), user.name)
    except (WeakPassword, NotSignedIn) as wrong:
        return _account(request, console, caller, HTTPStatus.UNPROCESSABLE_ENTITY, wrong=str(wrong))
    with console.parts.database.transaction() as tx:
        tx.users.set_password(user.user_id, hashed)
        for session in tx.tickets.of_user(user.user_id, TicketKind.SESSION):
            if session.ticket_id != caller.ticket_id:
                tx.tickets.revoke(session.ticket_id, user.user_id)
    console.parts.audit.user_changed(user.name, "changed the password", caller.participant)
    return done(console, "/account", "Your password is changed; your other sessions have ended.")


@router.post("/account/tokens")
def make_token(request: Request, console: Here, caller: Caller, label: Text, days: Days = 365) -> Response:
    """Make a token for a program, and show it this once."""
    user, now = caller.somebody, console.clock()
    with console.parts.database.transaction() as tx:
        token = tx.tickets.issue(TicketKind.PROGRAM, user.user_id, now, lasts_s=days * DAY_S, label=label[:64])
    console.parts.audit.user_changed(user.name, "made a token for a program", caller.participant)
    return _account(request, console, caller, token=token)


@router.post("/account/tokens/revoke")
def revoke_token(console: Here, caller: Caller, ticket: Annotated[int, Form(ge=1, le=2**62)]) -> Response:
    """Take one's own token away."""
    user = caller.somebody
    with console.parts.database.transaction() as tx:
        if not tx.tickets.revoke(ticket, user.user_id):
            raise NotFound(f"you have no token {ticket}")
    console.parts.audit.user_changed(user.name, "revoked a token of a program", caller.participant)
    return done(console, "/account", "The token is revoked.")


def _account(
    request: Request, console: Console, caller: Visit, status: int = HTTPStatus.OK, *, wrong: str = "", token: str = ""
) -> Response:
    user = caller.somebody
    with console.parts.database.reading() as tx:
        tokens = tx.tickets.of_user(user.user_id, TicketKind.PROGRAM)
    values = {"tokens": tokens, "wrong": wrong, "token": token, "shortest": SHORTEST}
    return page(request, "account.html", status, **values)

