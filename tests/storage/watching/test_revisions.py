"""Configuration revisions are numbered, and only a change is a new one."""

import threading


def test_only_a_change_is_a_new_revision(db):
    with db.transaction() as tx:
        assert tx.revisions.newest() is None
        assert tx.revisions.record("aaa", {"node.yaml": "a"}, 1.0) == 1
        assert tx.revisions.record("aaa", {"node.yaml": "a"}, 2.0) == 1
        assert tx.revisions.record("bbb", {"node.yaml": "b"}, 3.0) == 2
        assert tx.revisions.record("aaa", {"node.yaml": "a"}, 4.0) == 3, "going back is a change"
    with db.reading() as tx:
        assert tx.revisions.newest() == (3, "aaa")
        assert tx.revisions.content(2) == {"node.yaml": "b"}
        assert tx.revisions.content(9) is None


def test_roles_that_start_together_agree_on_one_number(db):
    numbers = []

    def start():
        with db.transaction() as tx:
            numbers.append(tx.revisions.record("aaa", {}, 1.0))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers == [1, 1, 1, 1]


def test_a_revision_remembers_who_changed_what_and_the_list_has_pages(db):
    with db.transaction() as tx:
        tx.revisions.record("aaa", {"node.yaml": "a"}, 1.0)
        tx.revisions.record("bbb", {"node.yaml": "b"}, 2.0, by="ada", what="peer CT1: port 104, was 4242")
        tx.revisions.record("ccc", {"node.yaml": "c"}, 3.0)
    with db.reading() as tx:
        assert [one.number for one in tx.revisions.list(2)] == [3, 2]
        (second, first) = tx.revisions.list(5, before=3)
        assert (second.by, second.what, second.content) == ("ada", "peer CT1: port 104, was 4242", {"node.yaml": "b"})
        assert (first.by, first.what, first.at) == ("", "", 1.0)
        assert tx.revisions.find(2) == second
        assert tx.revisions.find(9) is None
