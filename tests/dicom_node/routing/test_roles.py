"""Series of a brain MR in their roles, on headers as the vendors write them."""

from itertools import chain

import pytest

from dicom_node.routing.choice import Candidate
from dicom_node.routing.predicates import Answer
from dicom_node.routing.roles import MrBrain


@pytest.fixture
def choose(facts):
    """Numbers of the chosen series by role, with the choice."""

    def chosen(*series):
        study = facts(*series)
        choice = MrBrain().choose([Candidate(one, Answer(True, "named")) for one in study.series])
        return {role: int(one.label.split()[1]) for role, one in choice.inputs.items()}, choice

    return chosen


def siemens(s):
    """syngo: TIRM FLAIR, TSE T2, MPRAGE before and after."""
    return [
        s.flair(SeriesDescription="t2_tirm_tra_dark-fluid", ImageType="ORIGINAL\\PRIMARY\\M\\ND\\NORM"),
        s.t2(SeriesDescription="t2_tse_tra"),
        s.t1(SeriesDescription="t1_mprage_sag", plane="sagittal"),
        s.t1(SeriesDescription="t1_mprage_sag_km", plane="sagittal", ContrastBolusAgent="Gadovist"),
    ]


def ge(s):
    """GE: IR-coded FLAIR, FSE, BRAVO with and without the agent; image type OTHER."""
    other = {"ImageType": "ORIGINAL\\PRIMARY\\OTHER", "Manufacturer": "GE MEDICAL SYSTEMS"}
    bravo = {"ScanningSequence": "GR", "SequenceVariant": "SS\\SP\\SK", "EchoTime": "3.2", "RepetitionTime": "8.2",
             "InversionTime": "450"} | other
    return [
        s.flair(ScanningSequence="IR", EchoTime="120", RepetitionTime="8000", InversionTime="2200",
                SeriesDescription="Ax T2 FLAIR", **other),
        s.t2(EchoTime="102", RepetitionTime="4200", InversionTime="0", SeriesDescription="Ax T2 FRFSE", **other),
        s.t1(SeriesDescription="Ax BRAVO", **bravo),
        s.t1(SeriesDescription="Ax BRAVO +C", ContrastBolusAgent="MULTIHANCE", **bravo),
    ]


def philips(s):
    """Philips: VISTA FLAIR, TFE without inversion time, spin echo T1 after contrast told by its text."""
    return [
        s.flair(slices=160, spacing=1.1, EchoTime=340, RepetitionTime=4800, InversionTime=1650,
                SeriesDescription="3D FLAIR VISTA", ImageType="ORIGINAL\\PRIMARY\\M_IR\\M\\IR"),
        s.t2(EchoTime=80, RepetitionTime=3000, SeriesDescription="T2W_TSE", ImageType="ORIGINAL\\PRIMARY\\M_SE\\M\\SE"),
        s.t1(ScanningSequence="GR", SequenceVariant="MP", EchoTime=3.7, RepetitionTime=8.1, InversionTime=None,
             SeriesDescription="T1W 3D TFE", ImageType="ORIGINAL\\PRIMARY\\M_FFE\\M\\FFE"),
        s.t1(ScanningSequence="SE", SequenceVariant="SK", EchoTime=10, RepetitionTime=600, InversionTime=None,
             slices=30, spacing=5.0, SeriesDescription="T1W_SE post GD", ImageType="ORIGINAL\\PRIMARY\\M_SE\\M\\SE"),
    ]


def canon(s):
    """Canon: FLAIR coded SE, everything two-dimensional, agent filled in on both T1 by the protocol."""
    t1 = {"ScanningSequence": "SE", "SequenceVariant": "SK", "EchoTime": 12, "RepetitionTime": 500,
          "InversionTime": None, "slices": 24, "spacing": 6.0, "ContrastBolusAgent": "Gd-DTPA",
          "SeriesDescription": "T1 AX"}
    return [
        s.flair(ScanningSequence="SE", EchoTime=105, RepetitionTime=10000, InversionTime=2700, SeriesDescription="AX1"),
        s.t2(EchoTime=105, RepetitionTime=4500, SeriesDescription="AX2"),
        s.t1(**t1),
        s.t1(**t1),
    ]


def anonymised(s):
    """No physics, no agent, no image type: descriptions alone."""
    nothing = dict.fromkeys(
        ("ScanningSequence", "SequenceVariant", "EchoTime", "RepetitionTime", "InversionTime", "ImageType")
    )
    return [
        s.mr(SeriesDescription="FLAIR", **nothing),
        s.mr(SeriesDescription="T2w", **nothing),
        s.mr(SeriesDescription="T1w", **nothing),
        s.mr(SeriesDescription="T1w post contrast", **nothing),
    ]


@pytest.mark.parametrize("vendor", [siemens, ge, philips, canon, anonymised])
def test_a_tumour_protocol_of(scanner, choose, vendor):
    roles, choice = choose(*vendor(scanner))
    assert roles == {"FLAIR": 1, "T2": 2, "T1": 3, "T1ce": 4}
    assert all(note.startswith("chosen as") for note in choice.notes.values())


def test_the_order_of_arrival_does_not_matter(scanner, choose):
    roles, _ = choose(*reversed(siemens(scanner)))
    assert roles == {"FLAIR": 1, "T2": 2, "T1": 3, "T1ce": 4}


@pytest.mark.parametrize("examination", ["BRAIN TUMOR W CONTRAST", "BRAIN WITHOUT"])
def test_a_protocol_name_that_all_weightings_bear_is_the_examinations(scanner, choose, examination):
    """GE writes it so; of one series it says nothing, and the agent decides."""
    series = ge(scanner)
    for image in chain(*series):
        image.header["ProtocolName"] = examination
        image.header["SeriesDescription"] = image.header["SeriesDescription"].removesuffix(" +C")
    roles, _ = choose(*series)
    assert roles == {"FLAIR": 1, "T2": 2, "T1": 3, "T1ce": 4}


def test_a_protocol_name_of_the_series_own_says_whether_contrast_was_given(scanner, choose):
    after, before = (scanner.t1(ProtocolName=f"t1_mprage_{word}") for word in ("km", "nativ"))
    roles, _ = choose(after, before, scanner.flair(ProtocolName="dark-fluid"), scanner.t2(ProtocolName="t2_tse"))
    assert roles == {"T1": 2, "T1ce": 1, "FLAIR": 3, "T2": 4}


def test_isotropic_goes_before_thick_slices(scanner, choose):
    roles, choice = choose(*siemens(scanner), scanner.t1(slices=25, spacing=6.0, SeriesDescription="t1_se_tra_km"))
    assert roles["T1ce"] == 4
    assert "series 4 “t1_mprage_sag_km” is better" in choice.notes["1.2.3.5"]
    assert choice.scores["1.2.3.5"]["T1ce"] < choice.scores["1.2.3.4"]["T1ce"]


def test_the_whole_head_goes_before_a_slab(scanner, choose):
    roles, _ = choose(*siemens(scanner), scanner.t2(slices=110, spacing=1.0, SeriesDescription="t2_space_tra_slab"))
    assert roles["T2"] == 2


def test_a_repeat_takes_the_place_of_its_first_run(scanner, choose):
    roles, _ = choose(*siemens(scanner), scanner.t2(SeriesDescription="t2_tse_tra"))
    assert roles["T2"] == 5


def test_mp2rage_gives_its_uniform_image_and_only_where_nothing_better_is(scanner, choose):
    times = {"EchoTime": 2.98, "RepetitionTime": 5000}
    mp2rage = [
        scanner.t1(SeriesDescription="mp2rage_INV1", InversionTime=700, **times),
        scanner.t1(SeriesDescription="mp2rage_INV2", InversionTime=2500, **times),
        scanner.t1(SeriesDescription="mp2rage_T1_Images", InversionTime=700, **times),
        scanner.t1(SeriesDescription="mp2rage_UNI_Images", InversionTime=700, **times),
    ]
    flair, t2, t1, t1ce = siemens(scanner)
    assert choose(*mp2rage, flair, t2, t1ce)[0]["T1"] == 4
    assert choose(*mp2rage, flair, t2, t1, t1ce)[0]["T1"] == 7


@pytest.mark.parametrize(
    ("left", "says"),
    [
        ([0, 2, 3], "no T2 series found: only T1 with no sign of contrast (series 3 “t1_mprage_sag”) and T1 after"),
        ([3], "no T1 before contrast, no T2, no FLAIR series found: only T1 after contrast (series 4 “t1_mpr"),
        ([2], "no T1 after contrast, no T2, no FLAIR series found: only T1 with no sign of contrast (series 3"),
        ([0, 1, 2], "no T1 after contrast series found"),
    ],
)
def test_a_missing_role_is_named_and_never_made_up(scanner, choose, left, says):
    protocol = siemens(scanner)
    roles, choice = choose(*(protocol[k] for k in left))
    assert roles == {}
    assert says in choice.reason
    assert all("but there is no" in note for note in choice.notes.values())


def test_a_series_of_no_role_says_what_it_is(scanner, choose):
    star = scanner.mr(ScanningSequence="GR", EchoTime=20, RepetitionTime=620, SeriesDescription="t2_fl2d_hemo")
    _, choice = choose(*siemens(scanner), star)
    assert choice.notes["1.2.3.1"].startswith("fits no role: T2* by GR, TE 20 ms")


def test_nothing_to_choose_from(choose):
    assert MrBrain().choose([]).reason.endswith("none of 0 series has a role")
