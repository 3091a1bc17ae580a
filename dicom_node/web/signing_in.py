"""How a person comes in: by name and password, or the first time by a link that is good once."""

from __future__ import annotations

from dataclasses import dataclass

from dicom_node.acts.people import LONGEST_NAME, checked_name
from dicom_node.audit.facts import Participant
from dicom_node.errors import NodeError
from dicom_node.web import throttle
from dicom_node.web.console import Console
from storage.database import Transaction
from storage.people.tickets import Ticket, TicketKind
from storage.people.users import Role, User

WRONG = "name or password is wrong"
OLD_WRONG = "the old password is wrong"
TOO_MANY = "too many failures before it"


class NotSignedIn(NodeError):
    """The sentence says why; it tells nobody which names there are."""


class LinkSpent(NodeError):
    """A link that was used, has expired, or never was."""


@dataclass(frozen=True)
class Comer:
    """Who tries to come in, from where."""

    name: str
    password: str
    address: str


def sign_in(console: Console, comer: Comer) -> str:
    """The token of a new session; NotSignedIn. Every attempt is counted, and told to the audit trail."""
    now, name = console.clock(), comer.name[:LONGEST_NAME]
    with console.parts.database.transaction() as tx:
        wait = throttle.attempt(tx, name, comer.address, now)
        user = tx.users.find(name)
    known = user.name if user else "unknown"  # people type passwords where the name belongs
    who = Participant(known, requestor=True, name=known, address=comer.address)
    if wait:
        console.parts.audit.signed_in(who, TOO_MANY)
        raise NotSignedIn(_again_in(wait))
    if not console.passwords.fits(comer.password, user.password if user else None) or user is None or user.disabled:
        console.parts.audit.signed_in(who, WRONG)
        raise NotSignedIn(WRONG)
    with console.parts.database.transaction() as tx:
        throttle.forgive(tx, name, comer.address, now)
        if user.password and console.passwords.is_outdated(user.password):
            tx.users.set_password(user.user_id, console.passwords.hashed(comer.password, user.name))
        token = open_session(console, tx, user, comer.address, now)
    console.parts.audit.signed_in(who)
    return token


def confirm(console: Console, user: User, password: str, who: Participant) -> None:
    """Make sure that somebody who is in knows the password; NotSignedIn. A browser left open is no place to guess it.

    Failures count as those of signing in do, and are told to the audit trail.
    """
    now = console.clock()
    with console.parts.database.transaction() as tx:
        wait = throttle.attempt(tx, user.name, who.address, now)
    if wait:
        console.parts.audit.signed_in(who, TOO_MANY)
        raise NotSignedIn(_again_in(wait))
    if not console.passwords.fits(password, user.password):
        console.parts.audit.signed_in(who, OLD_WRONG)
        raise NotSignedIn(OLD_WRONG)
    with console.parts.database.transaction() as tx:
        throttle.forgive(tx, user.name, who.address, now)


def sign_out(console: Console, user: User, ticket_id: int, who: Participant) -> None:
    """End a session."""
    with console.parts.database.transaction() as tx:
        tx.tickets.revoke(ticket_id, user.user_id)
    console.parts.audit.signed_out(who)


def whose_link(console: Console, token: str) -> User | None:
    """The user that a link is for, None where it makes the first administrator; LinkSpent."""
    with console.parts.database.reading() as tx:
        ticket = _link(tx, token, console.clock())
        return None if ticket.user_id is None else tx.users.get(ticket.user_id)


def come_by_link(console: Console, token: str, comer: Comer) -> str:
    """Use a link: keep the password, end the user's other sessions, and give the token of a new one.

    LinkSpent; WeakPassword; IllegalStep where the name of the first administrator is taken or empty.
    """
    now = console.clock()
    chosen = whose_link(console, token)
    name = chosen.name if chosen else checked_name(comer.name)
    password = console.passwords.hashed(comer.password, name)
    with console.parts.database.transaction() as tx:
        ticket = _link(tx, token, now)
        if not tx.tickets.use(ticket.ticket_id, now):
            raise LinkSpent("this link was used before")
        user = chosen or tx.users.add(name, Role.ADMIN, now)
        tx.users.set_password(user.user_id, password)
        tx.tickets.revoke_all(user.user_id, TicketKind.SESSION)
        throttle.forgive(tx, user.name, comer.address, now)
        session = open_session(console, tx, user, comer.address, now)
    who = Participant(user.name, requestor=True, name=user.name, address=comer.address)
    console.parts.audit.user_changed(user.name, "chose a password by a link", who)
    console.parts.audit.signed_in(who)
    return session


def open_session(console: Console, tx: Transaction, user: User, address: str, now: float) -> str:
    """The token of a new session."""
    return tx.tickets.issue(
        TicketKind.SESSION, user.user_id, now, lasts_s=console.settings.session_s, label=address
    )


def _again_in(wait_s: float) -> str:
    return f"too many failed attempts: try again in {wait_s:.0f} seconds"


def _link(tx: Transaction, token: str, now: float) -> Ticket:
    ticket = tx.tickets.find(TicketKind.LINK, token, now)
    if ticket is None or (ticket.user_id is not None and tx.users.get(ticket.user_id).disabled):
        raise LinkSpent("this link was used, or is older than a day; `segnode users link` prints a new one")
    return ticket
