"""Who may use the console: made, given a role, given a way in, shut out, by an administrator."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from dicom_node.acts import people
from dicom_node.web.access import Caller, Here
from dicom_node.web.console import Console
from dicom_node.web.pages.forms import Text, Ticked, done
from dicom_node.web.rendering import page
from storage.errors import IllegalStep
from storage.people.users import Role

router = APIRouter(include_in_schema=False)

ChosenRole = Annotated[Role, Form()]


@router.get("/users")
def users(request: Request, console: Here) -> Response:
    """Everybody."""
    return _users(request, console)


@router.post("/users")
def add(request: Request, console: Here, caller: Caller, name: Text, role: ChosenRole) -> Response:
    """Make a user, and show this once the link by which that one chooses a password."""
    try:
        link = people.add_user(console.parts, name, role, console.clock(), caller.participant)
    except IllegalStep as wrong:
        return _users(request, console, wrong=str(wrong))
    return _users(request, console, link=people.address_of(console.parts, link), whose=name)


@router.post("/users/link")
def link(request: Request, console: Here, caller: Caller, name: Text) -> Response:
    """Show a new link for somebody this once."""
    try:
        token = people.new_link(console.parts, name, console.clock(), caller.participant)
    except IllegalStep as wrong:
        return _users(request, console, wrong=str(wrong))
    return _users(request, console, link=people.address_of(console.parts, token), whose=name)


@router.post("/users/role")
def give_role(request: Request, console: Here, caller: Caller, name: Text, role: ChosenRole) -> Response:
    """Change what somebody may."""
    try:
        people.give_role(console.parts, name, role, caller.participant)
    except IllegalStep as wrong:
        return _users(request, console, wrong=str(wrong))
    return done(console, "/users", f"{name} has the role {role} from now on.")


@router.post("/users/shut-out")
def shut_out(request: Request, console: Here, caller: Caller, name: Text, again: Ticked = False) -> Response:
    """Shut somebody out, or with `again` let that one in again."""
    try:
        (people.let_in if again else people.shut_out)(console.parts, name, caller.participant)
    except IllegalStep as wrong:
        return _users(request, console, wrong=str(wrong))
    return done(console, "/users", f"{name} may come in again." if again else f"{name} is shut out.")


def _users(request: Request, console: Console, *, wrong: str = "", link: str = "", whose: str = "") -> Response:
    with console.parts.database.reading() as tx:
        everybody = tx.users.list()
    status = HTTPStatus.CONFLICT if wrong else HTTPStatus.OK
    values = {"users": everybody, "roles": list(Role), "wrong": wrong, "link": link, "whose": whose}
    return page(request, "users.html", status, **values)
