"""Evidence for contrast medium."""

import pytest

from dicom_node.routing.contrast import contrast_of


@pytest.mark.parametrize(
    "description",
    ["t1_mprage_sag_km", "AX T1 +C", "T1 post Gd", "T1 C+", "SAG T1 GADO", "T1CE", "Ax T1 SE POST",
     "Abdomen portalvenös", "T1 mit KM", "T1 TSE avec injection", "Abdomen arterial", "AX T1 POST W/O FS",
     "t1_tra_km_ohne_fs", "Pre-Op T1 +C"],
)  # fmt: skip
def test_descriptions_that_speak_of_contrast(description):
    said = contrast_of({"SeriesDescription": description})
    assert said.given is True
    assert said.by_text


@pytest.mark.parametrize(
    "description",
    ["T1 nativ", "AX T1 PRE", "T1 ohne KM", "Abdomen without contrast", "T1 non contrast", "sin contraste", "T1 w/o",
     "unenhanced", "sans injection"],
)  # fmt: skip
def test_descriptions_that_speak_against_it_even_where_the_agent_is_filled_in(description):
    assert contrast_of({"SeriesDescription": description, "ContrastBolusAgent": "Gadovist"}).given is False


@pytest.mark.parametrize(
    "description", ["T1 mit FS", "T1 avec FatSat", "AX T1 W/O FS", "t1_tra_ohne_Fettsättigung", "T1 PRE-OP"]
)
def test_fat_saturation_and_an_operation_tell_nothing_of_contrast(description):
    assert contrast_of({"SeriesDescription": description}).given is None


def test_the_agent_counts_where_descriptions_are_silent():
    said = contrast_of({"SeriesDescription": "t1_mpr_tra_gk_v4", "ContrastBolusAgent": "APPLIED"})
    assert (said.given, said.by_text) == (True, False)
    assert "APPLIED" in said.reason


@pytest.mark.parametrize("agent", [None, "", "NONE", "No", "0", "ohne", "native"])
def test_an_agent_that_says_none_is_no_evidence(agent):
    assert contrast_of({"SeriesDescription": "AX T1", "ContrastBolusAgent": agent}).given is None


def test_with_and_without_tells_nothing_about_one_series():
    assert contrast_of({"SeriesDescription": "AX T1", "ProtocolName": "BRAIN W/WO"}).given is None
    assert contrast_of({"SeriesDescription": "AX T1", "ProtocolName": "BRAIN W WO", "ContrastBolusAgent": "Gd"}).given


def test_the_series_description_goes_before_the_protocol():
    assert contrast_of({"SeriesDescription": "Abdomen nativ", "ProtocolName": "Abdomen KM"}).given is False


def test_posterior_is_not_post():
    assert contrast_of({"SeriesDescription": "T1 posterior fossa"}).given is None
