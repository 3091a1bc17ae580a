"""What belongs to each of several studies: the same as is found one by one."""

from __future__ import annotations

from dataclasses import replace

from storage.lifecycle import DeliveryState

ONE, TWO, NONE = "1.2.1", "1.2.2", "1.2.3"


def test_each_gets_its_own_and_who_has_nothing_an_empty_list(db, make_instance, make_job, make_result):
    with db.transaction() as tx:
        for study, number in ((ONE, 1), (ONE, 2), (TWO, 1)):
            series = {"series_instance_uid": f"{study}.{number}", "header": {"Modality": "CT"}}
            tx.studies.add_instance(make_instance(study_instance_uid=study, **series))
        tx.studies.add_instance(make_instance(3, study_instance_uid=TWO, series_instance_uid=f"{TWO}.9"))
        for name, study in (("a", ONE), ("b", TWO), ("c", ONE)):
            tx.jobs.add(make_job(name, study_instance_uid=study))
            tx.deliveries.add(name, study, "pacs", DeliveryState.PENDING, 100.0)
        tx.results.add(make_result("2.25.1", job_id="a"))
        tx.results.add(make_result("2.25.2", job_id="a"))
        tx.results.add(replace(make_result("2.25.3", job_id="a"), variant="other"))
    uids = [ONE, TWO, NONE]
    with db.reading() as tx:
        assert tx.gathered.jobs(uids) == {uid: tx.jobs.of_study(uid) for uid in uids}
        assert tx.gathered.deliveries(uids) == {uid: tx.deliveries.of_study(uid) for uid in uids}
        assert tx.gathered.studies(uids) == {uid: tx.studies.get(uid) for uid in (ONE, TWO)}
        assert tx.gathered.modalities(uids) == {ONE: {"CT": 2}, TWO: {"CT": 1, "MR": 1}, NONE: {}}
        objects = tx.gathered.objects(["a", "b"])
    assert (objects["a", ""], objects["a", "other"], objects["b", ""]) == (2, 1, 0)


def test_of_nobody_nothing_is_known(db):
    with db.reading() as tx:
        assert (tx.gathered.jobs([]), tx.gathered.studies([]), tx.gathered.modalities([])) == ({}, {}, {})
