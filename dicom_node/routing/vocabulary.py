"""What words in headers mean: regular expressions over plain text (`header.plain`), all of them configuration.

The defaults cover English, German, French, Spanish, Italian, Portuguese, Dutch and some words of their neighbours.
A site adds its own under `vocabulary:` in routes.yaml; a key that is given replaces that key's default.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Annotated

import regex
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from dicom_node.errors import ConfigurationError
from dicom_node.letters import without_accents

LONGEST_S = 0.2  # that one expression may take for one text; as a rule it takes a thousandth of a thousandth
PROBES = tuple((text * 64)[:64] + "!" for text in ("a", "1", "a ", "1-", "aa1 "))  # what repeats itself tries most


class Region(StrEnum):
    """A part of the body as routing knows it."""

    HEAD = "head"
    NECK = "neck"
    CHEST = "chest"
    ABDOMEN = "abdomen"
    PELVIS = "pelvis"
    SPINE = "spine"
    LIMB = "limb"
    BREAST = "breast"
    HEART = "heart"


class Kernel(StrEnum):
    """What a CT reconstruction kernel was made for."""

    SOFT = "soft"
    SHARP = "sharp"
    UNKNOWN = "unknown"


class Nature(StrEnum):
    """Why a series is no plain acquisition of anatomy; where several hold, the first here is the reason told."""

    NO_IMAGE = "no image"
    LOCALIZER = "localizer"
    CALIBRATION = "calibration"
    DOSE = "dose report"
    SECONDARY_CAPTURE = "secondary capture"
    MONITORING = "contrast monitoring"
    REFORMATTED = "reformatted"
    PROJECTION = "projection"
    SUBTRACTION = "subtraction"
    MAP = "parameter map"
    DIFFUSION = "diffusion"
    FUNCTIONAL = "functional or dynamic"
    ANGIOGRAPHY = "angiography"
    PHASE = "phase image"
    FAT = "fat or opposed-phase image"
    DERIVED = "derived"


class Expression:
    """A regular expression in Python's form, whose search comes to an end.

    Case and accents do not count: the text has neither, so what a person writes as it stands in a description
    (“Schädel”) would never be found.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._compiled = regex.compile(without_accents(pattern), regex.IGNORECASE)

    def search(self, line: str) -> regex.Match[str] | None:
        """Where it is found first; ConfigurationError where that takes too long."""
        try:
            return self._compiled.search(line, timeout=LONGEST_S)
        except TimeoutError:
            what = f"“{self._pattern}” takes too long on a text of {len(line)} characters"
            raise ConfigurationError([f"{what}: repeat nothing that repeats itself, as (a+)+"]) from None


@lru_cache(maxsize=512)
def compiled(pattern: str) -> Expression:
    """The compiled expression, made once."""
    return Expression(pattern)


def _expression(pattern: str) -> str:
    try:
        expression = Expression(pattern)
        for line in PROBES:
            expression.search(line)
    except regex.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    except ConfigurationError as slow:
        raise ValueError(str(slow)) from slow
    return pattern


Pattern = Annotated[str, Field(max_length=2000), AfterValidator(_expression)]


REGIONS: dict[Region, str] = {
    Region.HEAD: (
        r"\bhead(?! ?first)|headneck|brain|\bcran|skull|\bkopf|schadel|schaedel|hirn|neurocran|\btete\b|cerveau|cereb|"
        r"ence[fp]h?al|\bcabeza|\btesta\b|\bcabeca|hersen|schedel|\bhoofd|\bhjarn|\bhuvud|\bglow[ay]\b|mozg|mozek|"
        r"gliom|glioblast|\bgbm\b|sinus|orbit|sella|hypophys|pituit|\biac\b|\bneuro"
    ),
    Region.NECK: r"\bneck\b|headneck|\bhals|\bcou\b|\bcuello|\bcollo\b|\bpescoco|cervical(?! ?(spine|sp\b))",
    Region.CHEST: (
        r"chest|thora|\bthor\b|tora[xck]|torac|\blungs?\b|\blunge|lungen|pulmo|poumon|polmon|\blong(en)?\b|\bhrct\b|\bldct\b|"
        r"\blcs\b|borstkas|brustkorb|mediastin|klatk|hrudnik|whole ?body|wholebody|ganzkorper|total ?body|"
        r"corps entier|cuerpo entero|corpo inter|polytrauma|trauma ?spiral|rumpf|\btorso\b|\btrunk\b|"
        r"\b(cap|tap|ctap|ncap|thab|thabd)\b"
    ),
    Region.ABDOMEN: (
        r"abd(?!uct)|\bliver\b|\bleber|\bfoie\b|higado|fegato|figado|\blever\b|hepat|bauch|\bventre\b|vientre|addom|"
        r"\bbuik|pancrea|pankrea|kidney|\bniere|\brenal|\breins?\b|urogra|brzus|jama brz|bricho|\bbuk\b|portal ?ven|"
        r"portovenos|whole ?body|wholebody|ganzkorper|total ?body|corps entier|cuerpo entero|corpo inter|polytrauma|"
        r"trauma ?spiral|rumpf|\btorso\b|\btrunk\b|\b(cap|tap|ctap|ncap|thab|thabd)\b"
    ),
    Region.PELVIS: r"pelvi|pelv\b|becken|bassin\b|bekken|bacino|prostat|uterus|rectum|rektum|\b(cap|tap|ctap|ncap)\b",
    Region.SPINE: (
        r"spine|spinal|wirbel|\b[lbh]ws\b|lumbar|lumbal|rachis|columna|colonna|coluna|wervel|vertebr|sacr[ua]|"
        r"\b[ctl] ?sp\b"
    ),
    Region.LIMB: (
        r"\bknees?\b|\bknie|\bgenou|rodilla|ginocchi|joelho|shoulder|schulter|epaule|hombro|\bspalla|\bombro|\bhip\b|"
        r"\bhuft|\bhanche|cadera|\banca\b|ankle|sprunggelenk|cheville|tobillo|caviglia|\bfoot\b|\bfuss\b|\bpied\b|"
        r"\bhand\b|wrist|\belbow|ellenbog|\bfemur|\btibia|patella|extrem|\bleg\b|\barm\b|menisc|menisk"
    ),
    Region.BREAST: r"breast|\bmamm|\bseins?\b|\bmama\b|brustdrus",
    Region.HEART: r"\bheart\b|cardia|kardi|\bherz|\bcoeur\b|corazon|\bcuore\b|coronar|koronar|ca ?score|calcium sc",
}

NATURES: dict[Nature, str] = {
    Nature.LOCALIZER: (
        r"locali[sz]er|\bloc\b|lokali[sz]|scout|topogra|surview|\bsurvey|scanogra|\bpilot\b|\b(3|three) ?plane|"
        r"\bplan scan|reperage|ubersicht|uebersicht|localizador|\bscano\b"
    ),
    Nature.CALIBRATION: (
        r"\bcal(ib(ration)?)?\b|\bref(erence)? ?scan|\bsense ?ref|\bref (head|neck|body|torso|coil|sense)|smart ?brain|"
        r"\bb[01] ?map|coil ?sens|\bshim\b|\bprescan\b"
    ),
    Nature.DOSE: (
        r"dose ?(report|info|record|summary|sheet)|radiation dose|patient protocol|exam protocol|dosis ?(prot|ber)"
    ),
    Nature.MONITORING: r"monitoring|test ?bolus|bolus ?track|smart ?prep|sure ?start|\btracker\b|timing bolus",
    Nature.SECONDARY_CAPTURE: r"screen ?(save|shot|cap)|secondary capture|snapshot|key ?images?\b",
    Nature.REFORMATTED: r"reformat|\brefmt|\bcurved\b|\bcpr\b",
    Nature.PROJECTION: r"\b((m|min|mn|max) ?ip|vrt|ssd|thick ?slab)\b|volume render|\b3d ?vr\b|projection",
    Nature.SUBTRACTION: r"\bsubtr|\bsub\b",
    Nature.MAP: (
        r"\b((e ?)?adc|trace ?w?|col ?fa|r?cb[vf]|mtt|ttp|tmax|ktrans|vnc|z ?eff|rho)\b|\bt[12]s? ?map|"
        r"\b(mono|gsi|vmi)\b.*\d ?ke ?v\b|calcium supp|electron dens|hu\*|"  # "keV" is plain as "ke v"
        r"iodine|\biod ?(map|karte)|virtual|monoenerg|perfusion|overlay|fused|fusion|field ?map"
    ),
    Nature.DIFFUSION: r"\b(dwi|dti|diff|diffusion|diffusie|difusion|hardi|b ?(500|800|1000|2000))\b|\bdiff ?w",
    Nature.ANGIOGRAPHY: r"\b(tof|mra|mrv|angio\w*|venogr\w*|pca|twist|tricks)\b",
    # Water and in-phase images of a Dixon sequence look as usual; the other two do not.
    Nature.FAT: (
        r"\b(opp(osed|osite)?|out) ?(of )?phase|\b(fat ?(only|image|fraction)|pdff|ff)\b|^fat\b(?! ?(s\b|sat|sup))|"
        r"dixon\b.*\b(f|fat|opp?|out)\b(?! ?(sat|sup))"
    ),
    Nature.FUNCTIONAL: r"\b(bold|fmri|p?c?asl|dsc|dce)\b",
}

# Siemens: a letter or two, then the sharpness in tens ("B30f", "Br64", "I70f"); Bl is a lung kernel at any number.
# GE by name; Philips by letter; Canon FC01-19 body, FC30 and up bone and lung; United Imaging B_SOFT_B.
KERNELS: dict[Kernel, tuple[str, ...]] = {
    Kernel.SHARP: (
        r"^bl\d\d", r"^[a-z][a-z]?[5-9]\d", r"^(lung|bone|edge|ultra|chst|hd ?lung)",
        r"^(ya|yb|yc|yd|ye|d|e|f|l)$", r"^fc[35-8]\d", r"sharp", r"lung",
    ),
    Kernel.SOFT: (
        r"^[a-z][a-z]?[1-4]\d", r"^(standard|stnd|stand|soft|detail)", r"^(a|b|c|sa|sb|sc|ia|ib|ic)$", r"^fc[01]\d",
        r"soft|smooth|body|abdomen|mediast",
    ),
}  # fmt: skip

KERNEL_WORDS: dict[Kernel, str] = {
    Kernel.SHARP: (
        r"\blung\b|\blunge|lungenf|\bpulm|poumon|polmon|\bparenchym|\bsharp|\bscharf|\bbone\b|knochen|\bos\b|"
        r"\bhr(ct)?\b"
    ),
    Kernel.SOFT: r"\bsoft|weich|wt ?fenster|\bstand|\bstd\b|mediast|\bmed\b|weichteil|partes blandas|parties molles",
}


class Vocabulary(BaseModel):
    """The site's own words; whatever is left out keeps its default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    regions: dict[Region, Pattern] = Field(default_factory=dict, description="words that name a body region")
    natures: dict[Nature, Pattern] = Field(default_factory=dict, description="words of series that are no acquisition")
    kernels: dict[Kernel, tuple[Pattern, ...]] = Field(default_factory=dict, description="ConvolutionKernel values")
    kernel_words: dict[Kernel, Pattern] = Field(
        default_factory=dict, description="words in descriptions that tell the kernel where the header has none"
    )

    @field_validator("kernels", "kernel_words")
    @classmethod
    def _known_kernels_only(cls, value: dict[Kernel, object]) -> dict[Kernel, object]:
        if Kernel.UNKNOWN in value:
            raise ValueError("kernels are soft or sharp; unknown is what matches neither")
        return value

    def regions_in(self, line: str) -> frozenset[Region]:
        """The regions that plain text names."""
        table = REGIONS | self.regions
        return frozenset(region for region, pattern in table.items() if compiled(pattern).search(line))

    def natures_in(self, line: str) -> frozenset[Nature]:
        """The natures that a plain series description names."""
        table = NATURES | self.natures
        return frozenset(nature for nature, pattern in table.items() if compiled(pattern).search(line))

    def kernel(self, name: str, description: str) -> Kernel:
        """The class of a kernel by its name, else by the series description's words."""
        tables = KERNELS | self.kernels
        for kernel in (Kernel.SHARP, Kernel.SOFT):
            if name and any(compiled(pattern).search(name) for pattern in tables[kernel]):
                return kernel
        kernel_words = KERNEL_WORDS | self.kernel_words
        for kernel in (Kernel.SHARP, Kernel.SOFT):
            if compiled(kernel_words[kernel]).search(description):
                return kernel
        return Kernel.UNKNOWN
