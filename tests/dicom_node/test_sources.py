"""Who is asked about what somebody sent."""

import pytest
from pydantic import ValidationError

from dicom_node.sources import Backfill, Source, Sources

CT, ALL = Source(peer="ct-archive"), Source(peer="pacs")


@pytest.mark.parametrize(
    ("senders", "asked"),
    [(("CT1",), CT), (("MR1",), ALL), (("MR1", "CT1"), CT), ((), ALL)],
    ids=["named", "everybody else", "the one that is named counts", "nobody known"],
)
def test_the_named_sender_decides_and_else_what_holds_for_everybody(senders, asked):
    assert Sources({"CT1": CT, "*": ALL}).of(senders) is asked


def test_a_sender_without_a_source_is_left_to_its_quiet_time():
    assert Sources({"CT1": CT}).of(("MR1",)) is None
    assert Sources().of(("CT1",)) is None


def test_a_fetch_remembers_what_its_source_said():
    assert Source(peer="pacs", retrieve="get", incomplete="refuse").policy() == {
        "retrieve": "get",
        "ask_again_s": 10.0,
        "incomplete": "refuse",
    }


@pytest.mark.parametrize("wrong", [{"retrieve": "push"}, {"deadline_s": 0}, {"incomplete": "maybe"}, {"colour": 1}])
def test_what_is_not_allowed_is_refused(wrong):
    with pytest.raises(ValidationError):
        Source(peer="pacs", **wrong)


def test_a_backfill_goes_behind_everything_unless_told_otherwise():
    assert Backfill().priority == 0
