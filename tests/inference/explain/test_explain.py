"""From a request to maps: what is read, what is asked of the model, what is left in the scratch folder."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from inference.backends import build
from inference.errors import ModelError, Unfit
from inference.explain.explain import explain
from inference.findings import IntendedUse, ModelIdentity
from inference.request import ExplainRequest, SeriesFiles

IDENTITY = ModelIdentity("glass", "1", "ab" * 32, "Segnode", IntendedUse.DEMONSTRATION)


@dataclass
class Glass:
    """A model that shows what it was given."""

    identity: ModelIdentity = IDENTITY
    device: str = "cpu"
    judged: bool = True
    asked: list[Any] = field(default_factory=list)

    def segment(self, *_: object) -> None:
        raise AssertionError("nobody asks for an answer")

    def maps(self, inputs, card, target, report):
        self.asked.append(target)
        report(0.5, "look")
        shown = np.asarray(inputs[card.primary].array) > 0
        return {"grad-cam": shown.astype(np.float16)}


@pytest.fixture
def asked(volume_of, write, tmp_path):
    files = SeriesFiles("1.2.3", tuple(write(volume_of())), ())
    return lambda **more: ExplainRequest("job", "liver_tumour", {"CT": files}, {}, tmp_path, **more)


def quiet(fraction: float, step: str) -> None:
    """Progress that nobody asks for."""


def test_maps_lie_in_scratch_on_the_source_grid(asked, volume_of, tmp_path):
    found = explain(asked(), Glass(), quiet)
    assert (found.model, found.device) == (IDENTITY, "cpu")
    assert found.grid.matches(volume_of().grid)
    assert len(found.sources) == found.grid.shape[0]
    assert found.maps == {"grad-cam": tmp_path / "grad-cam.npy"}
    assert np.load(found.maps["grad-cam"]).shape == found.grid.shape


def test_the_finding_is_handed_on(asked, tmp_path, volume_of):
    mask = np.zeros(volume_of().grid.shape, np.uint8)
    mask[2, 3, 4] = 1
    np.save(tmp_path / "mask.npy", mask)
    glass, told = Glass(), []
    explain(asked(mask=tmp_path / "mask.npy", label=2), glass, lambda *progress: told.append(progress))
    ((seen, label),) = glass.asked
    assert label == 2
    assert np.argwhere(seen).tolist() == [[2, 3, 4]]
    assert [step for _, step in told] == ["read", "look"]
    explain(asked(), glass, quiet)
    assert glass.asked[1] is None


def test_a_model_without_a_network_says_so(asked):
    threshold = build({"kind": "threshold", "lower": 0, "upper": 1}).load("cpu")
    with pytest.raises(ModelError, match="threshold has no network"):
        explain(asked(), threshold, quiet)


def test_wrong_requests_are_told_as_for_a_result(asked):
    with pytest.raises(Unfit, match="also needs T1"):
        explain(ExplainRequest("job", "brain_tumour", {}, {}, asked().scratch), Glass(), quiet)
    with pytest.raises(ModelError, match="no task palmistry"):
        explain(ExplainRequest("job", "palmistry", {}, {}, asked().scratch), Glass(), quiet)
