"""A study is COMPLETE, and in the same commit an archive is to be asked for earlier results of its patient."""

from __future__ import annotations

from dicom_node.settings.priors import PriorSettings
from storage.database import Transaction
from storage.lifecycle import StudyState


def settle(tx: Transaction, study_uid: str, priors: PriorSettings, now: float, *, incomplete: str) -> None:
    """Move the study on; dispatch finds it when the archive has answered or the deadline is over."""
    tx.studies.move(study_uid, StudyState.COMPLETE, now, incomplete=incomplete)
    if priors.archive is not None:
        tx.recalls.want(study_uid, priors.archive, priors.policy(), now, now + priors.deadline_s)
