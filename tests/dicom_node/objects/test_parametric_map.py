"""The maps of probability and of entropy: every value in its place, as others read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ParametricMapStorage

from dicom_node.errors import ResultInvalid
from dicom_node.objects.codes import OWN_SCHEME
from dicom_node.objects.finish import part10
from dicom_node.objects.identity import JobNames
from dicom_node.objects.parametric_map import encode_probability, encode_uncertainty
from dicom_node.objects.source import load_sources
from dicom_node.objects.validate import check_objects
from inference.findings import IntendedUse
from inference.volume import Grid, Spacing, regular_affine
from inference.writers.dicom_series import Encoding

SLANT = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])[:, ::-1]
OBLIQUE = Grid((9, 20, 26), regular_affine((-31.5, 12.25, -140), SLANT, Spacing(3.0, 0.9, 0.7)))


@pytest.fixture
def make_sure(make_case: Callable, tmp_path: Path) -> Callable:
    """A case whose model also tells how sure it is: another number in every voxel."""
    def make(*arguments, values: np.ndarray | None = None, **changes):
        case = make_case(*arguments, **changes)
        if values is None:
            values = np.random.default_rng(7).random(case.labels.shape)
        np.save(tmp_path / "probability.npy", values.astype(np.float16))
        return replace(case, result=replace(case.result, probability=tmp_path / "probability.npy"))
    return make


def made(case) -> bytes:
    sources = load_sources(case.result, case.files)
    return part10(encode_probability(case.result, sources, case.context.of_job("job")))


def read(case) -> Dataset:
    return dcmread(BytesIO(made(case)))


def test_it_is_a_map_of_floating_point_numbers_in_a_series_of_its_own(make_sure) -> None:
    ds = read(make_sure())
    assert ds.SOPClassUID == ParametricMapStorage
    assert ds.SeriesInstanceUID == JobNames("job").series("map")
    assert ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert "FloatPixelData" in ds
    assert ds.SeriesDescription.startswith("DEMONSTRATION: ")


def test_its_numbers_are_probabilities_without_unit(make_sure) -> None:
    (mapping,) = read(make_sure()).SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1, 0)
    assert mapping.DoubleFloatRealWorldValueFirstValueMapped == 0
    assert mapping.DoubleFloatRealWorldValueLastValueMapped == 1
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "1"
    quantity = mapping.QuantityDefinitionSequence[0]
    assert quantity.ConceptNameCodeSequence[0].CodeValue == "246205007"
    assert quantity.ConceptCodeSequence[0].CodeValue == "110854"


@pytest.mark.parametrize("encoding", [Encoding(), Encoding(enhanced=True, reverse=True)], ids=["single", "enhanced"])
def test_each_frame_names_its_source_and_holds_its_slice(encoding: Encoding, make_sure) -> None:
    case = make_sure(OBLIQUE, encoding)
    ds = read(case)
    truth = np.load(case.result.probability)
    pixels = np.frombuffer(ds.FloatPixelData, np.float32).reshape(truth.shape)
    slices = {(s.sop_instance_uid, s.frame): z for z, s in enumerate(case.result.sources["CT"])}
    seen = []
    for group, frame in zip(ds.PerFrameFunctionalGroupsSequence, pixels, strict=True):
        image = group.DerivationImageSequence[0].SourceImageSequence[0]
        z = slices[image.ReferencedSOPInstanceUID, image.get("ReferencedFrameNumber")]
        place = group.PlanePositionSequence[0].ImagePositionPatient
        assert np.allclose(place, case.result.grid.to_lps((z, 0, 0)), atol=1e-3)
        assert np.array_equal(frame, truth[z].astype(np.float32))
        seen.append(z)
    assert sorted(seen) == list(range(len(truth)))
    assert len(ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence) == len({uid for uid, _ in slices})


def test_dcmqi_reads_every_value_in_its_place(make_sure, tool: Callable[..., str], tmp_path: Path) -> None:
    case = make_sure(OBLIQUE)
    (tmp_path / "out").mkdir()
    (tmp_path / "map.dcm").write_bytes(made(case))
    tool("paramap2itkimage", "-t", "nrrd", "--inputDICOM", tmp_path / "map.dcm", "--outputDirectory", tmp_path / "out")
    (path,) = (tmp_path / "out").glob("*.nrrd")
    image = sitk.ReadImage(str(path))
    truth = np.load(case.result.probability).astype(np.float32)
    values = sitk.GetArrayFromImage(image)
    for index in np.ndindex(values.shape):
        place = image.TransformIndexToPhysicalPoint([int(v) for v in index[::-1]])
        assert values[index] == truth[tuple(np.rint(case.result.grid.to_index(place)).astype(int))]


@pytest.mark.parametrize("encoding", [Encoding(), Encoding(enhanced=True)], ids=["single", "enhanced"])
def test_checkers_accept_it(encoding: Encoding, make_sure, tool: Callable[..., str], tmp_path: Path) -> None:
    case = make_sure(encoding=encoding)
    path = tmp_path / "map.dcm"
    path.write_bytes(made(case))
    assert "Error" not in tool("dciodvfy", path)
    check_objects([path.read_bytes()], case.result, load_sources(case.result, case.files), JobNames("job"))


def test_the_same_job_gives_the_same_bytes(make_sure) -> None:
    case = make_sure()
    assert made(case) == made(case)


@pytest.mark.parametrize(("task", "region", "side"), [("liver_tumour", "Liver", "U"), ("lung_nodule", "Lung", "B")])
def test_it_says_what_it_shows(task: str, region: str, side: str, make_sure) -> None:
    (anatomy,) = read(make_sure(task=task)).SharedFunctionalGroupsSequence[0].FrameAnatomySequence
    assert (anatomy.AnatomicRegionSequence[0].CodeMeaning, anatomy.FrameLaterality) == (region, side)


def test_only_a_cleared_model_makes_a_product(make_sure) -> None:
    case = make_sure()
    assert read(case).ContentQualification == "RESEARCH"
    cleared = replace(case.result.model, intended_use=IntendedUse.CLINICAL, clearance="cleared")
    assert read(replace(case, result=replace(case.result, model=cleared))).ContentQualification == "PRODUCT"


def test_a_model_that_gave_no_probability_has_no_map(make_case) -> None:
    with pytest.raises(ResultInvalid, match="no probability"):
        made(make_case())


def test_probabilities_of_another_size_are_refused(make_sure) -> None:
    with pytest.raises(ResultInvalid, match="9 source slices"):
        made(make_sure(values=np.zeros((8, 20, 26))))


@pytest.mark.parametrize("wrong", [1.5, -0.1, np.nan])
def test_what_is_no_probability_is_refused(wrong: float, make_sure) -> None:
    with pytest.raises(ResultInvalid, match="outside 0 to 1"):
        made(make_sure(values=np.full((9, 20, 26), wrong)))


@pytest.fixture
def make_unsure(make_sure: Callable, tmp_path: Path) -> Callable:
    """A case whose model also tells its entropy, which is another number in every voxel."""
    def make(*arguments, **changes):
        case = make_sure(*arguments, **changes)
        values = np.random.default_rng(8).random(case.result.grid.shape)
        np.save(tmp_path / "uncertainty.npy", values.astype(np.float16))
        return replace(case, result=replace(case.result, uncertainty=tmp_path / "uncertainty.npy"))
    return make


def map_of_entropy(case) -> bytes:
    sources = load_sources(case.result, case.files)
    return part10(encode_uncertainty(case.result, sources, case.context.of_job("job")))


@pytest.mark.parametrize("encoding", [Encoding(), Encoding(enhanced=True, reverse=True)], ids=["single", "enhanced"])
def test_the_map_of_entropy_stands_beside_it_in_a_series_of_its_own(
    encoding: Encoding, make_unsure, tool: Callable[..., str], tmp_path: Path
) -> None:
    case = make_unsure(OBLIQUE, encoding)
    (tmp_path / "map.dcm").write_bytes(map_of_entropy(case))
    assert "Error" not in tool("dciodvfy", tmp_path / "map.dcm")
    ds = dcmread(tmp_path / "map.dcm")
    assert ds.SeriesInstanceUID == JobNames("job").series("uncertainty") != read(case).SeriesInstanceUID
    assert ds.SeriesNumber != read(case).SeriesNumber
    assert ds.SeriesDescription.endswith(", uncertainty")
    both = [made(case), map_of_entropy(case)]
    check_objects(both, case.result, load_sources(case.result, case.files), JobNames("job"))
    assert map_of_entropy(case) == both[1]


def test_its_quantity_is_a_code_of_ours_and_it_says_whose_that_is(make_unsure) -> None:
    ds = dcmread(BytesIO(map_of_entropy(make_unsure())))
    (mapping,) = ds.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    code = mapping.QuantityDefinitionSequence[0].ConceptCodeSequence[0]
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("ENTROPY", OWN_SCHEME)
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "1"
    (scheme,) = ds.CodingSchemeIdentificationSequence
    assert (scheme.CodingSchemeDesignator, scheme.CodingSchemeResponsibleOrganization) == (OWN_SCHEME, "Segnode")


def test_dcmqi_reads_every_entropy_in_its_place(make_unsure, tool: Callable[..., str], tmp_path: Path) -> None:
    case = make_unsure(OBLIQUE)
    (tmp_path / "out").mkdir()
    (tmp_path / "map.dcm").write_bytes(map_of_entropy(case))
    tool("paramap2itkimage", "-t", "nrrd", "--inputDICOM", tmp_path / "map.dcm", "--outputDirectory", tmp_path / "out")
    (path,) = (tmp_path / "out").glob("*.nrrd")
    image = sitk.ReadImage(str(path))
    places = [image.TransformIndexToPhysicalPoint([x, y, z]) for z, y, x in np.ndindex(9, 20, 26)]
    at = np.rint(case.result.grid.to_index(places)).astype(int)
    truth = np.load(case.result.uncertainty).astype(np.float32)
    assert np.array_equal(sitk.GetArrayFromImage(image).ravel(), truth[tuple(at.T)])


def test_a_map_that_is_not_the_models_does_not_leave(make_unsure) -> None:
    case = make_unsure()
    swapped = replace(case.result, uncertainty=case.result.probability)
    with pytest.raises(ResultInvalid, match="not what the model gave"):
        check_objects([map_of_entropy(case)], swapped, load_sources(case.result, case.files), JobNames("job"))


def test_a_model_that_gave_no_entropy_has_no_map_of_it(make_sure) -> None:
    with pytest.raises(ResultInvalid, match="no uncertainty"):
        map_of_entropy(make_sure())
