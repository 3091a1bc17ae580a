"""Whether a report reviews a result of ours, and what it says of each finding: kept, measured anew, added, removed.

It is about the job whose report it replaces (Predecessor Documents, PS3.3 C.17.2), shares a tracking UID with, or cites
a report or segmentation of. Findings are the same by their tracking UID (PS3.16 TID 1501), or by the segment that they
are of. Words and units that are kept are our own.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from dicom_node.assessments import Assessment
from dicom_node.objects.corrected_report import BadReport, Group, Number, Report, Segment, read_report
from dicom_node.pipeline.made import Made
from storage.archive import Archive

# Of the 16 characters of a decimal string (PS3.5 6.2), sign, point and exponent leave nine digits; a number of single
# precision has seven. Nobody measures a lesion more finely.
SAME = 1e-6
SCALES = {  # UCUM, of what viewers give in another unit than ours
    "mm": ("mm", 1.0), "cm": ("mm", 10.0), "mm3": ("mL", 0.001), "cm3": ("mL", 1.0), "ml": ("mL", 1.0),
    "mL": ("mL", 1.0),
}  # fmt: skip
MOST_TOLD = 50


class Change(StrEnum):
    """What a report made of a finding."""

    KEPT = "kept"  # all that both measure is the same
    REMEASURED = "remeasured"
    RETYPED = "retyped"  # the same numbers, and another finding type
    ADDED = "added"
    REMOVED = "removed"


class Compared(NamedTuple):
    """What became of each finding by tracking UID, and of each number that was measured anew: ours, the reader's."""

    changes: dict[str, Change]
    remeasured: list[tuple[str, Number, float]]


def judge(
    report: Report, made: Sequence[Made], earlier: Mapping[str, Collection[str]], archive: Archive
) -> tuple[str, dict[str, Any]]:
    """The job that a report reviews, and the review as plain data; BadReport with the reason where it reviews none.

    `earlier`: reviews of the study, and what of ours each of them replaces; who replaces one replaces that too.
    """
    replaces = report.predecessors.union(*(earlier.get(uid, ()) for uid in report.predecessors))
    of, by = subject_of(report, replaces, made)
    ours = _ours(of, archive)
    replaced = sorted(replaces & ours.keys())
    compared = compare(list(ours.values()), report, of.labels, [ours[uid] for uid in replaced])
    if not compared.changes:
        raise BadReport("none of its measurement groups says of which finding it is")
    number = {change: sum(one is change for one in compared.changes.values()) for change in Change}
    summary: dict[str, Any] = {
        "task": of.job.task,
        "recognised_by": by,
        "findings": {str(change): count for change, count in number.items()},
        "remeasured": [_plain(of, *one) for one in compared.remeasured[:MOST_TOLD]],
        "replaces": replaced,
    }
    differs = len(compared.changes) > number[Change.KEPT]
    if differs and (report.person or by != "citation"):  # else it is what another machine made of ours
        summary["assessment"] = str(Assessment.MODIFIED)
    elif not differs and report.person:
        summary["assessment"] = str(Assessment.ACCEPTED)
    return of.job.job_id, summary


def subject_of(report: Report, replaces: Collection[str], made: Sequence[Made]) -> tuple[Made, str]:
    """The job that a report is about and what tells so, of several the newest; BadReport where none is."""
    tracked = {group.tracking_uid for group in report.groups}
    for of in reversed(made):
        if of.uids & set(replaces):
            return of, "predecessor"
    for of in reversed(made):
        if of.tracking_uids(person=report.person) & tracked:
            return of, "tracking"
    for of in reversed(made):
        if of.uids & report.cites:
            return of, "citation"
    raise BadReport("it refers to no result of ours")


def compare(ours: Sequence[Report], theirs: Report, known: Collection[str], replaced: Sequence[Report]) -> Compared:
    """What a report says of each finding of our reports; `known` are the job's tracking UIDs.

    A finding is removed where `replaced`, those of our reports whose place it takes, have it and it has not.
    """
    groups = [group for report in ours for group in report.groups]
    mine = _by_finding(groups)
    named = mine.keys() | set(known)
    said = _by_finding(theirs.groups, named, {one.segment: one.tracking_uid for one in groups if one.segment})
    compared = Compared({}, [])
    for uid, finding in said.items():
        anew = list(_anew(mine[uid], finding)) if uid in mine else []
        compared.remeasured.extend((uid, number, value) for number, value in anew)
        if uid not in named:
            compared.changes[uid] = Change.ADDED
        elif anew:
            compared.changes[uid] = Change.REMEASURED
        else:
            compared.changes[uid] = Change.RETYPED if _retyped(mine.get(uid, ()), finding) else Change.KEPT
    gone = {group.tracking_uid for report in replaced for group in report.groups} - said.keys()
    compared.changes.update(dict.fromkeys(gone, Change.REMOVED))
    return compared


def _by_finding(
    groups: Iterable[Group], known: Collection[str] = (), of_segment: Mapping[Segment | None, str] | None = None
) -> dict[str, list[Group]]:
    """Groups by tracking UID, or by that of their segment where theirs is not `known`; the rest is of no finding."""
    found: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        uid = group.tracking_uid
        if uid not in known and of_segment:
            uid = of_segment.get(group.segment, uid)
        if uid:
            found[uid].append(group)
    return dict(found)


def _anew(mine: Sequence[Group], theirs: Sequence[Group]) -> Iterator[tuple[Number, float]]:
    """Each number of ours that a reader gives too, and none of whose values there is ours; with the first of them."""
    for number in dict.fromkeys(number for group in mine for number in group.numbers):
        others = (_in_unit_of(number, other) for group in theirs for other in group.numbers)
        values = [value for value in others if value is not None]
        if values and not any(math.isclose(value, number.value, rel_tol=SAME, abs_tol=1e-12) for value in values):
            yield number, values[0]


def _in_unit_of(ours: Number, other: Number) -> float | None:
    """The other's value where it measures the same, in our unit; a method tells apart only where both say theirs."""
    (unit, scale), (other_unit, other_scale) = (
        SCALES.get(number.unit.value, (number.unit.value, 1.0)) for number in (ours, other)
    )
    if (ours.quantity, ours.derivation, unit) != (other.quantity, other.derivation, other_unit):
        return None
    if ours.method and other.method and ours.method != other.method:
        return None
    return other.value if scale == other_scale else other.value * other_scale / scale


def _retyped(mine: Sequence[Group], theirs: Sequence[Group]) -> bool:
    """Whether each finding type that a reader gives is another code than ours of the same scheme."""
    ours = {group.type for group in mine if group.type}
    others = {group.type for group in theirs if group.type}
    comparable = bool(others) and {kind.scheme for kind in others} <= {kind.scheme for kind in ours}
    return comparable and not ours & others


def _ours(of: Made, archive: Archive) -> dict[str, Report]:
    """The reports that the job made, by SOP Instance UID."""
    if not of.reports:
        raise BadReport("its job made no report to compare it with")
    if any(one.removed_at is not None for one in of.reports):
        raise BadReport("the report that its job made is no longer held")
    with archive.local([one.file for one in of.reports]) as paths:
        read = {one.sop_instance_uid: read_report(path) for one, path in zip(of.reports, paths, strict=True)}
    return {uid: report for uid, report in read.items() if report is not None}


def _plain(of: Made, uid: str, number: Number, value: float) -> dict[str, Any]:
    return {
        "finding": of.labels.get(uid, ""),
        "quantity": number.name,
        "unit": number.unit.value,
        "value": number.value,
        "reviewed_value": value,
    }
