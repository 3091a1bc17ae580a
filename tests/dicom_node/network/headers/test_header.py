"""The header of a data set, from its bytes alone."""

import json
import random
import struct
import tracemalloc
import zlib

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
)

from dicom_node.errors import BadDataset
from dicom_node.network.headers import elements
from dicom_node.network.headers import header as subject
from dicom_node.network.headers.header import read_header
from dicom_node.network.headers.multiframe import MAX_FRAMES

UIDS = {
    "SOPClassUID": CTImageStorage,
    "SOPInstanceUID": "1.2.3.4",
    "SeriesInstanceUID": "1.2.3",
    "StudyInstanceUID": "1.2",
}


def encode(data: Dataset, syntax=ExplicitVRLittleEndian) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian = syntax.is_little_endian
    buffer.is_implicit_VR = syntax.is_implicit_VR
    write_dataset(buffer, data)
    raw = buffer.getvalue()
    if syntax == DeflatedExplicitVRLittleEndian:
        deflate = zlib.compressobj(wbits=-15)
        raw = deflate.compress(raw) + deflate.flush()
    return raw


def slice_of(**attributes) -> Dataset:
    data = Dataset()
    for keyword, value in {**UIDS, **attributes}.items():
        setattr(data, keyword, value)
    return data


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        JPEGLosslessSV1,
    ],
    ids=lambda uid: uid.keyword,
)
def test_every_encoding_gives_the_same_plain_values(syntax):
    data = slice_of(
        Modality="CT", ImageType=["ORIGINAL", "PRIMARY", "AXIAL"], ImagePositionPatient=[-1.5, 2.0, 3.25],
        Rows=512, InstanceNumber=7, SliceThickness="2.5", PatientID="P1", PatientName="Doe^Jane",
        ScanningSequence=["SE", "IR"], EchoNumbers=[1, 2],
    )  # fmt: skip
    found = read_header(encode(data, syntax), syntax)
    assert found.facts == {
        **UIDS, "Modality": "CT", "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "ImagePositionPatient": [-1.5, 2.0, 3.25], "Rows": 512, "InstanceNumber": 7, "SliceThickness": 2.5,
        "ScanningSequence": "SE\\IR", "EchoNumbers": 1,
    }  # fmt: skip
    assert found.study == {"PatientID": "P1", "PatientName": "Doe^Jane"}
    assert json.loads(json.dumps(found.facts)) == found.facts


def test_an_enhanced_angiography_is_known_as_one_from_its_bytes():
    data = slice_of(TimeOfFlightContrast="YES", EchoPulseSequence="GRADIENT", ComplexImageComponent="MAGNITUDE",
                    AcquisitionContrast="TOF", VolumeBasedCalculationTechnique="MAX_IP",
                    SteadyStatePulseSequence="FREE_PRECESSION", PerFrameFunctionalGroupsSequence=[Dataset()])
    assert read_header(encode(data), ExplicitVRLittleEndian).facts == {
        **UIDS, "ScanningSequence": "GR", "AngioFlag": "Y", "ComplexImageComponent": "MAGNITUDE",
        "AcquisitionContrast": "TOF", "VolumeBasedCalculationTechnique": "MAX_IP", "SequenceVariant": "SS",
        "Frames": [{}],
    }  # fmt: skip


def test_names_are_read_in_their_own_letters():
    data = slice_of(SpecificCharacterSet="ISO_IR 192", PatientName="Łukasz^Wójcik")
    assert read_header(encode(data), ExplicitVRLittleEndian).study["PatientName"] == "Łukasz^Wójcik"


def test_japanese_names_change_letters_within_the_value():
    data = slice_of(SpecificCharacterSet=["", "ISO 2022 IR 87"])
    data.PatientName = "Yamada^Tarou=山田^太郎"
    assert read_header(encode(data), ExplicitVRLittleEndian).study["PatientName"] == "Yamada^Tarou=山田^太郎"


def test_pixels_are_not_needed():
    data = slice_of(Rows=4, Columns=4)
    pixels = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 2**30)  # a gigabyte is announced, none follows
    assert read_header(encode(data) + pixels, ExplicitVRLittleEndian).facts["Rows"] == 4


@pytest.mark.parametrize("keyword", list(UIDS))
def test_each_identifier_is_needed(keyword):
    data = slice_of()
    delattr(data, keyword)
    with pytest.raises(BadDataset, match=f"no {keyword}"):
        read_header(encode(data), ExplicitVRLittleEndian)


@pytest.mark.parametrize("value", [b"../../etc/passwd", b"1..2", b"1.2.", b"1" * 66, b"1.2\\1.3", b"1.2;DROP"])
def test_what_is_no_uid_is_refused_and_not_repeated(value):
    data = slice_of()
    del data.StudyInstanceUID
    padded = value + b"\0" * (len(value) % 2)
    raw = encode(data) + struct.pack("<HH2sH", 0x0020, 0x000D, b"UI", len(padded)) + padded
    with pytest.raises(BadDataset) as caught:
        read_header(raw, ExplicitVRLittleEndian)
    assert value.decode() not in str(caught.value)


def test_an_optional_element_that_cannot_be_read_is_named_and_left_out():
    data = slice_of()
    raw = encode(data) + struct.pack("<HH2sH", 0x0020, 0x0032, b"DS", 8) + b"1\\zwo\\3 "
    found = read_header(raw, ExplicitVRLittleEndian)
    assert "ImagePositionPatient" not in found.facts
    assert found.facts["Unreadable"] == ["ImagePositionPatient"]


def test_numbers_that_json_has_no_word_for_are_unreadable():
    data = slice_of()
    raw = encode(data) + struct.pack("<HH2sH", 0x0028, 0x1053, b"DS", 4) + b"nan "
    assert read_header(raw, ExplicitVRLittleEndian).facts["Unreadable"] == ["RescaleSlope"]


def test_our_own_mark_is_found_in_the_contributing_equipment():
    data = slice_of()
    equipment = Dataset()
    equipment.DeviceUID = "2.25.99"
    data.ContributingEquipmentSequence = [Dataset(), equipment]
    assert read_header(encode(data), ExplicitVRLittleEndian).equipment_uids == {"2.25.99"}


def test_a_bomb_is_inflated_no_further_than_the_bound(monkeypatch):
    monkeypatch.setattr(subject, "MAX_HEADER_BYTES", 4096)
    data = slice_of()
    data.PixelData = bytes(50_000_000)
    data["PixelData"].VR = "OW"
    raw = encode(data, DeflatedExplicitVRLittleEndian)
    assert len(raw) < 100_000
    assert read_header(raw, DeflatedExplicitVRLittleEndian).study_instance_uid == "1.2"


def test_sequences_nested_without_end_are_refused():
    sequence = struct.pack("<HH2sHI", 0x0018, 0xA001, b"SQ", 0, 0xFFFFFFFF)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    with pytest.raises(BadDataset):
        read_header((sequence + item) * 20_000, ExplicitVRLittleEndian)


UNDEFINED = 0xFFFFFFFF
EMPTY_ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
MANY = 300_000
BOMBS = {
    "items of a sequence that nobody asked for": struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, UNDEFINED)
    + EMPTY_ITEM * MANY,
    "items of undefined length": struct.pack("<HH2sHI", 0x5200, 0x9230, b"SQ", 0, UNDEFINED) + EMPTY_ITEM * MANY,
    "items": struct.pack("<HH2sHI", 0x0018, 0xA001, b"SQ", 0, 8 * MANY) + EMPTY_ITEM * MANY,
    "elements of an item": struct.pack("<HH2sHI", 0x0018, 0xA001, b"SQ", 0, 8 * MANY + 8)
    + struct.pack("<HHI", 0xFFFE, 0xE000, 8 * MANY) + struct.pack("<HH2sH", 9, 9, b"LO", 0) * MANY,
    "character sets": struct.pack("<HH2sHI", 0x0008, 0x0005, b"UT", 0, 8 * MANY) + b"\\" * 8 * MANY,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("name", BOMBS)
def test_a_header_of_millions_of_parts_is_given_up(name, monkeypatch):
    monkeypatch.setattr(elements, "MAX_STEPS", 5_000)
    tracemalloc.start()
    with pytest.raises(BadDataset):
        read_header(BOMBS[name], ExplicitVRLittleEndian)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * len(BOMBS[name]) + 20_000_000


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_parts_behind_all_that_is_wanted_count_as_well(syntax, monkeypatch):
    """Whoever reads the image has to parse them to come to its pixels."""
    monkeypatch.setattr(elements, "MAX_STEPS", 5_000)
    waveforms = struct.pack("<HHI", 0x5400, 0x0100, UNDEFINED)
    if syntax != ImplicitVRLittleEndian:
        waveforms = struct.pack("<HH2sHI", 0x5400, 0x0100, b"SQ", 0, UNDEFINED)
    plain = ImplicitVRLittleEndian if syntax == ImplicitVRLittleEndian else ExplicitVRLittleEndian
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)

    def made(items):
        raw = encode(slice_of(Rows=4), plain) + waveforms + EMPTY_ITEM * items + end
        if syntax != DeflatedExplicitVRLittleEndian:
            return raw
        deflate = zlib.compressobj(wbits=-15)
        return deflate.compress(raw) + deflate.flush()

    assert read_header(made(10), syntax).facts["Rows"] == 4
    with pytest.raises(BadDataset, match="parsed"):
        read_header(made(MANY), syntax)


def test_a_number_of_millions_of_values_is_unreadable():
    raw = encode(slice_of(), ImplicitVRLittleEndian) + struct.pack("<HHI", 0x0028, 0x0010, MANY) + bytes(MANY)
    assert read_header(raw, ImplicitVRLittleEndian).facts["Unreadable"] == ["Rows"]


def test_the_most_frames_that_are_read_fit_the_bound():
    frame = Dataset()
    for sequence, keyword, value in [
        ("PlanePositionSequence", "ImagePositionPatient", [1.5, 2.5, 3.5]),
        ("PlaneOrientationSequence", "ImageOrientationPatient", [1, 0, 0, 0, 1, 0]),
        ("PixelMeasuresSequence", "PixelSpacing", [0.5, 0.5]),
        ("FrameContentSequence", "TemporalPositionIndex", 1),
        ("MREchoSequence", "EffectiveEchoTime", 30.0),
        ("MRImageFrameTypeSequence", "FrameType", ["ORIGINAL", "PRIMARY", "M", "NONE"]),
        ("PixelValueTransformationSequence", "RescaleSlope", 1),
        ("FrameVOILUTSequence", "WindowCenter", 40),
    ]:
        item = Dataset()
        setattr(item, keyword, value)
        setattr(frame, sequence, [item])
    data = slice_of(PerFrameFunctionalGroupsSequence=[frame])
    for sequence in (data, frame):
        for element in sequence:
            element.is_undefined_length = element.VR == "SQ"  # the costly way
    once = encode(data)
    counted = elements.CountedBytes
    steps = []

    class Watched(counted):
        def read(self, size=-1):
            steps.append(1)
            return super().read(size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subject, "CountedBytes", Watched)
        patch.setattr(elements, "CountedBytes", Watched)
        assert len(read_header(once, ExplicitVRLittleEndian).facts["Frames"]) == 1
    assert len(steps) * MAX_FRAMES < elements.MAX_STEPS


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_arbitrary_and_damaged_bytes_are_read_or_refused_and_raise_nothing_else(syntax):
    rng = random.Random(7)
    whole = encode(slice_of(Rows=512, ImageType=["A", "B"], ContributingEquipmentSequence=[Dataset()]), syntax)
    read = refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        for raw in (bytes(damaged), bytes(damaged[: rng.randrange(len(damaged))]), rng.randbytes(200)):
            try:
                found = read_header(raw, syntax)
            except BadDataset:
                refused += 1
                continue
            read += 1
            assert found.facts.keys() >= UIDS.keys(), "what is read is identified"
    assert refused >= 300, "random bytes are never a data set"
    assert read > 0, "damage to a value is no damage to the structure"


def test_empty_input_is_refused():
    with pytest.raises(BadDataset):
        read_header(b"", ExplicitVRLittleEndian)


def test_a_character_set_that_is_no_text_is_a_bad_data_set():
    """Found by the fuzzer: pydicom converts this element while it reads, and fails in its own way."""
    odd = bytes.fromhex("08000500") + b"SS" + struct.pack("<H", 3) + b"abc"
    with pytest.raises(BadDataset):
        read_header(odd, ExplicitVRLittleEndian)
