"""What became of the lesions since the prior, in sentences for those who read the report or the page.

No sentence names the patient: dates of studies, lesions by their labels, and numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.followup.growth import Growth, growth
from inference.trend import Outcome, Since, TargetSum, Trend

_SUMMED = {"mm": "long axes", "mm2": "products of the axes"}
# What is said of these together, or by the refusal; of all others each has a sentence of its own.
_COME_AND_GONE = ((Outcome.NEW, "New since"), (Outcome.RETURNED, "Found again, and not found on"),
                  (Outcome.VANISHED, "No longer found since"))
_TOGETHER = (Outcome.MATCHED, *(outcome for outcome, _ in _COME_AND_GONE), Outcome.NOT_COMPARED)


def trend_sentences(trend: Trend | None) -> list[str]:
    """With what the study was compared, how surely, and what came of it, the weightiest first; none without a prior."""
    if trend is None:
        return []
    return [*_comparison(trend), *_come_and_gone(trend), *map(sum_sentence, trend.sums), *_unsettled(trend)]


def change_of(since: Since, trend: Trend) -> Growth | None:
    """How the lesion changed; None unless both studies show it, and whole: a part says nothing of the rest."""
    if since.before is None or since.after is None:
        return None
    change = growth(since.before, trend.prior_taken, since.after, trend.taken)
    return change if change.whole else None


def sum_sentence(total: TargetSum) -> str:
    """A criterion's sum, and the band between its thresholds, which is no response."""
    parts = [f"no sum of the {_SUMMED[total.unit]} ({total.reason})" if total.value is None else
             f"sum of the {_SUMMED[total.unit]} of {_counted(total.targets, 'target lesion')} "
             f"{total.value:.1f} {total.unit}"]
    for share, since, value in ((total.from_baseline, "baseline", total.baseline),
                                (total.from_nadir, "nadir", total.nadir)):
        if share is not None:
            parts.append(f"{share_in_words(share)} from the {since} of {value:.1f} {total.unit}")
    if total.new:
        parts.append(f"{_counted(total.new, 'new lesion')} since the baseline")
    band = (f" Change by the thresholds of {total.criterion}, not a response: {total.category}."
            if total.category else "")
    return f"{total.criterion}: {', '.join(parts)}.{band}"


def share_in_words(share: float) -> str:
    """In per cent to a decimal: -29.6 % is no -30 %, where a threshold lies."""
    return f"{round(100 * share, 1) + 0.0:+.1f} %"  # adding zero takes its sign from what is rounded to none


def _comparison(trend: Trend) -> Iterator[str]:
    prior = f"the study of {trend.prior_taken.isoformat()}, {_counted(trend.days, 'day')} before"
    if trend.refusal:
        yield f"Not compared with {prior}: {trend.refusal}."
        return
    yield f"Compared with {prior}."
    if trend.other_model:
        yield f"Another model measured the prior, {trend.other_model}: what changed may be the model, not the patient."
    figures = ", ".join(_figure(name, value) for name, value in trend.agreement.items())
    if trend.registration:
        yield f"The prior was laid onto this study by {trend.registration} registration{figures and f': {figures}'}."


def _figure(name: str, value: float) -> str:
    """Such as "residual 1.20 mm" of residual_mm."""
    what, _, unit = name.partition("_")
    return f"{what} {value:.2f} {unit}".rstrip()


def _come_and_gone(trend: Trend) -> Iterator[str]:
    for outcome, words in _COME_AND_GONE:
        labels = [since.label for since in trend.lesions if since.outcome is outcome]
        if labels:
            yield f"{words} {trend.prior_taken.isoformat()}: {', '.join(labels)}."


def _unsettled(trend: Trend) -> Iterator[str]:
    for since in trend.lesions:
        if since.outcome not in _TOGETHER:
            what = since.label if since.after else f"{since.label} of {trend.prior_taken.isoformat()}"
            yield f"{what}: {'; '.join(filter(None, (since.outcome, since.reason)))}."
        elif since.before and since.after and not (since.before.whole and since.after.whole):
            yield f"{since.label}: it reaches the edge of the images, so nothing is said of its growth."


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
