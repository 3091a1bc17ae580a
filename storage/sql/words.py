"""Words and numbers of ours that stand in a statement, not beside it as parameters: few, and the same each time.

Of most tables nearly all rows have ended, and the few that have not are asked for all day. Where PostgreSQL reads in
the statement which word is meant, and how many rows are wanted, it makes one plan for that and keeps it. Of parameters
it knows nothing in advance: in a large table it plans anew at every call, which takes longer than the search itself.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import ColumnElement, Double, Integer, Text, literal_column
from sqlalchemy.sql.operators import OperatorType

OURS = re.compile(r"[A-Za-z_]*")


class Word(Text):
    """Text that is one of few words of ours: a state, a kind, a purpose. What it is compared with is written out."""

    class Comparator(Text.Comparator[str]):
        """Compares with words."""

        def operate(self, op: OperatorType, *other: Any, **more: Any) -> ColumnElement[Any]:
            return super().operate(op, *map(_written, other), **more)

    comparator_factory = Comparator


def word(text: str) -> ColumnElement[str]:
    """A word in a statement; ValueError where it has other signs than letters."""
    if not OURS.fullmatch(text):
        raise ValueError(f"{text!r} is no word of ours, and does not come into a statement")
    return literal_column(f"'{text}'", Text())


EMPTY = word("")  # what stands in a column of text where there is nothing to say


def at_most(number: int | None) -> ColumnElement[int] | None:
    """How many rows are wanted, for a LIMIT; None: all."""
    return None if number is None else literal_column(f"{number:d}", Integer())


def moment(at: float) -> ColumnElement[float]:
    """A moment that is asked about again and again, such as the last midnight, in seconds since 1970."""
    return literal_column(repr(float(at)), Double())


def _written(other: Any) -> Any:
    if isinstance(other, str):
        return word(other)
    if isinstance(other, list | tuple | set | frozenset):
        return [_written(one) for one in other]
    return other
