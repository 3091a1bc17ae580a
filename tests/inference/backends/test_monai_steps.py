"""MONAI's own engine runs a bundle of ours and answers as the node does, voxel by voxel."""

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow
from monai.utils import optional_import

import inference
from inference import backends
from inference.backends.bundle import Bundle
from inference.backends.bundle_files import INFERENCE, METADATA
from inference.backends.monai_steps import Show, cases
from inference.errors import Unfit
from inference.readers import nifti
from inference.readers.dicom import read_series
from inference.tasks import TASKS
from inference.volume import Grid, Spacing, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series
from inference.writers.image_file import write_image

SHIPPED = Path(inference.__file__).parent / "bundles" / "liver_tumour"


def workflow(bundle, images, answers) -> ConfigWorkflow:
    return ConfigWorkflow(
        str(bundle / INFERENCE), str(bundle / METADATA), logging_file=False, workflow_type="infer",
        bundle_root=str(bundle), dataset_dir=str(images), output_dir=str(answers),
    )  # fmt: skip


@pytest.fixture
def network(network):
    """An untrained network that finds something nevertheless."""
    with torch.no_grad():
        network.output.weight.mul_(100)
        network.output.bias.zero_()
    return network


@pytest.fixture
def images(ct, tmp_path):
    """One scan as a file, and as a DICOM series in the folder of its role."""
    rounded = type(ct)(np.rint(ct.array), ct.grid, "HU")
    (tmp_path / "images").mkdir()
    write_image(rounded.array.astype(np.int16), ct.grid, tmp_path / "images" / "one.nii.gz")
    write_series(rounded, Acquisition.ct(StudyDetails.of("two")), tmp_path / "images" / "two" / "CT")
    return tmp_path / "images"


def test_plain_monai_answers_as_the_node_does(bundle, images, tmp_path):
    run = workflow(bundle, images, tmp_path / "answers")
    run.initialize()
    assert not run.check_properties()
    run.run()
    run.finalize()
    card, node = TASKS["lung_nodule"], Bundle(path=bundle).load("cpu")
    shown = {"one": nifti.read(images / "one.nii.gz", "HU"), "two": read_series(sorted((images / "two/CT").iterdir()))}
    for name, scan in shown.items():
        expected = card.postprocess(node.segment({"CT": scan}, card, lambda *_: None).labels, scan.grid)
        found = nifti.read(tmp_path / "answers" / f"{name}.nii.gz")
        assert found.grid.matches(scan.grid, 1e-3)
        assert 0 < np.count_nonzero(expected) < expected.size
        assert np.array_equal(found.array.astype(np.uint8), expected), name


def test_monai_finds_the_steps_that_nobody_has_imported_yet(monkeypatch):
    """It asks for them by a name in their package, and imports the package alone."""
    monkeypatch.delattr(backends, "monai_steps")
    steps, found = optional_import("inference.backends", name="monai_steps")
    assert found
    assert steps.cases is cases


def test_plain_monai_runs_a_shipped_bundle(tmp_path):
    body = Grid((16, 16, 16), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(2.5, 2.5, 2.5)))
    noise = np.random.default_rng(0).normal(90, 60, body.shape).astype(np.int16)
    (tmp_path / "images").mkdir()
    write_image(noise, body, tmp_path / "images" / "one.nii.gz")
    run = workflow(SHIPPED, tmp_path / "images", tmp_path / "answers")
    run.initialize()
    assert not run.check_properties()
    run.run()
    run.finalize()
    card, scan = TASKS["liver_tumour"], nifti.read(tmp_path / "images" / "one.nii.gz", "HU")
    labels = Bundle(path=SHIPPED).load("cpu").segment({"CT": scan}, card, lambda *_: None).labels
    found = nifti.read(tmp_path / "answers" / "one.nii.gz").array.astype(np.uint8)
    assert np.array_equal(found, card.postprocess(labels, scan.grid))


def test_plain_monai_looks_where_the_node_does(bundle, rewrite, tmp_path):
    """That is not where the recipe says, where all that is found lies in one organ."""
    regions = [{"name": "liver", "label": 1, "members": [1]}]
    rewrite(METADATA, lambda metadata: metadata["segnode"].update(
        task="liver_tumour", recipe=metadata["segnode"]["recipe"] | {"roi": "body"},
        output={"activation": "sigmoid", "regions": regions}))
    grid = Grid((40, 40, 40), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(4.0, 4.0, 4.0)))
    values = np.random.default_rng(0).normal(0, 60, grid.shape) - 1000
    values[:, 8:32, 8:32] += 1090
    (tmp_path / "images").mkdir()
    write_image(values.astype(np.int16), grid, tmp_path / "images" / "one.nii.gz")
    run = workflow(bundle, tmp_path / "images", tmp_path / "answers")
    run.initialize()
    run.run()
    run.finalize()
    card, scan = TASKS["liver_tumour"], nifti.read(tmp_path / "images" / "one.nii.gz", "HU")
    labels = Bundle(path=bundle).load("cpu").segment({"CT": scan}, card, lambda *_: None).labels
    found = nifti.read(tmp_path / "answers" / "one.nii.gz").array.astype(np.uint8)
    expected = card.postprocess(labels, scan.grid)
    assert 0 < np.count_nonzero(expected) < expected.size
    assert np.array_equal(found, expected)


def test_a_case_without_its_role_is_told(bundle, tmp_path):
    (tmp_path / "images" / "one" / "MR").mkdir(parents=True)
    with pytest.raises(Unfit):
        Show(str(bundle))({"case": str(tmp_path / "images" / "one")})


def test_two_cases_of_one_name_are_told(tmp_path):
    """The answer to one would be written over that to the other."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one.nii.gz").touch()
    with pytest.raises(Unfit, match="holds two cases called one"):
        cases(str(tmp_path))


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(Unfit, match="holds no case"):
        cases(str(tmp_path))
