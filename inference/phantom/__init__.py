"""Procedural studies with known truth, one module a body region; torch-free, no data from any patient."""

from __future__ import annotations

from inference.phantom.case import Decoy, Lesion, PhantomCase

__all__ = ["Decoy", "Lesion", "PhantomCase"]
