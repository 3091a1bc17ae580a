"""The tasks that this house knows, by name; importing this loads no torch."""

from __future__ import annotations

from inference.errors import ModelError
from inference.tasks.brain_tumour import BRAIN_TUMOUR
from inference.tasks.card import Role, TaskCard
from inference.tasks.liver_tumour import LIVER_TUMOUR
from inference.tasks.lung_nodule import LUNG_NODULE

TASKS: dict[str, TaskCard] = {card.name: card for card in (BRAIN_TUMOUR, LIVER_TUMOUR, LUNG_NODULE)}

__all__ = ["BRAIN_TUMOUR", "LIVER_TUMOUR", "LUNG_NODULE", "TASKS", "Role", "TaskCard", "task_card"]


def task_card(name: str) -> TaskCard:
    """The card of a task; ModelError where this version has none of that name."""
    if name not in TASKS:
        raise ModelError(f"There is no task {name} in this version.")
    return TASKS[name]
