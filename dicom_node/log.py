"""Logs: one line an event, plain for people or JSON for machines, to standard error.

Patient data never reaches a log: messages are written without it, and the libraries that would quote what
they read (pydicom, pynetdicom) are kept to errors.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]

TALKATIVE = ("pydicom", "pynetdicom", "highdicom", "apscheduler", "py.warnings")
NO_NEWS = ("pynetdicom.acse", "No accepted presentation contexts")  # to it an error; we say who has none, and what of
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LoggingSettings(BaseModel):
    """The whole of logging.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Level = "INFO"
    format: Literal["plain", "json"] = "plain"
    levels: dict[Annotated[str, Field(min_length=1)], Level] = Field(default_factory=dict)


class PlainFormatter(logging.Formatter):
    """`2026-01-02T10:15:00.123Z WARNING dicom_node.node: role died role=receive exit_code=1`."""

    def format(self, record: logging.LogRecord) -> str:
        facts = "".join(f" {name}={_one_line(value)}" for name, value in facts_of(record).items())
        line = f"{_moment(record)} {record.levelname} {record.name}: {_one_line(record.getMessage())}{facts}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
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


def facts_of(record: logging.LogRecord) -> dict[str, object]:
    """What the caller gave as `extra`; names with an underscore before them are libraries' own (Ray's)."""
    return {name: value for name, value in vars(record).items() if name not in STANDARD and name[0] != "_"}


def _moment(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, tz=UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _one_line(value: object) -> str:
    """Text without line breaks and control characters: what strangers send cannot forge a second line."""
    return "".join(c if c.isprintable() else " " for c in str(value))
