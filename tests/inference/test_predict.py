"""The one road: read, judge, segment, clean, measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.backends.base import Segmented, Turn, at_once
from inference.errors import ModelError, Unfit
from inference.findings import Agreement, IntendedUse, ModelIdentity
from inference.predict import predict
from inference.request import KnownLesion, Maker, Prior, Request, SeriesFiles
from inference.tasks import TASKS
from inference.tasks.card import TaskCard
from inference.volume import Volume

IDENTITY = ModelIdentity("box", "1", "ab" * 32, "Segnode", IntendedUse.DEMONSTRATION)
SHAPE = (6, 20, 24)


@dataclass
class Box:
    """A backend that answers as it is told, whatever it sees."""

    labels: NDArray[np.uint8]
    judged: bool = False
    probability: NDArray[np.float16] | None = None
    uncertainty: NDArray[np.float16] | None = None
    agreement: Agreement | None = None
    asked: list[Mapping[str, Volume]] = field(default_factory=list)
    identity: ModelIdentity = IDENTITY
    device: str = "cpu"
    turn: Turn | None = None

    def segment(
        self, inputs: Mapping[str, Volume], card: TaskCard, report: Callable[[float, str], None], turn: Turn
    ) -> Segmented:
        self.turn = turn
        self.asked.append(inputs)
        report(0.0, "network")
        report(1.0, "network")
        notes = ("the model was unsure",)
        return Segmented(self.labels, {"network": 1.5}, notes, self.probability, self.uncertainty, self.agreement)


@pytest.fixture
def labels() -> NDArray[np.uint8]:
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:5, 4:16, 4:16] = 1
    labels[2:4, 6:9, 6:9] = 2
    labels[2:4, 12:14, 12:14] = 2
    return labels


@pytest.fixture
def request_(volume_of: Callable[..., Volume], write: Callable[..., list[Path]], tmp_path: Path) -> Request:
    paths = write(volume_of())
    return Request("job", "liver_tumour", {"CT": SeriesFiles("1.2.3", tuple(paths), ())}, {}, tmp_path)


def quiet(fraction: float, step: str) -> None:
    """Progress that nobody asks for."""


def test_findings_and_mask_lie_on_the_source_grid(request_: Request, labels: NDArray[np.uint8]) -> None:
    backend = Box(labels)
    result = predict(request_, backend, quiet)
    assert [f.label for f in result.findings] == ["Liver", "Liver tumour 1", "Liver tumour 2"]
    assert [f.voxels for f in result.findings] == [4 * 144 - 18 - 8, 18, 8]
    assert np.array_equal(np.load(result.labelmap) > 0, labels > 0)
    assert result.labelmap.parent == request_.scratch
    (seen,) = backend.asked
    assert result.grid.matches(seen["CT"].grid)
    assert (result.task, result.model, result.primary_role, result.device) == ("liver_tumour", IDENTITY, "CT", "cpu")


@pytest.mark.parametrize(("maker", "told"), [
    (None, ""),
    (Maker("the same by another name", "1", IDENTITY.sha256), ""),
    (Maker("box", "0.9", "cd" * 32), "box 0.9"),
    (Maker("box", "1", "cd" * 32), "box 1 with other weights or settings"),
])
def test_a_prior_of_another_model_is_told(
    request_: Request, labels: NDArray[np.uint8], maker: Maker | None, told: str
) -> None:
    np.save(request_.scratch / "prior.npy", (labels == 2).astype(np.uint8))
    prior = Prior("1.2.9", date(2026, 1, 1), date(2026, 7, 1), request_.inputs["CT"], request_.scratch / "prior.npy",
                  {1: KnownLesion("Liver tumour 1", "2.25.1", 2)}, maker=maker)
    result = predict(replace(request_, prior=prior), Box(labels), quiet)
    assert result.trend is not None
    assert result.trend.other_model == told


def test_every_slice_has_its_instance(request_: Request, labels: NDArray[np.uint8]) -> None:
    result = predict(request_, Box(labels), quiet)
    assert len({source.sop_instance_uid for source in result.sources["CT"]}) == SHAPE[0]


def test_progress_never_goes_back(request_: Request, labels: NDArray[np.uint8]) -> None:
    told: list[tuple[float, str]] = []
    predict(request_, Box(labels), lambda *progress: told.append(progress))
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert [step for _, step in told] == ["read", "network", "network", "measure"]
    assert 0 < fractions[0] < fractions[-1] < 1


def test_the_model_is_told_whose_turn_to_wait_for(request_: Request, labels: NDArray[np.uint8]) -> None:
    backend = Box(labels)
    predict(request_, backend, quiet)
    assert backend.turn is at_once
    waiting = partial(at_once)
    predict(request_, backend, quiet, turn=waiting)
    assert backend.turn is waiting


def test_seconds_and_notes_of_the_model_are_kept(request_: Request, labels: NDArray[np.uint8]) -> None:
    result = predict(request_, Box(labels), quiet)
    assert result.seconds["network"] == 1.5
    assert {"read", "measure"} <= set(result.seconds)
    assert "the model was unsure" in result.notes


def test_a_probability_is_kept_where_there_is_one(request_: Request, labels: NDArray[np.uint8]) -> None:
    assert predict(request_, Box(labels), quiet).probability is None
    given = np.full(SHAPE, 0.25, np.float16)
    result = predict(request_, Box(labels, probability=given), quiet)
    assert result.probability is not None
    assert np.array_equal(np.load(result.probability), given)


def test_what_a_model_is_unsure_of_is_kept_and_every_finding_has_its_share(
    request_: Request, labels: NDArray[np.uint8]
) -> None:
    plain = predict(request_, Box(labels), quiet)
    assert (plain.uncertainty, plain.agreement) == (None, None)
    assert {f.entropy for f in plain.findings} == {None}
    result = predict(request_, Box(labels, uncertainty=np.where(labels == 2, 0.5, 0.125).astype(np.float16)), quiet)
    assert result.uncertainty is not None
    assert np.load(result.uncertainty).max() == 0.5
    organ, *tumours = (f.entropy for f in result.findings)
    assert organ is not None
    assert organ.inside == 0.125 < organ.border
    assert all(one is not None and one.inside == 0.5 > one.border for one in tumours)


def test_how_well_passes_agree_is_kept_and_said(request_: Request, labels: NDArray[np.uint8]) -> None:
    agreement = Agreement(4, {"liver": 0.5})
    result = predict(request_, Box(labels, agreement=agreement), quiet)
    assert result.agreement == agreement
    assert any(note.startswith("Agreement of 4 runs") and "liver 0.50" in note for note in result.notes)


def test_a_task_judges_and_cleans_unless_the_model_is_exact(
    request_: Request, labels: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unfit(volumes: dict[str, Volume]) -> None:
        raise Unfit("There is no liver in it.")

    card = replace(TASKS["liver_tumour"], fitness=unfit, postprocess=lambda labels, grid: labels * 0)
    monkeypatch.setitem(TASKS, "liver_tumour", card)
    assert predict(request_, Box(labels, judged=False), quiet).findings
    with pytest.raises(Unfit, match="no liver"):
        predict(request_, Box(labels, judged=True), quiet)
    monkeypatch.setitem(TASKS, "liver_tumour", replace(card, fitness=lambda volumes: None))
    assert predict(request_, Box(labels, judged=True), quiet).findings == ()


def test_nothing_found_is_a_result(request_: Request) -> None:
    result = predict(request_, Box(np.zeros(SHAPE, np.uint8)), quiet)
    assert result.findings == ()
    assert not np.load(result.labelmap).any()


def test_a_missing_role_is_named(request_: Request, labels: NDArray[np.uint8]) -> None:
    with pytest.raises(Unfit, match="also needs T1, T1ce, T2, FLAIR"):
        predict(replace(request_, task="brain_tumour", inputs={}), Box(labels), quiet)


def test_an_answer_on_another_grid_is_the_models_fault(request_: Request, labels: NDArray[np.uint8]) -> None:
    with pytest.raises(ModelError, match=r"a grid of \(5, 20, 24\), the source has \(6, 20, 24\)"):
        predict(request_, Box(labels[1:]), quiet)


def test_a_label_that_the_task_does_not_have_is_the_models_fault(
    request_: Request, labels: NDArray[np.uint8]
) -> None:
    labels[0, 0, 0] = 77
    with pytest.raises(ModelError, match=r"labels \[77\]"):
        predict(request_, Box(labels), quiet)


def test_an_unknown_task_is_told(request_: Request, labels: NDArray[np.uint8]) -> None:
    with pytest.raises(ModelError, match="no task palmistry"):
        predict(replace(request_, task="palmistry"), Box(labels), quiet)
