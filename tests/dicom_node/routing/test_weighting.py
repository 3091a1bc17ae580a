"""MR contrasts by physics, with headers as the vendors write them; times in ms."""

import pytest

from dicom_node.routing.weighting import Weight, weighting_of


def header(sequence=None, te=None, tr=None, ti=None, variant=None, description="x", **more):
    return {"ScanningSequence": sequence, "SequenceVariant": variant, "EchoTime": te, "RepetitionTime": tr,
            "InversionTime": ti, "SeriesDescription": description, **more}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "values", "weight"),
    [
        ("Siemens MPRAGE", header("GR\\IR", 2.97, 1900, 1100, "SP\\MP\\OSP"), Weight.T1),
        ("GE BRAVO", header("GR", 3.2, 8.2, 450, "SS\\SP\\SK"), Weight.T1),
        ("GE FSPGR without TI", header("GR", 2.1, 6.5, None, "SP\\SK"), Weight.T1),
        ("Philips TFE", header("GR", 3.7, 8.1, None, "MP"), Weight.T1),
        ("Canon FE3D", header("GR", 2.5, 7.6, 900, "SP\\MP"), Weight.T1),
        ("spin echo T1", header("SE", 9, 550), Weight.T1),
        ("T1 SPACE", header("SE", 11, 700, None, "SK"), Weight.T1),
        ("T1-FLAIR", header("SE\\IR", 24, 2500, 860, "SK"), Weight.T1),
        ("Siemens TIRM T1", header("SE\\IR", 9, 2000, 860, "SK"), Weight.T1),
        ("2D FLASH", header("GR", 4.8, 250, None, "SP"), Weight.T1),
        ("TSE T2", header("SE", 95, 5200, None, "SK\\SP\\OSP"), Weight.T2),
        ("GE FSE T2, inversion time 0", header("SE", 102, 4200, 0, "SK"), Weight.T2),
        ("3D T2 SPACE", header("SE", 408, 3200, None, "SK\\SP"), Weight.T2),
        ("Siemens TIRM FLAIR", header("SE\\IR", 85, 9000, 2500, "SK\\SP\\MP"), Weight.FLAIR),
        ("Siemens FLAIR coded SE", header("SE", 85, 9000, 2500, "SK"), Weight.FLAIR),
        ("GE FLAIR coded IR", header("IR", 120, 8000, 2200, "SK"), Weight.FLAIR),
        ("GE CUBE FLAIR", header("SE\\IR", 115, 6000, 1850, "SK"), Weight.FLAIR),
        ("SPACE FLAIR at 3 T", header("SE\\IR", 388, 5000, 1800, "SK\\SP\\MP"), Weight.FLAIR),
        ("Philips VISTA FLAIR", header("SE\\IR", 340, 4800, 1650, "SK"), Weight.FLAIR),
        ("FLAIR that hides its inversion time", header("IR\\SE", 110, 9000, None, "SK"), Weight.FLAIR),
        ("STIR", header("SE\\IR", 60, 4500, 160, "SK"), Weight.STIR),
        ("T2* gradient echo", header("GR", 20, 620, None, "SP"), Weight.T2_STAR),
        ("SWI", header("GR", 20, 27, None, "SP", "SWI_Images"), Weight.OTHER),
        ("proton density", header("SE", 12, 2800), Weight.PD),
        ("CISS", header("GR", 4.7, 10, None, "SS"), Weight.OTHER),
        ("MP2RAGE, second image", header("GR\\IR", 2.98, 5000, 2500, "SP\\MP", "mp2rage_INV2"), Weight.OTHER),
        ("MP2RAGE, second image without name", header("GR\\IR", 2.98, 5000, 2500, "SP\\MP"), Weight.OTHER),
        ("MP2RAGE, first image", header("GR\\IR", 2.98, 5000, 700, "SP\\MP", "mp2rage_INV1"), Weight.OTHER),
        ("MP2RAGE, T1 map", header("GR\\IR", 2.98, 5000, 700, "SP\\MP", "mp2rage_T1_Images"), Weight.OTHER),
        ("MP2RAGE, uniform image", header("GR\\IR", 2.98, 5000, 700, "SP\\MP", "mp2rage_UNI_Images"), Weight.T1),
    ],
)  # fmt: skip
def test_the_physics_tells(name, values, weight):
    assert weighting_of(values).weight is weight, name


def test_the_physics_outranks_a_wrong_description():
    said = weighting_of(header("SE\\IR", 90, 9000, 2500, description="AX T1"))
    assert (said.weight, said.by_physics) == (Weight.FLAIR, True)
    assert "TI 2500 ms" in said.reason


@pytest.mark.parametrize(
    ("description", "weight"),
    [
        ("Ax T1 FLAIR", Weight.T1), ("T1W_TSE_FLAIR", Weight.T1),
        ("AX T2 FLAIR", Weight.FLAIR), ("t2_tirm_tra_dark-fluid", Weight.FLAIR), ("Sag T1 MPRAGE", Weight.T1),
        ("t1_mpr_tra", Weight.T1), ("BRAVO", Weight.T1), ("COR T2 TSE", Weight.T2), ("T2* GRE", Weight.T2_STAR),
        ("AX PD", Weight.PD), ("STIR SAG", Weight.STIR), ("MRT Kopf", Weight.UNKNOWN), ("", Weight.UNKNOWN),
    ],
)  # fmt: skip
def test_descriptions_tell_where_the_physics_is_gone(description, weight):
    said = weighting_of({"SeriesDescription": description})
    assert (said.weight, said.by_physics) == (weight, False)


def test_the_protocol_tells_last():
    assert weighting_of({"SeriesDescription": "series 4", "ProtocolName": "T2W_TSE"}).weight is Weight.T2


@pytest.mark.parametrize("odd", ["", "unknown", "-1", None, [], {}])
def test_odd_values_leave_it_to_the_description(odd):
    said = weighting_of(header("SE", odd, odd, odd, description="AX T2"))
    assert said.weight is Weight.T2
