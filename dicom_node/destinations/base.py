"""Where results go. A destination is its settings: its fields are its YAML."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from dicom_node.errors import NotOffered
from inference.findings import IntendedUse
from storage.records import CommitmentReport, Reference

Heard = Callable[[str, CommitmentReport], bool]  # keeps a report by its Transaction UID; False where it is not ours


class Destination(BaseModel, ABC):
    """One place that takes results.

    `accepts` lists which intended uses its readers are prepared for; other results are held back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    accepts: tuple[IntendedUse, ...] = Field(default=(IntendedUse.CLINICAL,), min_length=1)

    @property
    def asks_commitment(self) -> bool:
        """Whether the place is asked to take responsibility for what it got."""
        return False

    @property
    def requires_commitment(self) -> bool:
        """Whether a delivery without its commitment is dead, and waits for a person."""
        return False

    def ask_commitment(
        self,
        transaction_uid: str,  # noqa: ARG002 (what kinds that ask are given)
        references: Sequence[Reference],  # noqa: ARG002
        *,
        heard: Heard,  # noqa: ARG002
        wait_s: float,  # noqa: ARG002
    ) -> None:
        """Ask it to; returns when the request was taken. `heard` gets a report that comes within `wait_s`.

        Raises `NotOffered` or `Refused` where it will not, and `Unreachable` where trying again may help.
        """
        raise NotOffered("this kind of destination has no storage commitment")

    @abstractmethod
    def deliver(self, files: Sequence[Path]) -> Mapping[str, object]:
        """Hand over Part 10 files; each one's answer by SOP instance UID, whose text begins with 0x0000 for success.

        Returns only when all of them are kept there, be it with a warning. Raises `Unreachable` where trying
        again may help, and `Refused` where it will not. Delivering twice leaves no duplicates.
        """
