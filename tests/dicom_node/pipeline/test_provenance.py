"""A segmentation of ours proves itself by its Device UID, whichever model made it; nothing else passes for one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from recalling import WHO, EarlierStudy, changed, earlier_study

from dicom_node.objects.codes import processing_equipment
from dicom_node.objects.context import EncodeContext
from dicom_node.pipeline.provenance import DIGEST, Provenance, provenance_of
from inference.findings import IntendedUse, ModelIdentity


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> EarlierStudy:
    return earlier_study(tmp_path_factory.mktemp("earlier"))


def read(ds: Dataset, folder: Path, **more: Any) -> Provenance:
    ds.save_as(folder / "seg.dcm", enforce_file_format=True)
    return provenance_of(folder / "seg.dcm", str(ds.file_meta.TransferSyntaxUID), **{"known": False} | more)


def test_a_model_that_nobody_has_installed_is_known_as_ours(earlier: EarlierStudy, tmp_path: Path) -> None:
    said = read(earlier.seg, tmp_path)
    assert said.task == "liver_tumour"
    assert said.made == f"{earlier.seg.SeriesDate}{earlier.seg.SeriesTime}"
    assert said.patient == {
        "PatientID": WHO.patient_id, "PatientBirthDate": WHO.birth_date, "PatientSex": WHO.sex,
    }  # fmt: skip
    assert WHO.patient_id not in repr(said)


@pytest.mark.parametrize("keyword", ["Manufacturer", "ManufacturerModelName", "SoftwareVersions", "DeviceUID"])
def test_one_whose_maker_and_device_disagree_is_not(earlier: EarlierStudy, tmp_path: Path, keyword: str) -> None:
    other = changed(earlier.seg)
    for item in other.ContributingEquipmentSequence:
        setattr(item, keyword, "1.2.3")
    assert read(other, tmp_path).task == ""


@pytest.mark.parametrize("maker", ["Universitätsklinikum Gießen", "北京医院"])
def test_a_maker_is_known_as_ours_in_whatever_letters_the_site_named_it(earlier: EarlierStudy, tmp_path: Path,
                                                                        maker: str) -> None:
    other = changed(earlier.seg)
    parameters = other.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0].AlgorithmParameters
    model = ModelIdentity("Rétine", "1", DIGEST.findall(parameters)[0], maker, IntendedUse.RESEARCH)
    other.ContributingEquipmentSequence = [processing_equipment(model, EncodeContext(created_at=0.0))]
    assert read(other, tmp_path).task == "liver_tumour"


def test_the_device_of_an_installed_model_is_proof_enough(earlier: EarlierStudy, tmp_path: Path) -> None:
    other = changed(earlier.seg)
    for item in other.ContributingEquipmentSequence:
        item.Manufacturer, item.DeviceUID = "1.2.3", "2.25.42"
    assert read(other, tmp_path, device_uids=frozenset({"2.25.42"})).task == "liver_tumour"
    assert read(other, tmp_path, device_uids=frozenset({"2.25.43"})).task == ""


def test_one_of_other_weights_than_its_device_is_not(earlier: EarlierStudy, tmp_path: Path) -> None:
    other = changed(earlier.seg)
    for segment in other.SegmentSequence:
        algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
        algorithm.AlgorithmParameters = algorithm.AlgorithmParameters.replace("ab", "cd")
    assert read(other, tmp_path).task == ""


def test_one_that_says_nothing_of_its_maker_is_not_unless_it_is_known(earlier: EarlierStudy, tmp_path: Path) -> None:
    other = changed(earlier.seg)
    del other.ContributingEquipmentSequence
    assert read(other, tmp_path).task == ""
    assert read(other, tmp_path, known=True).task == "liver_tumour"


def test_a_task_that_this_release_does_not_know_is_not_used(earlier: EarlierStudy, tmp_path: Path) -> None:
    assert read(changed(earlier.seg, ContentLabel="SPLEEN"), tmp_path, known=True).task == ""


@pytest.mark.parametrize("content", [b"", b"DICM" * 100, bytes(128) + b"DICM" + bytes(500)])
def test_what_cannot_be_read_or_is_gone_is_not(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "junk").write_bytes(content)
    for syntax in ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"):
        assert provenance_of(tmp_path / "junk", syntax, known=True).task == ""
        assert provenance_of(tmp_path / "gone", syntax, known=True) == Provenance()
