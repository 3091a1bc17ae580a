"""Studies that a person brought."""

from storage.arriving.by_hand import ByHand

STUDY = "1.2.826.0.1.1"


def test_a_new_study_is_taken_and_another_senders_is_not(db, make_instance):
    with db.transaction() as tx:
        tx.studies.add_instance(make_instance(1))
        assert tx.by_hand.take(STUDY, "association-1", "liver_tumour")
        tx.studies.add_instance(make_instance(1, study_instance_uid="1.2.4"))
        assert not tx.by_hand.take("1.2.4", "a person's")
        assert isinstance(tx.by_hand, ByHand)
    with db.reading() as tx:
        mine, other = tx.studies.get(STUDY), tx.studies.get("1.2.4")
        assert (tx.by_hand.has(STUDY), tx.by_hand.has("1.2.4"), tx.by_hand.has("1.2.5")) == (True, False, False)
    assert (mine.by_hand, mine.wanted_task) == (True, "liver_tumour")
    assert (other.by_hand, other.wanted_task) == (False, "")


def test_it_can_be_brought_again_and_ends_once(db, study):
    with db.transaction() as tx:
        assert tx.by_hand.take(study, "association-1")
        assert tx.by_hand.take(study, "a second time")
        assert tx.by_hand.end(study, "a scanner's")
        assert not tx.by_hand.end(study)
        assert not tx.by_hand.take(study, "association-1"), "now a peer has sent it"


def test_it_waits_for_no_quiet_but_for_its_association(db, study):
    with db.transaction() as tx:
        tx.associations.open("association-1", "me", "console", "SEGNODE", "", 101.0, 60.0)
        tx.by_hand.take(study, "association-1")
    with db.reading() as tx:
        assert tx.studies.settled(102.0, 30.0) == []
    with db.transaction() as tx:
        tx.associations.close("association-1", 102.0)
        assert [one.study_instance_uid for one in tx.studies.settled(102.0, 30.0)] == [study]
