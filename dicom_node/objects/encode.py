"""A result becomes the objects that leave: SEG, measurements and summary, each checked."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from dicom_node.errors import ResultInvalid
from dicom_node.objects import seg, sr, summary
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


def encode(result: Result, job_id: str, source_files: Mapping[str, Sequence[Path]],
           context: EncodeContext) -> tuple[Encoded, ...]:
    """SEG, its SR and the summary; a result without findings gives the summary alone, which says so.

    The same result, job and context give the same bytes. ResultInvalid where an object fails a check.
    """
    context = context.of_job(job_id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom and highdicom quote the values that they complain about
        try:
            sources = load_sources(result, source_files)
            objects = _objects(result, sources, context)
            files = {kind: part10(ds) for kind, ds in objects.items()}
            check_objects(list(files.values()), result, sources)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as fault:
            # The message may quote what stands in the source's header; its kind and place do not.
            raise ResultInvalid(f"the objects could not be made: {where(fault)}") from None
    remarks = {kind: dciodvfy(file) if context.dciodvfy else () for kind, file in files.items()}
    remarks[summary.KIND] += tuple(sr.omitted(result.findings))
    return tuple(
        Encoded(kind, str(ds.SOPClassUID), str(ds.SOPInstanceUID), str(ds.SeriesInstanceUID), files[kind],
                remarks[kind])
        for kind, ds in objects.items()
    )


def _objects(result: Result, sources: Sources, context: EncodeContext) -> dict[str, Dataset]:
    if not result.findings:
        return {summary.KIND: summary.encode_summary(result, sources, context)}
    segmentation = seg.encode_segmentation(result, sources, context)
    return {
        seg.KIND: segmentation,
        sr.KIND: sr.encode_measurements(result, segmentation, sources, context),
        summary.KIND: summary.encode_summary(result, sources, context, segmentation),
    }


def where(fault: BaseException) -> str:
    place = fault.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" in {place.tb_frame.f_code.co_name}, line {place.tb_lineno}" if place else ""
    return f"{type(fault).__name__}{where}"
