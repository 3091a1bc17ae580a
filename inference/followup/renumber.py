"""Names that mean the same next year: a lesion that was "Nodule 2" stays it, and no number is given twice.

A lesion's number is known by its label's; for a lesion of several regions they vote, by voxels.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from inference.findings import Finding

_NUMBER = re.compile(r"\d+")

Kind = tuple[int, int]  # structure (0: a lesion of regions), lesion


def number_in(label: str) -> int:
    """The lesion's number in a label; 0 where it has none."""
    found = _NUMBER.search(label)
    return int(found.group()) if found else 0


def renumbered(findings: Sequence[Finding], before: Mapping[int, str], known: Iterable[str]) -> tuple[Finding, ...]:
    """The findings with their lesions' numbers handed on.

    `before` gives, by finding, the label that it had in the prior; `known` are all labels that this patient's
    lesions of the task ever had. Lesions that no label is handed on to get the next free numbers.
    """
    votes: dict[tuple[Kind, int], int] = defaultdict(int)
    for finding in findings:
        if finding.number in before and (number := number_in(before[finding.number])):
            votes[_kind(finding), number] += finding.voxels
    given: dict[Kind, int] = {}
    taken: set[tuple[int, int]] = set()
    for (kind, number), _ in sorted(votes.items(), key=lambda vote: (-vote[1], vote[0])):
        if kind not in given and (kind[0], number) not in taken:
            given[kind] = number
            taken.add((kind[0], number))
    last = max((number_in(label) for label in known), default=0)
    for kind in dict.fromkeys(_kind(finding) for finding in findings if finding.lesion):
        if kind not in given:
            given[kind] = last = last + 1
    return tuple(
        replace(finding, label=_NUMBER.sub(str(given[_kind(finding)]), finding.label, count=1))
        if finding.lesion and finding.axes else finding
        for finding in findings
    )


def _kind(finding: Finding) -> Kind:
    return (finding.structure.label if finding.structure.per_lesion else 0, finding.lesion)
