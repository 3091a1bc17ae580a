"""Enhanced multi-frame headers, told in single-frame words."""

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from dicom_node.network.headers import multiframe as subject
from dicom_node.network.headers.multiframe import multiframe_facts


def group(position=None, **sequences) -> Dataset:
    """A functional group: each keyword is a sequence, each value its one item's attributes."""
    item = Dataset()
    if position is not None:
        sequences["PlanePositionSequence"] = {"ImagePositionPatient": position}
    for sequence, values in sequences.items():
        inner = Dataset()
        for keyword, value in values.items():
            setattr(inner, keyword, value)
        setattr(item, sequence, [inner])
    return item


def as_received(data: Dataset) -> Dataset:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, data)
    buffer.seek(0)
    return read_dataset(buffer, is_implicit_VR=False, is_little_endian=True)


def test_what_all_frames_share_is_told_once_and_each_frame_has_its_place():
    data = Dataset()
    data.EchoPulseSequence = "SPIN"
    data.SharedFunctionalGroupsSequence = [
        group(
            PixelMeasuresSequence={"PixelSpacing": [0.5, 0.6], "SliceThickness": 3},
            PlaneOrientationSequence={"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]},
            MREchoSequence={"EffectiveEchoTime": 90.0},
            MRTimingAndRelatedParametersSequence={"RepetitionTime": 9000, "FlipAngle": 120},
            MRModifierSequence={"InversionRecovery": "YES"},
        )
    ]
    data.PerFrameFunctionalGroupsSequence = [
        group([0, 0, z], FrameContentSequence={"StackID": "1", "TemporalPositionIndex": t}) for z, t in ((0, 1), (3, 2))
    ]
    facts = multiframe_facts(as_received(data))
    common = {"orientation": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0], "spacing": [0.5, 0.6], "stack": "1"}
    assert facts == {
        "ScanningSequence": "SE\\IR",
        "PixelSpacing": [0.5, 0.6],
        "SliceThickness": 3.0,
        "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        "EchoTime": 90.0,
        "RepetitionTime": 9000.0,
        "FlipAngle": 120.0,
        "Frames": [
            {**common, "position": [0.0, 0.0, 0.0], "temporal": 1},
            {**common, "position": [0.0, 0.0, 3.0], "temporal": 2},
        ],
    }


def test_a_frames_own_group_comes_before_the_shared_one():
    data = Dataset()
    data.SharedFunctionalGroupsSequence = [group(PixelMeasuresSequence={"PixelSpacing": [1, 1]})]
    data.PerFrameFunctionalGroupsSequence = [group(PixelMeasuresSequence={"PixelSpacing": [2, 2]})]
    facts = multiframe_facts(as_received(data))
    assert facts["PixelSpacing"] == facts["Frames"][0]["spacing"] == [2.0, 2.0]


def test_each_frame_has_its_own_echo():
    data = Dataset()
    data.PerFrameFunctionalGroupsSequence = [
        group([0, 0, 0], MREchoSequence={"EffectiveEchoTime": time}) for time in (10.5, 90)
    ]
    facts = multiframe_facts(as_received(data))
    assert [frame["echo"] for frame in facts["Frames"]] == [10.5, 90.0]


def test_each_frame_has_its_own_acquisition():
    data = Dataset()
    data.PerFrameFunctionalGroupsSequence = [
        group(FrameContentSequence={"FrameAcquisitionNumber": n, "FrameAcquisitionDateTime": f"2025040110{n}000.5"})
        for n in (1, 2)
    ]
    assert multiframe_facts(as_received(data))["Frames"] == [
        {"acquisition": 1, "acquired": "20250401101000.5"}, {"acquisition": 2, "acquired": "20250401102000.5"},
    ]  # fmt: skip


def test_each_frame_has_its_own_kind():
    water, phase = ["DERIVED", "PRIMARY", "W", "NONE"], ["ORIGINAL", "PRIMARY", "M", "NONE"]
    data = Dataset()
    data.PerFrameFunctionalGroupsSequence = [
        group(MRImageFrameTypeSequence={"FrameType": water}),
        group(MRImageFrameTypeSequence={"FrameType": phase, "ComplexImageComponent": "PHASE"}),
        group(CTImageFrameTypeSequence={"FrameType": phase}),
    ]
    assert multiframe_facts(as_received(data))["Frames"] == [
        {"kind": water}, {"kind": phase, "component": "PHASE"}, {"kind": phase},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("time_of_flight", "phase_contrast", "flag"), [("YES", "NO", "Y"), ("NO", "YES", "Y"), ("NO", "NO", None)]
)
def test_an_angiography_has_the_flag_of_one(time_of_flight, phase_contrast, flag):
    data = Dataset()
    data.EchoPulseSequence = "GRADIENT"
    data.TimeOfFlightContrast, data.PhaseContrast = time_of_flight, phase_contrast
    data.PerFrameFunctionalGroupsSequence = [group([0, 0, 0])]
    assert multiframe_facts(as_received(data)).get("AngioFlag") == flag


@pytest.mark.parametrize(
    ("steady", "spoiling", "variant"),
    [("FREE_PRECESSION", "NONE", "SS"), ("FREE_PRECESSION", None, "SS"), ("FREE_PRECESSION", "RF", "SS\\SP"),
     ("FREE_PRECESSION", "RF_AND_GRADIENT", "SS\\SP"), ("LONGITUDINAL", "RF", None), ("NONE", "NONE", None)],
)  # fmt: skip
def test_a_balanced_sequence_is_told_from_a_spoiled_one(steady, spoiling, variant):
    data = Dataset()
    data.EchoPulseSequence, data.SteadyStatePulseSequence = "GRADIENT", steady
    data.SharedFunctionalGroupsSequence = [group(MRModifierSequence={"Spoiling": spoiling})]
    data.PerFrameFunctionalGroupsSequence = [group([0, 0, 0])]
    assert multiframe_facts(as_received(data)).get("SequenceVariant") == variant


def test_contrast_and_kernel_are_found():
    data = Dataset()
    agent = Dataset()
    agent.CodeMeaning = "Gadolinium"
    data.ContrastBolusAgentSequence = [agent]
    data.SharedFunctionalGroupsSequence = [group(CTReconstructionSequence={"ConvolutionKernel": "B70f"})]
    facts = multiframe_facts(as_received(data))
    assert (facts["ContrastBolusAgent"], facts["ConvolutionKernel"]) == ("Gadolinium", "B70f")


@pytest.mark.parametrize(
    ("administered", "agent"),
    [((), "Gadolinium"), (("YES", "YES"), "Gadolinium"), (("NO", "YES"), "Gadolinium"), (("NO", "NO"), None)],
)
def test_an_agent_that_no_frame_was_given_yet_is_none(administered, agent):
    data = Dataset()
    data.ContrastBolusAgentSequence = [Dataset()]
    data.ContrastBolusAgentSequence[0].CodeMeaning = "Gadolinium"
    data.PerFrameFunctionalGroupsSequence = [
        group(ContrastBolusUsageSequence={"ContrastBolusAgentAdministered": said}) for said in administered
    ] or [group([0, 0, 0])]
    assert multiframe_facts(as_received(data)).get("ContrastBolusAgent") == agent


def test_a_legacy_conversion_says_what_its_single_frames_said():
    data = Dataset()
    data.SharedFunctionalGroupsSequence = [
        group(
            UnassignedSharedConvertedAttributesSequence={
                "ScanningSequence": ["GR", "IR"], "SequenceVariant": "MP", "RepetitionTime": 1900, "InversionTime": 900,
                "ContrastBolusAgent": "Gadobutrol", "SOPInstanceUID": "1.2",
            },
            MRTimingAndRelatedParametersSequence={"RepetitionTime": 1950},
        )
    ]  # fmt: skip
    data.PerFrameFunctionalGroupsSequence = [
        group(UnassignedPerFrameConvertedAttributesSequence={"EchoTime": echo, "TemporalPositionIdentifier": time})
        for echo, time in ((2.5, 1), (5, 2))
    ]
    assert multiframe_facts(as_received(data)) == {
        "ScanningSequence": ["GR", "IR"], "SequenceVariant": "MP", "EchoTime": 2.5, "RepetitionTime": 1950.0,
        "InversionTime": 900.0, "ContrastBolusAgent": "Gadobutrol",
        "Frames": [{"echo": 2.5, "temporal": 1}, {"echo": 5.0, "temporal": 2}],
    }  # fmt: skip


def test_a_single_frame_header_has_nothing_to_add():
    assert multiframe_facts(Dataset()) == {}


def test_more_frames_than_anybody_needs_are_refused(monkeypatch):
    monkeypatch.setattr(subject, "MAX_FRAMES", 3)
    data = Dataset()
    data.PerFrameFunctionalGroupsSequence = [group([0, 0, z]) for z in range(4)]
    with pytest.raises(ValueError, match="more than 3 frames"):
        multiframe_facts(as_received(data))
