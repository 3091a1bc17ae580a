"""A job's images as the files that an executor reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from inference.request import SeriesFiles
from storage.archive import Archive
from storage.database import Database
from storage.errors import NotFound
from storage.files.disk import disk_faults
from storage.records import Instance, Job


@contextmanager
def inputs_of(database: Database, archive: Archive, job: Job) -> Iterator[dict[str, SeriesFiles]]:
    """Its series by role, the instances in the job's order, their files here while the block lasts.

    NotFound where some are no longer held.
    """
    with ExitStack() as files:
        inputs = {}
        for role, source in job.inputs.items():
            series, uids = str(source["series"]), [str(uid) for uid in source["instances"]]
            with database.reading() as tx:
                held: dict[str, Instance] = {i.sop_instance_uid: i for i in tx.studies.instances(series_uid=series)}
            missing = [uid for uid in uids if uid not in held]
            if missing:
                raise NotFound(f"{len(missing)} of {len(uids)} instances of series {series} are no longer held")
            paths = tuple(files.enter_context(archive.local([held[uid].file for uid in uids])))
            with disk_faults():
                gone = sum(not path.exists() for path in paths)
            if gone:
                raise NotFound(f"{gone} of the {len(uids)} files of series {series} are gone or damaged")
            inputs[role] = SeriesFiles(series_instance_uid=series, paths=paths, sop_instance_uids=tuple(uids))
        yield inputs
