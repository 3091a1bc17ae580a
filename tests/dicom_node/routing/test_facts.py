"""Facts of a study from its index records."""

from dataclasses import replace

import pytest

from dicom_node.routing.facts import study_facts
from dicom_node.routing.vocabulary import Kernel, Nature, Region, Vocabulary
from dicom_node.routing.weighting import Weight
from storage.records import InstanceKind


def test_a_ct_series(scanner, facts):
    series = scanner.ct(slices=200, spacing=1.5, SeriesDescription="Thorax Lunge", SeriesNumber="4", SliceThickness="2",
                        ConvolutionKernel="Bl57f\\3", BodyPartExamined="CHEST", AcquisitionTime="113000")
    study = facts(series, description="CT Thorax", calling=("CT1", "CT2"))
    (one,) = study.series
    assert (study.uid, study.calling_aets) == ("1.2.3", ("CT1", "CT2"))
    assert (one.label, one.modality, one.slices, one.images) == ("series 4 “Thorax Lunge”", "CT", 200, 200)
    assert (one.kernel, one.kernel_name, one.thickness_mm) == (Kernel.SHARP, "Bl57f", 2.0)
    assert one.regions.by_text == {Region.CHEST}
    assert one.started.seconds == 41400
    assert one.texts["study_description"] == "ct thorax"


def test_no_patient_is_in_the_facts(scanner, facts):
    assert "Nobody" not in repr(facts(scanner.ct(slices=3)))


def test_thickness_falls_back_to_the_spacing(scanner, series_facts):
    assert series_facts(scanner.ct(slices=10, spacing=3.0, SliceThickness="")).thickness_mm == 3.0


def test_series_without_images_have_their_own_word(scanner, series_facts):
    report = series_facts(scanner.report())
    assert (report.images, report.modality) == (0, "SR")
    assert Nature.NO_IMAGE in report.natures


def test_a_stray_scout_does_not_speak_for_its_series(scanner, facts):
    scout = scanner.ct(slices=1, plane="coronal", ImageType="ORIGINAL\\PRIMARY\\LOCALIZER", SeriesDescription="Scout")
    axial = scanner.ct(slices=50, SeriesDescription="Thorax")
    together = [replace(i, series_instance_uid=axial[0].series_instance_uid) for i in scout] + axial
    (one,) = facts(together).series
    assert one.natures == {}
    assert (one.slices, one.images) == (50, 51)


@pytest.mark.parametrize(
    ("echoes", "repetition", "weight"),
    [((20.0, 95.0), 5200.0, Weight.T2), ((95.0, 20.0), 5200.0, Weight.T2), ((11.0,), 600.0, Weight.T1)],
)
def test_of_several_echoes_in_one_instance_the_one_that_is_read_speaks(scanner, series_facts, echoes, repetition,
                                                                          weight):
    frames = [{"position": [0.0, 0.0, 4.0 * k], "echo": echo} for echo in echoes for k in range(20)]
    enhanced = scanner.t2(slices=1, EchoTime=echoes[0], RepetitionTime=repetition, Frames=frames,
                          NumberOfFrames=len(frames))
    facts = series_facts(enhanced)
    assert (facts.slices, facts.weighting.weight) == (20, weight)


def test_results_and_conflicting_contents_are_left_out(scanner, records):
    series = scanner.ct(slices=12)
    series[0] = replace(series[0], kind=InstanceKind.RESULT)
    series[1] = replace(series[1], conflict=True)
    (one,) = study_facts(*records(series)).series
    assert one.images == 10


def test_series_come_in_the_order_of_their_numbers(scanner, facts):
    study = facts(scanner.ct(slices=2, SeriesNumber="10"), scanner.ct(slices=2, SeriesNumber="2"))
    assert [one.label for one in study.series] == ["series 2", "series 10"]


def test_odd_values_are_missing_values(scanner, series_facts):
    odd = scanner.ct(slices=3, SliceThickness="thick", SeriesNumber=None, ConvolutionKernel=None, ImageType=None,
                     SeriesDescription="\x00\x01", SamplesPerPixel="?", AcquisitionTime="noon")
    facts = series_facts(odd)
    assert facts.label == "a series without number"
    assert facts.kernel is Kernel.UNKNOWN
    assert not facts.started.known


def test_a_site_s_words_count(scanner, records):
    words = Vocabulary.model_validate({"regions": {"head": "golova"}})
    (one,) = study_facts(*records(scanner.mr(slices=3, SeriesDescription="Golova")), words).series
    assert one.regions.by_series == {Region.HEAD}
