"""Words that fit DICOM's types and never lose the mark."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicom_node.objects import wording
from inference.findings import IntendedUse, ModelIdentity, Result
from inference.volume import Grid


def result(use: IntendedUse, name: str = "net", task: str = "lung_nodule") -> Result:
    model = ModelIdentity(name, "1.0", "00", "Segnode", use, clearance="CE 1234")
    return Result(task, model, Grid((1, 1, 1), [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "CT",
                  Path("none.npy"), ())


@pytest.mark.parametrize(("text", "limit", "expected"), [
    ("Nodule 1", 64, "Nodule 1"),
    ("Œdème péritumoral", 64, "OEdeme peritumoral"),
    ("Klinik Straße, Łódź", 64, "Klinik Strasse, Lodz"),
    ("肝臓 3D", 64, "?? 3D"),
    ("Печень", 64, "??????"),
    ("O\u2019Brien \u2013 A\u0308", 64, "O'Brien - A"),
    ("a\\b\x00c\n d", 64, "a b c d"),
    ("x" * 80, 64, "x" * 64),
])
def test_plain_text_fits_every_character_set(text: str, limit: int, expected: str) -> None:
    assert wording.plain(text, limit) == expected


@pytest.mark.parametrize("use", [IntendedUse.DEMONSTRATION, IntendedUse.RESEARCH])
def test_the_mark_stands_first_and_survives_any_length(use: IntendedUse) -> None:
    long = result(use, name="n" * 200, task="t" * 200)
    assert wording.series_description(long, "measurements").startswith(f"{use.upper()}: ")
    assert wording.content_description(long.model).startswith(wording.mark(use))
    assert len(wording.series_description(long, "measurements")) <= 64
    assert len(wording.content_description(long.model)) <= 64


def test_clinical_results_carry_no_mark_but_their_clearance() -> None:
    clinical = result(IntendedUse.CLINICAL)
    assert wording.mark(IntendedUse.CLINICAL) == ""
    assert wording.series_description(clinical, "SEG") == f"{wording.task_title('lung_nodule')}, SEG"
    assert "CE 1234" in wording.intended_use_sentence(clinical.model)


def test_a_content_label_is_a_code_string() -> None:
    assert wording.content_label("lung_nodule") == "LUNG_NODULE"
    assert wording.content_label("a-very long task.name") == "A_VERY_LONG_TASK"


def test_a_study_that_lacks_images_says_so_before_all_else() -> None:
    lacking = "incomplete: 3 of 412 images missing"
    demonstration, clinical = result(IntendedUse.DEMONSTRATION), result(IntendedUse.CLINICAL)
    assert wording.series_description(demonstration, "SEG", lacking).startswith("INCOMPLETE, DEMONSTRATION: ")
    assert wording.series_description(clinical, "SEG", lacking).startswith("INCOMPLETE: ")
    assert len(wording.series_description(result(IntendedUse.RESEARCH, task="t" * 200), "measurements", lacking)) <= 64
    assert wording.incomplete_sentence(lacking) == f"The study was {lacking} when this was computed."


@pytest.mark.parametrize(("use", "incomplete", "expected"), [
    (IntendedUse.RESEARCH, "", "RESEARCH"),
    (IntendedUse.DEMONSTRATION, "incomplete: 3 of 412 images missing", "INCOMPLETE, DEMONSTRATION"),
    (IntendedUse.CLINICAL, "incomplete: 3 of 412 images missing", "INCOMPLETE"),
    (IntendedUse.CLINICAL, "", ""),
])
def test_the_short_marks_are_a_word_each(use: IntendedUse, incomplete: str, expected: str) -> None:
    assert wording.short_marks(use, incomplete) == expected


def test_a_long_models_version_is_never_cut_off() -> None:
    model = ModelIdentity("A network with a name that goes on and on", "1.3.0", "", "", IntendedUse.DEMONSTRATION)
    words = wording.content_description(model)
    assert len(words) <= 64
    assert words.startswith("DEMONSTRATION - not for clinical use; A network")
    assert words.endswith("... 1.3.0")
