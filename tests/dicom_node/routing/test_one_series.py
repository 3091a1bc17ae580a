"""The best CT series of a study, and why."""

import pytest

from dicom_node.routing.choice import Candidate, coverage_share
from dicom_node.routing.one_series import OneSeries
from dicom_node.routing.predicates import Answer

SURE = Answer(True, "named")
PERHAPS = Answer(True, "nothing named", sure=False)


@pytest.fixture
def choose(routes):
    """The number of the chosen series by a shipped route's selection, with the choice."""

    def chosen(name, study, answers=None):
        select = next(route.select for route in routes if route.name == name)
        answers = answers or [SURE] * len(study.series)
        candidates = [Candidate(series, answer) for series, answer in zip(study.series, answers, strict=True)]
        choice = select.choose(candidates)
        return choice.inputs["CT"].label.split()[1], choice

    return chosen


@pytest.mark.parametrize(
    ("route", "offered", "expected"),
    [
        # offered: slices, spacing, kernel and further header values of each series
        ("liver-tumour", [(60, 5.0, "Br38f", {}), (300, 1.0, "Br38f", {})], "2"),  # thin before thick
        ("liver-tumour", [(300, 1.0, "B70f", {}), (100, 3.0, "B30f", {})], "2"),  # soft before sharp
        ("liver-tumour", [(300, 1.0, "B70f", {}), (60, 5.0, "B30f", {})], "2"),
        ("liver-tumour", [(120, 1.0, "B30f", {}), (60, 5.0, "B30f", {})], "2"),  # complete before thin
        ("liver-tumour", [(300, 0.6, "B30f", {}), (300, 1.0, "B30f", {})], "2"),  # not thinner than is good
        ("liver-tumour", [(300, 1.0, "B30f", {"SeriesDescription": "Abdomen nativ"}),
                          (300, 1.0, "B30f", {"SeriesDescription": "Abdomen portalvenös"})], "2"),
        ("liver-tumour", [(300, 1.0, "B30f", {"SeriesDescription": "Abdomen arteriell"}),
                          (300, 1.0, "B30f", {"SeriesDescription": "Abdomen 70s venös"})], "2"),
        ("liver-tumour", [(300, 1.0, "B30f", {"SeriesDescription": "CTAC"}), (120, 2.5, "B30f", {})], "2"),
        ("liver-tumour", [(200, 1.5, "B30f", {"ImageType": "DERIVED\\PRIMARY\\AXIAL"}), (200, 1.5, "B30f", {})], "2"),
        ("lung-nodule", [(300, 1.0, "Br38f", {}), (300, 1.0, "Bl57f", {})], "2"),  # lung kernel
        ("lung-nodule", [(100, 3.0, "Bl57f", {}), (300, 1.0, "Br38f", {})], "2"),  # but thin before lung kernel
        ("lung-nodule", [(60, 5.0, "Bl57f", {}), (240, 1.25, "mystery", {})], "2"),
        ("lung-nodule", [(150, 1.0, "Bl57f", {}), (120, 2.5, "Bl57f", {})], "2"),  # complete before thin
        ("lung-nodule", [(300, 1.0, "B30f", {}), (300, 1.0, "B30f", {})], "2"),  # the later of two alike
    ],
)  # fmt: skip
def test_the_better_series(scanner, facts, choose, route, offered, expected):
    series = [scanner.ct(slices=n, spacing=s, ConvolutionKernel=k, **more) for n, s, k, more in offered]
    number, choice = choose(route, facts(*series))
    assert number == expected
    assert len(choice.notes) == len(choice.scores) == len(offered)


def test_certainty_goes_before_thinness(scanner, facts, choose):
    study = facts(scanner.ct(slices=300, spacing=1.0), scanner.ct(slices=100, spacing=3.0))
    number, choice = choose("liver-tumour", study, [PERHAPS, SURE])
    assert (number, choice.sure) == ("2", True)


def test_a_candidate_is_taken_where_nothing_is_certain(scanner, facts, choose):
    number, choice = choose("liver-tumour", facts(scanner.ct()), [PERHAPS])
    assert (number, choice.sure) == ("1", False)


def test_the_reasons_are_told_for_the_chosen_and_for_the_others(scanner, facts, choose):
    study = facts(scanner.ct(slices=60, spacing=5.0, ConvolutionKernel="B70f"), scanner.ct(slices=300, spacing=1.0))
    _, choice = choose("liver-tumour", study)
    assert "slices of 1 mm" in choice.reason
    other = choice.notes[study.series[0].uid]
    assert other.startswith("fits, but series 2 is better")
    assert "slices of 5 mm" in other
    assert "sharp kernel B70f" in other


def test_nothing_to_choose_from():
    assert OneSeries().choose([]).inputs == {}


def test_more_coverage_than_is_enough_counts_no_more(scanner, facts):
    study = facts(scanner.ct(slices=600), scanner.ct(slices=300), scanner.ct(slices=150))
    candidates = [Candidate(series, SURE) for series in study.series]
    assert [coverage_share(c, candidates, 300.0) for c in candidates] == [1.0, 1.0, 0.5]
