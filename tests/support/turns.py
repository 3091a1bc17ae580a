"""A turn at the device that tells what was done in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from inference.backends.base import Report

T = TypeVar("T")


@dataclass
class Told:
    """The steps that a job reports, in order, with the beginning and the end of its turns among them."""

    steps: list[str] = field(default_factory=list)

    def report(self, fraction: float, step: str) -> None:
        """As a job does."""
        del fraction
        if not self.steps or self.steps[-1] != step:
            self.steps.append(step)

    def turn(self, work: Callable[[], T], report: Report) -> T:
        """Comes at once."""
        del report
        self.steps.append("turn")
        try:
            return work()
        finally:
            self.steps.append("over")
