"""T1 before and after contrast."""

import pytest

from dicom_node.routing.choice import Candidate
from dicom_node.routing.predicates import Answer
from dicom_node.routing.t1_pairs import split_by_contrast


@pytest.fixture
def split(scanner, facts):
    """Numbers of the series (before, after), given the header values of each."""

    def numbers(*headers):
        study = facts(*(scanner.t1(**header) for header in headers))
        made = split_by_contrast([Candidate(series, Answer(True, "")) for series in study.series])
        before, after = ([int(c.series.label.split()[1]) for c in part] for part in (made.before, made.after))
        return before, after, made

    return numbers


SPIN_ECHO = {"ScanningSequence": "SE", "EchoTime": 9, "RepetitionTime": 550, "InversionTime": None}
AGENT = {"ContrastBolusAgent": "Gadobutrol"}


@pytest.mark.parametrize(
    ("headers", "before", "after"),
    [
        ([{}, AGENT], [1], [2]),
        ([{"SeriesDescription": "t1 nativ"}, {"SeriesDescription": "t1 km"}], [1], [2]),
        ([AGENT | {"SeriesDescription": "t1 pre"}, AGENT], [1], [2]),  # the text outranks the agent
        ([AGENT, {"SeriesDescription": "t1 pre", "AcquisitionTime": "093000"}], [2], [1]),
        ([SPIN_ECHO, AGENT, SPIN_ECHO], [1], [2, 3]),  # acquired after contrast was given
        ([{}, {}], [1], [2]),  # one sequence run twice and nobody says why
        ([{}, SPIN_ECHO], [1, 2], []),  # two sequences tell nothing
        ([{}, {"AcquisitionTime": None}], [1, 2], []),  # nor does an unknown time
        ([AGENT, AGENT], [1], [2]),  # the agent is on both: the protocol filled it in
        ([AGENT, AGENT | SPIN_ECHO], [], [1, 2]),
        ([{"SeriesDescription": "t1 km"}, {"SeriesDescription": "t1 km"}], [], [1, 2]),
        ([{}], [1], []),
        ([], [], []),
    ],
)
def test_which_is_before_and_which_after(split, headers, before, after):
    made_before, made_after, _ = split(*headers)
    assert (made_before, made_after) == (before, after)


def test_enhanced_images_are_ordered_by_their_acquisition_not_by_a_series_time_that_all_share(split):
    def enhanced(moment):
        return {"AcquisitionTime": None, "SeriesTime": "101500", "AcquisitionDateTime": moment}

    before, after, _ = split(enhanced("20250401110000"), enhanced("20250401101700"))
    assert (before, after) == ([2], [1])


def test_reasons_and_doubt(split):
    _, _, made = split({}, {})
    assert "series 1 run again" in made.because["1.2.3.2"]
    assert made.doubtful == {"1.2.3.2"}
    _, _, made = split(SPIN_ECHO, AGENT)
    assert made.doubtful == frozenset()
