"""What a commissioning found, as plain facts: for the page that people sign, and for the exit code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: whether it holds, and in words what was seen."""

    name: str
    passed: bool
    words: str


@dataclass(frozen=True)
class Agreement:
    """One region beside the phantom's truth; `mean` and `least` are None where nobody knows what to expect."""

    region: str
    dice: float
    found_ml: float
    true_ml: float
    mean: float | None = None
    least: float | None = None

    @property
    def enough(self) -> bool:
        """Whether nothing speaks against it."""
        return self.least is None or self.dice >= self.least


@dataclass(eq=False)
class Study:
    """One phantom that was played: what became of it, and what came back."""

    task: str
    seed: int
    study_uid: str
    patient: str
    images: int = 0
    route: str = ""
    model: str = ""
    timeline: Sequence[Mapping[str, Any]] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)  # of its job, by step
    how: str = ""  # by which service the SEG came back, or who has seen it
    agreement: list[Agreement] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    pictures: list[Image.Image] = field(default_factory=list)


@dataclass(frozen=True)
class Partner:
    """A peer or destination: what it is, and what it was found to take, by object or service."""

    name: str
    what: str
    answers: bool
    words: str
    accepted: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(eq=False)
class SignOff:
    """Everything that the page says. Times are seconds since the epoch."""

    node: str
    version: str
    machine: str
    revision: int
    configuration_sha256: str
    pacs: str
    started_at: float
    ended_at: float = 0.0
    configuration: Mapping[str, str] = field(default_factory=dict)
    partners: Sequence[Partner] = ()
    models: Sequence[Mapping[str, Any]] = ()
    checks: list[Check] = field(default_factory=list)
    studies: list[Study] = field(default_factory=list)

    def every_check(self) -> Iterator[tuple[str, Check]]:
        """Each check, with the task of the study that it is about, or "" where it is about the node."""
        yield from (("", check) for check in self.checks)
        for study in self.studies:
            yield from ((study.task, check) for check in study.checks)

    @property
    def passed(self) -> bool:
        """Whether something was checked, and every check passed."""
        return bool(self.studies) and all(check.passed for _, check in self.every_check())
