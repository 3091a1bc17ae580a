"""Whether contrast medium was given: descriptions first, then the agent tag, which some protocols fill in advance."""

from __future__ import annotations

from dataclasses import dataclass

from dicom_node.routing.header import Header, number, plain, text
from dicom_node.routing.vocabulary import compiled

# What "with" and "without" speak of as often: fat saturation, which says nothing of contrast medium.
NO_FAT = r"(?! ?(fs|fat|fett|sat|spa?ir|supp))"
WITHOUT = (
    r"\bpre\b(?! ?op)|\bnati[vf]|unenhanced|\bplain\b|\bnon ?(contrast|enhanced)|"
    rf"\b(ohne|without|sans|senza|zonder|w ?o)\b{NO_FAT}|"
    r"\b(no|sin|sem|s) ?(km|gd|iv|contr\w*|inj\w*|gado\w*)\b"
)
WITH = (
    r"\+ ?(c|gd|km|k)\b|\bc ?\+|\bpost\b|\bpost ?(km|gd|c|contr)|\bgd\b|gado|dotarem|\bkm\b|\bce\b|"
    r"\bmdc\b|\bt1 ?(ce|c|gd|km)\b|contrast|kontrast|inject|enhanced|portal|arteri|ven(ous|os)|"
    rf"\b(mit|avec)\b{NO_FAT}"
)
BOTH = (
    r"with (and|or) without|w (and |or )?w ?o\b|mit und ohne|ohne und mit|nativ (und|and|\+) ?km|"
    r"pre (and |und )?post"
)
NO_AGENT = frozenset({"", "none", "no", "n", "0", "nativ", "native", "ohne", "without", "na", "n a", "nil", "kein",
                      "keine", "sans", "sin", "non", "nein"})  # fmt: skip


@dataclass(frozen=True)
class Contrast:
    """Given, not given, or (None) nothing said; `by_text` where a description said so."""

    given: bool | None
    reason: str
    by_text: bool = False


def contrast_of(header: Header) -> Contrast:
    """The evidence for contrast medium in one series' header (PS3.3 C.7.6.4)."""
    for keyword, name in (("SeriesDescription", "series description"), ("ProtocolName", "protocol name")):
        said = _by_words(text(header, keyword), name)
        if said:
            return said
    agent = text(header, "ContrastBolusAgent")
    if plain(agent) not in NO_AGENT:
        return Contrast(True, f"contrast agent “{agent}” in the header")
    if (number(header, "ContrastBolusVolume") or 0.0) > 0.0:
        return Contrast(True, "a contrast volume in the header")
    return Contrast(None, "no contrast agent in the header and none named in the descriptions")


def _by_words(line: str, name: str) -> Contrast | None:
    words = plain(line)
    if compiled(BOTH).search(words):
        return None
    without = compiled(WITHOUT).search(words)
    if without:
        return Contrast(False, f"{name} says “{without.group().strip()}”", by_text=True)
    given = compiled(WITH).search(words)
    if given:
        return Contrast(True, f"{name} says “{given.group().strip()}”", by_text=True)
    return None
