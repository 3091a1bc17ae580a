"""A page that opens anywhere: one HTML file, no script, nothing from the network, light or dark as the reader likes."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from inference.evaluation.intervals import Interval
from inference.evaluation.results import METRIC

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_STYLE = """
:root { color-scheme: light dark; --back: #f6f7f9; --card: #ffffff; --text: #1b2330; --soft: #566172; --rule: #d9dee6;
  --warn-back: #fff2d6; --warn-text: #5c3b00; --warn-rule: #e0a63a; --link: #075fa8;
  --c0: #0072b2; --c1: #d55e00; --c2: #00845f; --c3: #8a4fa3; --c4: #7d6400; --c5: #4d5a69;
  --truth: #56b4e9; --found: #ffb000; }
@media (prefers-color-scheme: dark) { :root { --back: #11161d; --card: #1a212b; --text: #e7ecf3; --soft: #a3afbf;
  --rule: #323d4b; --warn-back: #3a2c0d; --warn-text: #ffdf9e; --warn-rule: #b98522; --link: #7cc4ff;
  --c0: #56b4e9; --c1: #ff9a57; --c2: #3ecfa2; --c3: #d3a4ec; --c4: #e6ca5c; --c5: #b4c0ce; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main, header, footer { max-width: 76rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 2.2rem; } footer { padding-bottom: 3rem; color: var(--soft); font-size: .875rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .35rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .7rem; padding-bottom: .3rem; border-bottom: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p { max-width: 48rem; margin: .5rem 0; } .soft { color: var(--soft); }
a { color: var(--link); } a:focus-visible, .wide:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: .5rem; }
.banner { background: var(--warn-back); color: var(--warn-text); border: 1px solid var(--warn-rule);
  border-left-width: 6px; border-radius: 6px; padding: .7rem 1rem; margin: 1.1rem 0; max-width: none; }
nav ul { list-style: none; padding: 0; margin: 1rem 0 0; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; margin: .8rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .8rem .75rem .5rem; color: var(--soft); }
caption strong { color: var(--text); }
th, td { padding: .45rem .75rem; text-align: right; border-top: 1px solid var(--rule); white-space: nowrap;
  vertical-align: top; }
thead th { font-weight: 600; color: var(--soft); border-top: 0; border-bottom: 1px solid var(--rule); }
th.words, td.words { text-align: left; } tbody th { font-weight: 600; } td.words { white-space: normal; }
td .range { display: block; color: var(--soft); font-size: .8rem; }
.compact td .range { display: inline; margin-left: .5rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(30rem, 100%), 1fr)); gap: 1rem; }
.pictures { grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); }
figure { margin: 0; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 1rem; }
figcaption { font-size: .875rem; color: var(--soft); margin-top: .5rem; } figcaption strong { color: var(--text); }
svg { display: block; width: 100%; height: auto; } figure img { display: block; width: 100%; border-radius: 4px; }
svg text { fill: var(--soft); font-size: 12px; } svg text.label { fill: var(--text); }
svg text.value { fill: var(--text); font-weight: 600; font-size: 11.5px; }
.grid { stroke: var(--rule); } .axis { stroke: var(--soft); } .whisker { stroke: var(--text); stroke-width: 1.4; }
.guide { stroke: var(--soft); stroke-dasharray: 3 4; } .line { fill: none; stroke: var(--c); stroke-width: 2.2; }
.fill { fill: var(--c); } .case { fill: var(--c); opacity: .45; }
.mark { fill: var(--c); stroke: var(--card); stroke-width: 1.5; }
.s0 { --c: var(--c0); } .s1 { --c: var(--c1); } .s2 { --c: var(--c2); } .s3 { --c: var(--c3); } .s4 { --c: var(--c4); }
.s5 { --c: var(--c5); }
.key { display: inline-block; width: 1.6rem; height: 0; border-top: 3px solid var(--truth); vertical-align: middle; }
.key.dashed { border-top: 3px dashed var(--found); }
dl { max-width: 60rem; } dt { font-weight: 600; margin-top: .7rem; } dd { margin: 0; color: var(--soft); }
@media print { body { background: #fff; } nav, .skip { display: none; } figure, .wide { break-inside: avoid; } }
"""


def page(title: str, introduction: str, sections: Sequence[tuple[str, str]]) -> str:
    """The whole document; `sections` are headings with their HTML, those without any are left out."""
    kept = [(f"part-{number}", heading, body) for number, (heading, body) in enumerate(sections) if body]
    links = "".join(f'<li><a href="#{key}">{escape(heading)}</a></li>' for key, heading, _ in kept)
    parts = "".join(f'<section aria-labelledby="{key}"><h2 id="{key}">{escape(heading)}</h2>{body}</section>'
                    for key, heading, body in kept)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8" />'
        '<meta name="viewport" content="width=device-width, initial-scale=1" />'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}" />'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        '<a class="skip" href="#main">To the figures</a>'
        f"<header><h1>{escape(title)}</h1>{introduction}"
        f'<nav aria-label="Contents"><ul>{links}</ul></nav></header><main id="main">{parts}</main>'
        "<footer><p>Research software. Nothing here is for diagnosis.</p></footer></body></html>\n"
    )


def banner(*, trained: bool, evaluated: bool) -> str:
    """The warning that figures are of synthetic images; empty where they are not."""
    if not (trained or evaluated):
        return ""
    done = " and ".join(word for word, on in (("trained", trained), ("evaluated", evaluated)) if on)
    return (f'<p class="banner" role="note"><strong>Synthetic data: {done} on phantoms.</strong> The images were drawn '
            "by a program and show no patient. These figures say nothing about how good the model is on patients.</p>")


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]], words: Sequence[int] = (), *,
          compact: bool = False) -> str:
    """A table whose first column names the row; cells are HTML, columns in `words` hold text and not numbers.

    A compact one has intervals beside their means, not below.
    """
    kinds = [' class="words"' if n in (0, *words) else "" for n in range(len(columns))]
    head = "".join(f'<th scope="col"{kind}>{escape(column)}</th>' for column, kind in zip(columns, kinds, strict=True))
    body = "".join(
        f'<tr><th scope="row" class="words">{row[0]}</th>'
        + "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(row[1:], kinds[1:], strict=True)) + "</tr>"
        for row in rows
    )
    return (f'<div class="wide" role="region" aria-label="{escape(columns[0])} table" tabindex="0">'
            f'<table class="{"compact" if compact else "open"}">'
            f"<caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>")


def figure(picture: str, caption: str) -> str:
    """A chart or image with its caption, both HTML."""
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def figures(made: Sequence[str], kind: str = "") -> str:
    """Figures side by side; nothing where there is none."""
    return f'<div class="figures {kind}">{"".join(made)}</div>' if made else ""


def number(value: float | None, metric: str, *, signed: bool = False) -> str:
    """A value of a metric in its unit: shares as percent, distances in mm, one decimal; n/a where there is none."""
    if value is None:
        return "n/a"
    if value in (float("inf"), float("-inf")):
        return "infinite"
    scaled = value * 100 if METRIC[metric].unit == "%" else value
    return (f"{scaled:+.1f}" if signed else f"{scaled:.1f}").replace("-", "−")


def interval(value: Interval | None, metric: str) -> str:
    """A mean over its interval, and how many cases had no finite value."""
    if value is None or (value.mean is None and not value.infinite):
        return number(None, metric)
    lost = f'<span class="range">{value.infinite} not finite</span>' if value.infinite else ""
    return number(value.mean, metric) + spread(value.low, value.high, metric) + lost


def spread(low: float | None, high: float | None, metric: str, *, signed: bool = False) -> str:
    """The interval alone, in small print; nothing where there is none."""
    if low is None or high is None:
        return ""
    return f'<span class="range">{number(low, metric, signed=signed)} to {number(high, metric, signed=signed)}</span>'
