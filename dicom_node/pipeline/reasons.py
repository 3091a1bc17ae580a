"""Failures by kind, in few words: labels of figures, never sentences."""

from __future__ import annotations

from dicom_node.errors import NotOffered, Refused, Rejected, ResultInvalid, Unfinished, Unreachable
from inference.errors import BadGeometry, BundleBroken, Exhausted, ModelError, Unfit, WorkerDied
from storage.errors import Damaged, NotFound, Unavailable

# The first kind that fits decides.
KINDS: tuple[tuple[type[Exception], str], ...] = (
    (BadGeometry, "bad_geometry"),
    (Unfit, "unfit"),
    (BundleBroken, "bundle_broken"),
    (Exhausted, "out_of_memory"),
    (ModelError, "model"),
    (WorkerDied, "worker_died"),
    (ResultInvalid, "result_invalid"),
    (NotOffered, "not_offered"),
    (Rejected, "rejected"),
    (Refused, "refused"),
    (Unfinished, "unfinished"),
    (Unreachable, "unreachable"),
    (Damaged, "file_damaged"),
    (NotFound, "file_missing"),
    (Unavailable, "storage"),
)
TIME_LIMIT, STOPPED, OTHER = "time_limit", "stopped", "other"


def reason_of(error: Exception) -> str:
    """What kind of failure it is."""
    if isinstance(error, WorkerDied) and (error.timed_out or error.stopped):
        return TIME_LIMIT if error.timed_out else STOPPED
    return next((name for kind, name in KINDS if isinstance(error, kind)), OTHER)
