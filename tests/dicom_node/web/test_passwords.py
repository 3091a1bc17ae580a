"""How passwords are kept."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from dicom_node.web.passwords import Passwords, WeakPassword, agreed


def test_only_the_password_fits_and_the_hash_tells_nothing(passwords: Passwords) -> None:
    kept = passwords.hashed("an apple a day", "anne")
    assert "apple" not in kept
    assert passwords.fits("an apple a day", kept)
    assert not passwords.fits("An apple a day", kept)
    assert passwords.hashed("an apple a day", "anne") != kept, "with a salt of its own"


def test_nobody_has_a_password(passwords: Passwords) -> None:
    assert not passwords.fits("nobody has this one", None)
    assert not passwords.fits("anything at all", "no hash")


@pytest.mark.parametrize("password", ["short", "x" * 1025, "anne.anderson", "abababababab"])
def test_a_weak_one_is_not_taken(passwords: Passwords, password: str) -> None:
    with pytest.raises(WeakPassword):
        passwords.hashed(password, "Anne.Anderson")


def test_a_hash_of_less_effort_than_todays_is_outdated(passwords: Passwords) -> None:
    kept = passwords.hashed("an apple a day", "anne")
    assert not passwords.is_outdated(kept)
    assert Passwords(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)).is_outdated(kept)


def test_it_takes_no_less_than_is_recommended() -> None:
    """RFC 9106 4: 64 MiB, three passes."""
    kept = Passwords().hashed("an apple a day", "anne")
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,")


def test_both_must_agree() -> None:
    assert agreed("one", "one") == "one"
    with pytest.raises(WeakPassword):
        agreed("one", "two")
