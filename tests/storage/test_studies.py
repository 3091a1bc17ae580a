"""The index: what an arrival is, what it opens again, when a study has settled."""

import threading
from dataclasses import replace

import pytest

from storage.errors import BadIdentifier, IllegalStep, NotFound
from storage.lifecycle import StudyState
from storage.records import Arrival, InstanceKind, Series

UID = "1.2.826.0.1.1"
REST = [StudyState.FETCHING, StudyState.COMPLETE, StudyState.DISPATCHED, StudyState.NOT_ROUTED]


def add(db, *instances):
    with db.transaction() as tx:
        return [tx.studies.add_instance(instance) for instance in instances]


def look(db, uid=UID):
    with db.reading() as tx:
        return tx.studies.get(uid)


def bring_to(db, state, now=500.0):
    """Move the study along the allowed steps."""
    way = {StudyState.FETCHING: [StudyState.FETCHING], StudyState.COMPLETE: [StudyState.COMPLETE]}
    with db.transaction() as tx:
        for step in way.get(state, [StudyState.COMPLETE, state]):
            tx.studies.move(UID, step, now)


def test_first_image_makes_study_and_series(db, make_instance):
    with db.transaction() as tx:
        assert tx.studies.add_instance(make_instance(), {"PatientID": "P-1"}) is Arrival.NEW
    found = look(db)
    assert (found.state, found.generation, found.images) == (StudyState.RECEIVING, 1, 1)
    assert (found.received_at, found.changed_at) == (101.0, 101.0)
    assert found.header == {"PatientID": "P-1"}
    with db.reading() as tx:
        header = {"Modality": "MR", "InstanceNumber": 1}
        assert tx.studies.series(UID) == [Series(f"{UID}.1", UID, "MR", images=1, others=0, header=header)]
        assert tx.studies.instances(study_uid=UID) == [make_instance()]


def test_images_are_counted_and_the_first_header_stays(db, make_instance):
    with db.transaction() as tx:
        tx.studies.add_instance(make_instance(1), {"PatientID": "P-1"})
        tx.studies.add_instance(make_instance(2), {"PatientID": "another"})
    found = look(db)
    assert (found.images, found.received_at, found.changed_at) == (2, 101.0, 102.0)
    assert found.header == {"PatientID": "P-1"}
    with db.reading() as tx:
        (series,) = tx.studies.series(UID)
    assert (series.images, series.header["InstanceNumber"]) == (2, 1)


def test_same_content_again_is_a_duplicate_and_changes_nothing(db, make_instance):
    add(db, make_instance())
    bring_to(db, StudyState.COMPLETE)
    before = look(db)
    assert add(db, make_instance(received_at=900.0, association_id="later")) == [Arrival.DUPLICATE]
    assert look(db) == before


def test_other_content_under_a_known_uid_is_kept_beside_and_opens_nothing(db, make_instance):
    first, second = make_instance(), make_instance(content="other pixels", received_at=900.0)
    add(db, first)
    bring_to(db, StudyState.DISPATCHED)
    before = look(db)
    assert add(db, second, second) == [Arrival.CONFLICT, Arrival.DUPLICATE]
    assert look(db) == before
    with db.reading() as tx:
        assert tx.studies.instances(study_uid=UID) == [first], "the first content stays the current one"
        assert tx.studies.instances(study_uid=UID, conflicts=True) == [first, replace(second, conflict=True)]


def test_a_conflict_that_names_another_study_makes_that_study_visible_without_images(db, make_instance):
    first = make_instance()
    stray = make_instance(content="other", study_instance_uid="1.2.3", sop_instance_uid=first.sop_instance_uid)
    assert add(db, first, stray) == [Arrival.NEW, Arrival.CONFLICT]
    assert look(db, "1.2.3").images == 0


def test_a_conflict_counts_when_it_is_sent_again_after_the_other_study_was_removed(db, make_instance):
    first = make_instance()
    stray = make_instance(content="other", study_instance_uid="1.2.3", sop_instance_uid=first.sop_instance_uid)
    add(db, first, stray)
    with db.transaction() as tx:
        tx.versions.mark_read(stray)
        tx.removals.remove(UID, 500.0)
    again = replace(stray, received_at=900.0)
    assert add(db, again, again) == [Arrival.NEW, Arrival.DUPLICATE]
    assert (look(db, "1.2.3").images, look(db, "1.2.3").changed_at) == (1, 900.0)
    with db.reading() as tx:
        assert tx.studies.instances(study_uid="1.2.3") == [again]


@pytest.mark.parametrize("state", REST)
def test_a_new_image_opens_its_study_again(db, make_instance, state):
    add(db, make_instance(1))
    bring_to(db, state)
    assert add(db, make_instance(2, received_at=900.0)) == [Arrival.NEW]
    found = look(db)
    assert (found.state, found.changed_at, found.generation) == (StudyState.RECEIVING, 900.0, 1)


@pytest.mark.parametrize("kind", [kind for kind in InstanceKind if kind is not InstanceKind.IMAGE])
@pytest.mark.parametrize("state", [StudyState.RECEIVING, *REST])
def test_what_is_no_image_never_opens_a_study(db, make_instance, state, kind):
    add(db, make_instance(1))
    if state is not StudyState.RECEIVING:
        bring_to(db, state)
    assert add(db, make_instance(2, kind=kind, received_at=900.0)) == [Arrival.NEW]
    found = look(db)
    assert (found.state, found.changed_at, found.images) == (state, 101.0, 1)
    with db.reading() as tx:
        (series,) = tx.studies.series(UID)
        assert (series.images, series.others) == (1, 1)


def test_a_study_of_other_objects_alone_begins_receiving(db, make_instance):
    add(db, make_instance(kind=InstanceKind.OTHER))
    assert (look(db).state, look(db).images) == (StudyState.RECEIVING, 0)


def test_our_own_result_is_known_by_its_uid_whatever_it_looks_like(db, job, make_instance, make_result):
    bring_to(db, StudyState.COMPLETE)
    with db.transaction() as tx:
        tx.results.add(make_result("2.25.7"))
    assert add(db, make_instance(sop_instance_uid="2.25.7", association_id="pacs")) == [Arrival.NEW]
    assert look(db).state is StudyState.COMPLETE
    with db.reading() as tx:
        (back,) = [i for i in tx.studies.instances(study_uid=UID) if i.sop_instance_uid == "2.25.7"]
    assert back.kind is InstanceKind.RESULT


def test_one_series_uid_in_two_studies_is_two_series(db, make_instance):
    shared = {"series_instance_uid": "1.9.9"}
    add(db, make_instance(1, **shared), make_instance(2, study_instance_uid="1.2.3", **shared))
    with db.reading() as tx:
        assert [s.images for s in tx.studies.series(UID)] == [1]
        assert [s.images for s in tx.studies.series("1.2.3")] == [1]
        assert len(tx.studies.instances(series_uid="1.9.9")) == 2
        assert len(tx.studies.instances(study_uid=UID, series_uid="1.9.9")) == 1


@pytest.mark.parametrize("which", ["sop_instance_uid", "series_instance_uid", "study_instance_uid"])
def test_what_is_no_uid_is_refused(db, make_instance, which):
    with pytest.raises(BadIdentifier), db.transaction() as tx:
        tx.studies.add_instance(replace(make_instance(), **{which: "../../etc"}))


def test_damaged_headers_are_kept_as_far_as_json_goes(db, make_instance):
    header = {"Modality": "M\0R", "SeriesDescription": "\0\ud800", "EchoTime": float("nan"), "PixelSpacing": [1.0, 2.0]}
    with db.transaction() as tx:
        tx.studies.add_instance(make_instance(header=header))
        (series,) = tx.studies.series(UID)
    assert series.modality == "MR"
    assert series.header["EchoTime"] is None
    assert series.header["PixelSpacing"] == [1.0, 2.0]


def test_has_instance(db, study, make_instance):
    with db.reading() as tx:
        assert tx.studies.has_instance(make_instance().sop_instance_uid)
        assert not tx.studies.has_instance("1.2.3")


def test_instances_of_nothing_is_a_mistake(db):
    with db.reading() as tx, pytest.raises(ValueError, match="which study or series"):
        tx.studies.instances()


def test_get_names_what_is_missing_and_find_gives_none(db):
    with db.reading() as tx:
        assert tx.studies.find("1.2.3") is None
        with pytest.raises(NotFound, match=r"1\.2\.3"):
            tx.studies.get("1.2.3")


def test_list_gives_the_newest_first_by_state_and_page(db, make_instance):
    uids = [f"1.2.{n}" for n in range(4)]
    add(db, *(make_instance(study_instance_uid=uid, received_at=float(n)) for n, uid in enumerate(uids)))
    with db.transaction() as tx:
        tx.studies.move("1.2.1", StudyState.COMPLETE, 9.0)
    with db.reading() as tx:
        newest_first = [s.study_instance_uid for s in tx.studies.list()]
        assert newest_first == uids[::-1]
        assert [s.received_at for s in tx.studies.list(limit=2)] == [3.0, 2.0]
        assert [s.received_at for s in tx.studies.list(before=2.0)] == [1.0, 0.0]
        assert [s.received_at for s in tx.studies.list(states=[StudyState.COMPLETE])] == [1.0]
        both = [StudyState.COMPLETE, StudyState.RECEIVING]
        assert len(tx.studies.list(states=both)) == 4
        assert tx.studies.list(states=[]) == []
        assert tx.studies.counts() == {StudyState.RECEIVING: 3, StudyState.COMPLETE: 1}


def test_calling_aets_are_those_of_whoever_gave_something_new_that_is_not_ours(db, make_instance):
    with db.transaction() as tx:
        for name in ("CT1", "WORKSTATION", "PACS", "CT1_AGAIN"):
            tx.associations.open(name, "receive", name.removesuffix("_AGAIN"), "SEGNODE", "10.0.0.1", 1.0, 60.0)
    add(
        db,
        make_instance(1, association_id="CT1"),
        make_instance(1, association_id="PACS"),
        make_instance(2, association_id="PACS", kind=InstanceKind.RESULT),
        make_instance(3, association_id="WORKSTATION", kind=InstanceKind.OTHER),
        make_instance(4, association_id="CT1_AGAIN"),
    )
    assert sorted(look(db).calling_aets) == ["CT1", "WORKSTATION"]


class TestSettled:
    """RECEIVING, quiet, and nobody who sent it still at it."""

    def settled(self, db, now, quiet_s=10.0):
        with db.reading() as tx:
            return [s.study_instance_uid for s in tx.studies.settled(now, quiet_s)]

    def test_when_quiet_for_long_enough(self, db, study):
        assert self.settled(db, 110.9) == []
        assert self.settled(db, 111.0) == [UID]

    def test_not_before_its_associations_are_closed(self, db, study):
        with db.transaction() as tx:
            tx.associations.open("association-1", "receive", "MR1", "SEGNODE", "10.0.0.1", 100.0, 60.0)
        assert self.settled(db, 150.0) == []
        with db.transaction() as tx:
            tx.associations.close("association-1", 150.0)
        assert self.settled(db, 150.0) == [UID]

    def test_though_its_sender_goes_on_for_ever_with_the_studies_of_others(self, db, study, make_instance):
        with db.transaction() as tx:
            tx.associations.open("association-1", "receive", "ROUTER", "SEGNODE", "10.0.0.1", 100.0, 9000.0)
        assert self.settled(db, 5000.0) == [], "one image may take long"
        add(db, make_instance(study_instance_uid="1.2.9", received_at=195.0))
        assert self.settled(db, 200.9) == [], "more of the first one may follow"
        assert self.settled(db, 201.0) == [UID]
        add(db, make_instance(2, received_at=203.0))
        assert self.settled(db, 294.9) == []
        assert self.settled(db, 5000.0) == ["1.2.9"], "now it is at the first one again"

    def test_an_association_whose_lease_ran_out_is_closed(self, db, study):
        with db.transaction() as tx:
            tx.associations.open("association-1", "receive", "MR1", "SEGNODE", "10.0.0.1", 100.0, 60.0)
        assert self.settled(db, 159.0) == []
        assert self.settled(db, 160.0) == [UID]

    def test_other_peoples_associations_do_not_matter(self, db, study):
        with db.transaction() as tx:
            tx.associations.open("association-2", "receive", "CT1", "SEGNODE", "10.0.0.1", 100.0, 60.0)
        assert self.settled(db, 120.0) == [UID]

    def test_not_while_a_scanner_that_starts_over_sends_what_is_here(self, db, study, make_instance):
        again = make_instance(received_at=108.0, association_id="association-2")
        assert add(db, again) == [Arrival.DUPLICATE]
        assert self.settled(db, 117.9) == []
        assert self.settled(db, 118.0) == [UID]

    @pytest.mark.parametrize("other", [{"fetched": True}, {"kind": InstanceKind.OTHER}])
    def test_what_we_fetch_or_is_no_image_delays_nothing_when_it_comes_again(self, db, study, make_instance, other):
        assert add(db, make_instance(received_at=108.0, **other)) == [Arrival.DUPLICATE]
        assert self.settled(db, 111.0) == [UID]

    @pytest.mark.parametrize("state", REST)
    def test_only_what_is_receiving(self, db, study, state):
        bring_to(db, state)
        assert self.settled(db, 1000.0) == []

    def test_settles_in_the_transaction_that_moves_it(self, db, study):
        with db.transaction() as tx:
            for found in tx.studies.settled(200.0, 10.0):
                tx.studies.move(found.study_instance_uid, StudyState.COMPLETE, 200.0)
        assert look(db).state is StudyState.COMPLETE


def test_move_keeps_to_the_lifecycle(db, study):
    with pytest.raises(IllegalStep, match="RECEIVING and cannot become DISPATCHED"), db.transaction() as tx:
        tx.studies.move(UID, StudyState.DISPATCHED, 200.0)
    with pytest.raises(NotFound), db.transaction() as tx:
        tx.studies.move("1.2.3", StudyState.COMPLETE, 200.0)
    assert look(db).state is StudyState.RECEIVING


def test_moving_back_to_receiving_begins_the_quiet_time_anew(db, study):
    bring_to(db, StudyState.FETCHING)
    with db.transaction() as tx:
        tx.studies.move(UID, StudyState.RECEIVING, 700.0)
    assert look(db).changed_at == 700.0


def test_open_generation_counts(db, study):
    with db.transaction() as tx:
        assert [tx.studies.open_generation(UID) for _ in range(2)] == [2, 3]
        with pytest.raises(NotFound):
            tx.studies.open_generation("1.2.3")
    assert look(db).generation == 3


def test_many_senders_at_once_count_every_image_once(db, make_instance):
    """Four associations send the same ten images of one study, each with its own mixture of order."""
    answers = []

    def send(first):
        for number in range(10):
            answers.extend(add(db, make_instance((number + first) % 10)))

    threads = [threading.Thread(target=send, args=(first,)) for first in (0, 3, 5, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (answers.count(Arrival.NEW), answers.count(Arrival.DUPLICATE)) == (10, 30)
    assert look(db).images == 10
