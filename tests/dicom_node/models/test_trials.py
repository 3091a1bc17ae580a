"""The stages beside the walk are there, under the settings of now."""

from __future__ import annotations

from dicom_node.assembly import Parts
from dicom_node.models.trials import trials


def test_a_node_has_one_of_each_and_its_settings(parts: Parts) -> None:
    by_name = {stage.name: stage for stage in trials(parts)}
    assert set(by_name) == {"bench", "shadow"}
    assert not any(stage.step(100.0) for stage in by_name.values()), "there is nothing to try"
