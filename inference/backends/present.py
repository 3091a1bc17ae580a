"""The inputs of a model that prepares them itself: its channels on one grid, values as the scanner gave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from inference.recipe import Channel, Recipe
from inference.tasks.card import TaskCard
from inference.volume import Volume

if TYPE_CHECKING:
    from inference.prepare import Prepared


def present(inputs: Mapping[str, Volume], card: TaskCard, roles: Sequence[str], *, register_roles: bool,
            spacing_mm: tuple[float, float, float] | None = None) -> Prepared:
    """Channels float32 (channel, z, y, x), HU or signal, in the order of `roles`.

    They lie on the primary role's grid with its axes nearest to LPS, at `spacing_mm` (z, y, x) where that is given.
    """
    from inference.prepare import prepare
    from inference.transforms.geometry import canonical

    spacing = spacing_mm or tuple(canonical(inputs[card.primary]).grid.spacing)
    recipe = Recipe(primary=card.primary, spacing_mm=(spacing[0], spacing[1], spacing[2]),
                    channels=tuple(Channel(role=role, scale="none") for role in roles),
                    register_roles=register_roles)
    return prepare(dict(inputs), recipe)
