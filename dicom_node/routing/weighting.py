"""What an MR series weighs: the physics first, the descriptions where the header has none.

Thresholds follow published header classifiers (SWANe, django-mri) and vendors' usual protocols:
FLAIR has an inversion time of 1500-3000 ms and a long repetition time on every vendor, however its
ScanningSequence is coded; T1-FLAIR and MPRAGE invert at 400-1200 ms with a short echo; MP2RAGE inversion
images look like both and are neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dicom_node.routing.header import Header, number, plain, text, words
from dicom_node.routing.vocabulary import compiled


class Weight(StrEnum):
    """A contrast that brain models ask for, or another one that they must not get."""

    T1 = "T1"
    T2 = "T2"
    FLAIR = "FLAIR"
    T2_STAR = "T2*"
    PD = "PD"
    STIR = "STIR"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Weighting:
    """The contrast, why, and whether the physics said so."""

    weight: Weight
    reason: str
    by_physics: bool = False


@dataclass(frozen=True)
class Physics:
    """The acquisition's numbers in ms and its codes (PS3.3 C.8.3.1)."""

    te: float | None
    tr: float | None
    ti: float | None
    sequence: frozenset[str]
    variant: frozenset[str]

    @property
    def gradient(self) -> bool:
        """A gradient echo, with or without inversion, and no spin echo."""
        return "GR" in self.sequence and "SE" not in self.sequence

    @property
    def inverted(self) -> bool:
        """An inversion pulse comes first, by its code or its time."""
        return "IR" in self.sequence or (self.ti or 0.0) > 0.0

    @property
    def balanced(self) -> bool:
        """Steady state without spoiling (CISS, FIESTA, bFFE): short times, T2/T1 contrast."""
        return "SS" in self.variant and not self.variant & {"SP", "MP"}

    def __str__(self) -> str:
        codes = "/".join(sorted(self.sequence)) or "sequence not told"
        times = (("TE", self.te), ("TR", self.tr), ("TI", self.ti))
        return ", ".join([codes, *(f"{name} {value:.4g} ms" for name, value in times if value)])


UNWEIGHTED = Weighting(Weight.UNKNOWN, "no MR series")

# Contrasts that the physics cannot tell from T1 or FLAIR; the words for them go first.
_OTHER_WORDS = (
    r"\b(ciss|fiesta|b ?ffe|drive|swi|swan|myelo|mt|mtc|dir|dual ?ir|inv ?[12]|qsm)\b|mp2rage.*t1 ?(images|map)"
)
_WEIGHT_WORDS = (
    (Weight.T1, r"\bt1w? ?(tse |fse )?flair"),
    (Weight.FLAIR, r"flair|dark ?fluid|\btirm ?(da|dark|tra|cor|sag)?\b|\bdf\b"),
    (Weight.STIR, r"\bstir\b"),
    (Weight.T2_STAR, r"\bt2 ?(star|\*)|t2star|\bhemo|\bffe ?t2|\bgre ?t2|\bt2 ?gre"),
    (Weight.T1, r"\bt1|t1w|mprage|\bmpr\b|mp2rage|\bspgr|\bfspgr|\bbravo|\btfe\b|\btfl\b|\bvibe|\bthrive|\bflash"),
    (Weight.T2, r"\bt2|t2w"),
    (Weight.PD, r"\bpd\b|\bpdw?\b|proton ?dens|\brho\b"),
)


def physics_of(header: Header) -> Physics:
    """The numbers and codes of a series' header, as far as they are there and sensible."""
    return Physics(
        te=number(header, "EchoTime"),
        tr=number(header, "RepetitionTime"),
        ti=number(header, "InversionTime"),
        sequence=frozenset(words(header, "ScanningSequence")),
        variant=frozenset(words(header, "SequenceVariant")),
    )


def weighting_of(header: Header) -> Weighting:
    """T1, T2, FLAIR or another contrast; ScanningSequence, TE, TR, TI first, then the descriptions."""
    line = plain(text(header, "SeriesDescription"))
    other = compiled(_OTHER_WORDS).search(line)
    if other:
        return Weighting(Weight.OTHER, f"the series description says “{other.group()}”")
    physics = physics_of(header)
    weight = _by_physics(physics)
    if weight is Weight.UNKNOWN:
        return _by_words(line, plain(text(header, "ProtocolName")), physics)
    return Weighting(weight, f"{weight} by {physics}", by_physics=True)


def _by_physics(physics: Physics) -> Weight:
    te, tr = physics.te, physics.tr
    if te is None or tr is None or te <= 0 or tr <= 0:
        return Weight.UNKNOWN
    if physics.balanced:
        return Weight.OTHER
    if physics.gradient:
        return _gradient(te, tr, physics)
    if physics.inverted:
        return _inverted(te, tr, physics)
    if te >= 60 and tr >= 1500:
        return Weight.T2
    if te <= 30 and tr <= 1200:
        return Weight.T1
    if te <= 50 and tr >= 1800:
        return Weight.PD
    return Weight.UNKNOWN


def _gradient(te: float, tr: float, physics: Physics) -> Weight:
    inversion = physics.ti or 0.0
    if inversion > 1500:
        return Weight.OTHER  # the second image of an MP2RAGE
    if te >= 12 and tr > 25:
        return Weight.T2_STAR
    if te < 12 and (tr <= 350 or 400 <= inversion <= 1200 or ("IR" in physics.sequence and tr <= 3500)):
        return Weight.T1
    return Weight.UNKNOWN


def _inverted(te: float, tr: float, physics: Physics) -> Weight:
    inversion = physics.ti
    if inversion is None or inversion <= 0:
        return Weight.FLAIR if te >= 70 and tr >= 4000 else Weight.UNKNOWN
    if inversion < 300:
        return Weight.STIR
    if inversion >= 1500 and tr >= 3500:
        return Weight.FLAIR
    if inversion <= 1300 and te <= 40:
        return Weight.T1
    return Weight.UNKNOWN


def _by_words(description: str, protocol: str, physics: Physics) -> Weighting:
    for line, name in ((description, "series description"), (protocol, "protocol name")):
        for weight, pattern in _WEIGHT_WORDS:
            found = compiled(pattern).search(line)
            if found:
                return Weighting(weight, f"{weight} as the {name} says “{found.group()}”; the physics is not told")
    return Weighting(Weight.UNKNOWN, f"neither physics ({physics}) nor descriptions tell its contrast")
