"""The YAML under `data:`, and where its paths lead."""

from __future__ import annotations

from pathlib import Path

import pytest
from miniatures import SMALL_LESIONS

from inference.errors import DataError
from inference.training.datasets import build
from inference.training.datasets.brats import Brats
from inference.training.datasets.lits import Lits
from inference.training.datasets.luna16 import Luna16
from inference.training.datasets.organs import Organs
from inference.training.datasets.phantoms import Phantoms
from inference.training.datasets.settings import Luna16Settings


def test_the_kind_opens_its_data_set() -> None:
    kinds = {"brats": Brats, "lits": Lits, "luna16": Luna16}
    for kind, data in kinds.items():
        assert type(build({"kind": kind, "folder": "x"}).open()) is data
    phantoms = build({"kind": "phantoms", "task": "liver_tumour", "first_seed": 3, "count": 2})
    assert type(phantoms.open()) is Phantoms
    assert [ref.case_id for ref in phantoms.open().cases()] == ["liver_tumour-3", "liver_tumour-4"]
    assert phantoms.answers == phantoms.open().card.name == "liver_tumour"


def test_organs_are_called_as_their_task_calls_them() -> None:
    organs = {"kind": "organs", "folder": "x"}
    liver = build(organs | {"task": "liver_tumour", "lesions": SMALL_LESIONS}).open()
    lungs = build(organs | {"task": "lung_nodule", "lesions": SMALL_LESIONS | {"label": 1, "within": None}}).open()
    assert type(liver) is type(lungs) is Organs
    assert (liver.organ, lungs.organ) == ("liver", "lungs")
    assert build(organs | {"task": "liver_tumour", "lesions": SMALL_LESIONS, "organ": "Leber"}).open().organ == "Leber"


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"lesions": SMALL_LESIONS | {"label": 1, "within": 2}}, "a lesion of liver_tumour has the label 2, not 1"),
    ({"lesions": SMALL_LESIONS | {"within": 2}}, "within an organ, which has another label"),
    ({"lesions_per_case": [0, 2]}, "from 1 on"),
    ({"lesions_per_case": [3, 2]}, "from 1 on"),
])  # fmt: skip
def test_lesions_are_those_of_the_task(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        build({"kind": "organs", "task": "liver_tumour", "folder": "x", "lesions": SMALL_LESIONS} | changes)


def test_paths_are_taken_from_where_the_configuration_lies(tmp_path: Path) -> None:
    settings = Luna16Settings(folder="luna", lidc_xml="/elsewhere/xml", patients="~/metadata.csv")
    data = settings.open(tmp_path)
    assert (data.folder, data.lidc_xml, data.patients) == (tmp_path / "luna", Path("/elsewhere/xml"),
                                                           Path.home() / "metadata.csv")  # fmt: skip
    assert Luna16Settings(folder="luna").open(tmp_path).lidc_xml is None


def test_every_wrong_key_is_named() -> None:
    with pytest.raises(DataError, match=r"lits\.folder: Field required; lits\.colour: Extra inputs"):
        build({"kind": "lits", "colour": "red"})
    with pytest.raises(DataError, match=r"phantoms\.task: .*'brain_tumour', 'liver_tumour' or 'lung_nodule'"):
        build({"kind": "phantoms", "task": "knee", "first_seed": 0, "count": 1})
