"""What we hold durably, as a storage commitment asks: row there, class right, file there and of its size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from storage.archive import Archive
from storage.database import Transaction
from storage.records import CommitmentReport, Reference

# Failure Reason (0008,1197), PS3.3 C.14.1.1
PROCESSING_FAILURE = 0x0110
NO_SUCH_OBJECT_INSTANCE = 0x0112
CLASS_INSTANCE_CONFLICT = 0x0119
DUPLICATE_TRANSACTION = 0x0131
REASONS = {
    0: "the report does not mention it",
    PROCESSING_FAILURE: "processing failure",
    NO_SUCH_OBJECT_INSTANCE: "no such object instance",
    CLASS_INSTANCE_CONFLICT: "class and instance disagree",
    0x0122: "SOP class not supported",
    DUPLICATE_TRANSACTION: "Transaction UID used before",
    0x0213: "resource limitation",
}


def in_words(report: CommitmentReport) -> str:
    """A report in a sentence, e.g. "2 of 3 instances kept; 1 not: no such object instance (0112H)"."""
    total = len(report.committed) + len(report.failed)
    if not report.failed:
        return f"{total} of {total} instances kept"
    counts = Counter(report.failed.values())
    whys = ", ".join(f"{n} not: {REASONS.get(code, 'reason')} ({code:04X}H)" for code, n in sorted(counts.items()))
    return f"{len(report.committed)} of {total} instances kept; {whys}"


@dataclass(frozen=True)
class Holdings:
    """The report on what was asked for, and the study of each instance that is held."""

    report: CommitmentReport
    studies: dict[str, str] = field(default_factory=dict)


def look_up(tx: Transaction, archive: Archive, references: Sequence[Reference]) -> Holdings:
    """Judge every instance; in a writing transaction the rows of their studies are held, so that none is deleted."""
    found = {item.sop_instance_uid: item for item in tx.studies.named([r.sop_instance_uid for r in references])}
    for study in sorted({item.study_instance_uid for item in found.values()}):
        tx.studies.get(study)
    sizes = dict(zip(found, archive.sizes([item.file for item in found.values()]), strict=True))
    studies: dict[str, str] = {}
    failed: dict[str, int] = {}
    for reference in references:
        uid = reference.sop_instance_uid
        instance = found.get(uid)
        if instance is None:
            failed[uid] = NO_SUCH_OBJECT_INSTANCE
        elif instance.sop_class_uid != reference.sop_class_uid:
            failed[uid] = CLASS_INSTANCE_CONFLICT
        elif sizes[uid] != instance.file.size:
            failed[uid] = PROCESSING_FAILURE
        else:
            studies[uid] = instance.study_instance_uid
    held = {uid: study for uid, study in studies.items() if uid not in failed}  # named twice, with two classes
    return Holdings(CommitmentReport(tuple(held), failed), held)
