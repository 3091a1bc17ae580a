"""Codes as DICOM items, equal to what the standard's dictionary says of them."""

from __future__ import annotations

import pytest
from pydicom.sr.codedict import codes as dictionary

from dicom_node.objects import codes as reported
from dicom_node.objects.codes import COMMENT, PROBABILITY, PROCEDURES, algorithm_parameters, concept
from inference import codes
from inference.codes import Code
from inference.findings import IntendedUse, ModelIdentity
from inference.followup.criteria import RANO, RECIST, Category
from inference.trend import Outcome


@pytest.mark.parametrize(("ours", "theirs"), [
    (COMMENT, dictionary.DCM.Comment),
    (PROBABILITY, dictionary.DCM.Probability),
    (codes.VOLUME, dictionary.SCT.Volume),
    (codes.ANATOMICAL_STRUCTURE, dictionary.SCT.AnatomicalStructure),
    (codes.NECROSIS, dictionary.SCT.Necrosis),
    (codes.EDEMA, dictionary.SCT.Edema),
    (codes.NEOPLASM, dictionary.SCT.Neoplasm),
    (codes.NODULE, dictionary.SCT.Nodule),
    (codes.LUNG, dictionary.SCT.Lung),
    (codes.LIVER, dictionary.SCT.Liver),
    (codes.BRAIN, dictionary.SCT.Brain),
    (codes.MEDIAN, dictionary.SCT.Median),
    (codes.ATTENUATION, dictionary.DCM.AttenuationCoefficient),
    (codes.DAY, dictionary.UCUM.Day),
    (codes.PERCENT, dictionary.UCUM.Percent),
    (codes.SQUARE_MILLIMETRE, dictionary.UCUM.SquareMillimeter),
    (reported.RECIST_1_1, dictionary.cid6147.RECIST1Point1),
    (reported.RANO, dictionary.cid6147.RANO),
    (reported.BASELINE, dictionary.cid6146.Baseline),
    (reported.NADIR, dictionary.cid6146.Nadir),
    (reported.BASELINE_STUDY, dictionary.cid280.Baseline),
    (reported.TARGET_LESIONS, dictionary.cid6145.TargetLesionAtBaseline),
    (reported.TARGET_BANDS[Category.CR], dictionary.cid6144.TargetLesionCompleteResponse),
    (reported.TARGET_BANDS[Category.PR], dictionary.cid6144.TargetLesionPartialResponse),
    (reported.TARGET_BANDS[Category.PD], dictionary.cid6144.TargetLesionProgressiveDisease),
    (reported.TARGET_BANDS[Category.SD], dictionary.cid6144.TargetLesionStableDisease),
], ids=str)
def test_a_code_is_the_dictionarys(ours: Code, theirs: object) -> None:
    assert concept(ours) == theirs


def test_an_item_carries_value_scheme_and_meaning() -> None:
    item = concept(codes.LONG_AXIS)
    assert (item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning) == ("103339001", "SCT", "Long Axis")


def test_our_own_codes_are_short_and_told_apart() -> None:
    """PS3.3 8.8: a Code Value is an SH, a Code Meaning an LO."""
    own = [code for code in [*vars(reported).values(), *reported.OUTCOMES.values()]
           if isinstance(code, Code) and code.scheme == "99SEGNODE"]
    assert len({code.value for code in own}) == len(own) == 14 + len(Outcome)
    assert all(len(code.value) <= 16 and len(code.meaning) <= 64 for code in own)


def test_criteria_go_by_the_name_of_their_code() -> None:
    assert [reported.RECIST_1_1.meaning, reported.RANO.meaning] == [RECIST.name, RANO.name]


def test_each_modality_has_a_procedure_of_cid_100() -> None:
    assert {m: (c.value, c.scheme_designator) for m, c in PROCEDURES.items()} == {
        "CT": ("25045-6", "LN"), "MR": ("25056-3", "LN")}


def test_the_algorithm_says_its_use_and_its_weights() -> None:
    model = ModelIdentity("net", "1", "ab" * 32, "Segnode", IntendedUse.RESEARCH)
    use, weights = algorithm_parameters(model)
    assert "research" in use
    assert weights.endswith("ab" * 32)
