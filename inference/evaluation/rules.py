"""By which rules a region is judged: the tolerance of its surface, and what counts as one lesion."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import Field

from inference.evaluation.record import Record
from inference.evaluation.surface import BRATS_2021_PENALTY_MM


class LesionRules(Record):
    """What one lesion is, and when it was found (lesion-wise scores of BraTS 2023).

    True lesions that touch once each has grown by `dilation` voxels (over faces and edges, 18 neighbours) are one.
    A true lesion is hit where any found lesion (26 neighbours) touches it, so grown. Those of no more than
    `minimum_mm3` are not judged; what touches them is no false lesion either.
    """

    dilation: int = Field(default=0, ge=0, le=20)
    minimum_mm3: float = Field(default=0.0, ge=0)
    penalty_mm: float = Field(default=BRATS_2021_PENALTY_MM, gt=0)  # HD95 of a lesion missed, and of a false one


BRATS_2023_GLIOMA = LesionRules(dilation=3, minimum_mm3=50.0)  # the same for SSA and PED; voxels of 1 mm
BRATS_2023_MENINGIOMA = LesionRules(dilation=1, minimum_mm3=50.0)
BRATS_2023_METASTASES = LesionRules(dilation=1, minimum_mm3=2.0)


class RegionRules(Record):
    """How a region is judged; `lesions` is None where it is an organ, of which there is one."""

    tolerance_mm: float = Field(default=2.0, ge=0)
    lesions: LesionRules | None = None


RULES: dict[str, dict[str, RegionRules]] = {
    "brain_tumour": {
        name: RegionRules(lesions=BRATS_2023_GLIOMA) for name in ("whole tumour", "tumour core", "enhancing tumour")
    },
    "liver_tumour": {"liver": RegionRules(), "liver tumour": RegionRules(lesions=LesionRules())},
    "lung_nodule": {"nodule": RegionRules(tolerance_mm=1.0, lesions=LesionRules())},
}


# by task, the region that stands for a data set in short tables (paper Table 6)
HEADLINES = {"brain_tumour": "whole tumour", "liver_tumour": "liver tumour", "lung_nodule": "nodule"}


class DiameterBand(NamedTuple):
    """Lesions from `low` mm to less than `high` mm long."""

    name: str
    low: float
    high: float

    def holds(self, diameter_mm: float) -> bool:
        """True where a lesion of this diameter belongs here."""
        return self.low <= diameter_mm < self.high


DIAMETER_BANDS = (
    DiameterBand("< 3 mm", 0.0, 3.0),
    DiameterBand("3–6 mm", 3.0, 6.0),
    DiameterBand("6–10 mm", 6.0, 10.0),
    DiameterBand("≥ 10 mm", 10.0, float("inf")),
)
