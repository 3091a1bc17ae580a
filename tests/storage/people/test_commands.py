"""A command that is asked for twice is done once."""

import pytest

from storage.errors import IllegalStep
from storage.people.commands import KEPT_S
from storage.people.users import Role


@pytest.fixture
def anne(db):
    with db.transaction() as tx:
        return tx.users.add("anne", Role.OPERATOR, 100.0).user_id


def test_the_answer_is_kept_for_a_day_under_its_users_key(db, anne):
    with db.transaction() as tx:
        bob = tx.users.add("bob", Role.OPERATOR, 100.0).user_id
        assert tx.commands.answer(anne, "k", "retry 1.2") is None
        tx.commands.keep(anne, "k", "retry 1.2", {"jobs": 1}, 100.0)
        assert tx.commands.answer(anne, "k", "retry 1.2") == {"jobs": 1}
        assert tx.commands.answer(bob, "k", "retry 1.2") is None
        assert tx.commands.forget(100.0 + KEPT_S) == 1
        assert tx.commands.answer(anne, "k", "retry 1.2") is None


def test_a_key_is_for_one_command(db, anne):
    with db.transaction() as tx:
        tx.commands.keep(anne, "k", "retry 1.2", {"jobs": 1}, 100.0)
        with pytest.raises(IllegalStep, match="used for another command"):
            tx.commands.answer(anne, "k", "retry 1.3")
        with pytest.raises(IllegalStep, match="is being done"):
            tx.commands.keep(anne, "k", "retry 1.2", {"jobs": 0}, 101.0)
