"""A phantom as a study that nobody has seen yet: other UIDs and today's date, the same patient and voxels.

A node makes no second result of the same images, so each commissioning has to bring new ones.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from inference.phantom import PhantomCase
from inference.volume import Volume
from inference.writers.acquisition import Acquisition, StudyDetails, uid_of


def fresh(case: PhantomCase, moment: datetime) -> PhantomCase:
    """The case as if it had been scanned at `moment`; the same moment always gives the same UIDs."""
    mark = moment.isoformat()
    first = case.acquisitions[case.primary].study
    study = replace(
        first,
        study_instance_uid=uid_of(first.study_instance_uid, mark),
        date=moment.strftime("%Y%m%d"),
        time=moment.strftime("%H%M%S"),
    )
    return replace(
        case,
        volumes={role: _placed(volume, mark) for role, volume in case.volumes.items()},
        acquisitions={role: _of(one, study, mark) for role, one in case.acquisitions.items()},
        decoys=tuple(
            replace(one, volume=_placed(one.volume, mark), acquisition=_of(one.acquisition, study, mark))
            for one in case.decoys
        ),
    )


def _of(acquisition: Acquisition, study: StudyDetails, mark: str) -> Acquisition:
    return replace(
        acquisition,
        study=study,
        series_instance_uid=uid_of(acquisition.series_instance_uid, mark),
        frame_of_reference_uid=uid_of(acquisition.frame_of_reference_uid, mark),
        acquisition_time=study.time,
    )


def _placed(volume: Volume, mark: str) -> Volume:
    frame = volume.grid.frame_of_reference_uid
    return replace(volume, grid=replace(volume.grid, frame_of_reference_uid=uid_of(frame, mark))) if frame else volume
