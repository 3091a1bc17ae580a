"""A stage that works in one pipeline at a time; those of the others stand by until its process ends.

For stages that lease nothing: two of them would do the same work, and one of them in vain.
"""

from __future__ import annotations

from dataclasses import dataclass

from dicom_node.pipeline.loop import Stage
from storage.sql.sole import Sole


@dataclass(frozen=True)
class Alone:
    """`stage`, while `place` is ours."""

    stage: Stage
    place: Sole

    @property
    def name(self) -> str:
        return self.stage.name

    def step(self, now: float) -> bool:
        return self.place.hold() and self.stage.step(now)
