"""Whether contrast medium was given: descriptions first, then the agent tag, which some protocols fill in advance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dicom_node.routing.header import Header, number, plain, text
from dicom_node.routing.vocabulary import compiled

DESCRIPTIONS = {"SeriesDescription": "series description", "ProtocolName": "protocol name"}
# What "with", "before" and "post" speak of as often, and what says nothing of contrast medium.
NO_FAT = r"(?! ?(fs|fat|fett|sat|spa?ir|supp))"
NO_EVENT = (
    r"(?! ?(op\b|oper|surg|resec|biops|cranio|rt\b|srs\b|gk\b|radi|chemo|treat|therap|tx\b|interv|embol|ablat|stent|"
    r"coil|clip|shunt|drain|trauma|stroke|ictal|partum|covid|tpa\b|lp\b|proc|fossa))"
)
AGENT = r"(c\b(?! ?sp)|(km|gd|gad\w*|cont(ra\w*)?|kont(ra\w*)?|inj\w*|i ?v|mdc|mezzo)\b)"
AGENTS = (
    r"gado|\bgad\b|gadavist|dotarem|magnevist|multihance|prohance|omniscan|clariscan|primovist|eovist|vueway|elucirem|"
    r"omnipaque|ultravist|imeron|iomeron|visipaque|xenetix|optiray|isovue"
)
_WITH, _WITHOUT = r"(w|with)", r"(w ?o|w out|without)"
_MIT, _OHNE = r"(mit|avec|con|com|met|z|med)", r"(ohne|sans|senza|zonder|bez|utan|uten|uden|ilman)"
_SIN = r"(sin|sem)"  # may be the left side, too
_BETWEEN = r"( (and|or|und|et|y|e|en|i|a|och|og))? "
WITHOUT = (
    rf"\bpre\b{NO_EVENT}|\b(t1)?pre ?{AGENT}|\bt1pre\b|\bnati[vf]|unenhanced|\bplain\b|\bbasale\b|\bnc(ct)?\b|"
    rf"\bnon ?(con\b|cont|kont|enh|inj)|\b({_WITHOUT}|{_OHNE})\b{NO_FAT}|\b(no|s|{_SIN}) ?{AGENT}(?! ?\+)|"
    rf"\b(before|prior to|vor|avant|voor|antes( del?)?|prima( del)?|przed|pred) {AGENT}|\bfore? kont"
)
WITH = (
    r"\+ ?(c|gd|km|k)\b|\bc ?\+|\bc c\b|\bgd\b|\bkm\b|\bce\b|\bmdc\b|\bt1 ?(ce|c(?! ?sp)|gd|km)\b|contrast|kontras|"
    rf"inject|enhanced(?! conversion)|portal|arteri|ven(ous|os)|{AGENTS}|"
    rf"\b(t1)?post\b{NO_EVENT}|\b(t1)?post ?{AGENT}|\b(mit|avec)\b{NO_FAT}|\bw(ith)? ?{AGENT}"
)
BOTH = (
    rf"\b{_WITH}{_BETWEEN}{_WITHOUT}\b|\b{_WITHOUT}{_BETWEEN}{_WITH}\b|"
    rf"\b{_MIT}{_BETWEEN}({_OHNE}|{_SIN})\b|\b({_OHNE}|{_SIN}){_BETWEEN}{_MIT}\b|"
    rf"\bpre{_BETWEEN}post|\b(before and after|vor und nach|avant et apres|voor en na)\b|nativ (und|and|\+) ?km"
)
# With signs that plain words have lost: "T1 -C", "T1 C-".
MINUS = r"(?i)(?<=[\s_])-(c|km|gd)(?![\w-])|(?<![\w-])(c|km|gd)-(?![\w-])"
NO_AGENT = frozenset({"", "none", "no", "n", "0", "nativ", "native", "ohne", "without", "na", "n a", "nil", "kein",
                      "keine", "sans", "sin", "non", "nein"})  # fmt: skip


@dataclass(frozen=True)
class Contrast:
    """Given, not given, or (None) nothing said; `by_text` where a description said so."""

    given: bool | None
    reason: str
    by_text: bool = False


def contrast_of(header: Header, descriptions: Mapping[str, str] = DESCRIPTIONS) -> Contrast:
    """The evidence for contrast medium in one series' header (PS3.3 C.7.6.4).

    `descriptions` are the attributes that speak of the series, and what people call them.
    """
    for keyword, name in descriptions.items():
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
    without = compiled(MINUS).search(line) or compiled(WITHOUT).search(words)
    if without:
        return Contrast(False, f"{name} says “{without.group().strip()}”", by_text=True)
    given = compiled(WITH).search(words)
    if given:
        return Contrast(True, f"{name} says “{given.group().strip()}”", by_text=True)
    return None
