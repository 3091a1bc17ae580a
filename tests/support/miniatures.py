"""Data sets of a few hundred kilobytes in the layouts that BraTS, LiTS, LUNA16 and LIDC-IDRI are published in.

Cases are balls with known truth on small oblique grids. Voxels are whole numbers, so that they come back as they went.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from inference.tasks import BRAIN_TUMOUR, LIVER_TUMOUR, LUNG_NODULE, TaskCard
from inference.training.datasets.base import Mark
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

SHAPE = (12, 24, 22)
SPACING = Spacing(2.5, 1.2, 1.0)
ORIGIN = (-31.5, 12.25, -140.0)

AXIAL = np.eye(3)[:, ::-1]
FLIPPED = AXIAL * [1, -1, -1]  # rows to the right, columns to the front: as prone patients lie in LUNA16
TURNED = np.linalg.qr(np.array([[0.2, 0.3, 0.9], [0.1, 0.9, -0.3], [-0.95, 0.2, 0.1]]))[0]
TURNED *= [-np.sign(np.linalg.det(TURNED)), 1, 1]  # slices along row × column, as readers give them
DIRECTIONS = {"axial": AXIAL, "flipped": FLIPPED, "oblique": TURNED}

# Lesions small enough for the miniatures' livers.
SMALL_LESIONS = {"share": 1, "label": 2, "within": 1, "median_mm": 5, "spread": 0.1, "largest_mm": 6, "through_hu": 0,
                 "densities": [{"weight": 1, "relative": True, "hu": [-80, -60]}]}

# How files of a role end in each naming of BraTS, and what a case is called there.
BRATS_OLD = {"T1": "_t1", "T1ce": "_t1ce", "T2": "_t2", "FLAIR": "_flair", "truth": "_seg"}
BRATS_NEW = {"T1": "-t1n", "T1ce": "-t1c", "T2": "-t2w", "FLAIR": "-t2f", "truth": "-seg"}
BRATS_CASES = {
    "2019": "BraTS19_CBICA_A{n:02d}_1",
    "2020": "BraTS20_Training_{n:03d}",
    "2021": "BraTS2021_{n:05d}",
    "2023": "BraTS-GLI-{n:05d}-000",
    "2024": "BraTS-GLI-{n:05d}-100",
}


@dataclass(frozen=True, eq=False)
class Miniature:
    """One drawn case: volumes by role, truth uint8 (z, y, x) on their one grid, its nodules in LPS mm."""

    volumes: dict[str, Volume]
    truth: NDArray[np.uint8]
    nodules: tuple[Mark, ...] = ()

    @property
    def grid(self) -> Grid:
        """The grid of all of it."""
        return next(iter(self.volumes.values())).grid


def grid_of(directions: str = "oblique", shape: tuple[int, int, int] = SHAPE, spacing: Spacing = SPACING) -> Grid:
    """A small grid: axial, flipped or oblique."""
    return Grid(shape, regular_affine(ORIGIN, DIRECTIONS[directions], spacing), "1.2.3.4")


def distance(grid: Grid, centre: Sequence[float]) -> NDArray[np.float64]:
    """Of every voxel's centre from a place, (z, y, x), in mm."""
    places = np.moveaxis(np.indices(grid.shape), 0, -1)
    return np.asarray(np.linalg.norm(grid.to_lps(places) - np.asarray(centre), axis=-1))


def draw(card: TaskCard, seed: int, grid: Grid | None = None) -> Miniature:
    """Nested balls around one place, a label each and the later one inside; every label of the card is there."""
    grid = grid or grid_of()
    rng = np.random.default_rng(seed)
    middle = grid.to_lps((np.array(grid.shape) - 1) / 2)
    centre = middle + rng.uniform(-2, 2, 3)
    off = distance(grid, centre)
    radii = [8.0] if card is LUNG_NODULE else [9.0, 6.5, 4.5]
    truth = np.zeros(grid.shape, dtype=np.uint8)
    for structure, radius in zip(card.structures, radii, strict=False):
        truth[off <= radius] = structure.label
    volumes = {}
    for number, role in enumerate(card.roles):
        base = -850 if card is LUNG_NODULE else 40 if role.units == "HU" else 300
        array = base + 150 * (number + 1) * truth.astype(np.float32) + np.rint(rng.normal(0, 12, grid.shape))
        array[off > 25] = -1000 if role.units == "HU" else 0
        volumes[role.name] = Volume(array.astype(np.float32), grid, role.units)
    nodules = (Mark(tuple(float(v) for v in centre), 2 * radii[0]),) if card is LUNG_NODULE else ()
    return Miniature(volumes, truth, nodules)


def write_brats(folder: Path, cases: Mapping[int, Miniature], release: str = "2023", ending: str = ".nii.gz") -> None:
    """Cases by number in the layout of a year: 2019, 2020, 2021, 2023 or 2024."""
    new = "-" in BRATS_CASES[release]
    for n, case in cases.items():
        name = BRATS_CASES[release].format(n=n)
        stored = case.truth if new else np.where(case.truth == 3, 4, case.truth)
        for role, end in (BRATS_NEW if new else BRATS_OLD).items():
            array = stored if role == "truth" else case.volumes[role].array
            write_image(array.astype(np.int16), case.grid, folder / name / f"{name}{end}{ending}")


def write_lits(folder: Path, cases: Mapping[int, Miniature], ending: str = ".nii") -> None:
    """Cases by number, the even ones in Training Batch 1, the odd ones in Training Batch 2."""
    for n, case in cases.items():
        batch = folder / f"Training Batch {1 + n % 2}"
        write_image(case.volumes["CT"].array.astype(np.int16), case.grid, batch / f"volume-{n}{ending}")
        write_image(case.truth, case.grid, batch / f"segmentation-{n}{ending}")


def write_organs(folder: Path, cases: Mapping[int, Miniature], ending: str = ".nii.gz") -> None:
    """The CTs of cases by number as if nothing were in their livers, with masks of those; odd ones in own folders."""
    for n, case in cases.items():
        organ = case.truth > 0
        array = np.where(organ, 110, case.volumes["CT"].array).astype(np.int16)
        image, mask = (f"scan-{n}/ct", f"scan-{n}/segmentations/liver") if n % 2 else (f"scan-{n}", f"scan-{n}_liver")
        write_image(array, case.grid, folder / f"{image}{ending}")
        write_image(organ.astype(np.uint8), case.grid, folder / f"{mask}{ending}")


def write_lits_series(folder: Path, n: int, case: Miniature) -> list[Path]:
    """A LiTS CT as a DICOM series in the folder volume-N; its truth is the caller's."""
    return write_series(case.volumes["CT"], Acquisition.ct(StudyDetails.of(f"lits {n}")), folder / f"volume-{n}")


def series_uid(n: int) -> str:
    """The Series Instance UID of a LUNA16 case."""
    return f"1.3.6.1.4.1.14519.5.2.1.6279.6001.{100 + n}"


def write_luna16(folder: Path, cases: Mapping[int, Miniature], irrelevant: Mapping[int, Sequence[Mark]] | None = None,
                 subsets: int = 10) -> None:
    """Cases by number, case n in subset n modulo `subsets`, with both tables."""
    for n, case in cases.items():
        path = folder / f"subset{n % subsets}" / f"{series_uid(n)}.mhd"
        write_image(case.volumes["CT"].array.astype(np.int16), case.grid, path)
    write_marks(folder / "annotations.csv", {series_uid(n): case.nodules for n, case in cases.items()})
    write_marks(folder / "annotations_excluded.csv",
                {series_uid(n): marks for n, marks in (irrelevant or {}).items()})


def write_marks(path: Path, marks: Mapping[str, Iterable[Mark]]) -> None:
    """A table of places, as annotations.csv and annotations_excluded.csv are."""
    lines = ["seriesuid,coordX,coordY,coordZ,diameter_mm"]
    lines += [",".join(map(str, (series, *mark.centre, mark.diameter_mm)))
              for series, listed in marks.items() for mark in listed]
    path.write_text("\n".join(lines) + "\n")


def lidc_xml(series: str, readers: Sequence[Sequence[Sequence[str]]]) -> str:
    """An LIDC file: by reader, by nodule, its regions as `region` or `regions_around` make them."""
    sessions = "".join(
        "<readingSession><annotationVersion>3.12</annotationVersion>"
        + "".join(f"<unblindedReadNodule><noduleID>{n}</noduleID>{''.join(regions)}</unblindedReadNodule>"
                  for n, regions in enumerate(nodules))
        + "<nonNodule><nonNoduleID>7</nonNoduleID><imageZposition>0</imageZposition></nonNodule></readingSession>"
        for nodules in readers
    )
    return ('<?xml version="1.0" encoding="UTF-8"?><LidcReadMessage uid="1.3.6" xmlns="http://www.nih.gov">'
            f"<ResponseHeader><SeriesInstanceUid>{series}</SeriesInstanceUid></ResponseHeader>"
            f"{sessions}</LidcReadMessage>")


def region(z_mm: float, pixels: Iterable[tuple[int, int]], *, included: bool = True) -> str:
    """One region of an LIDC nodule from its outline's pixels as (column, row)."""
    edges = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in pixels)
    return (f"<roi><imageZposition>{z_mm}</imageZposition><imageSOP_UID>1.2</imageSOP_UID>"
            f"<inclusion>{'TRUE' if included else 'FALSE'}</inclusion>{edges}</roi>")


def regions_around(mask: NDArray[np.bool_], grid: Grid) -> list[str]:
    """A convex mask (z, y, x) as a reader outlines it: on each slice, around its outermost pixels."""
    regions = []
    for k in np.flatnonzero(mask.any(axis=(1, 2))):
        rows, columns = np.nonzero(ndimage.binary_dilation(mask[k]) & ~mask[k])
        turn = np.argsort(np.arctan2(rows - np.nonzero(mask[k])[0].mean(), columns - np.nonzero(mask[k])[1].mean()))
        z_mm = float(grid.to_lps((k, 0, 0))[2])
        regions.append(region(z_mm, zip(columns[turn].tolist(), rows[turn].tolist(), strict=True)))
    return regions


def write_image(array: NDArray[np.generic], grid: Grid, path: Path) -> None:
    """Voxels (z, y, x) as NIfTI (.nii, .nii.gz) or MetaImage (.mhd with .raw), wherever the grid lies."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    image.SetSpacing(grid.spacing[::-1])
    image.SetOrigin(grid.origin.tolist())
    image.SetDirection(grid.directions[:, ::-1].ravel().tolist())
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))


def write_data_set(kind: str, folder: Path, count: int = 3) -> dict[int, Miniature]:
    """A miniature of a kind (brats, lits, luna16, organs) with cases 0, 1, 2…; the cases as they were drawn."""
    card = {"brats": BRAIN_TUMOUR, "lits": LIVER_TUMOUR, "luna16": LUNG_NODULE, "organs": LIVER_TUMOUR}[kind]
    cases = {n: draw(card, n) for n in range(count)}
    write = {"brats": write_brats, "lits": write_lits, "luna16": write_luna16, "organs": write_organs}[kind]
    write(folder, cases)
    return cases
