"""Procedural studies with known truth, one module a body region; torch-free, no data from any patient."""

from __future__ import annotations

from collections.abc import Callable

from inference.phantom.brain import make_brain_case
from inference.phantom.case import Decoy, Lesion, PhantomCase
from inference.phantom.liver_tumour import make_liver_tumour
from inference.phantom.lung_nodule import make_lung_mass, make_lung_nodule
from inference.phantom.study import write_study

MAKERS: dict[str, Callable[[int], PhantomCase]] = {
    "brain_tumour": make_brain_case,
    "liver_tumour": make_liver_tumour,
    "lung_nodule": make_lung_nodule,
}


VARIANTS: dict[str, Callable[[int], PhantomCase]] = {
    "lung_mass": make_lung_mass,  # of lung_nodule, for training that asks for masses
}


def make_case(name: str, seed: int) -> PhantomCase:
    """The phantom of this task or variant and seed, always the same; KeyError where there is none of that name."""
    return (MAKERS | VARIANTS)[name](seed)


__all__ = ["MAKERS", "VARIANTS", "Decoy", "Lesion", "PhantomCase", "make_case", "write_study"]
