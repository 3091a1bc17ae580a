"""Procedural studies with known truth, one module a body region; torch-free, no data from any patient."""

from __future__ import annotations

from collections.abc import Callable

from inference.phantom.brain import make_brain_case
from inference.phantom.case import Decoy, Lesion, PhantomCase
from inference.phantom.liver_tumour import make_liver_tumour
from inference.phantom.lung_nodule import make_lung_nodule
from inference.phantom.study import write_study

MAKERS: dict[str, Callable[[int], PhantomCase]] = {
    "brain_tumour": make_brain_case,
    "liver_tumour": make_liver_tumour,
    "lung_nodule": make_lung_nodule,
}


def make_case(task: str, seed: int) -> PhantomCase:
    """The phantom of this task and seed, always the same; KeyError where no phantom is drawn for the task."""
    return MAKERS[task](seed)


__all__ = ["MAKERS", "Decoy", "Lesion", "PhantomCase", "make_case", "write_study"]
