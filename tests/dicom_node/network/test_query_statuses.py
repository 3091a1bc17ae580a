"""What a peer's status means for who asked."""

from itertools import pairwise

import pytest
from pydicom.dataset import Dataset

from dicom_node.errors import Refused, Unreachable
from dicom_node.network.peer import Peer
from dicom_node.network.query_statuses import MEANINGS, goes_on

PEER = Peer(ae_title="ARCHIVE", host="127.0.0.1", port=11112)


def status(code, **more):
    answer = Dataset()
    answer.Status = code
    for keyword, value in more.items():
        setattr(answer, keyword, value)
    return answer


@pytest.mark.parametrize(("code", "more"), [(0xFF00, True), (0xFF01, True), (0x0000, False), (0xB000, False)])
def test_pending_is_followed_by_more_and_images_that_could_not_be_sent_are_no_error(code, more):
    assert goes_on(status(code), PEER, "C-FIND") is more


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (0xA700, Unreachable, "out of resources"),
        (0xA900, Refused, "identifier does not match SOP class"),
        (0xC001, Unreachable, "unable to process"),
        (0x0122, Refused, "SOP class not supported"),
        (0x1234, Refused, "a status that the standard does not name"),
    ],
)
def test_a_failure_is_told_in_the_standards_words(code, error, words):
    with pytest.raises(error, match=f"answers the C-MOVE with 0x{code:04X}: {words}"):
        goes_on(status(code), PEER, "C-MOVE")


def test_no_answer_at_all_is_one_that_may_come_another_time():
    with pytest.raises(Unreachable, match="did not answer a C-GET"):
        goes_on(Dataset(), PEER, "C-GET")


def test_the_peers_own_words_stand_in_none_of_ours():
    with pytest.raises(Unreachable) as told:
        goes_on(status(0xC001, ErrorComment="DOE^JANE is locked"), PEER, "C-FIND")
    assert str(told.value).endswith("0xC001: unable to process")
    assert told.value.quote == "DOE^JANE is locked"


def test_no_code_has_two_meanings():
    assert all(last < first for (_, last, *_), (first, *_) in pairwise(MEANINGS))
