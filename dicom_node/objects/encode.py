"""A result becomes the objects that leave: SEG, measurements and summary, each checked."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from dicom_node.errors import ResultInvalid
from dicom_node.objects import fractional, seg, sr, summary
from dicom_node.objects.checker import dciodvfy
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.finish import part10
from dicom_node.objects.source import Sources, load_sources
from dicom_node.objects.validate import check_objects
from inference.findings import Result


@dataclass(frozen=True)
class Encoded:
    """One object as a Part 10 file. `warnings` are the checkers' remarks; they name no patient."""

    kind: str  # "seg", "sr", "summary"
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    part10: bytes
    warnings: tuple[str, ...] = ()
    variant: str = ""  # of its profile


def encode(result: Result, job_id: str, source_files: Mapping[str, Sequence[Path]],
           context: EncodeContext) -> tuple[Encoded, ...]:
    """The objects that the context's profile wants; without findings there is no SEG, and the summary says so.

    The same result, job and context give the same bytes. ResultInvalid where an object fails a check.
    """
    context = context.of_job(job_id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom and highdicom quote the values that they complain about
        try:
            sources = load_sources(result, source_files)
            objects = list(_objects(result, sources, context))
            files = [part10(ds, context.profile) for _, ds in objects]
            check_objects(files, result, sources, context.names)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as fault:
            # The message may quote what stands in the source's header; its kind and place do not.
            raise ResultInvalid(f"the objects could not be made: {where(fault)}") from None
    labelmap = context.profile.seg == "labelmap"
    remarks = [dciodvfy(file, labelmap=labelmap) if context.dciodvfy else () for file in files]
    left_out = {summary.KIND: tuple(sr.omitted(result.findings))}
    return tuple(
        Encoded(kind, str(ds.SOPClassUID), str(ds.SOPInstanceUID), str(ds.SeriesInstanceUID), file,
                remark + left_out.get(kind, ()), context.profile.variant)
        for (kind, ds), file, remark in zip(objects, files, remarks, strict=True)
    )


def _objects(result: Result, sources: Sources, context: EncodeContext) -> Iterator[tuple[str, Dataset]]:
    """Each object with its kind."""
    profile = context.profile
    segs = seg.encode_segmentations(result, sources, context) if profile.seg != "none" and result.findings else []
    yield from ((seg.KIND, one.seg) for one in segs)
    if profile.fractional and result.findings and result.probability is not None:
        yield fractional.KIND, fractional.encode_fractional(result, sources, context)
    if profile.sr != "none":
        if segs:
            yield sr.KIND, sr.encode_measurements(result, segs, sources, context)
        yield summary.KIND, summary.encode_summary(result, sources, context, [one.seg for one in segs])


def where(fault: BaseException) -> str:
    place = fault.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" in {place.tb_frame.f_code.co_name}, line {place.tb_lineno}" if place else ""
    return f"{type(fault).__name__}{where}"
