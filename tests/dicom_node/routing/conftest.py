"""Synthetic studies as index records: headers like those of real scanners, never a real patient's."""

import itertools
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dicom_node.routing.facts import study_facts
from dicom_node.routing.route import Routing
from dicom_node.routing.table import decide
from storage.lifecycle import StudyState
from storage.records import Instance, InstanceKind, Series, StoredFile, Study

CONF = Path(__file__).resolve().parents[3] / "conf"

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_SR = "1.2.840.10008.5.1.4.1.1.88.22"
PLANES = {
    "axial": ([1, 0, 0, 0, 1, 0], [0, 0, 1]),
    "coronal": ([1, 0, 0, 0, 0, -1], [0, 1, 0]),
    "sagittal": ([0, 1, 0, 0, 0, -1], [1, 0, 0]),
}


def without_gaps(header):
    return {name: value for name, value in header.items() if value is not None}


class Scanner:
    """Makes series records; every keyword argument that is no geometry is a header value (None takes one away)."""

    def __init__(self):
        self.numbers = itertools.count(1)

    def ct(self, *, slices=300, spacing=1.0, fov=380.0, **header):
        base = {
            "SOPClassUID": CT_IMAGE,
            "Modality": "CT",
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "ConvolutionKernel": "Br38f",
            "SliceThickness": spacing,
        }
        return self.series(slices=slices, spacing=spacing, fov=fov, **(base | header))

    def mr(self, *, slices=160, spacing=1.0, fov=240.0, **header):
        base = {
            "SOPClassUID": MR_IMAGE,
            "Modality": "MR",
            "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
            "SliceThickness": spacing,
        }
        return self.series(slices=slices, spacing=spacing, fov=fov, **(base | header))

    def t1(self, **header):
        return self.mr(**({"ScanningSequence": "GR\\IR", "SequenceVariant": "SK\\SP\\MP", "EchoTime": 2.9,
                           "RepetitionTime": 1900.0, "InversionTime": 900.0} | header))

    def t2(self, **header):
        return self.mr(**({"slices": 35, "spacing": 4.4, "ScanningSequence": "SE", "SequenceVariant": "SK\\SP\\OSP",
                           "EchoTime": 95.0, "RepetitionTime": 5200.0} | header))

    def flair(self, **header):
        return self.mr(**({"slices": 35, "spacing": 4.4, "ScanningSequence": "SE\\IR", "SequenceVariant": "SK\\SP\\MP",
                           "EchoTime": 85.0, "RepetitionTime": 9000.0, "InversionTime": 2500.0} | header))

    def report(self, **header):
        return self.series(slices=1, kind=InstanceKind.OTHER,
                           **({"SOPClassUID": ENHANCED_SR, "Modality": "SR", "Rows": None, "Columns": None} | header))

    def series(
        self, *, slices, spacing=1.0, fov=300.0, plane="axial", kind=InstanceKind.IMAGE, positions=None, **header
    ):
        """One series as its instances; `positions` in mm along the normal replace even spacing."""
        number = next(self.numbers)
        uid = f"1.2.3.{number}"
        orientation, normal = PLANES[plane]
        common = {"SeriesNumber": number, "Rows": 256, "Columns": 256, "PixelSpacing": [fov / 256, fov / 256],
                  "ImageOrientationPatient": orientation, "FrameOfReferenceUID": "1.2.3.99",
                  "AcquisitionTime": f"10{number:02d}00", "SeriesDate": "20250401"} | header
        places = positions if positions is not None else [k * spacing for k in range(slices)]
        return [
            Instance(
                sop_instance_uid=f"{uid}.{k}",
                sop_class_uid=common.get("SOPClassUID", ""),
                series_instance_uid=uid,
                study_instance_uid="1.2.3",
                transfer_syntax_uid="1.2.840.10008.1.2.1",
                kind=kind,
                file=StoredFile(f"{uid}.{k}", 1, "0"),
                received_at=0.0,
                association_id="a",
                header=without_gaps(
                    {"InstanceNumber": k + 1, "ImagePositionPatient": [place * n for n in normal]} | common
                ),
            )
            for k, place in enumerate(places)
        ]


@pytest.fixture
def scanner():
    return Scanner()


@pytest.fixture
def records():
    """Series' instances → (study, series, instances) as the index gives them."""

    def make(*series, description="", calling=("SCANNER",)):
        images = [[i for i in one if i.kind is InstanceKind.IMAGE] for one in series]
        rows = [
            Series(one[0].series_instance_uid, "1.2.3", one[0].header.get("Modality", ""), len(kept),
                   len(one) - len(kept), one[0].header)
            for one, kept in zip(series, images, strict=True)
        ]
        header = {"PatientName": "Nobody^Known", "StudyDescription": description}
        study = Study("1.2.3", StudyState.COMPLETE, 1, 0.0, 0.0, tuple(calling), sum(map(len, images)), header)
        return study, rows, [instance for one in series for instance in one]

    return make


@pytest.fixture
def facts(records):
    """Facts of a study made of these series."""
    return lambda *series, **study: study_facts(*records(*series, **study))


@pytest.fixture
def series_facts(facts):
    """Facts of one series in a study of its own."""
    return lambda series, **study: facts(series, **study).series[0]


@pytest.fixture(scope="session")
def routes():
    """The routes that are shipped."""
    return Routing.model_validate(YAML(typ="safe").load(CONF / "routes.yaml")).routes


@pytest.fixture
def decision(facts, routes):
    """What the shipped routes make of a study."""
    return lambda *series, **study: decide(routes, facts(*series, **study))
