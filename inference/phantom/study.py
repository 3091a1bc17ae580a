"""A phantom case as the DICOM study that a scanner would send."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from inference.phantom.case import PhantomCase
from inference.writers.acquisition import uid_of
from inference.writers.dicom_series import write_localizer, write_series


def write_study(case: PhantomCase, folder: Path) -> list[Path]:
    """Write a localizer, every role's series and the decoys into `folder`, and return all files in that order."""
    first = case.acquisitions[case.primary]
    scout = replace(first, series_instance_uid=uid_of("series", first.study.study_instance_uid, "localizer"),
                    series_number=1, series_description="localizer", protocol_name="localizer", contrast_agent="",
                    slice_thickness=None)
    paths = write_localizer(case.volumes[case.primary], scout, folder)
    for role, volume in case.volumes.items():
        paths += write_series(volume, case.acquisitions[role], folder)
    for decoy in case.decoys:
        paths += write_series(decoy.volume, decoy.acquisition, folder)
    return paths
