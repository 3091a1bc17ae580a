"""Settings of each kind of data set: the fields are the YAML under `data:` in a training configuration."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from inference.tasks import TASKS
from inference.training.datasets.base import DataSet
from inference.training.datasets.brats import Brats
from inference.training.datasets.lits import Lits
from inference.training.datasets.luna16 import Luna16
from inference.training.datasets.organs import Organs, Sowing
from inference.training.datasets.phantoms import Phantoms
from inference.training.implants import ImplantSettings


class DataSettings(BaseModel, ABC):
    """Settings of one kind; paths that are not absolute are taken from where the configuration lies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    @abstractmethod
    def answers(self) -> str:
        """The task that its cases are of."""

    @abstractmethod
    def open(self, beside: Path = Path()) -> DataSet:
        """The data set, nothing read yet; `beside` is the folder of the configuration."""


class BratsSettings(DataSettings):
    """BraTS, whichever release: one folder of cases."""

    kind: Literal["brats"] = "brats"
    folder: Path

    @property
    def answers(self) -> str:
        return Brats.card.name

    def open(self, beside: Path = Path()) -> Brats:
        return Brats(_from(beside, self.folder))


class LitsSettings(DataSettings):
    """LiTS, NIfTI or DICOM: the folder with both training batches, or of one."""

    kind: Literal["lits"] = "lits"
    folder: Path

    @property
    def answers(self) -> str:
        return Lits.card.name

    def open(self, beside: Path = Path()) -> Lits:
        return Lits(_from(beside, self.folder))


class Luna16Settings(DataSettings):
    """LUNA16: the folder of the subsets, LIDC-IDRI's XML files, and NBIA's table of whose a series is."""

    kind: Literal["luna16"] = "luna16"
    folder: Path
    lidc_xml: Path | None = None
    patients: Path | None = None

    @property
    def answers(self) -> str:
        return Luna16.card.name

    def open(self, beside: Path = Path()) -> Luna16:
        return Luna16(_from(beside, self.folder), self.lidc_xml and _from(beside, self.lidc_xml),
                      self.patients and _from(beside, self.patients))


class PhantomSettings(DataSettings):
    """Phantoms of a task, by their seeds."""

    kind: Literal["phantoms"] = "phantoms"
    task: Literal["brain_tumour", "liver_tumour", "lung_nodule"]
    first_seed: int = Field(ge=0)
    count: int = Field(ge=1)

    @property
    def answers(self) -> str:
        return self.task

    def open(self, beside: Path = Path()) -> Phantoms:
        del beside  # they lie nowhere
        return Phantoms(self.task, self.first_seed, self.count)


class OrganSettings(DataSettings):
    """CTs of a site with masks of the organ, into which lesions are drawn.

    `organ` is what the masks' files are called, the task's own word for it where none is given. `organ_labels` are its
    numbers in a mask of several organs. Of the cases a `share` gets lesions, from so many to so many.
    """

    kind: Literal["organs"] = "organs"
    task: Literal["liver_tumour", "lung_nodule"]
    folder: Path
    organ: str = Field(default="", pattern=r"^[\w-]*$")
    organ_labels: tuple[int, ...] = ()
    lesions: ImplantSettings
    lesions_per_case: tuple[int, int] = (1, 8)

    @property
    def answers(self) -> str:
        return self.task

    def open(self, beside: Path = Path()) -> Organs:
        card = TASKS[self.task]
        organ = self.organ or (card.organ.name if card.organ else "organ")
        return Organs(_from(beside, self.folder), card, Sowing(self.lesions, self.lesions_per_case), organ,
                      self.organ_labels)

    @model_validator(mode="after")
    def _lesions_of_the_task(self) -> Self:
        card = TASKS[self.task]
        if self.lesions.label not in card.lesions:
            raise ValueError(f"a lesion of {self.task} has the label {' or '.join(map(str, card.lesions))}, not "
                             f"{self.lesions.label}")
        if not 1 <= self.lesions_per_case[0] <= self.lesions_per_case[1]:
            raise ValueError("lesions_per_case are from 1 on, the lower number first")
        return self


def _from(beside: Path, path: Path) -> Path:
    return beside / path.expanduser()
