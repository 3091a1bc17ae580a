"""Labelled cases as the network sees them, prepared once and kept on disk beside the phantoms."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import inference
from inference.errors import BadCase, Unfit
from inference.prepare import Prepared, prepare
from inference.recipe import Recipe
from inference.training.cases import Case, fingerprint, load_case, save_case
from inference.training.datasets.base import CaseRef, DataSet, LabelledCase
from inference.transforms.geometry import resample_labels


def prepared_case(labelled: LabelledCase, recipe: Recipe) -> tuple[Prepared, NDArray[np.uint8]]:
    """A case's channels and its labels uint8 (z, y, x) on the working grid; Unfit where the recipe does not fit it.

    Series that are known to lie on each other are not registered again. The recipe may name another primary role than
    the task's, as it has to where a channel is left out: the truth follows it.
    """
    if labelled.registered:
        recipe = recipe.model_copy(update={"register_roles": False})
    prepared = prepare(labelled.volumes, recipe)
    truth = resample_labels(labelled.truth, labelled.grid, labelled.volumes[recipe.primary].grid)
    return prepared, prepared.labels(np.asarray(truth, dtype=np.uint8))


def cached_case(data: DataSet, ref: CaseRef, recipe: Recipe, folder: Path) -> Case:
    """A case from `folder`, or read, prepared and kept there first; BadCase where it cannot be used.

    It is made anew where its files, the recipe or the code that reads and prepares are others than they were.
    """
    own = hashlib.sha256(f"{ref.case_id} {data.fingerprint(ref)} {_code()}".encode()).hexdigest()
    path = folder / f"{data.card.name}-{own[:16]}-{fingerprint(data.card.name, recipe)}"
    seed = int(own[:8], 16)
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        names = [f"{one.role} of {ref.images[one.role].name}" if one.role in ref.images else one.role
                 for one in recipe.channels]
        try:
            labelled = data.read(ref)
            prepared, labels = prepared_case(labelled, recipe)
            marks = [(*prepared.grid.to_index(one.centre), one.diameter_mm) for one in labelled.irrelevant]
            save_case(path, prepared, labels, seed, names, np.array(marks).reshape(-1, 4))
        except Unfit as fault:
            raise BadCase(ref.case_id, str(fault)) from fault
    return load_case(path, seed)


@cache
def _code() -> str:
    """Changes with the code that reads; the code that prepares is in the recipe's fingerprint."""
    digest = hashlib.sha256()
    root = Path(inference.__file__).parent
    for path in sorted([*(root / "readers").glob("*.py"), *(root / "training" / "datasets").glob("*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()
