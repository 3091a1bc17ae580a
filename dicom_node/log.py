"""Logs: one line an event, plain for people or JSON for machines, to standard error.

Patient data never reaches a log: messages are written without it, the libraries that would quote what they read
(pydicom, pynetdicom) are kept to errors, and of an exception that nobody foresaw its place and type are told.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

log = logging.getLogger(__name__)

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]

TALKATIVE = ("pydicom", "pynetdicom", "highdicom", "apscheduler", "py.warnings")
OURS = ("dicom_node", "inference", "storage")  # whose errors are worded without patients
NO_NEWS = ("pynetdicom.acse", "No accepted presentation contexts")  # to it an error; we say who has none, and what of
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class LoggingSettings(BaseModel):
    """The whole of logging.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Level = "INFO"
    format: Literal["plain", "json"] = "plain"
    levels: dict[Annotated[str, Field(min_length=1)], Level] = Field(default_factory=dict)


class Formatter(logging.Formatter):
    """What both formats have in common."""

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802 (the library's name)
        """Where it came from, and its type; its words only where they are ours."""
        return "\nwhich led to\n".join(_told(error) for error in reversed(list(_chain(ei[1]))))


class PlainFormatter(Formatter):
    """`2026-01-02T10:15:00.123Z WARNING dicom_node.running.node: role died role=receive exit_code=1`."""

    def format(self, record: logging.LogRecord) -> str:
        facts = "".join(f" {name}={_one_line(value)}" for name, value in facts_of(record).items())
        line = f"{_moment(record)} {record.levelname} {record.name}: {_one_line(record.getMessage())}{facts}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(Formatter):
    """One JSON object a line: at, level, logger, message, and the facts given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "at": _moment(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        entry = entry | facts_of(record) | entry  # a fact takes the place of none of these
        return json.dumps(entry, default=str, ensure_ascii=False)


def setup(settings: LoggingSettings) -> None:
    """Replace this process's logging by `settings`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.format == "json" else PlainFormatter())
    handler.addFilter(lambda record: (record.name, record.msg) != NO_NEWS)
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.level)
    # A warning of pydicom quotes the value that it warns of.
    warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
    logging.captureWarnings(capture=True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
    for name, level in settings.levels.items():
        logging.getLogger(name).setLevel(level)


def tell_of_threads() -> None:
    """From now on a thread that ends by an exception is logged; Python would print it with its words."""

    def tell(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            name = args.thread.name if args.thread is not None else ""
            log.critical("a fault that nobody foresaw ended the thread %s", name, exc_info=args.exc_value)

    threading.excepthook = tell


def facts_of(record: logging.LogRecord) -> dict[str, object]:
    """What the caller gave as `extra`; names with an underscore before them are libraries' own (Ray's)."""
    return {name: value for name, value in vars(record).items() if name not in STANDARD and name[0] != "_"}


def _moment(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, tz=UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _one_line(value: object) -> str:
    """Text without line breaks and control characters: what strangers send cannot forge a second line."""
    return "".join(c if c.isprintable() else " " for c in str(value))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, what it was raised from, and so on."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _told(error: BaseException) -> str:
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    if isinstance(error, BaseExceptionGroup):
        kind += " of " + ", ".join(type(one).__qualname__ for one in error.exceptions)
    words = str(error) if kind.split(".")[0] in OURS else str(getattr(error, "strerror", None) or "")
    return f"{''.join(traceback.format_tb(error.__traceback__))}{kind}{': ' * bool(words)}{_one_line(words)}"
