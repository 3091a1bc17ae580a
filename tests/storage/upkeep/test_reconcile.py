"""Index and disk held against each other: what is missing, what is damaged, and nothing else.

The sweep of files that no row names is tested with the crashes that leave them, in test_cleaning.py.
"""

import pytest

from storage.tables import studies
from storage.upkeep.reconcile import PREFIXES, Fault, Finding, audit, sweep_orphans

UID = "1.2.3"


@pytest.fixture
def stored(db, archive, make_instance):
    """Three files of one study, by number."""
    files = {number: archive.write(UID, f"{UID}.1.{number}", [b"image %d" % number]) for number in (1, 2, 3)}
    with db.transaction() as tx:
        for number, file in files.items():
            tx.studies.add_instance(make_instance(number, study_instance_uid=UID, file=file))
    return files


def found(db, archive):
    return list(audit(db, archive, [UID]))


def test_what_is_whole_is_no_finding_and_every_study_is_told(db, archive, stored):
    told = []
    assert list(audit(db, archive, [UID, "1.2.9"], lambda: told.append(1))) == []
    assert len(told) == 2


def test_a_missing_and_a_damaged_file_are_named(db, archive, stored):
    archive.remove(stored[1])
    path = archive.path(stored[3])
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert found(db, archive) == [
        Finding(UID, f"{UID}.1.1", stored[1].path, Fault.MISSING),
        Finding(UID, f"{UID}.1.3", stored[3].path, Fault.DAMAGED),
    ]


def test_conflicts_and_results_are_read_too(db, archive, stored, make_instance, make_job, make_result):
    other = archive.write(UID, f"{UID}.1.1", [b"other content"])
    result = archive.write(UID, "2.25.1", [b"a segmentation"])
    with db.transaction() as tx:
        tx.studies.add_instance(make_instance(1, study_instance_uid=UID, file=other))
        tx.jobs.add(make_job(study_instance_uid=UID))
        made = make_result()
        tx.results.add(type(made)(made.sop_instance_uid, made.sop_class_uid, "2.25.2", "job-1", "seg", result))
    for file in (other, result):
        archive.remove(file)
    assert [finding.path for finding in found(db, archive)] == [other.path, result.path]


def test_what_leaves_by_retention_meanwhile_is_no_fault(db, archive, stored, monkeypatch):
    read = type(archive).read

    def remove_first(self, file):
        with db.transaction() as tx:
            tx.removals.remove(UID, 500.0)
        self.remove(file)
        return read(self, file)

    monkeypatch.setattr(type(archive), "read", remove_first)
    assert found(db, archive) == []


def test_no_file_is_swept_of_a_study_that_an_older_release_wrote(db, archive, stored):
    with db.transaction() as tx:
        tx._connection.execute(studies.update().values(folder=""))
    prefix = archive.folder(UID).relative_to(archive.root).parts[0]
    in_a_week = max(archive.path(file).stat().st_mtime for file in stored.values()) + 7 * 86400
    assert sweep_orphans(db, archive, prefix, in_a_week) == 0
    assert found(db, archive) == []


def test_the_prefixes_are_all_that_a_hash_may_begin_with():
    assert len(set(PREFIXES)) == 256
    assert {len(prefix) for prefix in PREFIXES} == {2}
