"""What lies at a path is told from its files, and common names are understood."""

import json

import pytest

from inference.backends.recognise import proposed_inputs, proposed_outputs, recognised
from inference.errors import BundleBroken
from inference.tasks import BRAIN_TUMOUR, LIVER_TUMOUR, LUNG_NODULE


@pytest.mark.parametrize(("name", "kind"), [("n.ts", "torchscript"), ("n.pt", "torchscript"), ("n.pt2", "exported")])
def test_files_are_known_by_their_endings(tmp_path, name, kind):
    (tmp_path / name).touch()
    assert recognised(tmp_path / name) == (kind, tmp_path / name)


@pytest.mark.parametrize(("section", "kind"), [({}, "zoo"), ({"segnode": {}}, "bundle")])
def test_a_bundle_with_our_section_is_ours(tmp_path, section, kind):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "metadata.json").write_text(json.dumps(section))
    assert recognised(tmp_path)[0] == kind


def test_an_nnunet_folder_may_be_named_by_the_one_around_it(tmp_path):
    for trainer in ("one", "two"):
        (tmp_path / trainer).mkdir()
        for name in ("plans.json", "dataset.json"):
            (tmp_path / trainer / name).touch()
        found = tmp_path / trainer
        if trainer == "one":
            assert recognised(tmp_path) == recognised(found) == ("nnunet", found)
    with pytest.raises(BundleBroken, match="holds several nnU-Net models; name one of one, two"):
        recognised(tmp_path)


def test_an_nnunet_folder_is_itself_beside_its_cross_validation(tmp_path):
    """`nnUNetv2_find_best_configuration` leaves a folder with copies of plans and data set in the model's own."""
    for folder in (tmp_path, tmp_path / "crossval_results_folds_0_1_2_3_4"):
        folder.mkdir(exist_ok=True)
        for name in ("plans.json", "dataset.json"):
            (folder / name).touch()
    assert recognised(tmp_path) == ("nnunet", tmp_path)


def test_what_is_none_of_them_is_told(tmp_path):
    with pytest.raises(BundleBroken, match="no model that is known"):
        recognised(tmp_path)
    (tmp_path / "net.onnx").touch()
    with pytest.raises(BundleBroken, match=r"net\.onnx ends in none of"):
        recognised(tmp_path / "net.onnx")


def test_names_that_others_use_are_understood():
    assert proposed_inputs(["T1c", "T1n", "T2-FLAIR", "PET"], BRAIN_TUMOUR) == {
        "T1c": "T1ce", "T1n": "T1", "T2-FLAIR": "FLAIR"}
    assert proposed_outputs(["liver", "tumor", "spleen"], LIVER_TUMOUR) == {"liver": "Liver", "tumor": "Liver tumour"}
    assert proposed_outputs(["Edema", "enhancing_tumor", "tumor"], BRAIN_TUMOUR) == {
        "Edema": "Oedema", "enhancing_tumor": "Enhancing tumour"}
    assert proposed_outputs(["lung_nodules", "tumor"], LUNG_NODULE) == {"lung_nodules": "Nodule"}


@pytest.mark.parametrize(("core", "oedema", "enhancing"), [
    ("non-enhancing tumor", "edema", "enhancing tumour"),  # Medical Segmentation Decathlon, task 1
    ("NETC", "SNFH", "ET"),  # BraTS 2023 and 2024
    ("TC", "WT", "ET"),  # their regions
    ("tumour core", "whole tumour", "enhancing tumour"),  # ours
], ids=str)
def test_the_parts_of_a_glioma_are_understood_in_the_words_of_each_data_set(core, oedema, enhancing):
    assert proposed_outputs([core, oedema, enhancing, "RC"], BRAIN_TUMOUR) == {
        core: "Necrotic core", oedema: "Oedema", enhancing: "Enhancing tumour"}
