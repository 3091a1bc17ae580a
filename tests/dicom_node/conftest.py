"""Small studies for the tests of the node."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid


def ct_slice(number: int, study: str, series: str) -> Dataset:
    """A CT image with the attributes that a scanner sends, 32 × 32, every value a different one."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = CTImageStorage
    data.SOPInstanceUID = f"{series}.{number}"
    data.StudyInstanceUID, data.SeriesInstanceUID = study, series
    data.FrameOfReferenceUID = f"{study}.9"
    data.PatientID, data.PatientName, data.PatientBirthDate, data.PatientSex = "P-17", "Doe^Jane", "19700101", "F"
    data.StudyDate, data.StudyTime, data.AccessionNumber, data.StudyID = "20260102", "101500", "A1", "1"
    data.ReferringPhysicianName, data.Manufacturer, data.Modality = "", "ACME", "CT"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.SeriesNumber, data.AcquisitionNumber, data.InstanceNumber = 2, 1, number
    data.SeriesDescription, data.BodyPartExamined, data.PatientPosition = "Chest 2.0", "CHEST", "HFS"
    data.KVP, data.PositionReferenceIndicator = 120, ""
    data.ImagePositionPatient = [-16.0, -16.0, 2.0 * number]
    data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness = [1.0, 1.0], 2.0
    data.RescaleSlope, data.RescaleIntercept, data.RescaleType = 1, -1024, "HU"
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.Rows, data.Columns, data.BitsAllocated, data.BitsStored, data.HighBit = 32, 32, 16, 12, 11
    rng = np.random.default_rng(number)
    data.PixelData = rng.integers(0, 4096, (32, 32), dtype=np.uint16).tobytes()
    return data


@pytest.fixture
def make_slices(tmp_path) -> Callable[..., list[Path]]:
    """Writes a CT series of `count` slices as files; keyword arguments replace attributes."""

    def make(count: int = 3, **changes: object) -> list[Path]:
        study = generate_uid()[:44] + "1"
        series = f"{study}.1"
        folder = tmp_path / "made" / series
        folder.mkdir(parents=True)
        paths = []
        for number in range(1, count + 1):
            data = ct_slice(number, study, series)
            for keyword, value in changes.items():
                setattr(data, keyword, value)
            paths.append(folder / f"{number:03}.dcm")
            dcmwrite(paths[-1], data, enforce_file_format=True)
        return paths

    return make


@pytest.fixture
def ct_series(make_slices) -> list[Path]:
    """Three CT slices of one series as files."""
    return make_slices(3)
