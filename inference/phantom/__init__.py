"""Procedural studies with known truth, one module a body region; torch-free, no data from any patient."""

from __future__ import annotations

from collections.abc import Callable

from inference.phantom.brain import make_brain_case, make_faint_glioma, make_silent_glioma
from inference.phantom.case import Decoy, Lesion, PhantomCase
from inference.phantom.liver_tumour import make_liver_tumour
from inference.phantom.lung_nodule import make_lung_mass, make_lung_nodule
from inference.phantom.study import write_study

MAKERS: dict[str, Callable[[int], PhantomCase]] = {
    "brain_tumour": make_brain_case,
    "liver_tumour": make_liver_tumour,
    "lung_nodule": make_lung_nodule,
}

# Other patients of a task, by its name: for training that asks for them, never for scoring.
VARIANTS: dict[str, dict[str, Callable[[int], PhantomCase]]] = {
    "brain_tumour": {"faint_glioma": make_faint_glioma, "silent_glioma": make_silent_glioma},
    "lung_nodule": {"lung_mass": make_lung_mass},
}


def make_case(name: str, seed: int) -> PhantomCase:
    """The phantom of this task or variant and seed, always the same; KeyError where there is none of that name."""
    variants = {variant: maker for variants in VARIANTS.values() for variant, maker in variants.items()}
    return (MAKERS | variants)[name](seed)


__all__ = ["MAKERS", "VARIANTS", "Decoy", "Lesion", "PhantomCase", "make_case", "write_study"]
