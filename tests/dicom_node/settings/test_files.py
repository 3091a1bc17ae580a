"""YAML that remembers its lines."""

import pytest
from pydantic import BaseModel, ValidationError

from dicom_node.errors import ConfigurationError
from dicom_node.settings.files import document_of, problems_of, read_document

TEXT = """# a comment
name: x
list:
  - a
  - deep: {inner: 1}
"""


class Inner(BaseModel, extra="forbid"):
    inner: str


class Deep(BaseModel, extra="forbid"):
    deep: Inner


class Whole(BaseModel, extra="forbid"):
    name: int
    list: list[str | Deep]
    count: int


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "file.yaml"
    path.write_text(TEXT)
    return read_document(path, "file.yaml")


def test_data_is_plain_and_lines_are_kept(document):
    assert document.data == {"name": "x", "list": ["a", {"deep": {"inner": 1}}]}
    assert type(document.data) is dict
    assert type(document.data["name"]) is str
    assert document.at(("name",)) == "file.yaml:2"
    assert document.at(("list", 1, "deep", "inner")) == "file.yaml:5"


def test_a_place_that_is_not_there_is_where_it_should_be(document):
    assert document.at(("list", 1, "deep", "other")) == "file.yaml:5"
    assert document.at(("nowhere",)) == "file.yaml:1"


def test_every_mistake_has_its_sentence(document):
    with pytest.raises(ValidationError) as caught:
        Whole.model_validate(document.data)
    found = problems_of(caught.value, document, Whole)
    assert "file.yaml:2: name = 'x': input should be a valid integer, unable to parse string as an integer" in found
    assert "file.yaml:1: count: is needed and not there" in found
    assert any(problem.startswith("file.yaml:5: list.1.deep.inner = 1: ") for problem in found)


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\t- x"])
def test_what_is_no_yaml_is_told_with_its_line(tmp_path, text):
    (tmp_path / "file.yaml").write_text(f"ok: 1\n{text}\n")
    with pytest.raises(ConfigurationError, match=r"file.yaml:\d+: no valid YAML"):
        read_document(tmp_path / "file.yaml", "file.yaml")


@pytest.mark.parametrize("text", ["[" * 1000, "{a: " * 1000, "- " * 1000, "&a [*a]", "&a {b: *a}"])
def test_what_is_nested_without_end_is_told(text):
    with pytest.raises(ConfigurationError, match=r"file.yaml: is nested too deep"):
        document_of(text, "file.yaml")


def test_a_mapping_that_is_merged_into_itself_is_told():
    with pytest.raises(ConfigurationError, match=r"file.yaml: no valid YAML: a mapping is merged"):
        document_of("a: &a {<<: *a}", "file.yaml")


def test_aliases_of_aliases_are_not_followed_without_end():
    text = "a: &a [x, x]\n" + "".join(f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
                                       for old, new in zip("abcdefgh", "bcdefghi", strict=True))  # fmt: skip
    with pytest.raises(ConfigurationError, match=r"file.yaml: says more than 100000 things"):
        document_of(text, "file.yaml")


@pytest.mark.parametrize("text", [r'"a\0b"', r'"\uD800"'])
def test_a_value_that_no_file_or_database_could_hold_is_told_with_its_line(text):
    with pytest.raises(ConfigurationError, match=r"file.yaml:2: list.0: holds a character that is none"):
        document_of(f"list:\n  - {text}\n", "file.yaml")


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "file.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_document(tmp_path / "file.yaml", "file.yaml")


def test_an_empty_file_says_nothing(tmp_path):
    (tmp_path / "file.yaml").write_text("# nothing\n")
    assert read_document(tmp_path / "file.yaml", "file.yaml").data == {}
