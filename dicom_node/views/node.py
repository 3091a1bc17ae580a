"""What a person asks of the node, as plain data: where a study is, why, and how the node fares.

The command line prints these, scripts take them as JSON. No patient name, ID or birth date is in them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from dicom_node.assessments import assessments
from dicom_node.views.delivery_views import delivery_view, destinations_view
from storage.arriving.recalls import Recall
from storage.database import Transaction
from storage.lifecycle import DeliveryState, JobMark, JobState, StudyState
from storage.records import Commitment, Delivery, Fetch, Job, JournalEntry, Series, Study

ROLE_SILENT_S = 10.0
NEEDED_ROLES = ("receive", "pipeline", "clock")  # without one of them no study is taken, processed or sent
EXPIRY_WARNING_DAYS = 30
CLOCKS_APART_S = 2.0  # leases have terms of 3 s and more (lease_term_s)


def job_view(job: Job, now: float) -> dict[str, Any]:
    """One job: what, where it stands, why, how long."""
    running = job.state is JobState.PENDING and (job.lease_until or 0) > now
    return {
        "job": job.job_id,
        "route": job.route,
        "task": job.task,
        "model": job.model,
        "generation": job.generation,
        "state": "RUNNING" if running else str(job.state),
        "step": job.step if running else "",
        "progress": job.progress if running else None,
        "reason": job.reason,
        "mark": str(job.mark),
        "rejects": job.rejects,
        "attempts": job.attempts,
        "seconds": job.summary.get("seconds", {}),
        "device": job.summary.get("device", ""),
        "findings": job.summary.get("findings", []),
        "totals": job.summary.get("totals", {}),
        "notes": job.summary.get("notes", []),
    }


def commitment_view(commitment: Commitment | None) -> dict[str, Any] | None:
    """The promise to keep a delivery, of who got it; None where nobody was asked."""
    if commitment is None:
        return None
    return {
        "state": str(commitment.state),
        "transaction": commitment.transaction_uid,
        "asked": commitment.asked,
        "next_attempt_at": commitment.next_attempt_at,
        "reason": commitment.reason,
    }


def fetch_view(fetch: Fetch) -> dict[str, Any]:
    """One study's fetch: whom we ask, why, what it told, where that stands."""
    return {
        "study": fetch.study_instance_uid,
        "peer": fetch.peer,
        "purpose": str(fetch.purpose),
        "state": str(fetch.state),
        "expected": fetch.tally.expected,
        "missing": fetch.tally.missing,
        "fetched": fetch.tally.fetched,
        "attempts": fetch.attempts,
        "next_attempt_at": fetch.next_attempt_at,
        "deadline": fetch.deadline,
        "reason": fetch.reason,
    }


def recall_view(recall: Recall) -> dict[str, Any]:
    """What an archive was asked for before a study's dispatch: earlier results of its patient, and what came."""
    return {
        "peer": recall.peer,
        "state": str(recall.state),
        "attempts": recall.attempts,
        "deadline": recall.deadline,
        "reason": recall.reason,
        "found": [
            {"study": prior.study, "seg": prior.seg, "task": prior.task, "images": len(prior.instances)}
            for prior in recall.found
        ],
    }


def reviews_view(tx: Transaction, uid: str) -> list[dict[str, Any]]:
    """What persons corrected in a study's results, oldest first; of each kind the newest of a job counts.

    None that a rejection note has taken back.
    """
    found = tx.reviews.of_study(uid)
    newest = {(review.job_id, review.kind): review.sop_instance_uid for review in found if not review.taken_back}
    return [
        {
            "sop_instance_uid": review.sop_instance_uid,
            "kind": str(review.kind),
            "job": review.job_id,
            "at": review.at,
            "counts": newest.get((review.job_id, review.kind)) == review.sop_instance_uid,
            "taken_back": review.taken_back,
            **review.summary,
        }
        for review in found
    ]


def study_line(study: Study, jobs: list[Job], deliveries: list[Delivery], now: float) -> dict[str, Any]:
    """One study in one line of a list."""
    return {
        "study": study.study_instance_uid,
        "state": str(study.state),
        "images": study.images,
        "incomplete": study.incomplete,
        "by_hand": study.by_hand,
        "received_at": study.received_at,
        "from": list(study.calling_aets),
        "jobs": [job_view(job, now) for job in jobs],
        "deliveries": [delivery_view(delivery) for delivery in deliveries],
    }


def study_view(tx: Transaction, uid: str, now: float) -> dict[str, Any]:
    """Everything about one study; raises NotFound."""
    study = tx.studies.get(uid)
    view = study_line(study, tx.jobs.of_study(uid), tx.deliveries.of_study(uid), now)
    view["generation"] = study.generation
    newest = {commitment.delivery_id: commitment for commitment in tx.commitments.of_study(uid)}
    for delivery in view["deliveries"]:
        delivery["commitment"] = commitment_view(newest.get(delivery["delivery"]))
    view["barred_until"] = _finite(tx.promises.barred_until(uid))
    view["removed"] = _removal(tx, study)
    fetch = tx.fetches.find(uid)
    view["fetch"] = fetch_view(fetch) if fetch else None
    recall = tx.recalls.find(uid)
    view["recall"] = recall_view(recall) if recall else None
    view["series"] = [
        {
            "series": series.series_instance_uid,
            "modality": series.modality,
            "number": series.header.get("SeriesNumber"),
            "description": series.header.get("SeriesDescription", ""),
            "images": series.images,
            "others": series.others,
        }
        for series in sorted(tx.studies.series(uid), key=_place)
    ]
    replaced, conflicts = tx.versions.counts(uid)
    view["corrected"], view["conflicts"] = replaced, conflicts
    view["rejected"] = [
        {"sop_instance_uid": one.sop_instance_uid, "note": one.note_uid, "title": one.title, "at": one.at}
        for one in tx.rejections.of_study(uid)
    ]
    view["reviews"] = reviews_view(tx, uid)
    view["assessments"] = assessments(tx, uid)
    view["results"] = [
        {"kind": r.kind, "sop_instance_uid": r.sop_instance_uid, "series": r.series_instance_uid, "job": r.job_id,
         "variant": r.variant}
        for r in tx.results.of_study(uid)
    ]
    return view


def _place(series: Series) -> tuple[float, str]:
    """By Series Number (0020,0011), as people know them; those without one last."""
    try:
        return float(series.header.get("SeriesNumber", math.inf)), series.series_instance_uid
    except (TypeError, ValueError):  # null, or a stranger's word
        return math.inf, series.series_instance_uid


def _finite(at: float) -> float | None:
    """A point in time as JSON has it; null for never."""
    return at if math.isfinite(at) else None


def _removal(tx: Transaction, study: Study) -> dict[str, Any] | None:
    """When and by which rule retention removed the study; None where it is here."""
    if study.state is not StudyState.REMOVED:
        return None
    told = [entry for entry in tx.journal.of_study(study.study_instance_uid) if entry.event == "removed"]
    return {"at": told[-1].at, "why": told[-1].text} if told else None


def entry_view(entry: JournalEntry) -> dict[str, Any]:
    """One line of the journal."""
    return {
        "at": entry.at,
        "event": entry.event,
        "text": entry.text,
        "series": entry.series_instance_uid,
        "job": entry.job_id,
        "revision": entry.revision,
        **({"detail": entry.detail} if entry.detail else {}),
    }


def explain_view(tx: Transaction, uid: str, now: float) -> dict[str, Any]:
    """A study, every verdict of every route and series with its reason, and its whole history."""
    view = study_view(tx, uid, now)
    journal = tx.journal.of_study(uid)
    view["verdicts"] = [
        {
            "route": entry.detail.get("route", ""),
            "series": entry.series_instance_uid,
            "ok": bool(entry.detail.get("ok")),
            "reason": entry.text,
            "at": entry.at,
        }
        for entry in journal
        if entry.event == "verdict"
    ]
    view["history"] = [entry_view(entry) for entry in journal if entry.event != "verdict"]
    return view


def status_view(
    tx: Transaction, now: float, free_bytes: int, audit: Mapping[str, Any] | None = None, most: int | None = None
) -> dict[str, Any]:
    """Whether the node is well: roles, queues, failures, disk, and the audit trail's spool (`Spool.state`).

    With `most` nothing is counted further than that.
    """
    studies, jobs, deliveries = tx.studies.counts(most), tx.jobs.counts(most), tx.deliveries.counts(most)
    marks = tx.jobs.mark_counts()
    roles = [
        {
            "role": row.role,
            "pid": row.pid,
            "host": row.host,
            "alive": now - row.seen_at < ROLE_SILENT_S,
            "up_s": round(now - row.started_at, 1),
            "modules": list(row.modules),
            **row.detail,
        }
        for row in tx.processes.list(now)
    ]
    return {
        "roles": roles,
        "studies": studies,
        "jobs": jobs,
        "deliveries": deliveries,
        "destinations": destinations_view(tx),
        "marks": marks,
        "reviewed_jobs": tx.reviews.count(most),
        "fetches": tx.fetches.counts(most),
        "open_associations": tx.associations.open_count(now),
        "free_bytes": free_bytes,
        "audit": dict(audit or {}),
        "needs_a_person": [
            *_needs_a_person(tx, studies, jobs, deliveries, marks, most),
            *_configuration_needs_a_person(roles),
            *_executor_needs_a_person(roles),
            *_clocks_need_a_person(roles),
            *_tls_needs_a_person(roles, now),
            *_audit_needs_a_person(roles, audit or {}),
        ],
    }


def _needs_a_person(
    tx: Transaction, studies: Mapping[StudyState, int], jobs: Mapping[JobState, int],
    deliveries: Mapping[DeliveryState, int], marks: Mapping[JobMark, int], most: int | None,
) -> list[str]:  # fmt: skip
    """Sentences on what waits for somebody."""
    lines = []
    count = partial(_count, most=most)
    if failed := jobs.get(JobState.FAILED, 0):
        (job,) = tx.jobs.list(states=[JobState.FAILED], limit=1)
        why = f"`segnode explain {job.study_instance_uid}` says why the newest did"
        lines.append(f"{count(failed, 'job', 'jobs')} failed: {why}, `segnode retry --all` runs them again")
    if dead := deliveries.get(DeliveryState.DEAD, 0):
        why = "`segnode deliveries --dead` says why, `segnode retry --dead` sends them again"
        lines.append(f"{count(dead, 'delivery', 'deliveries')} given up: {why}")
    if held := deliveries.get(DeliveryState.HELD, 0):
        out = "`segnode check` says why, `segnode retry --all --release` lets them go"
        lines.append(f"{count(held, 'delivery', 'deliveries')} held: {out}")
    if stale := marks.get(JobMark.STALE, 0):
        (job,) = tx.jobs.marked(JobMark.STALE, limit=1)
        out = f"`segnode reissue {job.study_instance_uid}` makes those of the newest anew"
        lines.append(f"{count(stale, 'result', 'results')} stale since a header was corrected: {out}")
    if unrouted := studies.get(StudyState.NOT_ROUTED, 0):
        (study,) = tx.studies.list(states=[StudyState.NOT_ROUTED], limit=1)
        why = f"`segnode explain {study.study_instance_uid}` says why for the newest"
        lines.append(f"{count(unrouted, 'study', 'studies')} not routed: {why}")
    return lines


def _configuration_needs_a_person(roles: list[dict[str, Any]]) -> list[str]:
    """What the files say and is not in use; told once, though every role sees it."""
    return list(dict.fromkeys(told for role in roles if (told := role.get("configuration", {}).get("trouble"))))


def _executor_needs_a_person(roles: list[dict[str, Any]]) -> list[str]:
    """Why jobs wait for what they run on."""
    troubles = [role.get("executor", {}).get("trouble") for role in roles]
    return [f"jobs wait: {trouble}" for trouble in troubles if trouble]


def _clocks_need_a_person(roles: list[dict[str, Any]]) -> list[str]:
    """Machines whose clock is not the database's: they take leases for over that are not, or the other way round."""
    apart = {role["host"]: role.get("clock_ahead_s", 0.0) for role in roles}
    return [
        f"the clock of {host} is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the database's: have both "
        "set by the network (NTP)"
        for host, ahead in sorted(apart.items())
        if abs(ahead) > CLOCKS_APART_S
    ]


def _audit_needs_a_person(roles: list[dict[str, Any]], spool: Mapping[str, Any]) -> list[str]:
    """Sentences on audit messages that cannot be written or sent, or are gone."""
    lines = []
    for role in roles:
        troubles = [role.get(part, {}).get("trouble") for part in ("audit", "audit_sender")]
        lines += [f"audit messages of {role['role']} wait: {trouble}" for trouble in troubles if trouble]
        if lost := role.get("audit", {}).get("lost", 0):
            lines.append(f"{_count(lost, 'audit message', 'audit messages')} of {role['role']} lost since its start")
    if dropped := spool.get("dropped", 0):
        out = f"remove {spool['folder']}/dropped when you know why"
        lines.append(f"{_count(dropped, 'audit message', 'audit messages')} dropped from the full spool: {out}")
    return lines


def _tls_needs_a_person(roles: list[dict[str, Any]], now: float) -> list[str]:
    """Certificate files that cannot be used, and certificates that will soon be of no use; each told once."""
    lines = []
    for tls in (state for role in roles for state in role.get("tls", ())):
        if tls["trouble"]:
            lines.append(f"TLS files are wrong, those of before stay in use where there were any: {tls['trouble']}")
        days = (tls["expires_at"] - now) / 86400
        if tls["expires_at"] and days < EXPIRY_WARNING_DAYS:
            when = f"expires in {days:.0f} days" if days > 0 else "has expired"
            lines.append(f"our TLS certificate {tls['certificate']} {when}: replace its file, no restart is needed")
    return list(dict.fromkeys(lines))


def _count(number: int, one: str, many: str, most: int | None = None) -> str:
    if most is not None and number >= most:
        return f"more than {most - 1} {many}"
    return f"{number} {one if number == 1 else many}"
