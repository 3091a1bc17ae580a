"""What lies in a folder, which published layout that is, and the sentence where it is another one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from inference.errors import WrongFolder

MAX_FILES = 2_000_000
DEPTH = 8  # folders below the one that is named; an archive of LiTS unpacks into six, often in a folder of its name

# How each layout's files are called: as people write it, and as a pattern of the path below the folder.
_TRACES = (
    ("BraTS 2017 to 2021's", "CASE_flair.nii", re.compile(r"(?i)(?:^|/)brats\w+_(t1|t1ce|t2|flair|seg)\.nii(\.gz)?$")),
    ("BraTS 2023's", "CASE-t2f.nii", re.compile(r"(?i)(?:^|/)\w+-[\w-]+-(t1n|t1c|t2w|t2f|seg)\.nii(\.gz)?$")),
    ("LiTS's", "volume-N.nii", re.compile(r"(?:^|/)(volume|segmentation)-\d+\.nii(\.gz)?$")),
    ("LUNA16's", "subsetN/SERIES.mhd", re.compile(r"(?:^|/)subset\d+/[^/]+\.mhd$")),
    ("the Medical Segmentation Decathlon's", "imagesTr/CASE.nii.gz",
     re.compile(r"(?:^|/)(imagesTr|labelsTr)/[^/]+\.nii\.gz$")),
    ("a DICOM folder's", "*.dcm", re.compile(r"\.dcm$")),
)  # fmt: skip


def files_under(folder: Path, depth: int = DEPTH) -> list[Path]:
    """Every file below a folder in a fixed order, hidden ones left out; WrongFolder where there is no such folder.

    Hidden are the `._NAME` doubles too that macOS leaves in archives. Links are followed, `depth` folders deep.
    """
    if not folder.is_dir():
        raise WrongFolder(f"{folder} is {'a file, not a folder' if folder.exists() else 'not there'}.")
    found: list[Path] = []
    try:
        for path in _walk(folder, depth):
            found.append(path)
            if len(found) > MAX_FILES:
                raise WrongFolder(f"{folder} holds more than {MAX_FILES} files: name the folder of one data set.")
    except OSError as fault:
        raise WrongFolder(f"{folder} cannot be read: {fault.strerror}.") from fault
    return found


def wrong_folder(folder: Path, layout: str, wanted: str, files: list[Path]) -> WrongFolder:
    """The sentence for a folder without a case: what was looked for, and what lies there instead."""
    return WrongFolder(f"{folder} holds no case of {layout}: looked for {wanted}; {_found(folder, files)}.")


def check_once(layout: str, folder: Path, known: Path | None, path: Path) -> None:
    """WrongFolder where a case's file is there twice: one of them may be a copy under a changed truth."""
    if known is not None and known != path:
        raise WrongFolder(f"{folder} holds one file of {layout} twice: {known.relative_to(folder)} and "
                          f"{path.relative_to(folder)}; leave one of them there.")


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX")))
    for path in entries:
        if path.is_dir():
            if depth > 0:
                yield from _walk(path, depth - 1)
        elif path.is_file():
            yield path


def _found(folder: Path, files: list[Path]) -> str:
    if not files:
        return "found no file at all"
    names = [path.relative_to(folder).as_posix() for path in files]
    for layout, written, pattern in _TRACES:
        count = sum(1 for name in names if pattern.search(name))
        if count:
            return f"found {count} files such as {written}, which is {layout} layout"
    endings = Counter(_ending(path) for path in files).most_common(3)
    return f"found {len(files)} files, of which {', '.join(f'{count} {ending}' for ending, count in endings)}"


def _ending(path: Path) -> str:
    return "*.nii.gz" if path.name.endswith(".nii.gz") else f"*{path.suffix}" if path.suffix else "without an ending"
