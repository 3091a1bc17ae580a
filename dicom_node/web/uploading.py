"""What a person or a program sends to be tried: a form with files, or one file as the whole body, read as it comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from dicom_node.acts.bringing import bringing
from dicom_node.audit.facts import PersonAction
from dicom_node.errors import NodeError
from dicom_node.network.bringing import Brought, Intake
from dicom_node.web.access import EXPIRED, FORM_FIELD, FORM_HEADER, Forbidden, Visit, is_ours
from dicom_node.web.console import Console
from inference.tasks import TASKS

FORM = b"multipart/form-data"
FILES = ("application/zip", "application/dicom")
FILE_FIELDS = frozenset({"file", "folder"})
LONGEST_VALUE = 2048
MOST_PARTS = 100_000
WHOLE = "what was sent"  # the name of a file that came without one


class BadUpload(NodeError):
    """What was sent is nothing that can be tried."""


class _Sink(Protocol):
    def write(self, piece: bytes) -> None: ...
    def close(self) -> None: ...


async def take(request: Request, console: Console, caller: Visit) -> Brought:
    """Receive what the request brings, and give what became of it. Forbidden, BadUpload.

    The task stands before the files, in the field `task` or in the query.
    """
    _check(request, console, caller)
    brings = await run_in_threadpool(bringing, console.parts, caller.somebody.name, caller.address)
    brings.want(_task(request.query_params.get("task", "")))
    await read_into(brings, request, console, caller)
    for uid in brings.brought.studies:
        console.parts.audit.asked_by_a_person(PersonAction.BRING, uid, caller.participant)
    return brings.brought


async def read_into(intake: Intake, request: Request, console: Console, caller: Visit) -> None:
    """Have `intake` take what the request brings, piece by piece. Forbidden, BadUpload."""
    trusted, kind, boundary = _check(request, console, caller)
    sink: _Sink = intake.file(WHOLE)
    await run_in_threadpool(intake.open)
    try:
        if kind == FORM:
            sink = _Form(boundary, intake, lambda given: trusted or is_ours(console, caller, given))
        async for piece in request.stream():
            await run_in_threadpool(sink.write, piece)
        await run_in_threadpool(sink.close)
    except (FormParserError, ClientDisconnect):
        raise BadUpload("what was sent is broken off, too large, or no form") from None
    finally:
        await run_in_threadpool(intake.close)


def _check(request: Request, console: Console, caller: Visit) -> tuple[bool, bytes, bytes]:
    """Whether the caller is trusted before the form's token is read; what kind of body it is, and its boundary."""
    token = request.headers.get(FORM_HEADER)
    trusted = caller.program or (token is not None and is_ours(console, caller, token))
    kind, options = parse_options_header(request.headers.get("Content-Type", ""))
    if kind != FORM and not trusted:
        raise Forbidden(EXPIRED)
    if kind != FORM and kind.decode("latin-1") not in FILES:
        raise BadUpload(f"send a form (multipart/form-data), or one file as {' or '.join(FILES)}")
    return trusted, kind, options.get(b"boundary", b"")


def as_answer(brought: Brought) -> dict[str, Any]:
    """What became of it, for programs."""
    return {
        "studies": [{"study": uid, "instances": number} for uid, number in brought.studies.items()],
        "skipped": [{"name": name, "reason": reason} for name, reason in brought.skipped],
        "skipped_further": brought.further,
    }


def _task(name: str) -> str:
    if name and name not in TASKS:
        raise BadUpload(f"there is no task {name[:40]!r}; there are {', '.join(sorted(TASKS))}")
    return name


class _Form:
    """A form as it comes (RFC 7578): its token first, then what is wanted, then files."""

    def __init__(self, boundary: bytes, bringing: Intake, is_ours: Callable[[str], bool]) -> None:
        if not boundary:
            raise BadUpload("the form names no boundary")
        self._bringing = bringing
        self._is_ours = is_ours
        self._trusted = is_ours("")
        self._head: dict[bytes, bytes] = {}
        self._name, self._value = b"", b""
        self._field: str = ""
        self._text = b""
        self._file: _Sink | None = None
        self._parts = 0
        self._whole = False
        self._parser = MultipartParser(boundary, {
            "on_part_begin": self._begin, "on_header_field": self._on_name, "on_header_value": self._on_value,
            "on_header_end": self._on_header, "on_headers_finished": self._open, "on_part_data": self._data,
            "on_part_end": self._end, "on_end": self._over,
        })  # fmt: skip

    def write(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._parser.write(piece)

    def close(self) -> None:
        """All of it has come."""
        self._parser.finalize()
        if not self._whole:
            raise BadUpload("the form is broken off: its last files are missing")

    def _begin(self) -> None:
        self._head, self._text, self._parts = {}, b"", self._parts + 1
        if self._parts > MOST_PARTS:
            raise BadUpload(f"more than {MOST_PARTS} files are not taken at a time; send them as a zip")

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        self._head[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def _open(self) -> None:
        """A part's head is through: it is a file or a value."""
        options = parse_options_header(self._head.get(b"content-disposition"))[1]
        self._field = options.get(b"name", b"").decode("utf-8", "replace")
        self._file = None
        if b"filename" in options:
            if not self._trusted:
                raise Forbidden(EXPIRED)
            name = options[b"filename"].decode("utf-8", "replace")
            if self._field in FILE_FIELDS:
                self._file = self._bringing.file(name)
            elif name:  # an empty field has none
                reason = f"its field {self._field[:40]!r} is not looked at: files come as file or folder"
                self._bringing.brought.skip(name, reason)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(data[start:end])
        elif len(self._text) <= LONGEST_VALUE:
            self._text += data[start:end]

    def _end(self) -> None:
        if self._file is not None:
            self._file.close()
            return
        text = self._text[:LONGEST_VALUE].decode("utf-8", "replace")
        if self._field == FORM_FIELD:
            self._trusted = self._trusted or self._is_ours(text)
        elif self._field == "task":
            self._bringing.want(_task(text))

    def _over(self) -> None:
        self._whole = True
        if not self._trusted:
            raise Forbidden(EXPIRED)
