"""RECIST 1.1 and RANO as the papers state them, restated by hand."""

from datetime import date, timedelta

import pytest

from inference import codes
from inference.followup.criteria import RANO, RECIST, Category, sums_of
from inference.trend import Seen, Size, TimePoint

START = date(2026, 1, 1)
CR, PR, SD, PD = Category.CR, Category.PR, Category.SD, Category.PD


def sized(long_mm, short_mm=None, organ=codes.LIVER, whole=True):
    return Seen(Size(1.0, long_mm, long_mm if short_mm is None else short_mm, whole), organ)


def dates(*shown, new=None, gone=None):
    """Time points 30 days apart from long axes by uid; `new` and `gone` by the number of the date."""
    return [TimePoint(START + timedelta(days=30 * n),
                      {uid: size if isinstance(size, Seen) else sized(size) for uid, size in seen.items()},
                      frozenset((new or {}).get(n, ())), frozenset((gone or {}).get(n, ())))
            for n, seen in enumerate(shown)]


def test_targets_are_the_largest_measurable_at_most_two_an_organ_and_five_in_all():
    seen = {"l1": sized(30), "l2": sized(50), "l3": sized(40), "small": sized(9.9, organ=codes.BRAIN),
            "n1": sized(10, organ=codes.LUNG), "n2": sized(12, organ=codes.LUNG), "n3": sized(11, organ=codes.LUNG),
            "u1": sized(20, organ=None), "u2": sized(21, organ=None), "cut": sized(90, organ=codes.BRAIN, whole=False)}
    found = sums_of(dates(seen), RECIST)
    assert found.targets == ("l2", "l3", "u2", "u1", "n2")
    assert found.sums[0].value == 50 + 40 + 21 + 20 + 12
    assert (found.criterion, found.unit) == ("RECIST 1.1", "mm")


@pytest.mark.parametrize(("sizes", "categories"), [
    ((100, 70), [PR]),  # -30 % of the baseline
    ((100, 71), [SD]),
    ((100, 119.9), [SD]),
    ((100, 120), [PD]),  # +20 %
    ((100, 50, 60), [PR, PD]),  # +20 % of the nadir, though far below the baseline
    ((100, 50, 59), [PR, PR]),
    ((100, 80, 75, 89), [SD, SD, SD]),
    ((100, 80, 75, 90), [SD, SD, PD]),
    ((20, 24.9), [SD]),  # +24 %, but less than 5 mm
    ((20, 25), [PD]),
    ((24, 28.8), [SD]),
])
def test_recist_thresholds(sizes, categories):
    found = sums_of(dates(*({"A": size} for size in sizes)), RECIST)
    assert [s.category for s in found.sums] == [None, *categories]


def test_baseline_and_nadir():
    found = sums_of(dates({"A": 60, "B": 40}, {"A": 30, "B": 20}, {"A": 40, "B": 30}), RECIST).sums
    assert [s.value for s in found] == [100, 50, 70]
    assert [s.baseline for s in found] == [100] * 3
    assert [s.nadir for s in found] == [100, 100, 50]
    assert [s.from_baseline for s in found] == pytest.approx([0, -0.5, -0.3])
    assert [s.from_nadir for s in found] == pytest.approx([0, -0.5, 0.4])


def test_a_vanished_target_counts_nothing_and_all_vanished_is_complete():
    found = sums_of(dates({"A": 30, "B": 20}, {"A": 30}, {}, {}, gone={1: {"B"}, 2: {"A"}}), RECIST).sums
    assert [s.value for s in found] == [50, 30, 0, 0]
    assert [s.category for s in found] == [None, PR, CR, CR]
    assert found[3].from_nadir is None


def test_a_new_lesion_is_progression_whatever_the_sum_and_stays_so():
    found = sums_of(dates({"A": 30}, {"A": 10, "N": 8}, {"A": 10, "N": 6}, new={1: {"N"}}), RECIST).sums
    assert [s.category for s in found] == [None, PD, PD]
    assert [s.new for s in found] == [0, 1, 1]


def test_a_target_that_is_not_known_leaves_no_sum():
    found = sums_of(dates({"A": 30, "B": 20}, {"A": 30}, {"A": 30, "B": 10}), RECIST).sums
    assert found[1].value is None
    assert found[1].category is None
    assert "not known" in found[1].reason
    assert (found[2].value, found[2].nadir) == (40, 50)


def test_a_target_that_is_cut_off_leaves_no_sum():
    found = sums_of(dates({"A": 30}, {"A": sized(20, whole=False)}), RECIST).sums
    assert found[1].value is None
    assert "edge" in found[1].reason


def test_without_measurable_lesions_only_new_ones_count():
    found = sums_of(dates({"A": 5}, {"A": 9}, {"A": 9, "N": 12}, new={2: {"N"}}), RECIST)
    assert found.targets == ()
    assert [s.category for s in found.sums] == [None, None, PD]
    assert "measurable" in found.sums[0].reason


def test_rano_sums_products_of_lesions_measurable_both_ways():
    seen = {"A": sized(30, 20), "B": sized(40, 9.9), "C": sized(10, 10), "D": sized(12, 11)}
    found = sums_of(dates(seen), RANO)
    assert found.targets == ("A", "D", "C")
    assert found.sums[0].value == pytest.approx(600 + 132 + 100)
    assert found.unit == "mm2"


@pytest.mark.parametrize(("products", "categories"), [
    ((20 * 20, 20 * 10), [PR]),  # -50 %
    ((400, 201), [SD]),
    ((400, 499), [SD]),
    ((400, 500), [PD]),  # +25 %
    ((400, 200, 250), [PR, PD]),
    ((400, 200, 249), [PR, SD]),
])
def test_rano_thresholds(products, categories):
    found = sums_of(dates(*({"A": sized(20, product / 20)} for product in products)), RANO)
    assert [s.category for s in found.sums] == [None, *categories]


def test_sums_need_a_date():
    with pytest.raises(ValueError, match="baseline"):
        sums_of([], RECIST)
