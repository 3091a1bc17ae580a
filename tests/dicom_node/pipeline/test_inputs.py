"""A job's images, in its own order, or how many of them are gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from reviewing import FOUND, JOB, liver_scene

from dicom_node.pipeline.inputs import inputs_of
from storage.archive import Archive
from storage.database import Database
from storage.errors import NotFound


def test_files_come_by_role_in_the_jobs_order(database: Database, archive: Archive, tmp_path: Path) -> None:
    scene = liver_scene(database, archive, tmp_path)
    scene.finish(FOUND)
    with database.reading() as tx:
        job = tx.jobs.get(JOB)
    with inputs_of(database, archive, job) as inputs:
        assert list(inputs) == ["CT"]
        files = inputs["CT"]
        assert files.series_instance_uid == job.inputs["CT"]["series"]
        assert list(files.sop_instance_uids) == job.inputs["CT"]["instances"]
        assert all(path.is_file() for path in files.paths)
        first = files.paths[0]
    first.unlink()
    with pytest.raises(NotFound, match="1 of the 10 files of series"), inputs_of(database, archive, job):
        pass
    with database.transaction() as tx:
        tx.removals.remove(scene.study, 400.0)
    with pytest.raises(NotFound, match="10 of 10 instances of series"), inputs_of(database, archive, job):
        pass
