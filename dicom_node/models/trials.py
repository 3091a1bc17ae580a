"""The stages beside the walk of a study: they try models when no job waits, and send nothing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from dicom_node.assembly import Parts, executor, owner
from dicom_node.models.installed_models import installed_models
from dicom_node.settings.models import closed_models

if TYPE_CHECKING:
    from dicom_node.pipeline.loop import Stage


def trials(parts: Parts) -> Sequence[Stage]:
    """One of each."""
    from dicom_node.models.bench_process import bench
    from dicom_node.pipeline.bench import TryModels
    from dicom_node.pipeline.shadow import RunShadows

    node, settings = parts.settings.node, parts.settings
    return [
        TryModels(
            database=parts.database,
            run=partial(bench, conf=settings.folder, limit_s=node.time_limit_s),
            owner=owner("bench"),
            lease_term_s=node.lease_term_s,
            closed=closed_models(settings.models),
            revision=parts.revision,
        ),
        RunShadows(
            database=parts.database,
            archive=parts.archive,
            executor=lambda: executor(settings, one=True),
            models=installed_models(settings),
            lease_term_s=node.lease_term_s,
            time_limit_s=node.time_limit_s,
            scratch=node.scratch_folder,
            owner=owner("shadow"),
        ),
    ]
