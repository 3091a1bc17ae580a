"""A result becomes the objects that leave, each checked."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom.dataset import Dataset

from dicom_node.errors import ResultInvalid
from dicom_node.objects import seg, sr, summary
from dicom_node.objects.assortment import assortment
from dicom_node.objects.checker import dciodvfy
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.excerpt import excerpt
from dicom_node.objects.finish import part10
from dicom_node.objects.source import load_sources
from dicom_node.objects.validate import check_objects
from inference.findings import Result


@dataclass(frozen=True)
class Encoded:
    """One object as a Part 10 file.

    `warnings` are the checkers' remarks, `filled` says what it holds that its sources do not; they name no patient.
    """

    kind: str  # "seg", "sr", "summary"…
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    part10: bytes
    warnings: tuple[str, ...] = ()
    variant: str = ""  # of its profile
    filled: tuple[str, ...] = ()


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
            context = replace(context, offset=sources.offset)
            objects = list(assortment(result, sources, source_files, context))
            files = [part10(ds, context.profile) for _, ds in objects]
            labelmap = context.profile.seg == "labelmap"
            with ThreadPoolExecutor(2) as pool:  # the checker is a process of its own
                remarks = [pool.submit(dciodvfy, file, labelmap=labelmap) if file else None
                           for file in _shown(objects, files, context)]
                check_objects(files, result, sources, context.names)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as fault:
            # The message may quote what stands in the source's header; its kind and place do not.
            raise ResultInvalid(f"the objects could not be made: {where(fault)}") from None
    left_out = {summary.KIND: tuple(sr.omitted(result.findings))}
    return tuple(
        Encoded(kind, str(ds.SOPClassUID), str(ds.SOPInstanceUID), str(ds.SeriesInstanceUID), file,
                (remark.result() if remark else ()) + left_out.get(kind, ()), context.profile.variant, sources.filled)
        for (kind, ds), file, remark in zip(objects, files, remarks, strict=True)
    )


def _shown(objects: Sequence[tuple[str, Dataset]], files: Sequence[bytes],
           context: EncodeContext) -> Iterator[bytes | None]:
    """What dciodvfy is shown of each object; nothing where it is not asked, or another picture was shown before."""
    seen: set[str] = set()
    for (kind, ds), file in zip(objects, files, strict=True):
        if not context.dciodvfy or (kind in seen and kind != seg.KIND):
            yield None
            continue
        seen.add(kind)
        short = excerpt(ds)
        yield part10(short, context.profile) if short else file


def where(fault: BaseException) -> str:
    place = fault.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" in {place.tb_frame.f_code.co_name}, line {place.tb_lineno}" if place else ""
    return f"{type(fault).__name__}{where}"
