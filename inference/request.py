"""The picklable message that an executor gets, and how it asks for a backend."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from inference.findings import ModelIdentity

SHARED = 255  # in a prior's mask: small lesions that share a finding


@dataclass(frozen=True)
class SeriesFiles:
    """The ordered DICOM files of one input; `sop_instance_uids` runs parallel to `paths`.

    The reader may use fewer of them (one time point of several) and says so in the volume's sources.
    """

    series_instance_uid: str
    paths: tuple[Path, ...]
    sop_instance_uids: tuple[str, ...]


class KnownLesion(NamedTuple):
    """A lesion of a prior: how it is called, its tracking UID, and which structure of the task it is."""

    label: str
    tracking_uid: str
    structure: int


class Maker(NamedTuple):
    """The model that a result says it was made by; `sha256` is over its weights and configuration."""

    name: str
    version: str
    sha256: str

    @classmethod
    def of(cls, model: ModelIdentity) -> Maker:
        """The model of a result that was made here."""
        return cls(model.name, model.version, model.sha256)


@dataclass(frozen=True)
class Prior:
    """An earlier result of the same patient and task, taken on `taken`; the request's own study was on `current_taken`.

    `labelmap` is a .npy of shape (z, y, x) on the grid of `series`: n marks the voxels of `lesions[n]`, SHARED those of
    small lesions that share a finding. `history` are the time points up to the prior as plain data, if it kept them.
    `maker` is None where the prior does not say which model it is of.
    """

    study_instance_uid: str
    taken: date
    current_taken: date
    series: SeriesFiles
    labelmap: Path
    lesions: dict[int, KnownLesion]
    history: tuple[dict[str, Any], ...] = ()
    maker: Maker | None = None


@dataclass(frozen=True)
class Request:
    """One job for an executor: inputs by role, the model to run, where to leave masks, a prior to compare with.

    `model` is a validated backend settings mapping (`kind`, `path`, …) from conf/models.yaml. Where requests wait, the
    one of the highest `priority` goes first.
    """

    job_id: str
    task: str
    inputs: dict[str, SeriesFiles]
    model: dict[str, Any]
    scratch: Path
    parameters: dict[str, Any] = field(default_factory=dict)
    time_limit_s: float = 900.0
    priority: int = 0
    prior: Prior | None = None


@dataclass(frozen=True)
class ExplainRequest(Request):
    """The same inputs and model, asked what the network looked at.

    `mask` is a .npy of shape (z, y, x) on the primary role's source grid: above 0 where the finding is that is asked
    about, whose label in the task is `label`. None where no finding is.
    """

    mask: Path | None = None
    label: int = 0
