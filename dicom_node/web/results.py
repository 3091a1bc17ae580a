"""Result objects as files to take away; each names its patient, so who may not know that gets none."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pydicom import dcmread

from dicom_node.web.access import Forbidden, Visit
from dicom_node.web.console import Console
from storage.errors import NotFound
from storage.identifiers import check_uid

PDF = "1.2.840.10008.5.1.4.1.1.104.1"  # Encapsulated PDF Storage


class ResultFile(NamedTuple):
    """A result's file: where it lies, and what it is."""

    path: Path
    kind: str
    sop_class_uid: str
    sop_instance_uid: str


def result_file(console: Console, caller: Visit, study_uid: str, sop_uid: str) -> ResultFile:
    """A result of the study; the audit trail is told who took it. NotFound, BadIdentifier, Forbidden."""
    study_uid, sop_uid = check_uid(study_uid), check_uid(sop_uid)
    with console.parts.database.reading() as tx:
        made = tx.results.find(sop_uid)
        job = tx.jobs.find(made.job_id) if made else None
    if made is None or job is None or job.study_instance_uid != study_uid:
        raise NotFound(f"study {study_uid} has no result {sop_uid}")
    path = console.parts.archive.path(made.file)
    if made.removed_at is not None or not path.exists():
        raise NotFound("the result's file is no longer held")
    if not caller.names:
        raise Forbidden("the file says whose study it is, and your role is not shown that (names_for)")
    console.parts.audit.downloaded(study_uid, caller.participant)
    return ResultFile(path, made.kind, made.sop_class_uid, sop_uid)


def pdf_of(file: ResultFile) -> bytes:
    """The page within an Encapsulated PDF (PS3.3 C.24.2); NotFound where the result is none."""
    if file.sop_class_uid != PDF:
        raise NotFound(f"result {file.sop_instance_uid} is no PDF")
    data = dcmread(file.path)
    return bytes(data.EncapsulatedDocument)[: int(data.get("EncapsulatedDocumentLength") or 0) or None]
