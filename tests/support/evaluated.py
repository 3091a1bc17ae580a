"""Results of evaluations, made up where a test needs figures and not a model."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from inference.evaluation.calibration import reliability
from inference.evaluation.candidates import Candidate, Nodule
from inference.evaluation.detection import Froc, froc
from inference.evaluation.intervals import Resampling
from inference.evaluation.lesions import LesionScore, LesionScores
from inference.evaluation.report import EvaluationReport, ReportSettings, ReportText, build_report
from inference.evaluation.results import DatasetResult, Failure, LossPoint, Overlay, RegionScore

QUICK = ReportSettings(resampling=Resampling(resamples=100))


def score(case: str, region: str = "tumour", dice: float = 0.8, **other: object) -> RegionScore:
    """A plausible row of one Dice; a lesion hit in it, another missed, a third false."""
    lesions = LesionScores(lesions=(LesionScore(diameter_mm=12.0, volume_ml=0.9, hit=True, dice=dice, hd95_mm=1.5),
                                    LesionScore(diameter_mm=4.0, volume_ml=0.03, hit=False, dice=0.0, hd95_mm=np.inf)),
                           found=2, false=1)
    row = {"iou": dice / (2 - dice), "precision": dice, "recall": dice, "f1": dice, "hausdorff_mm": 10 * (1 - dice),
           "hd95_mm": 8 * (1 - dice), "assd_mm": 1 - dice, "surface_dice": dice, "tolerance_mm": 2.0,
           "volume_error": dice - 1, "truth_ml": 2.0, "found_ml": 2.0 * dice, "lesion_dice": lesions.dice,
           "lesion_hd95_mm": lesions.hd95_mm(374.0), "lesions": lesions}
    return RegionScore(case=case, region=region, dice=dice, **(row | other))


def organ(case: str, dice: float = 0.95) -> RegionScore:
    """A row without lesions."""
    return score(case, "organ", dice, lesion_dice=None, lesion_hd95_mm=None, lesions=None)


def png() -> str:
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode()


def dataset(name: str = "phantom livers", offset: float = 0.0, cases: int = 6, *,
            phantoms: bool = True) -> DatasetResult:
    """Cases of growing Dice, one that failed, and three pictures."""
    rows = []
    for n in range(cases):
        rows += [organ(f"case-{n}"), score(f"case-{n}", dice=0.5 + 0.06 * n + offset)]
    overlays = tuple(
        Overlay(case=f"case-{n}", rank=rank, region="tumour", dice=0.8, slice_number=3, slices=9, png=png())
        for n, rank in enumerate(("best", "median", "worst")))
    chances = np.linspace(0, 1, 50)
    return DatasetResult(name=name, headline="tumour", phantoms=phantoms, scores=tuple(rows), overlays=overlays,
                         failures=(Failure(case="case-x", reason="shows no <liver> & more"),),
                         calibration=(reliability("tumour", chances, chances > 0.4),))


def detector() -> Froc:
    """Three scans, three nodules, two found, one false positive."""
    scans = ("a", "b", "c")
    nodules = [Nodule(scan, (0.0, 0.0, 0.0), 8.0) for scan in scans]
    marks = [Candidate("a", (0.0, 0.0, 0.0), 0.9), Candidate("b", (50.0, 0.0, 0.0), 0.8),
             Candidate("b", (0.0, 0.0, 0.0), 0.7)]
    return froc("nodule scans", scans, nodules, marks, resampling=QUICK.resampling)


def report(*, phantoms: bool = True, settings: ReportSettings = QUICK) -> EvaluationReport:
    """A report with everything in it."""
    lost = dataset("real livers", 0.05, phantoms=phantoms)
    lost = lost.model_copy(update={"scores": (*lost.scores, organ("none"), score("none", dice=0.0, hausdorff_mm=np.inf,
                                                                                 hd95_mm=np.inf, assd_mm=np.inf))})
    losses = tuple(LossPoint(epoch=n, training=1 / n, validation=1.1 / n if n % 2 else None) for n in range(1, 8))
    text = ReportText(title="How good is <it>?", model="hybrid 1.0", created="2026-01-15", trained_on_phantoms=phantoms)
    return build_report(text, [dataset(phantoms=phantoms), lost], settings, losses=losses, detections=[detector()],
                        detections_on_phantoms=phantoms)
