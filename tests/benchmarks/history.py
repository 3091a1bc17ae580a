"""What a node's database holds after some time: every study ended, in every table what it leaves behind.

Rows are written as they lie in the tables, many studies at a time: a million arrivals one by one take an hour. Notices
are dropped after a week, so none is left.
"""

from __future__ import annotations

import time

from many_studies import insert, study_rows

from dicom_node.assembly import Parts
from dicom_node.audit.facts import Happened, Images, Participant, Reporter
from dicom_node.audit.messages import begin_transferring

SOME = 400  # studies that one transaction inserts
STUDY_EVERY_S = 1500.0  # 21,000 a year

CT_IMAGE, SEG = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.66.4"
REPORTER = Reporter("SEGNODE@bench")
CT1 = Participant("CT1@10.0.0.5", requestor=True, ae_title="CT1", address="10.0.0.5")
US = Participant("77", ae_title="SEGNODE", name="segnode receive", address="bench")
STEPS = ("complete", "verdict", "verdict", "started", "done", "delivered", "committed")


def fill(parts: Parts, studies: int, images: int) -> None:
    """So many studies of so many images each, the last of which arrived a week ago."""
    begin = time.time() - 8 * 86400.0 - studies * STUDY_EVERY_S
    for first in range(0, studies, SOME):
        numbers = range(first, min(first + SOME, studies))
        rows = study_rows(numbers, begin, STUDY_EVERY_S)
        for job in rows["jobs"]:
            uid = job["study_uid"]
            job["inputs"] = {"CT": {"series": f"{uid}.1", "instances": [f"{uid}.1.{n}" for n in range(images)]}}
        for name, more in _replaced(rows["jobs"], rows["deliveries"]).items():
            rows[name] += more
        insert(parts, rows)
        insert(parts, _arrived(numbers, begin, images))
        insert(parts, _done(numbers, begin))


def _replaced(jobs: list[dict], deliveries: list[dict]) -> dict[str, list[dict]]:
    """Of every tenth study an earlier answer, which its destination was told is no longer valid."""
    old, note = {"state": "SUPERSEDED", "rejects": ""}, {"state": "DONE"}
    more: dict[str, list[dict]] = {"jobs": [], "deliveries": []}
    for job, delivery in zip(jobs[::10], deliveries[::10], strict=True):
        for name, how in (("old", old), ("note", {**note, "rejects": f"{job['job_id']}-old"})):
            more["jobs"].append({**job, "job_id": f"{job['job_id']}-{name}", **how})
            more["deliveries"].append({**delivery, "job_id": f"{job['job_id']}-{name}"})
    for job in jobs:
        job["rejects"] = ""  # one insert has the same columns in every row
    return more


def _arrived(numbers: range, begin: float, images: int) -> dict[str, list[dict]]:
    """The images, each with the header that the index keeps of it."""
    rows: dict[str, list[dict]] = {"instances": []}
    for number in numbers:
        uid, at = f"1.2.826.{number}", begin + STUDY_EVERY_S * number
        for image in range(images):
            sop, name = f"{uid}.1.{image}", f"{number:x}{image:x}".rjust(64, "0")
            header = {"Modality": "CT", "InstanceNumber": image, "Rows": 512, "Columns": 512,
                      "ImagePositionPatient": [-180.5, -170.25, 1.25 * image], "PixelSpacing": [0.703125, 0.703125],
                      "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "FrameOfReferenceUID": f"{uid}.9",
                      "SeriesDescription": "Abdomen venous 1.25 B30f", "SliceThickness": 1.25}  # fmt: skip
            rows["instances"].append({
                "sop_uid": sop, "sha256": name, "conflict": False, "sop_class_uid": CT_IMAGE, "series_uid": f"{uid}.1",
                "study_uid": uid, "transfer_syntax_uid": "1.2.840.10008.1.2.1", "kind": "image",
                "path": f"{name[-2:]}/{name[-4:-2]}/{name[:32]}/{name[:32]}-{name[32:]}.dcm", "size": 526_000,
                "received_at": at, "association_id": f"a-{number}", "header": header,
            })  # fmt: skip
    return rows


def _audited(study: str, at: float) -> str:
    images = Images(study, "4711", "Doe^Jane", "A-1", {CT_IMAGE: 300})
    return begin_transferring(REPORTER, Happened(at), CT1, US, images).decode()


def _done(numbers: range, begin: float) -> dict[str, list[dict]]:
    """Results, journal, commitments, and what was asked of archives; all of it over."""
    rows: dict[str, list[dict]] = {name: [] for name in ("results", "journal", "fetches", "recalls", "audit_records",
                                                         "promises", "commitments", "shadows")}  # fmt: skip
    for number in numbers:
        uid, job, at = f"1.2.826.{number}", f"job-{number}", begin + STUDY_EVERY_S * number
        rows["results"] += [{"sop_uid": f"{uid}.2.{n}", "sop_class_uid": SEG, "series_uid": f"{uid}.2", "job_id": job,
                             "kind": kind, "path": f"{number:x}/{n}.dcm", "size": 40_000, "sha256": f"{number:x}{n}"}
                            for n, kind in enumerate(("seg", "sr"))]  # fmt: skip
        about = {"at": at, "study_uid": uid, "series_uid": "", "job_id": job, "revision": 1, "detail": {}}
        rows["journal"] += [{**about, "event": event, "text": f"{event}: a sentence of some length"} for event in STEPS]
        asked = {"study_uid": uid, "peer": "pacs", "state": "DONE", "policy": {}, "created_at": at, "attempts": 1,
                 "next_attempt_at": at, "ended_at": at, "reason": ""}  # fmt: skip
        rows["fetches"].append({**asked, "purpose": "missing", "patience_s": 60.0, "fetched": 0})
        rows["recalls"].append({**asked, "deadline": at, "found": []})
        message = _audited(uid, at)
        rows["audit_records"] += [{"at": at, "event": "110104", "kind": "", "who": "ct1 segnode", "study_uid": uid,
                                   "message": message} for _ in range(3)]  # fmt: skip
        rows["promises"].append({"peer_aet": "PACS", "called_aet": "SEGNODE", "transaction_uid": uid, "state": "TOLD",
                                 "instances": [[SEG, f"{uid}.2.0"]], "attempts": 1, "next_attempt_at": at,
                                 "received_at": at, "reason": ""})  # fmt: skip
        rows["commitments"].append({"transaction_uid": f"{uid}.3", "destination": "pacs", "study_uid": uid, "asked": 1,
                                    "instances": [[SEG, f"{uid}.2.0"]], "state": "COMMITTED", "attempts": 1,
                                    "next_attempt_at": at, "created_at": at, "reason": ""})  # fmt: skip
        rows["shadows"].append({"job_id": job, "study_uid": uid, "model": "m", "version": "1", "shadow": "s",
                                "shadow_version": "1", "state": "DONE", "attempts": 1, "queued_at": at,
                                "ended_at": at, "reason": "", "mean_dice": 0.9, "answer": {}})  # fmt: skip
    return rows
