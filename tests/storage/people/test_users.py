"""Who may use the console."""

import pytest

from storage.errors import IllegalStep, NotFound
from storage.people.users import Role, User


@pytest.fixture
def anne(db):
    """An administrator with a password."""
    with db.transaction() as tx:
        user = tx.users.add("Anne", Role.ADMIN, 100.0)
        tx.users.set_password(user.user_id, "hash")
        return tx.users.get(user.user_id)


def test_a_user_is_found_by_the_name_however_it_is_written(db, anne):
    assert anne == User(anne.user_id, "anne", Role.ADMIN, 100.0, "hash")
    with db.reading() as tx:
        assert tx.users.find("  ANNE ") == anne
        assert tx.users.find("bob") is None
        with pytest.raises(NotFound, match="no user bob"):
            tx.users.named("bob")
        with pytest.raises(NotFound):
            tx.users.get(99)


def test_the_hash_is_in_no_message(anne):
    assert "hash" not in repr(anne)


def test_a_name_is_given_once(db, anne):
    with db.transaction() as tx, pytest.raises(IllegalStep, match="a user aNNe already"):
        tx.users.add("aNNe", Role.VIEWER, 101.0)


def test_the_only_administrator_stays_one(db, anne):
    with db.transaction() as tx:
        with pytest.raises(IllegalStep, match="only administrator"):
            tx.users.set_disabled(anne.user_id, True)
        with pytest.raises(IllegalStep, match="only administrator"):
            tx.users.set_role(anne.user_id, Role.VIEWER)
        bob = tx.users.add("bob", Role.ADMIN, 101.0)
        with pytest.raises(IllegalStep):  # who has no password yet cannot administer
            tx.users.set_disabled(anne.user_id, True)
        tx.users.set_password(bob.user_id, "another")
        tx.users.set_disabled(anne.user_id, True)
        assert [(user.name, user.disabled) for user in tx.users.list()] == [("anne", True), ("bob", False)]
        tx.users.set_disabled(anne.user_id, False)
        tx.users.set_role(bob.user_id, Role.OPERATOR)
        assert tx.users.named("bob").role is Role.OPERATOR


def test_whether_somebody_can_administer(db):
    with db.transaction() as tx:
        assert not tx.users.has_admin()
        user = tx.users.add("anne", Role.ADMIN, 100.0)
        assert not tx.users.has_admin()
        tx.users.set_password(user.user_id, "hash")
        assert tx.users.has_admin()
