"""Phantoms that several files of tests look at: each is drawn once in a run, whichever process asks first."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from inference.phantom import PhantomCase, make_case, write_study


class DrawnStudy(NamedTuple):
    """A phantom's Study Instance UID and its files, which all processes share: nobody writes to them."""

    uid: str
    paths: list[Path]


DrawnCase = Callable[[str, int], PhantomCase]
MakeDrawnStudy = Callable[[str, int], DrawnStudy]


@pytest.fixture(scope="session")
def drawn_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the processes of this run have in common."""
    own = tmp_path_factory.getbasetemp()
    place = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "drawn"
    place.mkdir(exist_ok=True)
    return place


@pytest.fixture(scope="session")
def drawn_case(drawn_place: Path) -> DrawnCase:
    """`drawn_case(task, seed)` is `make_case(task, seed)`, a copy of one's own."""

    def get(task: str, seed: int) -> PhantomCase:
        def draw(folder: Path) -> None:
            (folder / "case.pickle").write_bytes(pickle.dumps(make_case(task, seed), pickle.HIGHEST_PROTOCOL))

        made = _once(drawn_place / f"{task}-{seed}", draw)
        case: PhantomCase = pickle.loads((made / "case.pickle").read_bytes())
        return case

    return get


@pytest.fixture(scope="session")
def drawn_study(drawn_place: Path, drawn_case: DrawnCase) -> MakeDrawnStudy:
    """`drawn_study(task, seed)` is that phantom as its scanner sends it."""

    def get(task: str, seed: int) -> DrawnStudy:
        def write(folder: Path) -> None:
            case = drawn_case(task, seed)
            write_study(case, folder / "study")
            (folder / "uid").write_text(case.acquisitions[case.primary].study.study_instance_uid)

        made = _once(drawn_place / f"{task}-{seed}-study", write)
        return DrawnStudy((made / "uid").read_text(), sorted(p for p in (made / "study").rglob("*") if p.is_file()))

    return get


def _once(folder: Path, make: Callable[[Path], None]) -> Path:
    """`folder`, filled by the first who comes; the others wait. One that was left half made is made anew."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            growing = folder.with_suffix(".part")
            growing.mkdir(exist_ok=True)
            make(growing)
            growing.rename(folder)
    return folder
