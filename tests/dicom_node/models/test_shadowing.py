"""How shadows compare with their models, in numbers for people."""

from __future__ import annotations

import pytest

from dicom_node.assembly import Parts
from dicom_node.models.shadowing import shadow_lines, shadow_view
from storage.working.shadows import Pair


def region(dice: float) -> dict[str, object]:
    return {"region": "Liver", "dice": dice, "ml": 10.0, "shadow_ml": 12.0}


@pytest.fixture
def compared(parts: Parts) -> Parts:
    """Two comparisons under one pair of versions, one that failed, and one that waits."""
    with parts.database.transaction() as tx:
        for number in range(4):
            tx.shadows.add(Pair(f"job-{number}", f"1.2.{number}", "bright", "1", "next"), 100.0 + number)
        for number, dice in enumerate((0.9, 0.5)):
            found = tx.shadows.claim("me", 200.0, 60.0)
            answer = {"regions": [region(dice)], "seconds": 2.0, "shadow_seconds": 4.0 + number}
            tx.shadows.done(found.shadow_id, "me", 210.0, version="2", mean_dice=dice, answer=answer)
        tx.shadows.failed(tx.shadows.claim("me", 220.0, 60.0).shadow_id, "me", 230.0, "no memory", "2")
    return parts


def test_means_the_worst_first_and_what_failed(compared: Parts) -> None:
    with compared.database.reading() as tx:
        view = shadow_view(tx, "bright")
    (pair,) = view["compared"]
    assert (view["waiting"], pair["studies"], pair["failed"]) == (1, 2, 1)
    assert (pair["mean_dice"], pair["seconds"], pair["shadow_seconds"]) == (0.7, 2.0, 4.5)
    assert pair["regions"] == [{"region": "Liver", "studies": 2, "dice": 0.7, "ml": 10.0, "shadow_ml": 12.0}]
    assert [one["study"] for one in pair["worst"]] == ["1.2.1", "1.2.0"]
    assert pair["failures"] == [{"study": "1.2.2", "at": 230.0, "reason": "no memory"}]


def test_in_a_line(compared: Parts) -> None:
    with compared.database.reading() as tx:
        (line,) = shadow_lines([shadow_view(tx, "bright"), shadow_view(tx, "none")])
    assert (line["model"], line["shadow"], line["mean_dice"], line["waiting"]) == ("bright", "next", 0.7, 1)
