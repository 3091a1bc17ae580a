"""The objects that jobs made."""

from dataclasses import replace

import pytest

from storage.errors import BadIdentifier, StorageError
from storage.records import StoredFile


def test_a_jobs_objects_come_back_by_kind(db, job, make_result):
    seg, sr = make_result("2.25.9", kind="seg"), make_result("2.25.1", kind="sr")
    with db.transaction() as tx:
        assert tx.results.add(sr)
        assert tx.results.add(seg)
    with db.reading() as tx:
        assert tx.results.of_job("job-1") == [seg, sr]
        assert tx.results.of_job("job-2") == []
        assert (tx.results.has("2.25.1"), tx.results.has("2.25.2")) == (True, False)
        assert (tx.results.find("2.25.1"), tx.results.find("2.25.2")) == (sr, None)


def test_the_objects_of_a_study_are_those_of_its_jobs(db, job, make_job, make_result):
    with db.transaction() as tx:
        tx.jobs.add(make_job("job-2", created_at=1.0))
        for result in (first := make_result("2.25.9", kind="sr"), make_result("2.25.8", kind="seg")):
            tx.results.add(result)
        tx.results.add(replace(first, sop_instance_uid="2.25.7", job_id="job-2"))
    with db.reading() as tx:
        found = tx.results.of_study(job.study_instance_uid)
        assert [one.sop_instance_uid for one in found] == ["2.25.7", "2.25.8", "2.25.9"], "the older job's first"
        assert tx.results.of_study("1.2") == []


def test_objects_of_a_variant_are_found_by_it(db, job, make_result):
    standard, other = make_result("2.25.9"), replace(make_result("2.25.1"), variant="0badcafe")
    with db.transaction() as tx:
        tx.results.add(standard)
        tx.results.add(other)
    with db.reading() as tx:
        assert tx.results.of_job("job-1", "") == [standard]
        assert tx.results.of_job("job-1", "0badcafe") == [other]
        assert len(tx.results.of_job("job-1")) == 2


def test_the_first_that_a_job_commits_is_its_result(db, job, make_result):
    first = make_result()
    with db.transaction() as tx:
        tx.results.add(first)
        assert not tx.results.add(replace(first, file=StoredFile("other.dcm", 1, "0" * 64)))
    with db.reading() as tx:
        assert tx.results.of_job("job-1") == [first]


def test_a_result_needs_its_job_and_a_uid(db, job, make_result):
    with pytest.raises(StorageError), db.transaction() as tx:
        tx.results.add(make_result(job_id="nobody's"))
    with pytest.raises(BadIdentifier), db.transaction() as tx:
        tx.results.add(make_result("no uid"))
