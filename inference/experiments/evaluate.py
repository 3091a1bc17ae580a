"""A run's bundle judged and told: the paper's tables and figures as CSV, JSON and a page that opens offline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from inference.backends import build
from inference.backends.bundle_files import HASHES, METADATA
from inference.backends.json_file import json_object
from inference.errors import DataError, Leak
from inference.evaluation.files import write_report
from inference.evaluation.folds import pool_folds
from inference.evaluation.report import ReportText, build_report
from inference.evaluation.results import DatasetResult, LossPoint
from inference.experiments.judge import SCORED, Tell, judge, losses, unseen
from inference.training.config import TrainingSettings, load_settings
from inference.training.history import read_curves
from inference.training.run import CACHE, CURVES, train
from inference.training.splits import FOLDS

Files = tuple[Path, Path, Path]


def evaluate_bundle(configuration: Path, bundle: Path, folder: Path, seeds: Sequence[int] = SCORED, *,
                    device: str = "cpu", tell: Tell = lambda _: None) -> Files:
    """The report of a bundle on the test cases of the configuration that it was trained by, in `folder`."""
    settings = load_settings(configuration)
    result = _judged(settings, configuration.parent, bundle, seeds, device, tell)
    return _told(bundle, result, _curves(bundle), folder)


def cross_validate(configuration: Path, folder: Path, cache: Path = CACHE, *, workers: int = 2, device: str = "cpu",
                   tell: Tell = lambda _: None) -> Files:
    """Five trainings, each judged on the fold that it did not see, and one report over all cases (paper III-E).

    `folder` keeps the configuration and the bundle of every fold; a fold whose bundle is whole is not trained again.
    """
    settings = load_settings(configuration)
    if settings.data is None or settings.split is None:
        raise DataError(f"{configuration.name} draws phantoms, of which there are as many as are wanted: "
                        "cross-validate a data set.")
    folder.mkdir(parents=True, exist_ok=True)
    results: list[DatasetResult] = []
    curves: tuple[LossPoint, ...] = ()
    for fold in range(FOLDS):
        own, bundle = _of_fold(configuration, settings, folder, fold), folder / f"fold-{fold}"
        if not (bundle / HASHES).exists():  # the last of a bundle's files
            train(own, bundle, cache, workers=workers)
        results.append(_judged(load_settings(own), own.parent, bundle, SCORED, device, tell))
        curves = curves or _curves(bundle)
    return _told(bundle, pool_folds(results), curves, folder)


def _of_fold(configuration: Path, settings: TrainingSettings, folder: Path, fold: int) -> Path:
    """The configuration with a fold to test, written beside the bundles; what it names still lies where it did.

    DataError where the fold's bundle is there, and another configuration beside it.
    """
    yaml = YAML()
    content = yaml.load(configuration.read_text(encoding="utf-8"))
    beside = configuration.parent.resolve()
    content["split"] = {**content["split"], "fold": fold, "file": str((folder / "folds.json").resolve())}
    for key in ("folder", "lidc_xml", "patients"):
        if content["data"].get(key):
            content["data"][key] = str(beside / Path(content["data"][key]).expanduser())
    if settings.start:
        content["start"] = {part: str(bundle.resolve()) for part, bundle in settings.start.items()}
    if (content.get("network") or {}).get("pretrained"):
        content["network"]["pretrained"] = str(beside / content["network"]["pretrained"])
    written = StringIO()
    yaml.dump(content, written)
    path, bundle = folder / f"fold-{fold}.yaml", folder / f"fold-{fold}"
    if bundle.exists() and path.exists() and _plain(path.read_text()) != _plain(written.getvalue()):
        raise DataError(f"{bundle.name} was trained by another configuration than {configuration.name} is now: name "
                        f"another folder than {folder.name}, or put back what was changed.")
    path.write_text(written.getvalue())
    return path


def _plain(text: str) -> Any:
    """What a configuration says, without its comments."""
    return YAML(typ="safe").load(text)


def _judged(settings: TrainingSettings, beside: Path, bundle: Path, seeds: Sequence[int], device: str,
            tell: Tell) -> DatasetResult:
    """The bundle's figures on the run's test cases; Leak where it learnt by another split, so from some of them."""
    test, learnt = unseen(settings, beside, seeds), json_object(bundle, METADATA).get("data_split")
    if learnt and test.split and learnt != test.split:
        raise Leak(f"{bundle.name} learnt by another split, so maybe from what is tested: put back the split's file "
                   "that it was trained by, or train anew into another folder.")
    model = build({"kind": "bundle", "path": str(bundle)}).load(device)
    return judge(test, model, strict=settings.strict, tell=tell)


def _curves(bundle: Path) -> tuple[LossPoint, ...]:
    """The curves that lie beside a bundle since it was trained; none where they do not."""
    path = bundle.with_name(f"{bundle.name}-curves") / CURVES
    return losses(read_curves(path)) if path.exists() else ()


def _told(bundle: Path, result: DatasetResult, curves: tuple[LossPoint, ...], folder: Path) -> Files:
    """The report, which is called as the bundle is: the configuration may be of another training."""
    metadata = json_object(bundle, METADATA)
    name = f"{metadata['name']} {metadata['version']}"
    text = ReportText(title=name, model=name, created=datetime.now(tz=UTC).date().isoformat(),
                      trained_on_phantoms=metadata.get("data_type") == "synthetic")
    return write_report(build_report(text, [result], losses=curves), folder)
