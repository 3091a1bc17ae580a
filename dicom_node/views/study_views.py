"""Studies as the console and the API show them: a page of a list, and one with its timeline and whose it is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dicom_node.errors import NodeError
from dicom_node.masking import masked, patient_view
from dicom_node.views.delivery_views import deliveries_view
from dicom_node.views.node import explain_view, study_line
from dicom_node.views.timeline import time_to_result, timeline_view
from dicom_node.views.trend_views import measurements_view
from storage.database import Transaction
from storage.finding.search import Sought
from storage.lifecycle import DeliveryState
from storage.records import Study


class BadCursor(NodeError):
    """What should turn the page is nothing that we gave."""


@dataclass(frozen=True)
class Looking:
    """When somebody looks, and whether that one is shown whose studies they are."""

    now: float
    names: bool = False


def studies_page(tx: Transaction, sought: Sought, looking: Looking) -> dict[str, Any]:
    """Studies, the newest first, and in `next` the cursor of the page after them, null at the end.

    Who may not be shown whose studies they are finds none by that either.
    """
    asked = replace(sought, by_patient=looking.names, limit=sought.limit + 1)
    found = tx.search.studies(asked)
    shown = found[: sought.limit]
    return {
        "studies": listed_studies(tx, shown, looking),
        "next": cursor_of(shown[-1]) if len(found) > len(shown) else None,
    }


def listed_studies(tx: Transaction, studies: Sequence[Study], looking: Looking) -> list[dict[str, Any]]:
    """Studies in a list: where each stands, what it is, whose it is. Asks as much for fifty as for one."""
    uids = [study.study_instance_uid for study in studies]
    jobs, deliveries, series = tx.gathered.jobs(uids), tx.gathered.deliveries(uids), tx.gathered.modalities(uids)
    found = []
    for uid, study in zip(uids, studies, strict=True):
        view = study_line(study, jobs[uid], deliveries[uid], looking.now)
        view["series"] = sum(series[uid].values())
        view["modalities"] = sorted(filter(None, series[uid]))
        view["time_to_result_s"] = time_to_result(study, deliveries[uid])
        found.append(_with_patient(view, study, looking))
    return found


def whole_study(tx: Transaction, uid: str, looking: Looking) -> dict[str, Any]:
    """Everything about one study: NotFound."""
    view = explain_view(tx, uid, looking.now)
    study, jobs, deliveries = tx.studies.get(uid), tx.jobs.of_study(uid), tx.deliveries.of_study(uid)
    view["timeline"] = timeline_view(study, jobs, deliveries, tx.journal.of_study(uid), looking.now)
    view["time_to_result_s"] = time_to_result(study, deliveries)
    view["measurements"] = measurements_view(tx, uid)
    view["modalities"] = sorted({one["modality"] for one in view["series"] if one["modality"]})
    return _with_patient(view, study, looking)


@dataclass(frozen=True)
class Wished:
    """Which deliveries are looked for; `before` is the number of the last one of the page before."""

    states: Collection[DeliveryState] = ()
    destination: str | None = None
    before: int | None = None
    limit: int = 50


def deliveries_page(tx: Transaction, wished: Wished, looking: Looking) -> dict[str, Any]:
    """Deliveries, the newest first, and in `next` what `before` is for the page after them, null at the end."""
    lines = deliveries_view(
        tx,
        states=wished.states or None,
        destination=wished.destination,
        before=wished.before,
        limit=wished.limit + 1,
    )
    shown = lines[: wished.limit]
    more = shown[-1]["delivery"] if len(lines) > len(shown) else None
    return {"deliveries": masked_for(tx, shown, looking), "next": more}


def masked_for(tx: Transaction, lines: list[dict[str, Any]], looking: Looking) -> list[dict[str, Any]]:
    """Lines that each name a `study`, without a word on whose it is for who may not know."""
    if looking.names:
        return lines
    studies = tx.gathered.studies({line["study"] for line in lines})
    return [masked(line, study.header) if (study := studies.get(line["study"])) else line for line in lines]


def cursor_of(study: Study) -> str:
    """What names the page after this study."""
    return f"{study.received_at!r}~{study.study_instance_uid}"


def read_cursor(cursor: str) -> tuple[float, str]:
    """(received_at, study UID) of a cursor; BadCursor."""
    at, _, uid = cursor.partition("~")
    try:
        return float(at), uid
    except ValueError:
        raise BadCursor("the cursor is none of ours: begin at the first page") from None


def _with_patient(view: dict[str, Any], study: Study, looking: Looking) -> dict[str, Any]:
    view["description"] = str(study.header.get("StudyDescription") or "")
    view["date"] = str(study.header.get("StudyDate") or "")
    shown: dict[str, Any] = view if looking.names else masked(view, study.header)
    return {**shown, "patient": patient_view(study.header, shown=looking.names)}
