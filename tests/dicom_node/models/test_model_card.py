"""A model's card is read from its own files; what they do not say is told as that."""

from __future__ import annotations

import json
from pathlib import Path

from dicom_node.models.model_card import UNSAID, card_of
from dicom_node.settings.models import BUNDLES
from inference.findings import IntendedUse


def test_a_shipped_bundle_says_what_it_is_for_and_what_it_learned_from() -> None:
    card = card_of(BUNDLES / "liver_tumour", IntendedUse.DEMONSTRATION)
    assert "must not be used" in card.facts["What it is"]
    assert card.facts["Training data"].startswith("procedural phantoms")
    assert "no result of it is for a patient" in card.facts["Limits"]
    learned = next(part.text for part in card.sections if part.title == "What it learned from")
    assert "no data of any patient" in learned
    assert all("**" not in part.text for part in card.sections)


def test_a_model_without_files_says_nothing() -> None:
    card = card_of(None, IntendedUse.RESEARCH)
    assert (card.facts["Intended use"], card.facts["Training data"], card.sections) == ("research", UNSAID, ())


def test_an_own_section_on_limits_counts_and_what_is_no_json_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Ours\n\n## Known limits\nNo children.\n")
    (tmp_path / "dataset.json").write_text(json.dumps({"description": "Livers", "reference": ["a", "b"]}))
    card = card_of(tmp_path, IntendedUse.CLINICAL)
    assert (card.facts["What it is"], card.facts["Limits"]) == ("Livers", "No children.")
    (tmp_path / "dataset.json").write_text("{")
    assert "What it is" not in card_of(tmp_path, IntendedUse.CLINICAL).facts
