"""What every card promises, whatever its task."""

import pytest

from inference.tasks import TASKS


@pytest.mark.parametrize("card", TASKS.values(), ids=list(TASKS))
def test_a_card_is_coherent(card):
    assert card.primary in {role.name for role in card.roles}
    labels = [structure.label for structure in card.structures]
    assert labels == list(range(1, len(labels) + 1))
    assert all(label in labels for _, union in card.totals for label in union)
    assert all(0 < len(s.name) <= 50 and all(0 <= c <= 255 for c in s.rgb) for s in card.structures)
    assert len({structure.rgb for structure in card.structures}) == len(labels)


@pytest.mark.parametrize("card", TASKS.values(), ids=list(TASKS))
def test_a_structure_is_found_by_its_label(card):
    assert card.structure(1) is card.structures[0]
    with pytest.raises(KeyError, match="no structure with label 99"):
        card.structure(99)
