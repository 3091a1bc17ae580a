"""Persons who may use the web console, and what each may do there by role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, func, select, update

from storage.errors import IllegalStep, NotFound
from storage.sql.store import Store
from storage.sql.tables_people import users
from storage.texts import plain


class Role(StrEnum):
    """What a person may do; each may what those above it may."""

    VIEWER = "viewer"  # looks
    OPERATOR = "operator"  # sends again, lets go, runs again
    ADMIN = "admin"  # decides who may


@dataclass(frozen=True)
class User:
    """One person. `password` is a hash of argon2, None until the person has chosen one.

    Where `subject` is set, a provider of the site says who it is and what that one may; there is no password then.
    """

    user_id: int
    name: str
    role: Role
    created_at: float
    password: str | None = field(default=None, repr=False)
    disabled: bool = False
    subject: str | None = None


class Users(Store):
    """Users of one transaction. Names are compared as they are written; `as_name` gives that form."""

    def add(self, name: str, role: Role, now: float, *, subject: str | None = None) -> User:
        """Make a user without a password; IllegalStep where the name is taken.

        `subject`: who it is to the provider that vouches for it.
        """
        if not self._add(users, name=as_name(name), role=role.value, created_at=now, subject=subject):
            raise IllegalStep(f"there is a user {name} already")
        return self.named(name)

    def get(self, user_id: int) -> User:
        """The user; NotFound."""
        row = self._connection.execute(select(users).where(users.c.user_id == user_id)).one_or_none()
        if row is None:
            raise NotFound(f"no user {user_id}")
        return _user(row)

    def named(self, name: str) -> User:
        """The user of this name; NotFound."""
        if (user := self.find(name)) is None:
            raise NotFound(f"no user {name}")
        return user

    def find(self, name: str) -> User | None:
        row = self._connection.execute(select(users).where(users.c.name == as_name(name))).one_or_none()
        return None if row is None else _user(row)

    def vouched_for(self, subject: str) -> User | None:
        """The user that a provider calls so."""
        row = self._connection.execute(select(users).where(users.c.subject == subject)).one_or_none()
        return None if row is None else _user(row)

    def list(self) -> Sequence[User]:
        """Everybody, by name."""
        return [_user(row) for row in self._connection.execute(select(users).order_by(users.c.name))]

    def set_password(self, user_id: int, password: str) -> None:
        """Keep the hash of a new password."""
        self._change(user_id, password=password)

    def set_role(self, user_id: int, role: Role) -> None:
        """Give another role; IllegalStep where nobody could administer any more."""
        if role is not Role.ADMIN:
            self._keep_an_admin(user_id)
        self._change(user_id, role=role.value)

    def set_disabled(self, user_id: int, disabled: bool) -> None:
        """Shut a user out or let one in again; IllegalStep where nobody could administer any more."""
        if disabled:
            self._keep_an_admin(user_id)
        self._change(user_id, disabled=disabled)

    def has_admin(self) -> bool:
        """Whether somebody can administer: enabled, and with a password."""
        return bool(self._admins())

    def _admins(self) -> set[int]:
        able = (users.c.role == Role.ADMIN.value, users.c.disabled.is_(False), users.c.password.is_not(None))
        return set(self._connection.execute(select(users.c.user_id).where(*able)).scalars())

    def _keep_an_admin(self, user_id: int) -> None:
        if self._writing and self._connection.dialect.name == "postgresql":  # two at once must not shut out each other
            self._connection.execute(select(func.pg_advisory_xact_lock(_ADMINS)))
        if self._admins() == {user_id}:
            raise IllegalStep("this is the only administrator: make another one first")

    def _change(self, user_id: int, **values: Any) -> None:
        changed = self._connection.execute(update(users).where(users.c.user_id == user_id).values(**values))
        if changed.rowcount != 1:
            raise NotFound(f"no user {user_id}")


_ADMINS = 0x5E6_0001  # any number that nobody else locks by


def as_name(name: str) -> str:
    """A name as it is kept: without the difference of small and capital letters, in one line."""
    return " ".join(plain(name).casefold().split())


def _user(row: Row[Any]) -> User:
    return User(row.user_id, row.name, Role(row.role), row.created_at, row.password, row.disabled, row.subject)
