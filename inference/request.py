"""The picklable message that an executor gets, and how it asks for a backend."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SeriesFiles:
    """The ordered DICOM files of one input; `sop_instance_uids` runs parallel to `paths`.

    The reader may use fewer of them (one time point of several) and says so in the volume's sources.
    """

    series_instance_uid: str
    paths: tuple[Path, ...]
    sop_instance_uids: tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """One job for an executor: inputs by role, the model to run, where to leave masks.

    `model` is a validated backend settings mapping (`kind`, `path`, …) from conf/models.yaml.
    """

    job_id: str
    task: str
    inputs: dict[str, SeriesFiles]
    model: dict[str, Any]
    scratch: Path
    parameters: dict[str, Any] = field(default_factory=dict)
    time_limit_s: float = 900.0
