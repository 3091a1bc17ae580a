"""Who says what of the body part."""

from dicom_node.routing.regions import regions_of
from dicom_node.routing.vocabulary import Region, Vocabulary


def test_each_source_is_kept_apart():
    header = {"SeriesDescription": "Lung 1.0", "ProtocolName": "ThorAbd", "BodyPartExamined": "HEAD"}
    said = regions_of(header, "CT Becken", Vocabulary())
    assert said.by_series == {Region.CHEST}
    assert said.by_text == {Region.CHEST, Region.ABDOMEN, Region.PELVIS}
    assert said.by_tag == {Region.HEAD}
    assert said.tag_text == "HEAD"


def test_a_header_without_words_says_nothing():
    said = regions_of({"BodyPartExamined": "PARTIALBODY"}, "", Vocabulary())
    assert not said.by_series | said.by_text | said.by_tag
