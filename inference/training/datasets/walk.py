"""Through every case of a data set, stopping at the first that is bad or counting them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from inference.errors import BadCase, Unfit
from inference.training.datasets.base import CaseRef, DataSet, LabelledCase


class Failure(NamedTuple):
    """A case that could not be used, and the sentence that says why."""

    case_id: str
    reason: str


def walk(data: DataSet, visit: Callable[[LabelledCase], None], refs: Iterable[CaseRef] | None = None, *,
         strict: bool) -> tuple[Failure, ...]:
    """Read each case (of `refs`, else all), show it to `visit`, and forget it; the failures, in order.

    BadCase from reading and BadCase or Unfit from `visit` are failures; where `strict`, the first ends the walk as
    BadCase instead.
    """
    failures = []
    for ref in data.cases() if refs is None else refs:
        try:
            visit(data.read(ref))
        except (BadCase, Unfit) as fault:
            reason = fault.reason if isinstance(fault, BadCase) else str(fault)
            if strict:
                raise BadCase(ref.case_id, reason) from fault
            failures.append(Failure(ref.case_id, reason))
    return tuple(failures)
