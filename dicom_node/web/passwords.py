"""Passwords: kept as argon2id hashes (RFC 9106), which take time and memory to try."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from dicom_node.errors import NodeError

SHORTEST, LONGEST = 12, 1024
AT_ONCE = 2  # each takes 64 MiB while it is worked out


class WeakPassword(NodeError):
    """A password that is not taken, and why."""


def agreed(password: str, again: str) -> str:
    """The password that was typed twice; WeakPassword where it was not the same."""
    if password != again:
        raise WeakPassword("the two passwords differ")
    return password


class Passwords:
    """Makes and checks hashes, a few at a time."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._nobodys = self._hashed("nobody has this one")

    def hashed(self, password: str, name: str) -> str:
        """The hash to keep of a new password of the user `name`; WeakPassword."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise WeakPassword(f"a password has {SHORTEST} to {LONGEST} characters; a sentence is a good one")
        if password.casefold().strip() == name.casefold() or len(set(password)) < 5:
            raise WeakPassword("that password is the first that somebody would guess; take another")
        return self._hashed(password)

    def fits(self, password: str, kept: str | None) -> bool:
        """Whether the password is the one behind the hash; where there is none it takes as long to say no."""
        with self._turns:
            try:
                return self._hasher.verify(kept or self._nobodys, password[: LONGEST + 1]) and kept is not None
            except (VerificationError, InvalidHashError):
                return False

    def is_outdated(self, kept: str) -> bool:
        """Whether the hash was made with less effort than today's."""
        return self._hasher.check_needs_rehash(kept)

    def _hashed(self, password: str) -> str:
        with self._turns:
            return self._hasher.hash(password)
