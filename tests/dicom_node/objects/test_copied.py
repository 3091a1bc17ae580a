"""dicom_node.objects.copied names what highdicom copies of patient and study, and the institution."""

from __future__ import annotations

import pytest
from highdicom.base import get_module_attribute_map
from pydicom.datadict import tag_for_keyword

from dicom_node.objects.copied import is_copied

MODULES = ("patient", "general-study", "patient-study", "clinical-trial-subject", "clinical-trial-study")


@pytest.mark.parametrize("module", MODULES)
def test_everything_of_the_modules_that_are_copied(module: str) -> None:
    keywords = {a["keyword"] for a in get_module_attribute_map()[module] if not a["path"]} - {"StudyInstanceUID"}
    assert [keyword for keyword in sorted(keywords) if not is_copied(tag_for_keyword(keyword))] == []


@pytest.mark.parametrize("keyword", ["SeriesDescription", "InstanceNumber", "KVP", "StudyInstanceUID", "Rows"])
def test_what_belongs_to_series_and_image_is_not(keyword: str) -> None:
    assert not is_copied(tag_for_keyword(keyword))
