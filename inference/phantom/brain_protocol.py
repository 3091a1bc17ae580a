"""The brain scanner's console: which plane, spacing and technique each series of a study gets."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from inference.phantom.mr import Protocol
from inference.volume import Spacing
from inference.writers.acquisition import MR_TECHNIQUES, Acquisition, MRTechnique, StudyDetails, Weighting

# Plane and whether it is a 3D acquisition, by role, with the share of sites that do it so.
_HABITS: dict[str, tuple[tuple[str, bool, float], ...]] = {
    "T1": (("axial", False, 0.5), ("sagittal", False, 0.25), ("sagittal", True, 0.25)),
    "T1ce": (("sagittal", True, 0.4), ("axial", True, 0.3), ("axial", False, 0.3)),
    "T2": (("axial", False, 0.75), ("coronal", False, 0.25)),
    "FLAIR": (("axial", False, 0.6), ("sagittal", True, 0.25), ("coronal", False, 0.15)),
}
_SHORT = {"axial": "tra", "sagittal": "sag", "coronal": "cor"}
_VOLUMETRIC: dict[Weighting, MRTechnique] = {
    "T1": MRTechnique(("GR", "IR"), ("SP", "MP"), "3D", 2.6, 1900.0, 900.0, 9.0),
    "T1ce": MR_TECHNIQUES["T1ce"],
    "FLAIR": MRTechnique(("SE", "IR"), ("SK", "SP", "MP"), "3D", 390.0, 5000.0, 1800.0, 120.0, 220),
}
_FLAT: dict[Weighting, MRTechnique] = {**MR_TECHNIQUES, "T1ce": MR_TECHNIQUES["T1"]}
_NAMES = {("T1", False): "t1_se", ("T1", True): "t1_mprage", ("T1ce", False): "t1_se", ("T1ce", True): "t1_mprage",
          ("T2", False): "t2_tse", ("FLAIR", False): "t2_flair", ("FLAIR", True): "t2_space_dark-fluid"}
_EXTENT = {"axial": (165.0, 240.0, 205.0), "sagittal": (180.0, 215.0, 240.0), "coronal": (215.0, 205.0, 205.0)}
ADC = Protocol("axial", Spacing(5.5, 1.8, 1.8), 5.0, (143.0, 230.4, 230.4), False)
REFORMAT = Protocol("coronal", Spacing(6.0, 1.2, 1.2), 6.0, (180.0, 204.0, 192.0), True)
_ADC_TECHNIQUE = MRTechnique(("EP",), ("SK", "SP"), "2D", 80.0, 6500.0, None, 90.0, 1)


def plan(role: str, rng: np.random.Generator) -> Protocol:
    """A site's protocol for this role: 3D at 1.2-2 mm or slices of 3-5 mm every 3-6 mm; 0.9-1.3 mm in plane."""
    habits = _HABITS[role]
    plane, volumetric, _ = habits[rng.choice(len(habits), p=[h[2] for h in habits])]
    in_plane = rng.uniform(0.9, 1.3)
    if volumetric:
        step = thickness = rng.uniform(1.2, 1.6 if plane == "sagittal" else 2.0)
        in_plane = max(in_plane, 1.0)
    else:
        thickness = rng.uniform(3, 5)
        step = thickness * rng.uniform(1.0, 1.2)
    tilt = rng.uniform(-8, 8, 3) if rng.random() < 0.7 else np.zeros(3)
    centre = rng.uniform(-4, 4, 3) + np.array([0, 0, -4])
    return Protocol(plane, Spacing(step, in_plane, in_plane), thickness, _EXTENT[plane], volumetric, _triple(tilt),
                    _triple(centre))


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    first, second, third = (float(v) for v in values)
    return first, second, third


def describe(role: str, protocol: Protocol, study: StudyDetails, number: int) -> Acquisition:
    """What the scanner writes about the series of this role."""
    name = f"{_NAMES[role, protocol.volumetric]}_{_SHORT[protocol.plane]}{'_km' if role == 'T1ce' else ''}"
    weighting = cast(Weighting, role)
    technique = (_VOLUMETRIC if protocol.volumetric else _FLAT)[weighting]
    return Acquisition.mr(study, weighting, technique=technique, series_number=number,
                          series_description=name, protocol_name=name, slice_thickness=round(protocol.thickness, 3),
                          acquisition_time=f"10{16 + 4 * number:02d}00")


def describe_adc(study: StudyDetails, number: int) -> Acquisition:
    """An apparent diffusion coefficient map, derived by the scanner."""
    base = Acquisition.mr(study, "T2", "ADC", technique=_ADC_TECHNIQUE, series_number=number, slice_thickness=5.0)
    return replace(base, series_description="ep2d_diff_ADC", protocol_name="ep2d_diff",
                   image_type=("DERIVED", "PRIMARY", "DIFFUSION", "ADC", "ND"))


def describe_reformat(study: StudyDetails, number: int) -> Acquisition:
    """A reformat of the T1ce series, made at the console."""
    base = Acquisition.mr(study, "T1ce", "reformat", series_number=number, slice_thickness=6.0)
    return replace(base, series_description="t1_mprage_km_MPR_cor", protocol_name="t1_mprage_sag_km",
                   image_type=("DERIVED", "SECONDARY", "MPR", "CSA MPR"))
