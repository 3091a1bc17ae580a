"""Signing keys."""


def test_a_key_is_made_once_and_is_its_names_own(db):
    with db.transaction() as tx:
        first = tx.keys.get("cookies")
        assert len(first) == 64
    with db.transaction() as tx:
        assert tx.keys.get("cookies") == first
        assert tx.keys.get("other") != first
