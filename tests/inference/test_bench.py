"""A model is measured in each way to run it, and a faster one is told only where it finds the same."""

from dataclasses import replace

import numpy as np
import pytest

from inference import bench as module
from inference.bench import Bench, Measured, bench, measure, settings_of
from inference.volume import Grid, Volume

THRESHOLD = {"kind": "threshold", "lower": 100, "upper": 3000}
RUN = Measured("fp32", 8, 10.0, 8.0, 900.0, np.ones((2, 2, 2), np.uint8), "bf16")


@pytest.fixture
def study() -> dict[str, Volume]:
    return {"CT": Volume(np.full((4, 6, 6), 200.0, np.float32), Grid((4, 6, 6), np.eye(4)), "HU")}


def test_a_run_tells_time_memory_and_answer(study):
    run = measure(THRESHOLD, "liver_tumour", "cpu", study)
    assert run.labels.all()
    assert run.seconds >= run.network_s > 0
    assert run.peak_mb > 10
    assert run.auto in ("fp32", "bf16")


def test_windows_are_counted_as_the_network_sees_them():
    from torch import nn, ones

    network = nn.Conv3d(1, 1, 1)
    with module._counted(network) as windows:
        network(ones(2, 1, 4, 4, 4))
        network(ones(1, 1, 4, 4, 4))
    network(ones(1, 1, 4, 4, 4))
    assert windows == [3]


def test_a_model_without_weights_runs_once(study, monkeypatch):
    monkeypatch.setattr(module, "_apart", measure)
    told = bench(THRESHOLD, "liver_tumour", "cpu", study)
    assert [run.way for run in told.runs] == ["auto"]
    assert (told.alike, told.better) == ({"auto": 1.0}, None)


@pytest.mark.parametrize(("seconds", "alike", "auto", "better"), [
    (4.0, 0.999, "bf16", None),  # auto takes the faster one by itself
    (4.0, 0.999, "fp32", "bf16"),
    (4.0, 0.997, "fp32", None),  # faster, and finds something else
    (20.0, 0.999, "bf16", "fp32"),
    (7.9, 0.999, "fp32", None),  # hardly faster
])
def test_another_way_is_told_where_it_is_faster_and_finds_the_same(seconds, alike, auto, better):
    runs = (RUN, replace(RUN, way="bf16", network_s=seconds))
    assert Bench(runs, {"fp32": 1.0, "bf16": alike}, auto).better == better


def test_where_nothing_was_found_no_way_is_said_to_find_the_same():
    blind = replace(RUN, labels=np.zeros_like(RUN.labels))
    told = Bench((blind, replace(blind, way="bf16", network_s=1.0)), {"fp32": 1.0, "bf16": 1.0}, "fp32")
    assert (told.found, told.better) == (False, None)


def test_each_engine_is_tried_in_each_precision(study, monkeypatch):
    settings = {"kind": "bundle", "path": "shipped:liver_tumour"}
    asked = []

    def run(settings, *_):
        asked.append((settings["engine"], settings["precision"]))
        return replace(RUN, way=module.way(*asked[-1]))

    monkeypatch.setattr(module, "_apart", run)
    told = bench(settings, "liver_tumour", "cpu", study)
    assert asked == [("torch", "fp32"), ("torch", "bf16"), ("openvino", "fp32"), ("openvino", "bf16")]
    assert told.auto == "bf16"
    assert bench(settings | {"engine": "openvino"}, "liver_tumour", "cpu", study).auto == "openvino bf16"
    assert [run.way for run in bench(settings, "liver_tumour", "cuda:0", study).runs] == ["fp32", "bf16"]


@pytest.mark.parametrize(("words", "keys"), [
    ("bf16", {"engine": "torch", "precision": "bf16"}), ("openvino fp32", {"engine": "openvino", "precision": "fp32"})])
def test_a_way_is_what_models_yaml_says(words, keys):
    assert settings_of(words) == keys
    assert module.way(keys["engine"], keys["precision"]) == words
