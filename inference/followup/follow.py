"""A result beside the prior one of the same patient: lesions matched, known by their old names, growth told.

Whether it is the same patient is for the caller to know: images prove no identity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.codes import ENHANCING_LESION, Code
from inference.errors import Unfit
from inference.findings import Finding
from inference.followup.criteria import RANO, RECIST, Sums, sums_of
from inference.followup.growth import doubling_days
from inference.followup.history import from_plain
from inference.followup.lesion import Identity, Lesion, lesions_of
from inference.followup.lost import carried, found_again, lost_before, not_gone
from inference.followup.match import Link, Matching, Side, match
from inference.followup.register import NotRegistered, Registration, register_prior
from inference.followup.renumber import renumbered
from inference.followup.timeline import first, following
from inference.measure import Measured
from inference.readers.dicom import read_report
from inference.request import SHARED, KnownLesion, Prior
from inference.tasks.card import TaskCard
from inference.trend import Outcome, Since, TargetSum, TimePoint, Trend
from inference.uids import tracking_uid
from inference.volume import Volume


class Before(NamedTuple):
    """The images that a prior's result was made of, and its mask (z, y, x): n marks its lesion n."""

    volume: Volume
    labelmap: NDArray[np.unsignedinteger]


def read_before(prior: Prior) -> Before:
    """Both from the prior's files; `Unfit` where its images cannot be read."""
    return Before(read_report(prior.series).volume, np.load(prior.labelmap))


def follow(measured: Measured, current: Volume, card: TaskCard, prior: Prior, job_id: str,
           read: Callable[[Prior], Before] = read_before) -> tuple[Measured, Trend]:
    """The findings under their old numbers and tracking UIDs, and what became of every lesion.

    A prior that cannot be compared changes no tracking UID, and the trend says why. Its labels are not used again.
    """
    registration, before = _prior(current, card, prior, read)
    own = {f.number: _identity(f, job_id) for f in measured.findings if f.axes and f.structure.label in card.lesions}
    now = lesions_of(measured.labelmap, current.grid, own)
    shared = [f.number for f in measured.findings if f.count > 1]
    matching = match(before, Side(now, current.grid, _crowd(measured.labelmap, shared)), registration)
    history = _history(prior, before.lesions)
    lost = {}
    if isinstance(registration, Registration):
        earlier = lost_before(history)
        matching = found_again(matching, now, earlier, registration)
        lost = carried(earlier, before.lesions, matching, registration)
    findings = _handed_on(measured.findings, own, matching, prior)
    labels = {tracking_uid(job_id, str(f.number)): f.label for f in findings}
    now = tuple(replace(lesion, identity=lesion.identity._replace(label=labels[lesion.uid])) for lesion in now)
    points = (*not_gone(history, matching), replace(following(prior.current_taken, now, matching), lost=lost))
    trend = Trend(
        prior_study_uid=prior.study_instance_uid,
        prior_taken=prior.taken,
        taken=prior.current_taken,
        lesions=tuple(_since(matching, before.lesions, now, prior)),
        points=points,
    )
    if isinstance(registration, NotRegistered):
        agreement = asdict(registration.agreement) if registration.agreement else {}
        return measured._replace(findings=findings), replace(trend, refusal=registration.reason, agreement=agreement)
    return measured._replace(findings=findings), replace(
        trend,
        sums=tuple(_sums(points, card)),
        registration=registration.kind,
        agreement=asdict(registration.agreement),
    )


def _prior(current: Volume, card: TaskCard, prior: Prior,
           read: Callable[[Prior], Before]) -> tuple[Registration | NotRegistered, Side]:
    """The prior laid onto the current images, and its lesions; without its images they are not compared."""
    try:
        volume, labelmap = read(prior)
    except Unfit as fault:
        return NotRegistered(f"the prior's images cannot be read: {fault}"), Side((), current.grid)
    if labelmap.shape != volume.grid.shape:
        return NotRegistered("the prior's mask does not lie on its images"), Side((), volume.grid)
    known = {number: _known(one, card) for number, one in prior.lesions.items()}
    lesions = lesions_of(labelmap, volume.grid, known)
    return register_prior(volume, current), Side(lesions, volume.grid, _crowd(labelmap, [SHARED]))


def _crowd(labelmap: NDArray[np.unsignedinteger], numbers: Sequence[int]) -> NDArray[np.bool_] | None:
    """Where small lesions lie that share a finding; None where there are none."""
    where = np.isin(labelmap, numbers)
    return where if where.any() else None


def _identity(finding: Finding, job_id: str) -> Identity:
    return Identity(tracking_uid(job_id, str(finding.number)), finding.structure.type, finding.structure.region)


def _known(lesion: KnownLesion, card: TaskCard) -> Identity:
    """By its label, or by its structure's name where somebody gave it one that is none of ours."""
    structure = card.structure(lesion.structure)
    return Identity(lesion.tracking_uid, structure.type, structure.region, lesion.label or structure.name)


def _handed_on(findings: Sequence[Finding], own: dict[int, Identity], matching: Matching,
               prior: Prior) -> tuple[Finding, ...]:
    ever = [(uid, seen.label) for point in from_plain(prior.history) for uid, seen in point.seen.items()]
    ever += [(one.tracking_uid, one.label) for one in prior.lesions.values()]
    last_label = dict(ever)
    handed = {number: matching.handed_on[who.uid] for number, who in own.items() if who.uid in matching.handed_on}
    named = renumbered(findings, {number: last_label[uid] for number, uid in handed.items()},
                       [label for _, label in ever])
    return tuple(replace(f, tracking_uid=handed[f.number]) if f.number in handed else f for f in named)


def _history(prior: Prior, before: Sequence[Lesion]) -> tuple[TimePoint, ...]:
    """The dates up to the prior; the prior alone where none are known, or where they end with another one."""
    points = from_plain(prior.history)
    if points and points[-1].taken == prior.taken and {lesion.uid for lesion in before} <= points[-1].seen.keys():
        return points
    return (first(prior.taken, before),)


def _since(matching: Matching, before: Sequence[Lesion], now: Sequence[Lesion], prior: Prior) -> Iterator[Since]:
    """Every lesion once: those of now in their order, then those of the prior that have no match."""
    links = {uid: link for link in matching.links for uid in (*link.current, *link.prior)}
    old = {lesion.uid: lesion for lesion in before}
    days = (prior.current_taken - prior.taken).days
    for lesion in now:
        link = links[lesion.uid]
        uid = matching.handed_on.get(lesion.uid, lesion.uid)
        was = old.get(uid)
        yield Since(
            outcome=link.outcome,
            tracking_uid=uid,
            label=lesion.identity.label,
            type=lesion.identity.type,
            organ=lesion.identity.organ,
            before=was.size if was else None,
            after=lesion.size,
            doubling_days=doubling_days(was.size.volume_ml, lesion.size.volume_ml, days) if was else None,
            reason=link.reason,
            evidence=_evidence(link, lesion.uid),
        )
    for lesion in before:
        link = links[lesion.uid]
        if link.outcome is not Outcome.MATCHED:
            yield Since(
                outcome=link.outcome,
                tracking_uid=lesion.uid,
                label=lesion.identity.label,
                type=lesion.identity.type,
                organ=lesion.identity.organ,
                before=lesion.size,
                reason=link.reason,
                evidence=_evidence(link, lesion.uid),
            )


def _evidence(link: Link, uid: str) -> dict[str, float]:
    """The numbers of the best pair that the lesion is in."""
    pairs = [pair for pair in link.pairs if uid in (pair.prior, pair.current)]
    if not pairs:
        return {}
    best = min(pairs, key=lambda pair: pair.cost)
    return {name: round(value, 3) for name, value in asdict(best).items() if isinstance(value, float)}


def _sums(points: Sequence[TimePoint], card: TaskCard) -> Iterator[TargetSum]:
    """By the criterion of the task: RANO asks for enhancing lesions only."""
    criterion = RANO if any(s.type == ENHANCING_LESION for s in card.structures) else RECIST
    if criterion is RANO:
        points = [_only(point, ENHANCING_LESION) for point in points]
    yield _last(sums_of(points, criterion))


def _only(point: TimePoint, type_: Code) -> TimePoint:
    seen = {uid: one for uid, one in point.seen.items() if one.type == type_}
    return replace(point, seen=seen, new=point.new & seen.keys())


def _last(sums: Sums) -> TargetSum:
    last = sums.sums[-1]
    return TargetSum(
        criterion=sums.criterion,
        unit=sums.unit,
        targets=len(sums.targets),
        value=last.value,
        baseline=last.baseline,
        nadir=last.nadir,
        from_baseline=last.from_baseline,
        from_nadir=last.from_nadir,
        category=last.category.value if last.category else "",
        new=last.new,
        reason=last.reason,
    )

