"""Pages: Jinja2 templates, every value escaped, a missing one is an error."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from dicom_node.web.console import console_of
from dicom_node.web.cookies import MESSAGE
from dicom_node.web.permissions import Permission, permitted

# Pages that answer what a command answers.
PAGES = (
    (re.compile(r"segnode (?:explain|study|retry|reissue) ([0-9.]+)(?: --\w+)?"), r"/studies/\1"),
    (re.compile(r"segnode (?:deliveries|retry) --dead"), "/deliveries?state=DEAD"),
    (re.compile(r"segnode retry --destination ([\w.-]+)"), r"/deliveries?destination=\1"),
    (re.compile(r"segnode models enable ([\w.-]+)"), r"/models/\1"),
    (re.compile(r"segnode retry --all(?: --release)?"), "/studies?trouble=true"),
)
HERE = Path(__file__).parent
MANY = 499  # beyond that nobody counts


def page(request: Request, template: str, status_code: int = 200, **values: object) -> HTMLResponse:
    """A page of this console for whoever asks."""
    console = console_of(request)
    visit = getattr(request.state, "visit", None)
    role = visit.user.role if visit and visit.user else None
    said = console.cookies.said(request)
    shared = {
        "visit": visit,
        "may": lambda needed: permitted(role, Permission(needed)),
        "csrf": console.cookies.form_token(visit.token) if visit and visit.token else "",
        "here": request.url.path,
        "said": said,
        "node": console.parts.settings.node.ae_title,
        "now": console.clock(),
    }
    response = HTMLResponse(_templates().get_template(template).render(**(shared | values)), status_code)
    if said:
        console.cookies.clear(response, MESSAGE)
    return response


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = {"moment": moment, "clock": clock, "duration": duration, "size": size, "words": words, "count": count,
               "up_to_many": up_to_many,
               "coded": coded, "sentence": sentence, "day": day}
    environment.filters.update(filters)
    return environment


def _plain(value: object) -> object:
    """What strangers wrote, without the control characters that no page can hold."""
    if isinstance(value, str) and not isinstance(value, Markup) and not value.isprintable():
        return "".join(c if c.isprintable() or c == "\n" else " " for c in value)
    return value


def moment(at: float | None) -> Markup:
    """A point in time, to the second, in the node's own time zone; a dash for none."""
    if at is None:
        return Markup("–")
    local = datetime.fromtimestamp(at, UTC).astimezone()
    shown = local.strftime("%Y-%m-%d %H:%M:%S")
    return Markup('<time datetime="{}">{}</time>').format(local.isoformat(timespec="seconds"), shown)


def clock(at: float) -> Markup:
    """A point in time today: the time alone."""
    local = datetime.fromtimestamp(at, UTC).astimezone()
    full, shown = local.strftime("%Y-%m-%d %H:%M:%S"), local.strftime("%H:%M")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(local.isoformat(timespec="seconds"), full, shown)


def duration(seconds: float | None) -> str:
    """A span of time for people: 0.4 s, 12 s, 3 min 5 s, 2 h 10 min, 4 d 3 h."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    for unit, next_unit, length, part in (("d", "h", 86400, 3600), ("h", "min", 3600, 60), ("min", "s", 60, 1)):
        if whole >= length:
            rest = whole % length // part
            return f"{whole // length} {unit}" + (f" {rest} {next_unit}" if rest else "")
    return f"{whole} s"


def size(number: float) -> str:
    """Bytes for people."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def words(name: str) -> str:
    """A state or an identifier as words: NOT_ROUTED is "not routed"."""
    return name.replace("_", " ").lower()


def count(number: int, one: str, many: str = "") -> str:
    """1 study, 2 studies."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def up_to_many(number: int) -> str:
    """A number that was counted to `MANY` + 1 and no further."""
    return f"more than {MANY}" if number > MANY else str(number)


def day(date: str) -> str:
    """A date of DICOM (PS3.5 6.2, DA) as people in all countries read it; anything else as it is."""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 and date.isdigit() else date


def sentence(text: str) -> str:
    """A reason as a sentence of its own."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def coded(text: str) -> Markup:
    """A sentence in which `what stands between backticks` is a command, and leads to the page that does the same."""
    parts = text.split("`")
    return Markup("").join(_command(part) if number % 2 else escape(part) for number, part in enumerate(parts))


def _command(command: str) -> Markup:
    shown = Markup("<code>{}</code>").format(command)
    for pattern, place in PAGES:
        if found := pattern.fullmatch(command):
            return Markup('<a href="{}">{}</a>').format(found.expand(place), shown)
    return shown
