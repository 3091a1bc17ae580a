"""What a result becomes for a job's destinations: a set of objects for each profile among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dicom_node.destinations.base import Destination
from dicom_node.objects.context import EncodeContext, Replaced
from dicom_node.objects.encode import Encoded, encode
from dicom_node.objects.profile import PAGE, STANDARD
from dicom_node.objects.rejection import encode_rejection
from dicom_node.pipeline.predecessors import predecessors
from inference.findings import Result
from storage.database import Database
from storage.records import Job

# Kinds of objects by the outputs that a route names; the other kinds are the destination's alone to want.
_FAMILIES = {"seg": {"seg", "fractional"}, "sr": {"sr", "summary", "diameters"}}


def encode_for(
    database: Database,
    destinations: Mapping[str, Destination],
    job: Job,
    result: Result,
    files: Mapping[str, Sequence[Path]],
) -> tuple[Encoded, ...]:
    """The objects as the job's destinations want them, of those that its route lets out.

    For one that is configured no more they are in the standard form: its delivery is held, and may be let go.
    Who brought a study by hand gets them in the standard form as well, and a page.
    """
    encoded: list[Encoded] = []
    kept_in = {kind for name, kinds in _FAMILIES.items() if name not in job.parameters["outputs"] for kind in kinds}
    named = [destinations.get(name) for name in job.parameters["destinations"]]
    wanted = [destination.profile if destination else STANDARD for destination in named]
    if job.parameters.get("by_hand"):
        wanted += [STANDARD, PAGE]
    for profile in {one.variant: one for one in wanted or [STANDARD]}.values():
        with database.reading() as tx:
            replaces = tuple(
                Replaced(old.kind, old.sop_class_uid, old.sop_instance_uid, old.series_instance_uid)
                for old in predecessors(tx, job, profile.variant)
            )
        context = EncodeContext(
            created_at=job.created_at,
            replaces=replaces,
            incomplete=job.parameters.get("incomplete", ""),
            profile=profile,
            kept_in=frozenset(kept_in),
        )
        encoded += encode(result, job.job_id, files, context)
    return tuple(item for item in encoded if item.kind not in kept_in)


def encode_rejection_for(
    job_id: str, rejected: Sequence[Replaced], subject: Path, reason: str, now: float
) -> Encoded:
    """The note on results of ours that left and are no longer valid."""
    return encode_rejection(rejected, subject, reason, EncodeContext(created_at=now, job_id=job_id))
