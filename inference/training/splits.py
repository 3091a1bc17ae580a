"""Which cases are learnt from and which are scored: by patient, repeatable, kept in a file that is checked.

Patients are put in an order that their pseudonyms and the seed give alone (SHA-256), so that neither the order of the
files nor a library's random numbers matter. The file names every case with its patient and fingerprint; a split that
does not fit its data set any more is refused with what has changed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from inference.errors import BadCase, DataError, Leak, StaleSplit
from inference.training.datasets.base import CaseRef, DataSet

SHARES: Mapping[str, float] = {"training": 0.70, "validation": 0.15, "test": 0.15}
FOLDS = 5
_NAMED = 5  # cases that a sentence names


class Member(BaseModel):
    """A case of a split: whose it is, and what it was made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    patient: str
    fingerprint: str


class Split(BaseModel):
    """A split as its file has it: case ids by group, and the cases that it was made for.

    `rule` says how it was drawn. Groups are training, validation and test, or fold 0, fold 1…
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    layout: str
    rule: str
    seed: int | None
    groups: dict[str, tuple[str, ...]]
    cases: dict[str, Member]

    @property
    def sha256(self) -> str:
        """SHA-256 over the cases, their patients and their fingerprints: two equal ones split the same data."""
        listed = {case_id: member.model_dump() for case_id, member in self.cases.items()}
        return hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()


class Turn(NamedTuple):
    """Case ids of one turn of cross-validation: `validation` stops the training, `test` is not looked at before."""

    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def split_shares(data: DataSet, seed: int, shares: Mapping[str, float] = SHARES) -> Split:
    """Patients into training, validation and test by `shares`; DataError where there are fewer than groups."""
    refs = data.cases()
    patients = _shuffled(refs, seed)
    _enough(patients, len(shares), data)
    ends = [0]
    for number, share in enumerate(_accumulated(shares.values()), start=1):
        left = len(shares) - number  # each group to come keeps one patient
        ends.append(min(max(round(share * len(patients)), ends[-1] + 1), len(patients) - left))
    groups = {name: patients[start:end] for name, start, end in zip(shares, ends, ends[1:], strict=False)}
    rule = "/".join(f"{share:.0%}".rstrip("%") for share in shares.values()) + " of the patients"
    return _split(data, refs, rule, seed, groups)


def split_folds(data: DataSet, seed: int, count: int = FOLDS) -> Split:
    """Patients into `count` folds of as many patients each as can be; DataError where there are fewer patients."""
    refs = data.cases()
    patients = _shuffled(refs, seed)
    _enough(patients, count, data)
    return _split(data, refs, f"{count} folds", seed, {f"fold {k}": patients[k::count] for k in range(count)})


def published_folds(data: DataSet, count: int = FOLDS) -> Split:
    """The folds that the data set publishes, `count` of them: LUNA16's ten subsets make five folds of two.

    DataError where it publishes none or too few; Leak where it has a patient in two.
    """
    refs = data.cases()
    if any(ref.fold is None for ref in refs):
        raise DataError(f"{data.layout} publishes no folds.")
    groups: dict[str, tuple[str, ...]] = {
        f"fold {k}": tuple(ref.case_id for ref in refs if ref.fold is not None and ref.fold % count == k)
        for k in range(count)
    }
    empty = [name for name, case_ids in groups.items() if not case_ids]
    if empty:
        raise DataError(f"{data.layout} has no case for {', '.join(empty)}.")
    split = Split(layout=data.layout, rule=f"{count} folds as published", seed=None, groups=groups,
                  cases=_members(data, refs))
    check_apart(split)
    return split


def turn(split: Split, fold: int) -> Turn:
    """Which folds are for what when `fold` is tested; the next one stops the training, so that the test does not."""
    names = sorted(split.groups, key=lambda name: int(name.removeprefix("fold ")))
    if len(names) < 3 or not 0 <= fold < len(names):
        raise DataError(f"a turn is one of at least three folds; {fold} of {len(names)} is none.")
    test, validation = names[fold], names[(fold + 1) % len(names)]
    training = tuple(case_id for name in names if name not in (test, validation) for case_id in split.groups[name])
    return Turn(training, split.groups[validation], split.groups[test])


def check_apart(split: Split) -> None:
    """Leak where a case or a patient is in two groups; before every training."""
    seen: dict[str, tuple[str, str]] = {}
    for group, case_ids in split.groups.items():
        if len(set(case_ids)) < len(case_ids):
            raise StaleSplit(f"{group} names a case twice.")
        for case_id in case_ids:
            if case_id not in split.cases:
                raise StaleSplit(f"{case_id} is in {group} and not among the split's cases.")
            other, where = seen.setdefault(split.cases[case_id].patient, (case_id, group))
            if where != group:
                raise Leak(f"{case_id} in {group} and {other} in {where} are of one patient: what is scored would have "
                           "been learnt from. Split anew by patient.")


def check_fits(split: Split, data: DataSet) -> dict[str, tuple[CaseRef, ...]]:
    """The cases of every group as they lie there now; StaleSplit says which are new, missing or changed."""
    refs = {ref.case_id: ref for ref in data.cases()}
    now = _members(data, refs.values())
    missing = [case_id for case_id in split.cases if case_id not in now]
    new = [case_id for case_id in now if case_id not in split.cases]
    changed = [case_id for case_id, member in split.cases.items() if case_id in now and now[case_id] != member]
    grouped = {case_id for case_ids in split.groups.values() for case_id in case_ids}
    dropped = [case_id for case_id in split.cases if case_id not in grouped]
    wrong = [f"{len(case_ids)} {word} ({_some(case_ids)})" for word, case_ids in
             (("new", new), ("missing", missing), ("changed", changed), ("in no group", dropped)) if case_ids]
    if wrong:
        raise StaleSplit(f"the split does not fit {data.layout} any more: {'; '.join(wrong)}. Split anew, or put the "
                         "cases back.")
    return {group: tuple(refs[case_id] for case_id in case_ids) for group, case_ids in split.groups.items()}


def write_split(split: Split, path: Path) -> None:
    """The split as JSON, with the SHA-256 of its cases: all of it, or nothing; FileExistsError, not overwriting."""
    content = split.model_dump(mode="json") | {"sha256": split.sha256}
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(beside)
    finally:
        beside.unlink(missing_ok=True)


def read_split(path: Path) -> Split:
    """A split from its file; StaleSplit where it is damaged or was edited, Leak where a patient is in two groups."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        noted = content.pop("sha256")
        split = Split.model_validate(content)
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError, ValidationError) as fault:
        raise StaleSplit(f"{path.name} cannot be read as a split ({type(fault).__name__}).") from fault
    if noted != split.sha256:
        raise StaleSplit(f"{path.name} was edited: its cases are not those that its SHA-256 was made of.")
    check_apart(split)
    return split


def open_split(path: Path, data: DataSet) -> dict[str, tuple[CaseRef, ...]]:
    """The cases by group, after every check that training asks for."""
    return check_fits(read_split(path), data)


def _accumulated(shares: Iterable[float]) -> Sequence[float]:
    """Running totals of shares that make 1; DataError where they do not, or where one is nothing."""
    totals, total = [], 0.0
    for share in shares:
        if share <= 0:
            raise DataError(f"a share of the patients is more than 0, not {share:g}.")
        total += share
        totals.append(total)
    if abs(total - 1) > 1e-6:
        raise DataError(f"shares of the patients make 1 together, not {total:g}.")
    return totals


def _split(data: DataSet, refs: list[CaseRef], rule: str, seed: int, groups: Mapping[str, Sequence[str]]) -> Split:
    """A split from patients by group."""
    of: dict[str, list[str]] = defaultdict(list)
    for ref in refs:
        of[ref.patient_id].append(ref.case_id)
    cases = {name: tuple(sorted(case_id for patient in patients for case_id in of[patient]))
             for name, patients in groups.items()}
    split = Split(layout=data.layout, rule=rule, seed=seed, groups=cases, cases=_members(data, refs))
    check_apart(split)
    return split


def _members(data: DataSet, refs: Iterable[CaseRef]) -> dict[str, Member]:
    members = {}
    for ref in refs:
        try:
            members[ref.case_id] = Member(patient=ref.patient_id, fingerprint=data.fingerprint(ref))
        except OSError as fault:
            raise BadCase(ref.case_id, f"a file of it cannot be read: {fault.strerror}.") from fault
    return members


def _shuffled(refs: Iterable[CaseRef], seed: int) -> list[str]:
    def place(patient: str) -> str:
        return hashlib.sha256(f"{seed} {patient}".encode()).hexdigest()

    return sorted({ref.patient_id for ref in refs}, key=place)


def _enough(patients: Sequence[str], groups: int, data: DataSet) -> None:
    if len(patients) < groups:
        raise DataError(f"{len(patients)} patients of {data.layout} cannot make {groups} groups.")


def _some(case_ids: Sequence[str]) -> str:
    return ", ".join(case_ids[:_NAMED]) + (" …" if len(case_ids) > _NAMED else "")
