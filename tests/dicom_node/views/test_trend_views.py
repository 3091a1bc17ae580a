"""Measurements and their trend as plain data."""

from __future__ import annotations

from dicom_node.assembly import Parts
from dicom_node.views.trend_views import measurements_view, trend_view
from storage.lifecycle import JobState
from storage.records import Job


def seen(label: str, ml: float, long: float) -> dict[str, object]:
    return {"label": label, "type": None, "organ": None, "ml": ml, "long_mm": long, "short_mm": 1.0, "whole": True}


HISTORY = [
    {"taken": "2026-03-01", "seen": {"2.25.1": seen("Tumour 2", 4.0, 20.0)}, "new": [], "vanished": ["2.25.2"]},
    {"taken": "2026-01-01", "seen": {"2.25.1": seen("Tumour 1", 2.0, 16.0), "2.25.2": seen("Tumour 2", 1.0, 9.0)},
     "new": [], "vanished": []},
]


def job(**summary: object) -> Job:
    return Job("j", "1.2.3", 1, "r", "liver_tumour", "m", JobState.DONE, 0, {}, {}, 1.0, summary=summary)


def test_dates_in_order_with_what_was_seen() -> None:
    trend = trend_view(job(trend={"prior": "1.2.2", "history": HISTORY}), "compared with …")
    assert trend
    assert [(one["taken"], one["lesions"], one["ml"], one["longest_mm"]) for one in trend["points"]] == [
        ("2026-01-01", 2, 3.0, 16.0), ("2026-03-01", 1, 4.0, 20.0)]
    first, second = trend["lesions"]
    assert (first["label"], [one["ml"] for one in first["sizes"]]) == ("Tumour 2", [2.0, 4.0])
    assert [one["ml"] for one in second["sizes"]] == [1.0, None], "it has vanished"


def test_regions_of_a_lesion_are_one_lesion_as_in_the_report() -> None:
    """It is new, or gone, with all of its regions; an old one whose rim begins to enhance is neither."""
    first = {"2.25.1": seen("Lesion 1 oedema", 9.0, 40.0), "2.25.3": seen("Lesion 2 oedema", 2.0, 15.0),
             "2.25.4": seen("Lesion 2 enhancing tumour", 1.0, 8.0), "2.25.8": seen("Lesion 4 oedema", 1.0, 9.0),
             "2.25.9": seen("Lesion 4 necrotic core", 1.0, 9.0)}  # fmt: skip
    second = {"2.25.1": first["2.25.1"], "2.25.2": seen("Lesion 1 enhancing tumour", 3.0, 20.0),
              "2.25.5": seen("Lesion 3 oedema", 2.0, 15.0), "2.25.6": seen("Lesion 3 enhancing tumour", 1.0, 8.0),
              "2.25.8": first["2.25.8"]}  # fmt: skip
    history = [
        {"taken": "2026-01-01", "seen": first, "new": [], "vanished": []},
        {"taken": "2026-03-01", "seen": second, "new": ["2.25.2", "2.25.5", "2.25.6"],
         "vanished": ["2.25.3", "2.25.4", "2.25.9"]},
    ]  # fmt: skip
    trend = trend_view(job(trend={"prior": "1.2.2", "history": history}))
    assert trend
    assert [(one["lesions"], one["new"], one["vanished"], one["ml"]) for one in trend["points"]] == [
        (3, 0, 0, 14.0), (3, 1, 1, 16.0)]
    assert len(trend["lesions"]) == 8, "each region has a line of its own"


def test_without_an_earlier_study_there_is_none() -> None:
    assert trend_view(job()) is None


def test_results_that_count_alone(story: Parts) -> None:
    with story.database.reading() as tx:
        (one,) = measurements_view(tx, "1.2.3")
    assert (one["job"], one["findings"][0]["ml"], one["trend"]) == ("job-0", 12.5, None)
