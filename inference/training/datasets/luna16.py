"""LUNA16: chest CTs in ten folders with a list of nodules; outlines from LIDC-IDRI where they are given.

    subset0/SERIES.mhd with SERIES.raw … subset9/   the CTs; the folder's number is the fold that is published
    annotations.csv                                 nodules of 3 mm or more that three of four readers accepted
    annotations_excluded.csv                        irrelevant findings: neither right nor wrong
    masks/SERIES.mhd                                only in our own export: a label map (1 nodule)

Which nodules count is the list's word; their voxels are, in this order: those of masks/; those that half of the readers
outlined in LIDC's XML (`lidc.py`), outlines that meet no listed nodule left out; else a sphere of the listed diameter.
A note on the case says which. TCIA publishes the XML of a few series more than once, nearly always with the same
outlines below another header; a case whose files outline it differently is refused, and the others are not.

LUNA16 does not say which scans are of one patient, and some of LIDC's patients were scanned twice: `patients` names a
table that does (NBIA's metadata.csv); without it each scan counts as a patient, but for those of our own export, which
tells (`exported.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.errors import BadCase, DataError, Unfit, WrongFolder
from inference.tasks import LUNG_NODULE
from inference.tasks.lung_nodule import NODULE
from inference.training.datasets.base import CaseRef, DataSet, LabelledCase, Mark, digest_files
from inference.training.datasets.checks import labels_from, labels_on, read_images, read_volume
from inference.training.datasets.exported import exported_patients
from inference.training.datasets.files import check_once, files_under, wrong_folder
from inference.training.datasets.lidc import Nodule, agreed, alike, read_outlines, series_of
from inference.training.datasets.luna16_tables import read_marks, read_patients
from inference.volume import Grid

_SUBSET = re.compile(r"subset(\d+)")

SPHERES = "The truth is spheres of the annotated diameter, no outlines."
ALL_RELEVANT = "annotations_excluded.csv is not there: no finding counts as irrelevant."


class Luna16(DataSet):
    """LUNA16 in `folder`; `lidc_xml` is a folder of LIDC-IDRI's XML files, `patients` a table of whose a series is."""

    layout = "LUNA16"
    card = LUNG_NODULE

    def __init__(self, folder: Path, lidc_xml: Path | None = None, patients: Path | None = None) -> None:
        self.folder = folder
        self.lidc_xml = lidc_xml
        self.patients = patients

    def cases(self) -> list[CaseRef]:
        scans = self._scans()
        if not scans:
            raise wrong_folder(self.folder, self.layout, "subsetN/SERIES.mhd with SERIES.raw", self._files)
        if self._annotations is None and not self._masks:
            raise WrongFolder(f"{self.folder} holds {len(scans)} scans of {self.layout} and no annotations.csv that "
                              "says where their nodules are.")
        patients = read_patients(self.patients) if self.patients else self._own(scans)
        unknown = [series for series in scans if series not in patients]
        if unknown and self.patients:
            raise DataError(f"{self.patients.name} does not say whose {len(unknown)} of {len(scans)} scans are, such "
                            f"as {unknown[0]}.")
        return [CaseRef(series, patients[series], {"CT": path}, next(iter(self._truths(series)), None),
                        int(path.parent.name.removeprefix("subset")))
                for series, path in sorted(scans.items())]

    def _own(self, scans: Iterable[str]) -> dict[str, str]:
        """Each scan as a patient of its own, but for those of our export."""
        exported = exported_patients(self._files)
        return {series: exported.get(int(series), series) if series.isdecimal() else series for series in scans}

    def read(self, ref: CaseRef) -> LabelledCase:
        volumes = read_images(self.card, ref, {"CT": f"{ref.case_id}.mhd"})
        grid = volumes["CT"].grid
        lesions = (self._annotations or {}).get(ref.case_id, ())
        irrelevant = (self._excluded or {}).get(ref.case_id, ())
        truth, notes = self._truth(ref, lesions, grid)
        if self._excluded is None:
            notes.append(ALL_RELEVANT)
        return LabelledCase(ref.case_id, ref.patient_id, self.card, volumes, truth, lesions, irrelevant,
                            registered=True, notes=tuple(notes))

    def fingerprint(self, ref: CaseRef) -> str:
        return digest_files(ref.images, self._truths(ref.case_id),
                            (self._annotations or {}).get(ref.case_id, ()), (self._excluded or {}).get(ref.case_id, ()))

    def _truth(self, ref: CaseRef, lesions: tuple[Mark, ...], grid: Grid) -> tuple[NDArray[np.uint8], list[str]]:
        if ref.truth is not None and ref.truth.suffix != ".xml":
            stored = read_volume(ref.truth, ref.case_id, "signal")
            array = labels_on(stored, grid, ref.truth, ref.case_id)
            return labels_from(array, {NODULE: NODULE}, ref.truth, ref.case_id), []
        if self._annotations is None:
            raise BadCase(ref.case_id, f"it has no masks/{ref.case_id}.mhd, and there is no annotations.csv.")
        nodules = _outlined(self._xml.get(ref.case_id, []), ref.case_id, grid)
        truth = np.zeros(grid.shape, dtype=np.uint8)
        spheres, used = 0, set()
        for mark in lesions:
            sphere = sphere_voxels(mark, grid, ref.case_id)
            best = _best(nodules, sphere)
            used.add(best)
            spheres += best is None
            truth.reshape(-1)[sphere if best is None else nodules[best].voxels] = NODULE
        return truth, _notes(nodules, len(used - {None}), spheres, len(lesions))

    def _truths(self, series: str) -> list[Path]:
        """What a case's truth is made of: its mask, else LIDC's files of it, of which there may be several."""
        return [self._masks[series]] if series in self._masks else self._xml.get(series, [])

    @cached_property
    def _files(self) -> list[Path]:
        return files_under(self.folder)

    def _scans(self) -> dict[str, Path]:
        return self._by_series(lambda folder: _SUBSET.fullmatch(folder) is not None)

    @cached_property
    def _masks(self) -> dict[str, Path]:
        return self._by_series(lambda folder: folder == "masks")

    def _by_series(self, wanted: Callable[[str], bool]) -> dict[str, Path]:
        """MetaImage files by the series that they are named after, from the folders that are wanted."""
        found: dict[str, Path] = {}
        for path in self._files:
            if path.suffix == ".mhd" and wanted(path.parent.name):
                check_once(self.layout, self.folder, found.get(path.stem), path)
                found[path.stem] = path
        return found

    @cached_property
    def _xml(self) -> dict[str, list[Path]]:
        """LIDC's files by series, copies left out; files of other things are passed over."""
        found: dict[str, list[Path]] = {}
        if self.lidc_xml is None:
            return found
        files = [path for path in files_under(self.lidc_xml) if path.suffix == ".xml"]
        for path in files:
            if series := series_of(path):
                known = found.setdefault(series, [])
                if all(path.read_bytes() != other.read_bytes() for other in known):
                    known.append(path)
        if not found:
            raise wrong_folder(self.lidc_xml, "LIDC-IDRI", "*.xml with outlines (LidcReadMessage)", files)
        return found

    @cached_property
    def _annotations(self) -> dict[str, tuple[Mark, ...]] | None:
        return self._table("annotations.csv", sized=True)

    @cached_property
    def _excluded(self) -> dict[str, tuple[Mark, ...]] | None:
        return self._table("annotations_excluded.csv", sized=False)

    def _table(self, name: str, *, sized: bool) -> dict[str, tuple[Mark, ...]] | None:
        """The table nearest to the folder's top; the evaluation script brings a second copy further down.

        WrongFolder where two that say different things are equally near.
        """
        files = sorted((path for path in self._files if path.name == name), key=lambda path: len(path.parts))
        if not files:
            return None
        for other in files[1:]:
            if len(other.parts) == len(files[0].parts) and other.read_bytes() != files[0].read_bytes():
                check_once(self.layout, self.folder, files[0], other)
        return read_marks(files[0], sized=sized)


def sphere_voxels(mark: Mark, grid: Grid, case_id: str) -> NDArray[np.int64]:
    """Flat indices of the voxels whose centres lie in a sphere; its nearest voxel where it holds none.

    BadCase where the centre lies outside the scan.
    """
    centre = grid.to_index(mark.centre)
    if (centre < -0.5).any() or (centre > np.array(grid.shape) - 0.5).any():
        raise BadCase(case_id, f"annotations.csv places a nodule at {_words(mark)}, outside the scan.")
    # The box around a sphere in index space: as far as any axis of the inverse reaches.
    reach = np.linalg.norm(np.linalg.inv(grid.affine[:3, :3]), axis=1) * mark.diameter_mm / 2
    low = np.maximum(np.floor(centre - reach).astype(int), 0)
    high = np.minimum(np.ceil(centre + reach).astype(int) + 1, grid.shape)
    indices = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), axis=-1).reshape(-1, 3)
    inside = indices[np.linalg.norm(grid.to_lps(indices) - mark.centre, axis=1) <= mark.diameter_mm / 2]
    if not len(inside):
        inside = np.clip(np.rint(centre).astype(int), 0, np.array(grid.shape) - 1)[None]
    return np.asarray(np.ravel_multi_index(tuple(inside.T), grid.shape), dtype=np.int64)


def _outlined(paths: list[Path], case_id: str, grid: Grid) -> list[Nodule]:
    """What the readers of a case agree on, none where it has no file; BadCase where its files outline other things."""
    if not paths:
        return []
    try:
        first, *others = map(read_outlines, paths)
        nodules = agreed(first, grid)
    except (Unfit, OSError) as fault:
        raise BadCase(case_id, f"{paths[0].name}: {fault}") from fault
    for path, other in zip(paths[1:], others, strict=True):
        if not alike(first, other):
            raise BadCase(case_id, f"{_in_folder(paths[0])} and {_in_folder(path)} outline it differently: leave the "
                                   "one there that counts, the corrected one where LIDC has corrected it.")
    return nodules


def _in_folder(path: Path) -> str:
    """A file with its folder: LIDC calls several by one name."""
    return "/".join(path.parts[-2:])


def _best(nodules: list[Nodule], sphere: NDArray[np.int64]) -> int | None:
    """The outlined nodule with most voxels inside a listed one's sphere; None where none has any."""
    shared = [np.isin(nodule.voxels, sphere).sum() for nodule in nodules]
    return int(np.argmax(shared)) if any(shared) else None


def _notes(nodules: list[Nodule], used: int, spheres: int, listed: int) -> list[str]:
    if not nodules:
        return [SPHERES] if listed else []
    notes = ["The truth is what at least half of a nodule's readers outlined."]
    if spheres:
        notes.append(f"{spheres} of {listed} nodules meet no outline: spheres of the annotated diameter stand for "
                     "them.")  # fmt: skip
    if len(nodules) > used:
        notes.append(f"{len(nodules) - used} outlined nodules are not listed in annotations.csv, and no truth.")
    return notes


def _words(mark: Mark) -> str:
    return "x {:.1f}, y {:.1f}, z {:.1f} mm".format(*mark.centre)
