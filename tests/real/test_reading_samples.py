"""Real scans: they are read, and each body part is known for what it is."""

import tarfile
from pathlib import Path

import numpy as np
import pytest
from samples import SAMPLES

from inference.errors import Unfit
from inference.fitness import check_brain, check_ct_units, check_liver, check_lungs, head_mask, liver_core_ml
from inference.readers import nifti
from inference.readers.dicom import read_report, read_series
from inference.tasks import BRAIN_TUMOUR
from inference.transforms.geometry import crop, resample
from inference.transforms.registration import register_rigid
from inference.volume import Grid, Spacing, Volume
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

pytestmark = [pytest.mark.real, pytest.mark.skipif(not SAMPLES.is_dir(), reason="samples not here")]


def unpacked(name: str, folder: Path) -> list[Path]:
    with tarfile.open(SAMPLES / name) as archive:
        archive.extractall(folder, filter="data")
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def chest(tmp_path_factory) -> Volume:
    files = unpacked("chest_ct_lung1-001.tar.xz", tmp_path_factory.mktemp("chest"))
    return read_series([path for path in files if path.parent.name == "image"])


@pytest.fixture(scope="module")
def head(tmp_path_factory) -> Volume:
    report = read_report([path for path in unpacked("brain_mr_t1_vs-seg-001.tar.xz", tmp_path_factory.mktemp("head"))
                          if not path.name.endswith("txt")])
    return report.volume


def glioma(weighting: str) -> Volume:
    return nifti.read(SAMPLES / "brain_tcga_fg6692" / f"{weighting}.nii.gz")


def test_a_chest_ct_is_read(chest):
    assert chest.array.shape == (134, 512, 512)
    assert chest.grid.spacing == pytest.approx((3.0, 0.9765625, 0.9765625))
    assert chest.array.min() == -1024
    assert len({source.sop_instance_uid for source in chest.sources}) == 134


def test_a_chest_ct_shows_lungs_and_above_the_diaphragm_no_liver(chest):
    check_ct_units(chest)
    check_lungs(chest)
    with pytest.raises(Unfit, match="liver"):
        check_liver(crop(chest, (slice(50, 134), slice(0, None), slice(0, None))))


def test_an_abdomen_shows_a_liver_and_no_lungs():
    abdomen = nifti.read(SAMPLES / "ct_totalsegmentator" / "example_ct.nii.gz", "HU")
    check_ct_units(abdomen)
    check_liver(abdomen)
    with pytest.raises(Unfit, match="lungs"):
        check_lungs(abdomen)


def test_a_part_of_an_abdomen_that_holds_the_liver_is_enough():
    whole, part = (nifti.read(SAMPLES / "ct_totalsegmentator" / f"{name}.nii.gz", "HU")
                   for name in ("example_ct", "example_ct_sm"))
    assert part.grid.shape[0] < whole.grid.shape[0] / 3
    check_liver(part)
    assert liver_core_ml(part) == pytest.approx(liver_core_ml(whole), rel=0.1)


def test_a_pelvis_shows_neither():
    abdomen = nifti.read(SAMPLES / "ct_totalsegmentator" / "example_ct.nii.gz", "HU")
    lower = crop(abdomen, (slice(0, 70), slice(0, None), slice(0, None)))
    for check in (check_liver, check_lungs):
        with pytest.raises(Unfit):
            check(lower)


def test_slices_with_hardly_any_identifiers_are_read():
    report = read_report(sorted((SAMPLES / "ct_totalsegmentator" / "dicom20").iterdir()))
    assert report.volume.array.shape == (20, 512, 512)
    assert report.notes == ()


def test_a_head_is_a_head(head):
    assert head.array.shape == (120, 512, 512)
    check_brain(head)


@pytest.mark.parametrize("weighting", ["t1", "t1c", "t2", "fla"])
def test_a_skull_stripped_glioma_is_a_head(weighting):
    volume = glioma(weighting)
    check_brain(volume)
    head = head_mask(volume)
    brain_ml = np.count_nonzero(volume.array > 0) * volume.grid.voxel_ml
    assert np.count_nonzero(head.array) * head.grid.voxel_ml == pytest.approx(brain_ml, rel=0.1)


def test_a_trunk_is_no_head(chest):
    with pytest.raises(Unfit):
        BRAIN_TUMOUR.fitness({"T1": Volume(chest.array + 1024, chest.grid)})


def test_two_weightings_of_one_head_are_laid_onto_each_other():
    fixed, moving = glioma("t1c"), glioma("t2")
    a = np.radians(6.0)
    motion = np.array([[np.cos(a), -np.sin(a), 0, 4], [np.sin(a), np.cos(a), 0, -3], [0, 0, 1, 5], [0, 0, 0, 1]])
    uid = "1.2.3"
    turned = resample(moving, moving.grid, motion=np.linalg.inv(motion))
    found = register_rigid(Volume(fixed.array, Grid(fixed.grid.shape, fixed.grid.affine, uid)),
                           Volume(turned.array, Grid(turned.grid.shape, turned.grid.affine, uid)))
    points = np.c_[fixed.grid.to_lps([[60, 100, 100], [100, 60, 120], [80, 180, 150], [120, 120, 70]]), np.ones(4)]
    assert np.linalg.norm(points @ (found.matrix - motion).T, axis=1).max() < 1.5  # they were aligned to about 1 mm


def test_a_nifti_case_becomes_dicom_and_comes_back(tmp_path):
    flair = glioma("fla")
    part = crop(flair, (slice(60, 80), slice(0, None), slice(0, None)))
    assert part.grid.spacing == Spacing(1, 1, 1)
    read = read_series(write_series(part, Acquisition.mr(StudyDetails.of("real"), "FLAIR"), tmp_path))
    assert read.grid.matches(part.grid)
    assert np.array_equal(read.array, part.array.clip(0))
