"""Through the cases of a data set, stopping at the first that cannot be used or counting those with their reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from inference.errors import BadCase, Unfit
from inference.evaluation.results import Failure
from inference.training.datasets.base import CaseRef

Made = TypeVar("Made")


def walk(refs: Iterable[CaseRef], make: Callable[[CaseRef], Made], failures: list[Failure], *,
         strict: bool) -> Iterator[Made]:
    """What `make` gives of each case that it can use, in order, one at a time; the others go into `failures`.

    BadCase and Unfit are failures; where `strict`, the first ends the walk as BadCase instead.
    """
    for ref in refs:
        try:
            made = make(ref)
        except (BadCase, Unfit) as fault:
            reason = fault.reason if isinstance(fault, BadCase) else str(fault)
            if strict:
                raise BadCase(ref.case_id, reason) from fault
            failures.append(Failure(case=ref.case_id, reason=reason))
        else:
            yield made
