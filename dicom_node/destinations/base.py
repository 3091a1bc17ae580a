"""Where results go. A destination is its settings: its fields are its YAML."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from inference.findings import IntendedUse


class Destination(BaseModel, ABC):
    """One place that takes results.

    `accepts` lists which intended uses its readers are prepared for; other results are held back. With `iocm` it
    gets rejection notes on results of ours that are no longer valid (IHE Imaging Object Change Management).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    accepts: tuple[IntendedUse, ...] = Field(default=(IntendedUse.CLINICAL,), min_length=1)

    iocm: bool = False

    @abstractmethod
    def deliver(self, files: Sequence[Path]) -> Mapping[str, object]:
        """Hand over Part 10 files; each one's answer by SOP instance UID, whose text begins with 0x0000 for success.

        Returns only when all of them are kept there, be it with a warning. Raises `Unreachable` where trying
        again may help, and `Refused` where it will not. Delivering twice leaves no duplicates.
        """
