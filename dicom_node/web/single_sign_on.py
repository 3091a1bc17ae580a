"""How a person comes in whom the site's own provider vouches for (`web.oidc`).

Who that is the provider says by its issuer and the subject, not by the name: whoever is given the name of somebody
here is not that one.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from itertools import chain, count
from typing import Any
from urllib.parse import urlsplit

from dicom_node.acts.people import checked_name
from dicom_node.audit.facts import ROLES_CHANGED, Participant
from dicom_node.errors import NodeError, NotVouched
from dicom_node.network.dicomweb.openid import Claims, Question, provider_of
from dicom_node.settings.oidc import OpenIdSettings
from dicom_node.web.console import Console
from dicom_node.web.signing_in import open_session
from storage.database import Transaction
from storage.errors import NotFound
from storage.people.users import Role, User

COME_BACK = "/sign-in/oidc/back"
ASKED_S = 600.0  # for so long somebody may look for his password there
LONGEST_TOLD = 256  # characters of a name there: often an address of mail (RFC 5321: 254)
REFUSALS = {  # RFC 6749 4.1.2.1, OpenID Connect Core 3.1.2.6; its own words are shown nowhere
    "access_denied": "you were not let through there",
    "temporarily_unavailable": "it cannot be used now: try again later",
}


def asked(console: Console) -> OpenIdSettings:
    """The provider of the settings; NotFound where there is none."""
    if (settings := console.settings.oidc) is None:
        raise NotFound("people sign in here by name and password alone")
    return settings


def send_away(console: Console, wanted: str) -> tuple[str, dict[str, str]]:
    """Where the browser goes, and what it is to bring back. PeerError, NotVouched, NoSecret."""
    question = Question.new()
    address = provider_of(asked(console)).address(question, _come_back(console))
    return address, {**question.kept(), "next": wanted}


def take_back(console: Console, brought: Mapping[str, Any], told: Mapping[str, str], address: str) -> str:
    """The token of a new session, for `brought` by the browser and `told` by the provider through it.

    NotVouched, PeerError, NoSecret. Every attempt is told to the audit trail.
    """
    settings = asked(console)
    try:
        user, token = _admitted(console, settings, brought, told, address)
    except NodeError as wrong:
        who = Participant("unknown", requestor=True, name="unknown", address=address)
        console.parts.audit.signed_in(who, f"by {settings.issuer}: {wrong}")
        raise
    console.parts.audit.signed_in(Participant(user.name, requestor=True, name=user.name, address=address))
    return token


def _admitted(
    console: Console, settings: OpenIdSettings, brought: Mapping[str, Any], told: Mapping[str, str], address: str
) -> tuple[User, str]:
    state = told.get("state", "")
    if not brought or not state or not secrets.compare_digest(str(brought["state"]).encode(), state.encode()):
        raise NotVouched("this sign-in was not begun here, or too long ago: begin again")
    if error := told.get("error"):
        raise NotVouched(f"{settings.issuer} says: {REFUSALS.get(error, 'it could not find out who you are')}")
    question = Question(*(str(brought[key]) for key in ("state", "nonce", "verifier")))
    claims = provider_of(settings).claims(question, told.get("code", ""), _come_back(console), settings.wanted)
    role = settings.role_of(claims)
    if role is None:
        _end_all(console, settings, claims, address)
        raise NotVouched("you are known, and in none of the groups that may come in here")
    with console.parts.database.transaction() as tx:
        user, changed = _user(tx, settings, claims, Role(role), console.clock())
        token = open_session(console, tx, user, address, console.clock())
    if changed:
        who = Participant(user.name, requestor=True, name=user.name, address=address)
        console.parts.audit.user_changed(user.name, changed, who, ROLES_CHANGED)
    return user, token


def _end_all(console: Console, settings: OpenIdSettings, claims: Claims, address: str) -> None:
    """Whom no group lets in any more, neither browser nor program of that one is to go on from before."""
    with console.parts.database.transaction() as tx:
        user = tx.users.vouched_for(_subject(settings, claims))
        ended = tx.tickets.revoke_all(user.user_id) if user else 0
    if user and ended:
        who = Participant(user.name, requestor=True, name=user.name, address=address)
        text = f"sessions and tokens ended: in none of the groups that may come in, as {settings.issuer} says"
        console.parts.audit.user_changed(user.name, text, who)


def _user(tx: Transaction, settings: OpenIdSettings, claims: Claims, role: Role, now: float) -> tuple[User, str]:
    """The person as a user of ours, made where there is none, and in words what was changed of it."""
    subject = _subject(settings, claims)
    user = tx.users.vouched_for(subject)
    if user is None:
        name = _free_name(tx, settings, claims)
        return tx.users.add(name, role, now, subject=subject), f"made, with role {role}, as {settings.issuer} says"
    if user.disabled:
        raise NotVouched(f"{user.name} is shut out here; an administrator can let that one in again")
    if user.role is role:
        return user, ""
    tx.users.set_role(user.user_id, role)
    return tx.users.get(user.user_id), f"given role {role}, had {user.role}, as {settings.issuer} says"


def _subject(settings: OpenIdSettings, claims: Claims) -> str:
    return f"{settings.issuer} {claims['sub']}"


def _free_name(tx: Transaction, settings: OpenIdSettings, claims: Claims) -> str:
    """The person's name there; with the provider's host behind it where somebody here has that name, then a number.

    The same person is another subject there once the client, or the provider, is set up anew.
    """
    told = settings.name_of(claims)
    if not told:
        raise NotVouched(f"{settings.issuer} tells no {settings.name_claim}: look at name_claim and scopes")
    name = checked_name(told, LONGEST_TOLD)
    there = f"{name}@{urlsplit(settings.issuer).hostname}"
    names = chain((name, there), (f"{there} {number}" for number in count(2)))
    return next(one for one in names if tx.users.find(one) is None)


def _come_back(console: Console) -> str:
    return console.settings.address + COME_BACK
