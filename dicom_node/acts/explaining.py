"""`segnode explain-model`: what a model looked at when it made a result that this node holds, as files to open.

The question is put together here and answered in a worker process; what comes back is written here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from dicom_node.errors import NodeError
from dicom_node.objects.corrected import read_segmentation
from dicom_node.objects.heat import Heat, write_heat
from dicom_node.objects.identity import JobNames, device_uids
from dicom_node.objects.on_grid import lay_numbers_on, structure_of
from dicom_node.pipeline.inputs import inputs_of
from inference.backends import build
from inference.codes import LUNG
from inference.explain.explanation import GRAD_CAM, Explanation
from inference.readers.arrange import arrange
from inference.readers.headers import slice_headers
from inference.request import ExplainRequest, SeriesFiles
from inference.tasks import TASKS
from inference.volume import Grid
from inference.writers.image_file import check_writable, write_image
from storage.lifecycle import JobState
from storage.records import Job, ResultObject, StoredFile

if TYPE_CHECKING:
    from dicom_node.assembly import Parts

ABOUT = "about.txt"
LIMITS = """What these maps do not prove
- They show where the network looked, not whether what it says is true: a wrong answer can have a convincing map.
- Grad-CAM shows what spoke for the finding in the deepest layer, whose voxels are large, and nothing of what spoke
  against it. It is scaled to its own maximum, so two maps cannot be compared by their brightness, and it ends where
  the window about the finding ends that the network was given.
- An attention gate's coefficient says how much of a skip connection went on, not what became of it.
- A place that does not light up may still have counted, and what was missed has no map at all.
Neither kind of map was validated for any clinical use. They are for those who look after the model.
"""


class Unexplained(NodeError):
    """What cannot be explained, with the reason and the way out."""


@dataclass(frozen=True)
class Finding:
    """A finding of a job: number in the result, name, label in the task, voxels; its SEG, and which segment it is."""

    number: int
    name: str
    label: int
    voxels: int
    seg: StoredFile
    segment: int


@dataclass(frozen=True)
class Asked:
    """A question about a job, for an executor; `finding` is None where nothing was found."""

    job: Job
    request: ExplainRequest
    finding: Finding | None


@contextmanager
def ask(
    parts: Parts, study_uid: str, scratch: Path, task: str | None = None, number: int | None = None
) -> Iterator[Asked]:
    """The question what the model looked at in a study, above all for finding `number`, or for the largest lesion.

    The images are here while the block lasts. Unexplained where the study has no such result, NotFound where the study
    or its images are not held, Unfit where no file can be written on its grid.
    """
    job = _job(parts, study_uid, task)
    with inputs_of(parts.database, parts.archive, job) as inputs:
        grid = _grid(parts, job, inputs)
        with parts.database.reading() as tx:
            made = [one for one in tx.results.of_job(job.job_id) if one.removed_at is None]
        _same_model(parts, job, made)
        finding, mask = _chosen(_findings(parts, job, made), job, number), scratch / "mask.npy"
        if finding:
            with parts.archive.local([finding.seg]) as (seg,):
                np.save(mask, lay_numbers_on(read_segmentation(seg), grid, {finding.segment: 1}))
        request = ExplainRequest(
            job_id=job.job_id,
            task=job.task,
            inputs=inputs,
            model=job.parameters["model"],
            scratch=scratch,
            time_limit_s=parts.settings.node.time_limit_s,
            mask=mask if finding else None,
            label=finding.label if finding else 0,
        )
        yield Asked(job, request, finding)


def write(asked: Asked, explanation: Explanation, folder: Path) -> list[Path]:
    """Each map as NIfTI on the source grid and as pictures of its main slices, and what to think of it. OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    card, finding = TASKS[asked.job.task], asked.finding
    mask = np.load(asked.request.mask) > 0 if asked.request.mask else None
    files = asked.request.inputs[card.primary].paths
    written = []
    for kind, path in explanation.maps.items():
        values: NDArray[np.float16] = np.load(path, mmap_mode="r")
        name, title = kind, kind.replace("-", " ").capitalize()
        if kind == GRAD_CAM and finding:
            name, title = f"{kind}-finding-{finding.number}", f"Grad-CAM of {finding.name}"
        heat = Heat(
            title=title,
            values=values,
            sources=explanation.sources,
            model=explanation.model,
            mask=mask,
            label=finding.name if finding else "",
            in_lung=any(structure.region == LUNG for structure in card.structures),
        )
        write_image(values.astype(np.float32), explanation.grid, folder / f"{name}.nii.gz")
        written += [folder / f"{name}.nii.gz", *write_heat(heat, files, folder, name)]
    (folder / ABOUT).write_text(_about(asked, explanation))
    return [*written, folder / ABOUT]


def _about(asked: Asked, explanation: Explanation) -> str:
    model, finding = explanation.model, asked.finding
    of = f"finding {finding.number}, {finding.name}" if finding else "no finding: its job found nothing, or kept no SEG"
    gates = sum(kind != GRAD_CAM for kind in explanation.maps)
    return f"""Model: {model.name} {model.version}, SHA-256 {model.sha256}; {model.intended_use}
Job: {asked.job.job_id}
Grad-CAM: {of}
Attention gates: {gates}, numbered from the bottom of the network, where they are coarsest
Values go from 0 to 1, on the voxels of the source series.

{LIMITS}"""


def _job(parts: Parts, study_uid: str, task: str | None) -> Job:
    """The newest result of the study, of this task."""
    with parts.database.reading() as tx:
        tx.studies.get(study_uid)
        done = [job for job in tx.jobs.of_study(study_uid) if job.state is JobState.DONE and not job.rejects]
    found = {job.task: job for job in done if task in (None, job.task)}
    if not found:
        raise Unexplained(f"the study has no result{f' of {task}' if task else ''}; segnode study says what it has")
    if len(found) > 1:
        raise Unexplained(f"the study has results of {', '.join(sorted(found))}: name one with --task")
    return next(iter(found.values()))


def _same_model(parts: Parts, job: Job, made: list[ResultObject]) -> None:
    """Unexplained where the model's files are others than those that made the result (PS3.3 C.7.5.2, Device UID)."""
    if not made:
        raise Unexplained("the job's results are no longer held; segnode retry --resend makes them again")
    settings = build(job.parameters["model"])
    with parts.archive.local([made[0].file]) as (path,):
        header = dcmread(path, stop_before_pixels=True)
    makers = {str(item.get("DeviceUID", "")) for item in header.ContributingEquipmentSequence}
    if not device_uids(settings.identity()) & makers:
        raise Unexplained(f"model {job.model} was changed since it made this result; its maps would be another model's")


def _chosen(found: list[Finding], job: Job, number: int | None) -> Finding | None:
    """The finding of this number, or else the largest lesion, or the largest finding; None where there is none."""
    if number is None:
        lesions = [one for one in found if one.label in TASKS[job.task].lesions]
        return max(lesions or found, key=lambda one: one.voxels, default=None)
    for one in found:
        if one.number == number:
            return one
    known = ", ".join(f"{one.number} {one.name}" for one in found) or "none that a SEG here shows"
    raise Unexplained(f"the result has no finding {number}; it has {known}")


def _grid(parts: Parts, job: Job, inputs: Mapping[str, SeriesFiles]) -> Grid:
    """The primary series' grid, as the reader will give it; Unfit where no file can be written on it."""
    primary = inputs[TASKS[job.task].primary]
    with parts.database.reading() as tx:
        held = {i.sop_instance_uid: i for i in tx.studies.instances(series_uid=primary.series_instance_uid)}
    grid = arrange([s for uid in primary.sop_instance_uids for s in slice_headers(held[uid].header)]).grid
    check_writable(grid)
    return grid


def _findings(parts: Parts, job: Job, made: list[ResultObject]) -> list[Finding]:
    """The job's findings in order, as its SEG of one form shows them, told by the tracks that it gave them."""
    segs = [one for one in made if one.kind == "seg"]
    names = JobNames(job.job_id)
    tracks = {one.get("tracking_uid") or names.tracking(str(number)): (number, str(one["label"]), one.get("voxels", 0))
              for number, one in enumerate(job.summary.get("findings", ()), start=1)}
    found = []
    for file in [one.file for one in segs if one.variant == segs[0].variant]:
        with parts.archive.local([file]) as (path,):
            seg = read_segmentation(path)
        for segment in seg.segments:
            structure = structure_of(segment, TASKS[job.task])
            if segment.tracking_uid in tracks and structure is not None:
                number, name, voxels = tracks[segment.tracking_uid]
                found.append(Finding(number, name, structure.label, voxels, file, segment.number))
    return sorted(found, key=lambda one: one.number)
