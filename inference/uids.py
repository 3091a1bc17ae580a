"""UIDs that come out the same whenever a job is run again. Cheap to import."""

from __future__ import annotations

import hashlib


def uid_from(*parts: str) -> str:
    """A UID that the same parts always give: 2.25 and 128 bits of their SHA-256 (PS3.5 B.2)."""
    digest = hashlib.sha256("|".join(parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def tracking_uid(job_id: str, what: str) -> str:
    """Tracking UID of a finding's number or of a total's name, as the job that first saw it gives it."""
    return uid_from(job_id, "tracking", what)
