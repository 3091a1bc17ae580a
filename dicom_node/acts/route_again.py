"""`segnode route`: a settled study is looked at anew by the routes of now, by a person's word."""

from __future__ import annotations

from dicom_node.acts.reissue import SETTLED
from storage.database import Transaction
from storage.errors import IllegalStep
from storage.lifecycle import StudyState


def route_again(tx: Transaction, now: float, study_uid: str) -> None:
    """Have every route judge the study once more; NotFound, IllegalStep.

    Only what comes out otherwise makes a job: the same images under the same model are the same job. A result that a
    person had made with another model gives way to that of the route.
    """
    study = tx.studies.get(study_uid)
    if study.state is StudyState.REMOVED:
        raise IllegalStep(f"the images of study {study_uid} were removed: fetch it, or send it to the node again")
    if study.state not in SETTLED:
        raise IllegalStep(f"study {study_uid} is {study.state}: the routes look at it as soon as it has settled")
    tx.studies.move(study_uid, StudyState.COMPLETE, now)
    tx.journal.add(now, "route again", "a person asked for it", study=study_uid)
