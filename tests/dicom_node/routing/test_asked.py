"""A task that a person asks for gets the series that its route takes, and others only where those do not suffice."""

import pytest

from dicom_node.routing.asked import decide_for
from dicom_node.routing.table import decide

PET = "1.2.840.10008.5.1.4.1.1.128"


@pytest.fixture
def taken(facts, routes):
    """The series that a task takes of a study: its numbers by role; empty where it gets no job."""

    def take(task, *series, closed=None):
        decision = decide_for(routes, facts(*series), task, closed or {})
        return {role: int(one.series_uid.rpartition(".")[2])
                for plan in decision.plans for role, one in plan.inputs.items()}

    return take


@pytest.fixture
def protocol(scanner):
    """T1, T2, FLAIR and T1 after contrast, as series 1 to 4."""
    return [scanner.t1(SeriesDescription="t1 mprage"), scanner.t2(SeriesDescription="t2 tse"),
            scanner.flair(SeriesDescription="t2 flair"), scanner.t1(SeriesDescription="t1 mprage km")]


def test_no_subtraction_and_no_diffusion_is_taken_for_a_plain_acquisition(scanner, protocol, taken):
    later = [scanner.t1(SeriesDescription="t1 mprage km sub", ImageType=["ORIGINAL", "PRIMARY", "M", "SUB"]),
             scanner.t2(SeriesDescription="ep2d diff b1000", ScanningSequence="EP")]
    assert taken("brain_tumour", *protocol, *later) == {"T1": 1, "T2": 2, "FLAIR": 3, "T1ce": 4}


def test_neither_pet_nor_a_reformatted_series_is_taken_for_the_ct(scanner, taken):
    chest = scanner.ct(slices=100, spacing=3.0, SeriesDescription="Thorax")
    pet = scanner.ct(slices=100, spacing=3.0, SOPClassUID=PET, Modality="PT", ConvolutionKernel=None)
    coronal = scanner.ct(slices=400, plane="coronal", ImageType=["DERIVED", "SECONDARY", "MPR"])
    assert taken("lung_nodule", chest, pet, coronal) == {"CT": 1}


def test_a_series_that_the_route_would_not_take_is_taken_where_there_is_no_other(scanner, facts, routes, taken):
    knee = scanner.ct(slices=60, SeriesDescription="Knee")
    pet = scanner.ct(slices=100, spacing=3.0, SOPClassUID=PET, Modality="PT", ConvolutionKernel=None)
    assert not decide(routes, facts(knee, pet)).plans
    assert taken("lung_nodule", knee, pet) == {"CT": 1}


def test_where_none_is_plain_any_that_makes_a_volume_is_taken(scanner, taken):
    converted = scanner.ct(slices=60, Modality="OT", ImageType=["DERIVED", "SECONDARY"])
    assert taken("lung_nodule", converted) == {"CT": 1}


def test_slices_that_make_no_volume_are_not_taken(scanner, taken):
    assert taken("lung_nodule", scanner.ct(slices=3, positions=[0, 1, 5])) == {}


def test_a_closed_model_gets_no_job_and_no_other_series_are_tried_for_it(scanner, facts, routes):
    chest = scanner.ct(SeriesDescription="Thorax")
    decision = decide_for(routes, facts(chest), "lung_nodule", {"lung_nodule": "is disabled"})
    assert (decision.plans, decision.withheld) == ((), ("lung_nodule",))
    assert [verdict.series_uid for verdict in decision.verdicts] == ["1.2.3.1", ""]
