"""Who asks, and whether that one may: looked at before every route, by the table of permissions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from dicom_node.audit.facts import Participant
from dicom_node.errors import NodeError
from dicom_node.web.console import Console, console_of
from dicom_node.web.cookies import SESSION, VISITOR
from dicom_node.web.permissions import ROUTES, STREAMED, Permission, named, permitted
from storage.database import Transaction
from storage.people.tickets import Ticket, TicketKind
from storage.people.users import User

READING = frozenset({"GET", "HEAD"})
NOTED_EVERY_S = 60.0  # a session's last use is written down no oftener
BEARER = "bearer "
BACKGROUND = "X-Background"  # a page that renews itself says so: nobody is at it for that
CHANGES = "/api/v1/changes"
FORM_FIELD, FORM_HEADER = "csrf", "X-CSRF-Token"
EXPIRED = "this form has expired: go back, load the page again and send it once more"
BY_PROGRAMS = ("/api/", "/metrics", "/healthz", "/readyz")


class SignInFirst(NodeError):
    """Nobody has signed in who might be asked whether he may."""


class Forbidden(NodeError):
    """Somebody has signed in who may not, or a form is not ours."""


@dataclass(frozen=True)
class Visit:
    """One request's caller: nobody, a person with a browser, or a person's program (`program`)."""

    address: str
    user: User | None = None
    ticket_id: int = 0
    program: bool = False
    token: str = ""  # of the browser: its session, or what a visitor got who has none
    names: bool = False  # whether this one is shown whose studies they are

    @property
    def somebody(self) -> User:
        """The user; SignInFirst where there is none."""
        if self.user is None:
            raise SignInFirst("sign in first")
        return self.user

    @property
    def participant(self) -> Participant:
        """In the words of the audit trail."""
        name = self.user.name if self.user else ""
        return Participant(name or "unknown", requestor=True, name=name, address=self.address)


async def admit(request: Request) -> None:
    """Find out who asks and keep out who may not: SignInFirst, Forbidden. Every route runs this first."""
    console = console_of(request)
    visit = await run_in_threadpool(visit_of, request, console)
    request.state.visit = visit
    route = named(request.method, request.scope["route"].path)
    if request.method not in READING and not visit.program and route not in STREAMED:
        await _ours(request, console, visit)
    needed = ROUTES[route]
    if not permitted(visit.user.role if visit.user else None, needed):
        _refuse(visit, needed)


def visit_of(request: Request, console: Console) -> Visit:
    """Who asks, by the bearer token of a program (for the API), or by the session cookie of a browser."""
    address = request.client.host if request.client else ""
    now = console.clock()
    told = request.headers.get("Authorization", "")
    if told and place_of(request).startswith(BY_PROGRAMS):
        token = told[len(BEARER) :].strip() if told.lower().startswith(BEARER) else ""
        return _known(console, TicketKind.PROGRAM, token, now, address) or Visit(address)
    session = console.cookies.read(request, SESSION)
    used = BACKGROUND not in request.headers and place_of(request) != CHANGES
    known = _known(console, TicketKind.SESSION, session, now, address, used=used) if session else None
    return known or Visit(address, token=console.cookies.read(request, VISITOR))


def place_of(request: Request) -> str:
    """The address as the routes see it. That of `request.url` is, in older Starlettes, also what a Host header says."""
    return str(request.scope["path"])


def _known(
    console: Console, kind: TicketKind, token: str, now: float, address: str, *, used: bool = True
) -> Visit | None:
    """Whose token it is, as long as it is good and its user is not shut out; `used` notes that it was used."""
    with console.parts.database.reading() as tx:
        ticket = tx.tickets.find(kind, token, now)
        user = _owner(tx, ticket)
    if ticket is None or user is None:
        return None
    last = ticket.used_at or ticket.created_at
    if kind is TicketKind.SESSION and now - last >= console.settings.idle_s:
        return None
    if used and (now - last >= NOTED_EVERY_S or ticket.used_at is None):
        with console.parts.database.transaction() as tx:
            tx.tickets.use(ticket.ticket_id, now)
    program = kind is TicketKind.PROGRAM
    names = str(user.role) in console.settings.names_for
    return Visit(address, user, ticket.ticket_id, program, "" if program else token, names)


def _owner(tx: Transaction, ticket: Ticket | None) -> User | None:
    if ticket is None or ticket.user_id is None:
        return None
    user = tx.users.get(ticket.user_id)
    return None if user.disabled else user


async def _ours(request: Request, console: Console, visit: Visit) -> None:
    """Forbidden where a browser sends a form that another site made."""
    brought = request.headers.get(FORM_HEADER)
    if brought is None:
        brought = str((await request.form()).get(FORM_FIELD, ""))
    if not is_ours(console, visit, brought):
        if visit.user is None and ROUTES[named(request.method, request.scope["route"].path)] is not Permission.ANYBODY:
            raise SignInFirst("sign in first")
        raise Forbidden(EXPIRED)


def is_ours(console: Console, visit: Visit, brought: str) -> bool:
    """Whether a form's token is the one that this browser was given."""
    return console.cookies.is_form_token(brought, visit.token)


def _refuse(visit: Visit, needed: Permission) -> None:
    if visit.user is None:
        raise SignInFirst("sign in first")
    raise Forbidden(f"{visit.user.name} is a {visit.user.role}, who may not {needed}")


def visit(request: Request) -> Visit:
    """The caller, as `admit` found it."""
    found: Visit = request.state.visit
    return found


Caller = Annotated[Visit, Depends(visit)]
Here = Annotated[Console, Depends(console_of)]
