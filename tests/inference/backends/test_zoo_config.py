"""A bundle's configuration is fitted to this host, and the bundle's own steps stay as they are."""

from copy import deepcopy

import pytest
from zoo_bundles import MAKERS, brats, lung, spleen, step, swin, whole_body

from inference.backends.zoo_config import activation, channel_comes_first, config_file, fitted, reads_files_itself
from inference.errors import BundleBroken


def fit(config, tmp_path, **keys):
    return fitted(config, tmp_path, "cuda:1", tmp_path / "out", **{"in_memory": True, **keys})


@pytest.mark.parametrize("name", MAKERS)
def test_what_reads_and_writes_files_is_left_out_and_nothing_else(name, tmp_path):
    config = MAKERS[name]()
    before = deepcopy(config)
    changed = fit(config, tmp_path)
    assert config == before, "the configuration itself is not touched"
    for section in ("preprocessing", "postprocessing"):
        for now, then in zip(changed[section]["transforms"], before[section]["transforms"], strict=True):
            if now["_target_"] in ("LoadImaged", "SaveImaged"):
                assert now["_disabled_"] is True
            else:
                assert now == then


def test_with_files_they_stay(tmp_path):
    transforms = fit(spleen(), tmp_path, in_memory=False)["preprocessing"]["transforms"]
    assert transforms == spleen()["preprocessing"]["transforms"]


def test_it_runs_on_the_device_that_was_given(tmp_path):
    changed = fit(whole_body(), tmp_path)
    assert changed["device"] == "$torch.device('cuda:1')"
    assert changed["inferer"]["device"] == "@device", "where a device is written out elsewhere"


def test_arguments_that_a_network_lost_are_taken_away(tmp_path):
    network = fit(swin(), tmp_path)["network_def"]
    assert "img_size" not in network
    assert network["feature_size"] == 12
    assert fit(brats(), tmp_path)["network_def"] == brats()["network_def"]


def test_no_seed_is_set_for_all_that_runs_here(tmp_path):
    assert fit(spleen(), tmp_path)["initialize"] == ["$@checkpointloader(@evaluator)"]


def test_a_crop_may_be_smaller_as_it_was_when_bundles_were_made(tmp_path):
    config = spleen()
    config["preprocessing"]["transforms"].append(step("CropForegroundd", keys="image", source_key="image"))
    assert fit(config, tmp_path)["preprocessing"]["transforms"][-1]["allow_smaller"] is True


def test_no_process_is_started_and_no_precision_chosen(tmp_path):
    changed = fit(lung(), tmp_path)
    assert (changed["dataloader"]["num_workers"], changed["evaluator"]["amp"]) == (0, False)


def test_steps_that_are_computed_need_files():
    config = spleen()
    assert not reads_files_itself(config)
    config["preprocessing"]["transforms"] = "$@steps"
    assert reads_files_itself(config)


def test_a_channel_axis_that_reading_would_add_is_noticed():
    config = spleen()
    assert not channel_comes_first(config)
    config["preprocessing"]["transforms"][0]["ensure_channel_first"] = True
    assert channel_comes_first(config)


def test_what_is_no_bundle_for_inference_says_so(tmp_path):
    with pytest.raises(BundleBroken, match=r"has no configs/inference\.json or"):
        config_file(tmp_path)
    with pytest.raises(BundleBroken, match="has no dataset and evaluator"):
        fit({"network_def": "$None"}, tmp_path)


@pytest.mark.parametrize(("steps", "found"), [
    ([{"_target_": "Activationsd", "keys": "pred", "softmax": True}], "softmax"),
    ([{"_target_": "monai.transforms.ActivationsD", "keys": "pred", "sigmoid": True}], "sigmoid"),
    ([{"_target_": "Activationsd", "keys": "pred", "softmax": "@how"}], None),
    ([{"_target_": "AsDiscreted", "keys": "pred", "argmax": True}], None),
    ("$@computed", None),
])  # fmt: skip
def test_what_makes_probabilities_is_read_where_it_is_written(steps, found):
    assert activation({"postprocessing": {"_target_": "Compose", "transforms": steps}}) == found
