"""Evidence for contrast medium."""

import pytest

from dicom_node.routing.contrast import contrast_of


@pytest.mark.parametrize(
    "description",
    ["t1_mprage_sag_km", "AX T1 +C", "T1 post Gd", "T1 C+", "SAG T1 GADO", "T1CE", "Ax T1 SE POST",
     "Abdomen portalvenös", "T1 mit KM", "T1 TSE avec injection", "Abdomen arterial", "AX T1 POST W/O FS",
     "t1_tra_km_ohne_fs", "Pre-Op T1 +C", "T1POST", "T1_POSTGAD", "AX T1 W GAD", "T1 W/ CONT", "T1 nach KM",
     "T1 apres injection", "T1 na Gd", "T1 con mdc", "T1 c/c", "T1 po kontrascie", "T1 efter kontrast", "T1 PROHANCE",
     "T1 KM vor OP", "T1 Post Gd post-op"],
)  # fmt: skip
def test_descriptions_that_speak_of_contrast(description):
    said = contrast_of({"SeriesDescription": description})
    assert said.given is True
    assert said.by_text


@pytest.mark.parametrize(
    "description",
    ["T1 nativ", "AX T1 PRE", "T1 ohne KM", "Abdomen without contrast", "T1 non contrast", "sin contraste", "T1 w/o",
     "unenhanced", "sans injection", "T1 AX PRECONTRAST", "T1 PREGAD", "T1PRE", "T1 vor KM", "T1 avant injection",
     "T1 voor contrast", "T1 before contrast", "T1 antes de contraste", "T1 prima del mdc", "T1 przed kontrastem",
     "T1 före kontrast", "T1 w/out contrast", "T1 non injecté", "T1 NON-CON", "T1 bez kontrastu", "T1 utan kontrast",
     "T1 s/c", "T1 -C", "T1 C-", "T1 basale", "CT HEAD NCCT"],
)  # fmt: skip
def test_descriptions_that_speak_against_it_even_where_the_agent_is_filled_in(description):
    assert contrast_of({"SeriesDescription": description, "ContrastBolusAgent": "Gadovist"}).given is False


@pytest.mark.parametrize(
    "description",
    ["T1 mit FS", "T1 avec FatSat", "AX T1 W/O FS", "t1_tra_ohne_Fettsättigung", "T1 PRE-OP", "AX T1 POST-OP",
     "T1 post RT", "T1 post chemo", "T1 POST FOSSA", "T1 C-SPINE", "Knie T1 sin"],
)  # fmt: skip
def test_fat_saturation_a_place_and_what_was_done_to_a_patient_tell_nothing_of_contrast(description):
    assert contrast_of({"SeriesDescription": description}).given is None


def test_a_conversion_to_enhanced_images_is_no_contrast_medium():
    assert contrast_of({"SeriesDescription": "t1_tse_tra (enhanced conversion)"}).given is None
    assert contrast_of({"SeriesDescription": "t1_tse_tra enhanced (enhanced conversion)"}).given is True


def test_the_agent_counts_where_descriptions_are_silent():
    said = contrast_of({"SeriesDescription": "t1_mpr_tra_gk_v4", "ContrastBolusAgent": "APPLIED"})
    assert (said.given, said.by_text) == (True, False)
    assert "APPLIED" in said.reason


@pytest.mark.parametrize("agent", [None, "", "NONE", "No", "0", "ohne", "native"])
def test_an_agent_that_says_none_is_no_evidence(agent):
    assert contrast_of({"SeriesDescription": "AX T1", "ContrastBolusAgent": agent}).given is None


@pytest.mark.parametrize(
    "protocol",
    ["BRAIN W/WO", "Brain without and with", "Schädel vor und nach KM", "sin y con contraste", "senza e con mdc",
     "sans et avec injection", "PRE & POST"],
)  # fmt: skip
def test_with_and_without_tells_nothing_about_one_series(protocol):
    assert contrast_of({"SeriesDescription": "AX T1", "ProtocolName": protocol}).given is None


def test_an_agent_tells_where_the_protocol_says_both():
    assert contrast_of({"SeriesDescription": "AX T1", "ProtocolName": "BRAIN W WO", "ContrastBolusAgent": "Gd"}).given


def test_the_series_description_goes_before_the_protocol():
    assert contrast_of({"SeriesDescription": "Abdomen nativ", "ProtocolName": "Abdomen KM"}).given is False


def test_posterior_is_not_post():
    assert contrast_of({"SeriesDescription": "T1 posterior fossa"}).given is None
