"""What is done about users, by the command line and in the console: each change is told to the audit trail.

`who` is the person that does it; left out, it is who runs this process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.audit.facts import ROLES_CHANGED, Participant
from storage.database import Transaction
from storage.errors import IllegalStep
from storage.people.tickets import TicketKind
from storage.people.users import Role, User, as_name

if TYPE_CHECKING:
    from dicom_node.assembly import Parts

LINK_S = 24 * 3600.0  # a link is good for a day
LONGEST_NAME = 64


def first_link(tx: Transaction, now: float) -> str:
    """A token that makes the first administrator; the one before it is good no more."""
    tx.tickets.revoke_first_links()
    return tx.tickets.issue(TicketKind.LINK, None, now, lasts_s=LINK_S)


def address_of(parts: Parts, link: str) -> str:
    """Where a link's token is good."""
    return f"{parts.settings.node.web.address}/welcome?link={link}"


def add_user(parts: Parts, name: str, role: Role, now: float, who: Participant | None = None) -> str:
    """Make a user; gives the token of the link by which that one chooses a password. IllegalStep."""
    checked = checked_name(name)
    with parts.database.transaction() as tx:
        user = tx.users.add(checked, role, now)
        link = _link(tx, user, now)
    parts.audit.user_changed(user.name, f"made, with role {role}", who)
    return link


def new_link(parts: Parts, name: str, now: float, who: Participant | None = None) -> str:
    """The token of a link to choose a new password by; the one before it is good no more. NotFound, IllegalStep."""
    with parts.database.transaction() as tx:
        user = _kept_here(tx, name)
        link = _link(tx, user, now)
    parts.audit.user_changed(user.name, "given a link to choose a password by", who)
    return link


def give_role(parts: Parts, name: str, role: Role, who: Participant | None = None) -> None:
    """Change what a user may. NotFound; IllegalStep where nobody could administer any more."""
    with parts.database.transaction() as tx:
        user = _kept_here(tx, name)
        tx.users.set_role(user.user_id, role)
    parts.audit.user_changed(user.name, f"given role {role}, had {user.role}", who, ROLES_CHANGED)


def shut_out(parts: Parts, name: str, who: Participant | None = None) -> None:
    """Let a user in no more; sessions, links and the tokens of programs end at once. NotFound; IllegalStep."""
    with parts.database.transaction() as tx:
        user = tx.users.named(name)
        tx.users.set_disabled(user.user_id, True)
        tx.tickets.revoke_all(user.user_id)
    parts.audit.user_changed(user.name, "shut out", who)


def let_in(parts: Parts, name: str, who: Participant | None = None) -> None:
    """Let a user in again. NotFound."""
    with parts.database.transaction() as tx:
        user = tx.users.named(name)
        tx.users.set_disabled(user.user_id, False)
    parts.audit.user_changed(user.name, "let in again", who)


def forget(parts: Parts, now: float) -> None:
    """Drop sessions and links that are over, failed sign-ins and answered commands of yesterday; for the clock."""
    with parts.database.transaction() as tx:
        tx.tickets.forget(now)
        tx.sign_ins.forget(now)
        tx.commands.forget(now)


def checked_name(name: str, longest: int = LONGEST_NAME) -> str:
    """The name as it is kept; IllegalStep where it is none."""
    kept = as_name(name)
    if not kept or len(kept) > longest or not kept.isprintable():
        raise IllegalStep(f"a name has 1 to {longest} characters")
    return kept


def _kept_here(tx: Transaction, name: str) -> User:
    """A user of whom no provider says who it is and what that one may; IllegalStep for others."""
    user = tx.users.named(name)
    if user.subject is not None:
        raise IllegalStep(f"{user.name} signs in with an account of the site, whose groups say what that one may")
    return user


def _link(tx: Transaction, user: User, now: float) -> str:
    tx.tickets.revoke_all(user.user_id, TicketKind.LINK)
    return tx.tickets.issue(TicketKind.LINK, user.user_id, now, lasts_s=LINK_S)
