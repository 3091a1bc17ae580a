"""Which number a lesion is called by, beside a prior and without one."""

from dataclasses import replace

import pytest

from inference import codes
from inference.findings import Axes, Finding, Point, Structure
from inference.followup.renumber import number_in, renumbered

NODULE = Structure(1, "Nodule", codes.ABNORMAL_STRUCTURE, codes.NODULE, codes.LUNG, (255, 0, 0), per_lesion=True)
ENHANCING = Structure(3, "Enhancing tumour", codes.ABNORMAL_STRUCTURE, codes.ENHANCING_LESION, codes.BRAIN, (255, 0, 0))
OEDEMA = Structure(2, "Oedema", codes.ABNORMAL_STRUCTURE, codes.EDEMA, codes.BRAIN, (0, 255, 0))
LINE = (Point(0, 0), Point(0, 1))


def finding(number, label, structure, lesion, voxels=100):
    return Finding(number, label, structure, (), voxels, 1.0, axes=Axes(0, LINE, LINE), lesion=lesion)


def labels(findings, before, known=()):
    return [f.label for f in renumbered(findings, before, [*before.values(), *known])]


@pytest.fixture
def nodules():
    return [finding(n, f"Nodule {n}", NODULE, n) for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("label", "number"), [("Nodule 2", 2), ("Lesion 12 enhancing tumour", 12), ("Liver", 0), ("", 0)]
)
def test_a_label_holds_its_lesions_number(label, number):
    assert number_in(label) == number


def test_a_lesion_keeps_the_number_that_it_had(nodules):
    assert labels(nodules, {1: "Nodule 3", 2: "Nodule 1", 3: "Nodule 2"}) == ["Nodule 3", "Nodule 1", "Nodule 2"]


def test_a_new_lesion_gets_a_number_that_nobody_ever_had(nodules):
    assert labels(nodules, {2: "Nodule 1"}, known=["Nodule 4"]) == ["Nodule 5", "Nodule 1", "Nodule 6"]


def test_beside_an_empty_prior_they_are_counted_from_one(nodules):
    assert labels(nodules, {}) == ["Nodule 1", "Nodule 2", "Nodule 3"]


def test_regions_of_a_lesion_vote_by_voxels_for_its_number():
    findings = [
        finding(1, "Lesion 1 oedema", OEDEMA, 1, voxels=500),
        finding(2, "Lesion 1 enhancing tumour", ENHANCING, 1, voxels=90),
        finding(3, "Lesion 2 enhancing tumour", ENHANCING, 2, voxels=80),
    ]
    before = {1: "Lesion 2 oedema", 2: "Lesion 1 enhancing tumour", 3: "Lesion 1 enhancing tumour"}
    assert labels(findings, before) == ["Lesion 2 oedema", "Lesion 2 enhancing tumour", "Lesion 1 enhancing tumour"]


def test_two_lesions_never_get_one_number(nodules):
    both = labels(nodules[:2], {1: "Nodule 1", 2: "Nodule 1"})
    assert both == ["Nodule 1", "Nodule 2"]


def test_organs_and_shared_findings_keep_their_names(nodules):
    organ = Structure(1, "Liver", codes.ANATOMICAL_STRUCTURE, codes.LIVER, None, (0, 0, 0))
    liver = Finding(1, "Liver", organ, (), 9, 1)
    several = replace(nodules[2], label="Nodule, 12 small ones", axes=None)
    assert labels([liver, several], {}, known=["Nodule 7"]) == ["Liver", "Nodule, 12 small ones"]
