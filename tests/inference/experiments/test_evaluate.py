"""A bundle is judged on what its run kept for the test; five folds together judge every case once."""

import json
from unittest.mock import Mock

import pytest

from inference.backends import build
from inference.backends.bundle_files import METADATA, write_hashes
from inference.errors import BadCase, DataError, Leak
from inference.evaluation.files import read_report, read_scores
from inference.experiments.evaluate import cross_validate, evaluate_bundle
from inference.experiments.judge import judge, unseen
from inference.training.config import load_settings
from inference.training.material import grouped
from inference.training.run import train


@pytest.fixture
def run(configuration, lits):
    """A configuration and the bundle that it gave."""
    path = configuration()
    return path, train(path, lits / "bundle", lits / "cache", workers=1)


def test_a_bundle_is_judged_on_the_cases_that_were_kept(run, lits):
    path, bundle = run
    told = []
    table, data, _ = evaluate_bundle(path, bundle, lits / "report", tell=told.append)
    test = grouped(load_settings(path), lits).test
    assert told == [len(test)] * len(test)
    assert {row.case for row in read_scores(table)} == {ref.case_id for ref in test}
    report = read_report(data)
    assert [point.epoch for point in report.losses] == [1, 2]
    assert report.datasets[0].overlays[0].case == test[0].case_id


def test_the_report_is_of_the_bundle_however_the_configuration_is_called(run, lits):
    path, bundle = run
    metadata = bundle / METADATA
    told = {"name": "Other", "version": "7", "data_type": "synthetic"}
    metadata.write_text(json.dumps(json.loads(metadata.read_text()) | told))
    write_hashes(bundle)
    report = read_report(evaluate_bundle(path, bundle, lits / "report")[1])
    assert (report.model, report.trained_on_phantoms) == ("Other 7", True)


def test_a_case_that_cannot_be_read_is_counted_or_ends_a_strict_run(run, lits):
    path, bundle = run
    kept = unseen(load_settings(path), lits)
    model = build({"kind": "bundle", "path": str(bundle)}).load("cpu")
    image = kept.refs[0].images["CT"]
    image.write_bytes(b"no image")
    [failure] = judge(kept, model).failures
    assert failure.case == kept.refs[0].case_id
    assert image.name in failure.reason
    with pytest.raises(BadCase, match=image.name):
        judge(kept, model, strict=True)


def test_five_folds_judge_every_case_once_and_are_not_trained_again(configuration, lits, monkeypatch):
    path = configuration()
    table, _, _ = cross_validate(path, lits / "folds", lits / "cache", workers=1)
    cases = [row.case for row in read_scores(table) if row.region == "liver"]
    assert len(cases) == len(set(cases)) == 7
    monkeypatch.setattr("inference.experiments.evaluate.train", None)
    assert cross_validate(path, lits / "folds", lits / "cache", workers=1)[0] == table


def test_a_fold_whose_bundle_was_begun_is_written_anew(configuration, lits, monkeypatch):
    path, stopped = configuration(), Mock(side_effect=[KeyboardInterrupt])
    with monkeypatch.context() as patch:
        patch.setattr("inference.training.export.write_hashes", stopped)
        with pytest.raises(KeyboardInterrupt):
            cross_validate(path, lits / "folds", lits / "cache", workers=1)
    assert not (lits / "folds" / "fold-0").exists()
    assert cross_validate(path, lits / "folds", lits / "cache", workers=1)[0].exists()


@pytest.mark.parametrize("other", [{"seed": 1}, {"fold": 1}])
def test_a_bundle_is_not_judged_by_a_split_that_it_did_not_learn_by(lits, configuration, other):
    split = {"file": "split.json", **dict.fromkeys(other, 0)}
    bundle = train(configuration(split=split), lits / "bundle", lits / "cache", workers=1)
    (lits / "split.json").unlink()
    with pytest.raises(Leak, match="bundle learnt by another split"):
        evaluate_bundle(configuration(split={**split, **other}), bundle, lits / "report")


def test_folds_that_were_drawn_anew_are_not_judged_by_the_bundles_of_the_old_ones(configuration, lits):
    path = configuration()
    cross_validate(path, lits / "folds", lits / "cache", workers=1)
    (lits / "folds" / "folds.json").unlink()
    for gone in (lits / "LiTS").rglob("*-6.nii"):
        gone.unlink()
    with pytest.raises(Leak, match="fold-0 learnt by another split"):
        cross_validate(path, lits / "folds", lits / "cache", workers=1)


@pytest.mark.parametrize("start", ["bundle", {"coarse": "bundle"}])
def test_a_fold_goes_on_from_the_bundle_that_lies_beside_the_configuration(configuration, lits, monkeypatch, start):
    begun = []

    def interrupted(own, *_, **__):
        begun.append(load_settings(own).start)
        raise KeyboardInterrupt

    monkeypatch.setattr("inference.experiments.evaluate.train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cross_validate(configuration(start=start), lits / "folds")
    assert begun == [{"coarse" if isinstance(start, dict) else "": lits / "bundle"}]


def test_bundles_of_another_configuration_are_not_taken_for_this_one_s(configuration, lits):
    cross_validate(configuration(), lits / "folds", lits / "cache", workers=1)
    kept = (lits / "folds" / "fold-0.yaml").read_text()
    with pytest.raises(DataError, match="fold-0 was trained by another configuration"):
        cross_validate(configuration(steps=2), lits / "folds", lits / "cache", workers=1)
    assert (lits / "folds" / "fold-0.yaml").read_text() == kept


@pytest.mark.parametrize("learnt", [{"first_seed": 8990, "validation_first_seed": 0},
                                    {"first_seed": 0, "validation_first_seed": 8990}])
def test_phantoms_that_were_learnt_from_are_not_judged(configuration, learnt):
    cases = {**learnt, "count": 20, "validation_count": 20}
    settings = load_settings(configuration(data=None, split=None, cases=cases))
    with pytest.raises(Leak, match="phantom 9000"):
        unseen(settings)
    assert len(unseen(settings, seeds=range(9010, 9020)).refs) == 10


def test_phantoms_have_no_folds(configuration, lits):
    cases = {"first_seed": 0, "count": 1, "validation_first_seed": 2, "validation_count": 1}
    with pytest.raises(DataError, match="as many as are wanted"):
        cross_validate(configuration(data=None, split=None, cases=cases), lits / "folds")
