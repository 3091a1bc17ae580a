"""Where results go. A destination is its settings: its fields are its YAML."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from dicom_node.errors import NotOffered, Refused, Unfinished
from dicom_node.network.statuses import Outcome, Status, Told
from dicom_node.objects.profile import STANDARD, Profile
from inference.findings import IntendedUse
from storage.records import CommitmentReport, Reference

Heard = Callable[[str, CommitmentReport], bool]  # keeps a report by its Transaction UID; False where it is not ours


class Destination(BaseModel, ABC):
    """One place that takes results.

    `accepts` lists which intended uses its readers are prepared for; other results are held back. `profile` says
    which objects it gets, in which form. With `iocm` it
    gets rejection notes on results of ours that are no longer valid (IHE Imaging Object Change Management).
    `concurrency` is how many results are sent there at a time. Where it has been down for `alternative_after_s`,
    the destination named `alternative` gets its results.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    accepts: tuple[IntendedUse, ...] = Field(default=(IntendedUse.CLINICAL,), min_length=1)
    profile: Profile = STANDARD
    iocm: bool = False
    concurrency: Annotated[int, Field(ge=1, le=16)] = 2
    alternative: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    alternative_after_s: Annotated[float, Field(gt=0, le=30 * 86400)] = 3600.0

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
    def deliver(self, files: Sequence[Path], told: Told = lambda _: None) -> Mapping[str, Status]:
        """Hand over Part 10 files; each one's answer by SOP instance UID, which `told` hears as it comes.

        Returns only when all of them are kept there, be it with a warning. Raises `Unreachable` where trying
        again may help, `Unfinished` where the objects themselves may be what hinders, `Refused` where it will not
        help, and `Rejected` where it will not until the destination is set up otherwise; each with the answers
        until then. Delivering twice leaves no duplicates.
        """


def require_stored(statuses: Mapping[str, Status], peer: object) -> None:
    """Raise unless every instance is kept. Trouble that may pass comes first: a later attempt tells the rest."""
    failed = {uid: status for uid, status in statuses.items() if not status.stored}
    if not failed:
        return
    told = "; ".join(sorted({str(status) for status in failed.values()}))
    sentence = f"{peer} did not keep {len(failed)} of {len(statuses)} objects: {told}"
    answers = {uid: str(status) for uid, status in statuses.items()}
    if any(status.outcome is Outcome.TRY_AGAIN for status in failed.values()):
        raise Unfinished(sentence, answers)
    raise Refused(sentence, answers)
