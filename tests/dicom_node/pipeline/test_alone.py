"""A stage that leases nothing works in one pipeline at a time."""

from __future__ import annotations

from dataclasses import dataclass

from dicom_node.pipeline.alone import Alone
from storage.database import Database


@dataclass
class Counting:
    """Works each time."""

    name: str = "review"
    steps: int = 0

    def step(self, now: float) -> bool:
        self.steps += 1
        return True


def test_the_other_pipeline_takes_over_when_the_first_has_gone(tmp_path, empty_sqlite) -> None:
    url = empty_sqlite(tmp_path / "node.sqlite")
    databases = [Database.open(url), Database.open(url)]
    ours, theirs = Counting(), Counting()
    first, second = (
        Alone(stage, one.sole(stage.name)) for stage, one in zip((ours, theirs), databases, strict=True)
    )
    assert first.name == "review"
    assert first.step(1.0)
    assert not second.step(1.0), "it has nothing to do"
    assert first.step(2.0)
    databases[0].close()
    assert second.step(3.0)
    assert (ours.steps, theirs.steps) == (2, 1)
    databases[1].close()
