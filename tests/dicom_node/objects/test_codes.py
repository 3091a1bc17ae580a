"""Codes as DICOM items, equal to what the standard's dictionary says of them."""

from __future__ import annotations

import pytest
from pydicom.sr.codedict import codes as dictionary

from dicom_node.objects.codes import COMMENT, PROBABILITY, PROCEDURES, algorithm_parameters, concept
from inference import codes
from inference.codes import Code
from inference.findings import IntendedUse, ModelIdentity


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
], ids=str)
def test_a_code_is_the_dictionarys(ours: Code, theirs: object) -> None:
    assert concept(ours) == theirs


def test_an_item_carries_value_scheme_and_meaning() -> None:
    item = concept(codes.LONG_AXIS)
    assert (item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning) == ("103339001", "SCT", "Long Axis")


def test_each_modality_has_a_procedure_of_cid_100() -> None:
    assert {m: (c.value, c.scheme_designator) for m, c in PROCEDURES.items()} == {
        "CT": ("25045-6", "LN"), "MR": ("25056-3", "LN")}


def test_the_algorithm_says_its_use_and_its_weights() -> None:
    model = ModelIdentity("net", "1", "ab" * 32, "Segnode", IntendedUse.RESEARCH)
    use, weights = algorithm_parameters(model)
    assert "research" in use
    assert weights.endswith("ab" * 32)
