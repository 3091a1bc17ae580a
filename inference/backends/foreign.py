"""What models of other makers need from models.yaml: names, origin, recorded files, and trust where they are code."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from inference.backends.base import BackendSettings
from inference.backends.manifest import Described, Names
from inference.backends.pins import digest_of, verified
from inference.errors import BundleBroken
from inference.findings import IntendedUse, ModelIdentity
from inference.precision import Precision

Short = Annotated[str, Field(max_length=64)]  # what enters an LO of DICOM

# What says nothing of a model's answer, or stands in its identity by itself.
NOT_IDENTITY = {"path", "sha256", "trusted", "precision", "engine", "title", "version", "flips"}

UNTRUSTED = ("Running it runs code of its maker with the rights of this node's worker process. Whoever has read it, or "
             "knows where it comes from, sets trusted: true, as `segnode models add --trust` does.")


class Foreign(BackendSettings):
    """A model's folder or file at `path`; `sha256` are its files as recorded (models.lock.json keeps them)."""

    runs_code: ClassVar[bool] = False  # whether running it runs Python of its maker's

    path: Path
    inputs: dict[str, str] = Field(default_factory=dict)
    outputs: dict[str, str] = Field(default_factory=dict)
    title: Short = ""
    version: Short = ""
    manufacturer: Annotated[Short, Field(min_length=1)] = "unknown"
    intended_use: IntendedUse = IntendedUse.RESEARCH
    clearance: str = ""
    trusted: bool = False
    precision: Precision = "auto"
    sha256: dict[str, str] = Field(default_factory=dict, repr=False)

    @model_validator(mode="after")
    def _cleared(self) -> Foreign:
        if self.intended_use is IntendedUse.CLINICAL and not self.clearance:
            raise ValueError("intended_use: clinical needs clearance: who cleared it, and under which number")
        return self

    @property
    def names(self) -> Names:
        """The model's words and the task's."""
        return Names(inputs=self.inputs, outputs=self.outputs)

    @abstractmethod
    def describe(self) -> Described:
        """What the model's files say of it, read as data; BundleBroken where they cannot be read."""

    def identity(self) -> ModelIdentity:
        files = verified(self.path, self.sha256)
        if self.runs_code and not self.trusted:
            raise BundleBroken(f"Model {self.path.name} is not trusted. {UNTRUSTED}")
        described = self.describe()
        self.names.check_model(described)
        kept = self.model_dump(mode="json", exclude=NOT_IDENTITY)
        return ModelIdentity(self.title or described.name[:64], self.version or described.version[:64],
                             digest_of([files, kept]), self.manufacturer, self.intended_use, self.clearance)
