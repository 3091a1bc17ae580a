"""PENDING → DONE, REFUSED or FAILED: a leased job becomes objects that passed their check.

The job's end, its result objects and their deliveries are one commit. Whoever commits first has made
the result; a second run of the same job finds its lease gone and drops its own.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from dicom_node.audit.recorder import Recorder
from dicom_node.counting import JOB_FAILURES, Counts
from dicom_node.destinations.base import Destination
from dicom_node.errors import ResultInvalid
from dicom_node.objects.encode import Encoded
from dicom_node.outgoing import Outgoing, kept_back, send_or_keep
from dicom_node.pipeline.inputs import inputs_of
from dicom_node.pipeline.installed import InstalledModel, closed, made_by_another
from dicom_node.pipeline.keeper import LeaseKeeper
from dicom_node.pipeline.prior_files import NoPrior, load_prior
from dicom_node.pipeline.reasons import reason_of
from inference.errors import ModelError, Unfit, WorkerDied
from inference.executors.base import Executor
from inference.findings import Finding, IntendedUse, Result
from inference.followup.history import to_plain
from inference.request import Maker, Prior, Request
from inference.stopwatch import Stopwatch
from inference.trend import Trend, lesion_of
from storage.archive import Archive
from storage.database import Database, Transaction
from storage.errors import NotFound, Unavailable
from storage.files.disk import disk_faults
from storage.lifecycle import JobState
from storage.records import Job, ResultObject, StoredFile
from storage.working.shadows import Pair

log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_S = 60.0  # with an archive that does not answer, before the job goes back into the queue
TRY_AGAIN_S = 2.0
BEHIND_S = 60.0
DAY_S = 86400.0

Encode = Callable[[Job, Result, Mapping[str, Sequence[Path]]], tuple[Encoded, ...]]


@dataclass(frozen=True)
class InferLimits:
    """How long a job may take and how often it may cost its worker."""

    lease_term_s: float
    time_limit_s: float
    max_crashes: int


@dataclass(frozen=True)
class Infer:
    """Runs jobs, one at a time; one of these a device."""

    database: Database
    archive: Archive
    executor: Executor
    encode: Encode
    destinations: Mapping[str, Destination]
    limits: InferLimits
    scratch: Path
    owner: str
    revision: int = 0
    clock: Callable[[], float] = time.time
    name: str = "infer"
    audit: Recorder = field(default_factory=Recorder)
    counts: Counts = field(default_factory=Counts)
    models: Mapping[str, InstalledModel] = field(default_factory=dict)
    _unread: dict[str, float] = field(default_factory=dict, init=False)  # jobs whose files could not be had, and since

    def step(self, now: float) -> bool:
        with self.database.reading() as tx:
            if not tx.jobs.waiting(now, self._closed):
                return False
        if trouble := self.archive.trouble():  # else the device would compute again and again what cannot be stored
            raise Unavailable(trouble)
        with self.database.transaction() as tx:
            job = tx.jobs.claim(self.owner, now, self.limits.lease_term_s, self._closed, self._behind)
            if job is None:
                return False
            if job.crashes >= self.limits.max_crashes:  # taking it over has counted the last of them
                tx.jobs.release(job.job_id, self.owner, crashed=False)
                self._fail_crashed(tx, now)
                return True
            self._journal(tx, job, now, "started", f"attempt {job.attempts} on {self.owner}")
        scratch = self._scratch_of(job)
        try:
            self._run(job, scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return True

    def _scratch_of(self, job: Job) -> Path:
        """A folder of this attempt's own.

        What earlier attempts left goes, since whoever made them has lost the job, and so does what is older than any
        attempt takes: its job never came back to this machine.
        """
        name, longest_s = job.job_id[:16], self.limits.time_limit_s + DAY_S
        for left in self.scratch.glob("*"):
            with suppress(FileNotFoundError):  # whose it is has just ended
                if left.name.startswith(f"{name}-") or left.stat().st_mtime < time.time() - longest_s:
                    shutil.rmtree(left, ignore_errors=True)
        return self.scratch / f"{name}-{job.attempts}"

    @property
    def _closed(self) -> list[str]:
        """Models whose jobs wait until somebody enables them."""
        return list(closed(self.models.values()))

    @property
    def _behind(self) -> list[str]:
        """Jobs that let all others go first for a while: what is wrong may be a file of theirs and not the disk."""
        for job in [job for job, since in self._unread.items() if time.monotonic() - since > BEHIND_S]:
            del self._unread[job]
        return list(self._unread)

    def _run(self, job: Job, scratch: Path) -> None:
        try:
            self._infer(job, scratch)
        except Unavailable as trouble:
            self._unread[job.job_id] = time.monotonic()
            with self.database.transaction() as tx:
                tx.jobs.release(job.job_id, self.owner, crashed=False)
                self._journal(tx, job, self.clock(), "waits", str(trouble))
            raise

    def _infer(self, job: Job, scratch: Path) -> None:
        with disk_faults():
            scratch.mkdir(parents=True, exist_ok=True)
        watch = Stopwatch()
        with LeaseKeeper(self.database, job.job_id, self.owner, self.limits.lease_term_s) as keeper:
            try:
                with ExitStack() as files:
                    request, remarks = _patiently(lambda: files.enter_context(self._request(job, scratch)))
                    self.audit.inputs_read(job)
                    result = _with_notes(job, self.executor.run(request, keeper.report), remarks)
                    _check_maker(job, result)
                    keeper.report(0.95, "encode")
                    paths = {role: series.paths for role, series in request.inputs.items()}
                    with watch.time("encode"):
                        encoded = self.encode(job, result, paths)
            except Unfit as unfit:
                self._count(job, unfit)
                self._end(job, JobState.REFUSED, str(unfit))
                return
            except WorkerDied as died:
                self._count(job, died)
                self._crashed(job, died)
                return
            except (ModelError, ResultInvalid, NotFound) as error:
                self._count(job, error)
                self._end(job, JobState.FAILED, f"{type(error).__name__}: {error}")
                return
            with watch.time("store"):
                stored = [(item, _patiently(partial(self._store, job, item))) for item in encoded]
        self._commit(job, result, stored, watch.seconds)

    @contextmanager
    def _request(self, job: Job, scratch: Path) -> Iterator[tuple[Request, list[str]]]:
        """What the executor is asked, with files that are here while the block lasts; and what readers are to know."""
        remarks: list[str] = []
        with ExitStack() as files:
            request = Request(
                job_id=job.job_id,
                task=job.task,
                inputs=files.enter_context(inputs_of(self.database, self.archive, job)),
                model=job.parameters["model"],
                scratch=scratch,
                parameters=job.parameters.get("task", {}),
                time_limit_s=self.limits.time_limit_s,
                priority=job.priority,
                prior=self._prior(job, scratch, files, remarks),
            )
            yield request, remarks

    def _prior(self, job: Job, scratch: Path, files: ExitStack, remarks: list[str]) -> Prior | None:
        """What the result is compared with; where that cannot be had any more, the result is made without it.

        That is among the `remarks`: who reads the result finds no trend in it, and should not take it for the first.
        """
        try:
            return files.enter_context(load_prior(self.database, self.archive, job, scratch))
        except NoPrior as reason:
            with self.database.transaction() as tx:
                self._journal(tx, job, self.clock(), "prior not used", str(reason))
            remarks.append(f"Not compared with the study of {job.parameters['prior']['taken']}: {reason}.")
            return None

    def _store(self, job: Job, item: Encoded) -> StoredFile:
        return self.archive.write(job.study_instance_uid, item.sop_instance_uid, [item.part10], ours=True)

    def _commit(
        self, job: Job, result: Result, stored: Sequence[tuple[Encoded, StoredFile]], seconds: Mapping[str, float]
    ) -> None:
        now = self.clock()
        outgoing = [self._outgoing(name, result.model.intended_use) for name in job.parameters["destinations"]]
        summary = {
            "seconds": {**result.seconds, **seconds},
            "device": result.device,
            "maker": Maker.of(result.model)._asdict(),
            "findings": [_summary_of(finding) for finding in result.findings],
            "totals": {name: round(m.value, 3) for name, m in result.totals},
            "notes": [note for note in (job.parameters.get("incomplete", ""), *result.notes) if note],
            **kept_back(job, outgoing),
        }
        if result.trend:
            summary["trend"] = {"prior": result.trend.prior_study_uid, "history": to_plain(result.trend.points)}
        with self.database.transaction() as tx:
            tx.jobs.finish(job.job_id, self.owner, JobState.DONE, now, summary=summary)
            if result.trend:
                self._tell_trend(tx, job, result.trend, now)
            for item, file in stored:
                tx.results.add(
                    ResultObject(
                        sop_instance_uid=item.sop_instance_uid,
                        sop_class_uid=item.sop_class_uid,
                        series_instance_uid=item.series_instance_uid,
                        job_id=job.job_id,
                        kind=item.kind,
                        file=file,
                        variant=item.variant,
                    )
                )
                self.archive.confirm(file)
            self._journal(tx, job, now, "done", f"{len(result.findings)} findings, {len(stored)} objects")
            for text in dict.fromkeys(text for item, _ in stored for text in item.filled):
                self._journal(tx, job, now, "filled", text)
            send_or_keep(tx, job, outgoing, self.revision, now)
            if shadow := self._shadow_of(job):
                pair = Pair(job.job_id, job.study_instance_uid, job.model, result.model.version, shadow)
                tx.shadows.add(pair, now)
        log.info("job done", extra={"study": job.study_instance_uid, "job": job.job_id})

    def _shadow_of(self, job: Job) -> str:
        """The model that is to answer beside the job's, once there is time; "" where none is."""
        model = self.models.get(job.model)
        shadow = self.models.get(model.shadow) if model else None
        return "" if shadow is None or shadow.closed else shadow.name

    def _tell_trend(self, tx: Transaction, job: Job, trend: Trend, now: float) -> None:
        """What the result was compared with, and the evidence for every match."""
        tx.journal.add(
            now,
            "compared",
            in_words(trend),
            study=job.study_instance_uid,
            job=job.job_id,
            revision=self.revision,
            detail={
                "registration": trend.registration,
                "agreement": dict(trend.agreement),
                "lesions": [
                    {"label": one.label, "outcome": one.outcome.value, "reason": one.reason, **one.evidence}
                    for one in trend.lesions
                ],
            },
        )

    def _outgoing(self, name: str, use: IntendedUse) -> Outgoing:
        """A result for that use on its way to that destination."""
        destination = self.destinations.get(name)
        reason = ""
        if destination is None:
            reason = f"no destination {name} is configured any more"
        elif use not in destination.accepts:
            reason = (
                f"the model's results are for {use}, destination {name} accepts {', '.join(destination.accepts)}; "
                f"add {use} to its 'accepts', or release the delivery by hand"
            )
        return Outgoing(name, destination.profile.variant if destination else "", reason)

    def _end(self, job: Job, state: JobState, reason: str) -> None:
        now = self.clock()
        made = {"maker": maker} if (maker := job.summary.get("maker")) else {}  # earlier, and a peer may hold it
        with self.database.transaction() as tx:
            tx.jobs.finish(job.job_id, self.owner, state, now, reason=reason, summary=made)
            self._journal(tx, job, now, state.lower(), reason)
        log.info("job %s", state.lower(), extra={"study": job.study_instance_uid, "job": job.job_id})

    def _count(self, job: Job, error: Exception) -> None:
        self.counts.add(JOB_FAILURES, task=job.task, reason=reason_of(error))

    def _crashed(self, job: Job, died: WorkerDied) -> None:
        now = self.clock()
        with self.database.transaction() as tx:
            tx.jobs.release(job.job_id, self.owner, crashed=not died.stopped)
            self._journal(tx, job, now, "worker died", str(died))
            self._fail_crashed(tx, now)
        log.warning("worker died", extra={"study": job.study_instance_uid, "job": job.job_id})

    def _fail_crashed(self, tx: Transaction, now: float) -> None:
        for failed in tx.jobs.fail_crashed(self.limits.max_crashes, now):
            self._journal(tx, failed, now, "failed", failed.reason)

    def _journal(self, tx: Transaction, job: Job, now: float, event: str, text: str) -> None:
        tx.journal.add(now, event, text, study=job.study_instance_uid, job=job.job_id, revision=self.revision)


def _with_notes(job: Job, result: Result, remarks: Sequence[str]) -> Result:
    """The result with what was left out before its reader saw the images, who may say some of it again."""
    return replace(result, notes=tuple(dict.fromkeys((*remarks, *job.parameters.get("notes", ()), *result.notes))))


def _check_maker(job: Job, result: Result) -> None:
    """ModelError where the job is to be made again, and another model than before has answered."""
    if reason := made_by_another(job, result.model):
        raise ModelError(reason)


def _patiently(ask: Callable[[], T]) -> T:
    """What the archive answers, asked again while it does not, lest what was computed be lost; Unavailable."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except Unavailable as trouble:
            if time.monotonic() > end:
                raise
            log.warning("a job waits: %s", trouble)
        time.sleep(TRY_AGAIN_S)


def in_words(trend: Trend) -> str:
    """What became of the lesions, in a sentence that names nobody."""
    when = f"the study of {trend.prior_taken.isoformat()} ({trend.days} days before)"
    if trend.other_model:
        when += f", which another model measured ({trend.other_model})"
    if trend.refusal:
        return f"not compared with {when}: {trend.refusal}"
    counted = Counter(one.outcome for one in trend.lesions)
    lesions = ", ".join(f"{number} {outcome.value}" for outcome, number in counted.items())
    what = "regions of lesions" if any(lesion_of(one.label) for one in trend.lesions) else "lesions"
    return f"compared with {when}, {trend.registration} registration; {what}: {lesions or 'none on either side'}"


def _summary_of(finding: Finding) -> dict[str, Any]:
    plain = {"label": finding.label, "ml": round(finding.volume_ml, 3), "voxels": finding.voxels}
    return plain | ({"tracking_uid": finding.tracking_uid} if finding.tracking_uid else {})
