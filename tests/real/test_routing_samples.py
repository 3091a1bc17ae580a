"""The real series beside the checkout, routed by the shipped routes from their headers alone."""

import tarfile
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.multival import MultiValue
from ruamel.yaml import YAML
from samples import sample

from dicom_node.routing.facts import study_facts
from dicom_node.routing.route import Routing
from dicom_node.routing.table import decide
from storage.lifecycle import StudyState
from storage.records import Instance, InstanceKind, Series, StoredFile, Study

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.real

KEYWORDS = (
    "Modality", "ImageType", "InstanceNumber", "AcquisitionNumber", "AcquisitionTime", "ImagePositionPatient",
    "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "Rows", "Columns", "FrameOfReferenceUID",
    "SamplesPerPixel", "ConvolutionKernel", "ScanningSequence", "SequenceVariant", "EchoTime", "RepetitionTime",
    "InversionTime", "ContrastBolusAgent", "SeriesDescription", "ProtocolName", "BodyPartExamined", "SeriesNumber",
)  # fmt: skip


def headers_of(name):
    """(SOP class, series, header) of every data set in a sample, a folder or an archive."""
    path = sample(name)
    if path.is_dir():
        contents = [file.read_bytes() for file in sorted(path.iterdir())]
    else:
        with tarfile.open(path) as archive:
            contents = [archive.extractfile(member).read() for member in archive if member.isfile()]
    for content in contents:
        data = pydicom.dcmread(BytesIO(content), stop_before_pixels=True, force=True)
        if "Modality" in data:
            yield data, {keyword: as_json(data[keyword].value) for keyword in KEYWORDS if keyword in data}


def as_json(value):
    if isinstance(value, MultiValue):
        return [as_json(part) for part in value]
    return float(value) if isinstance(value, int | float) else str(value)


@pytest.fixture(scope="module")
def decision():
    routes = Routing.model_validate(YAML(typ="safe").load(ROOT / "conf" / "routes.yaml")).routes

    def decide_on(name):
        instances, description = [], ""
        for number, (data, header) in enumerate(headers_of(name)):
            kind = InstanceKind.IMAGE if header["Modality"] in ("CT", "MR") else InstanceKind.OTHER
            description = str(data.get("StudyDescription", "")) or description
            uids = (str(data.get("SOPInstanceUID") or f"1.2.{number}"), str(data.get("SOPClassUID", "")),
                    str(data.get("SeriesInstanceUID") or "1.2"), "1.1")  # fmt: skip
            instances.append(Instance(*uids, "", kind, StoredFile("f", 1, "0"), 0.0, "a", header))
        by_series = {}
        for instance in instances:
            by_series.setdefault(instance.series_instance_uid, []).append(instance)
        series = [
            Series(uid, "1.1", part[0].header["Modality"], len(part), 0, part[0].header)
            for uid, part in by_series.items()
        ]
        header = {"StudyDescription": description}
        study = Study("1.1", StudyState.COMPLETE, 1, 0.0, 0.0, ("PACS",), len(instances), header)
        return decide(routes, study_facts(study, series, instances))

    return decide_on


def reasons(decision):
    return {verdict.route: verdict.reason for verdict in decision.verdicts if not verdict.series_uid}


def test_a_single_t1_is_no_tumour_protocol(decision):
    made = decision("brain_mr_t1_vs-seg-001.tar.xz")
    assert made.plans == ()
    assert reasons(made)["brain-tumour"].startswith("no T1 after contrast, no T2, no FLAIR series found: only T1")


def test_a_chest_ct_goes_to_the_lung_model_with_all_its_slices(decision):
    (plan,) = decision("chest_ct_lung1-001.tar.xz").plans
    assert (plan.route, plan.candidate) == ("lung-nodule", False)
    assert len(plan.inputs["CT"].sop_instance_uids) == 134


def test_twenty_slices_of_a_body_are_too_few(decision):
    made = decision("ct_totalsegmentator/dicom20")
    assert made.plans == ()
    assert "coverage along the slice axis 40 mm is less than the 120 mm needed" in reasons(made)["liver-tumour"]
    assert "number of slices 20 is less than the 30 needed" in reasons(made)["lung-nodule"]
