"""Models are made and judged by commands that say where the result is, or in one sentence why there is none."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dicom_node.cli.main import main
from inference.errors import DataError, ModelError

FILES = (Path("scores.csv"), Path("report.json"), Path("report.html"))


@pytest.fixture
def configuration(tmp_path: Path) -> str:
    path = tmp_path / "run.yaml"
    path.write_text("{}")
    return str(path)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What each engine was asked; none of them runs."""
    asked: dict[str, Any] = {}

    def engine(name: str, answer: Any) -> Any:
        def run(*given: Any, **named: Any) -> Any:
            asked[name] = (*given, named)
            return answer

        return run

    training = SimpleNamespace(CACHE=Path("default"), train=engine("train", Path("bundle")))
    judging = SimpleNamespace(evaluate_bundle=engine("evaluate", FILES), cross_validate=engine("folds", FILES))
    comparing = SimpleNamespace(compare=engine("compare", FILES))
    monkeypatch.setitem(sys.modules, "inference.training.run", training)
    monkeypatch.setitem(sys.modules, "inference.experiments.evaluate", judging)
    monkeypatch.setitem(sys.modules, "inference.experiments.compare", comparing)
    return asked


def segnode(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def test_train_tells_where_the_bundle_is(configuration: str, asked: dict[str, Any]) -> None:
    assert segnode("train", configuration, "--output", "here").stdout == "bundle written to bundle\n"
    assert asked["train"] == (Path(configuration), Path("here"), Path("default"), {})


def test_evaluate_judges_the_phantoms_that_are_asked_for(
    configuration: str, asked: dict[str, Any], tmp_path: Path
) -> None:
    result = segnode("evaluate", configuration, str(tmp_path), "--seeds", "9000-9002", "--output", "there")
    assert result.stdout == "report written to report.html\n"
    assert asked["evaluate"][:4] == (Path(configuration), tmp_path, Path("there"), range(9000, 9003))


def test_cross_validate_and_compare_take_a_cache(configuration: str, asked: dict[str, Any]) -> None:
    assert segnode("cross-validate", configuration, "--cache", "c").exit_code == 0
    assert asked["folds"][:3] == (Path(configuration), Path("cross-validation"), Path("c"))
    assert segnode("compare", configuration).stdout == "comparison written to report.html\n"
    assert asked["compare"] == (Path(configuration), Path("comparison"), Path("default"), {})


@pytest.mark.parametrize("fault", [ModelError("no such task"), DataError("an empty folder")])
def test_what_cannot_be_is_a_sentence(
    configuration: str, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def train(*_: Any) -> Path:
        raise fault

    monkeypatch.setattr(sys.modules["inference.training.run"], "train", train)
    result = segnode("train", configuration)
    assert (result.exit_code, result.stderr) == (1, f"Error: {fault}\n")


def test_an_unknown_form_of_seeds_is_told(configuration: str, asked: dict[str, Any], tmp_path: Path) -> None:
    result = segnode("evaluate", configuration, str(tmp_path), "--seeds", "many")
    assert result.exit_code == 2
    assert "neither a seed nor FIRST-LAST" in result.stderr
    result = segnode("evaluate", configuration, str(tmp_path), "--seeds", "9009-9000")
    assert result.exit_code == 2
    assert "'9009-9000' ends before it begins" in result.stderr
