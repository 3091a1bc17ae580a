"""What a model is expected to reach: as its bundle tells, where it was trained on phantoms."""

from __future__ import annotations

import pytest

from dicom_node.commissioning.expected import expected, least
from dicom_node.settings.models import BUNDLES, ModelSettings


@pytest.mark.parametrize(
    ("task", "regions"),
    [
        ("brain_tumour", {"whole tumour", "tumour core", "enhancing tumour"}),
        ("liver_tumour", {"liver", "liver tumour"}),
        ("lung_nodule", {"nodule"}),
    ],
)
def test_the_shipped_models_tell_what_they_reach(task: str, regions: set[str]) -> None:
    settings = ModelSettings.model_validate({"task": task, "kind": "bundle", "path": str(BUNDLES / task)})
    means = expected(settings)
    assert set(means) == regions
    assert all(0.5 < mean < 1 for mean in means.values())


def test_of_other_models_nothing_is_known() -> None:
    model = {"task": "liver_tumour", "kind": "threshold", "lower": 150, "upper": 3000}
    assert expected(ModelSettings.model_validate(model)) == {}
    assert least({}, "Liver") == (None, None)


def test_one_phantom_may_lie_below_the_mean() -> None:
    assert least({"liver": 0.97}, "Liver", 0.2) == (0.97, 0.77)
    assert least({"nodule": 0.1}, "Nodule", 0.2) == (0.1, 0.0)
