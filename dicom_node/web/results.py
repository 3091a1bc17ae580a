"""Result objects as files to take away; each names its patient, so who may not know that gets none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from pydicom import dcmread
from starlette.responses import StreamingResponse

from dicom_node.acts.download import pieces
from dicom_node.web.access import Forbidden, Visit
from dicom_node.web.console import Console
from storage.errors import NotFound
from storage.files.disk import disk_faults
from storage.identifiers import check_uid
from storage.records import StoredFile

DICOM = "application/dicom"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"  # Encapsulated PDF Storage


class ResultFile(NamedTuple):
    """A result's file: how it is stored, and what it is."""

    stored: StoredFile
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
    if made.removed_at is not None or console.parts.archive.sizes([made.file]) == [None]:
        raise NotFound("the result's file is no longer held")
    if not caller.names:
        raise Forbidden("the file says whose study it is, and your role is not shown that (names_for)")
    console.parts.audit.downloaded(study_uid, caller.participant)
    return ResultFile(made.file, made.kind, made.sop_class_uid, sop_uid)


def sent(console: Console, file: ResultFile, filename: str = "") -> StreamingResponse:
    """The file as an answer; NotFound, Unavailable."""
    with ExitStack() as files:
        (path,) = files.enter_context(console.parts.archive.local([file.stored]))
        with disk_faults():
            if not path.exists():
                raise NotFound("the result's file is no longer held")
            headers = {"Content-Length": str(path.stat().st_size)}
        if filename:
            headers["Content-Disposition"] = f'attachment; filename="{filename}"'
        return StreamingResponse(_pieces(file, path, files.pop_all()), media_type=DICOM, headers=headers)


def _pieces(file: ResultFile, path: Path, files: ExitStack) -> Iterator[bytes]:
    with files:
        yield from pieces(file.stored, path)


def pdf_of(console: Console, file: ResultFile) -> bytes:
    """The page within an Encapsulated PDF (PS3.3 C.24.2); NotFound where the result is none."""
    if file.sop_class_uid != PDF:
        raise NotFound(f"result {file.sop_instance_uid} is no PDF")
    with console.parts.archive.local([file.stored]) as (path,):
        data = dcmread(path)
    return bytes(data.EncapsulatedDocument)[: int(data.get("EncapsulatedDocumentLength") or 0) or None]
