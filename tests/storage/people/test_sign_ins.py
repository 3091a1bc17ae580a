"""Failed sign-ins."""

from sqlalchemy import text

from storage.people.sign_ins import FORGIVEN_S, FORGOTTEN_S


def test_failures_count_up_until_one_succeeds(db):
    with db.transaction() as tx:
        assert [tx.sign_ins.failed("anne", at) for at in (1.0, 2.0)] == [1, 2]
        assert tx.sign_ins.failed("bob", 2.0) == 1
        assert tx.sign_ins.failures("anne", 3.0) == (2, 2.0)
        tx.sign_ins.succeeded("anne")
        assert tx.sign_ins.failures("anne", 3.0) == (0, 0.0)


def test_those_of_one_who_succeeded_are_taken_back_and_no_more_than_there_were(db):
    with db.transaction() as tx:
        for at in (1.0, 2.0, 2.0, 2.0):
            tx.sign_ins.failed("here", at)
        found = []
        for number in (2, 1, 3):
            tx.sign_ins.taken_back("here", number)
            found.append(tx.sign_ins.failures("here", 3.0)[0])
        tx.sign_ins.taken_back("nowhere", 1)
        assert found == [2, 1, 0]
        assert tx.sign_ins.failures("nowhere", 3.0) == (0, 0.0)


def test_one_is_forgiven_for_each_while_without_another(db):
    with db.transaction() as tx:
        for _ in range(4):
            tx.sign_ins.failed("here", 1.0)
        found = [tx.sign_ins.failures("here", 1.0 + quiet * FORGIVEN_S)[0] for quiet in (0.9, 1.0, 2.5, 4.0, 5.0)]
        assert found == [4, 3, 2, 0, 0]
        assert tx.sign_ins.failed("here", 1.0 + 2.5 * FORGIVEN_S) == 3
        assert tx.sign_ins.failures("here", 1.0 + 3.0 * FORGIVEN_S) == (3, 1.0 + 2.5 * FORGIVEN_S)


def test_they_are_forgotten_after_a_day(db):
    with db.transaction() as tx:
        tx.sign_ins.failed("anne", 1.0)
        assert tx.sign_ins.failures("anne", 1.0 + FORGOTTEN_S) == (0, 0.0)
        assert tx.sign_ins.failed("anne", 1.0 + FORGOTTEN_S) == 1
        assert tx.sign_ins.forget(1.0 + 2 * FORGOTTEN_S) == 1


def test_what_was_typed_is_not_kept(db):
    with db.transaction() as tx:
        tx.sign_ins.failed("my secret password", 1.0)
        assert "secret" not in str(tx._connection.execute(text("SELECT * FROM failed_sign_ins")).all())
