"""Statuses, restated by hand from PS3.4 B.2.3 and PS3.7 C."""

import pytest

from dicom_node import errors
from dicom_node.network.statuses import ANSWERS, Outcome, Status, answer_to, meaning_of


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.OutOfResources("disk"), 0xA700),
        (errors.DiskFull("below the watermark"), 0xA700),
        (errors.NotNegotiated("another's context"), 0x0122),
        (errors.UidMismatch("other instance"), 0xA900),
        (errors.BadDataset("no UID"), 0xC000),
    ],
)
def test_each_reason_not_to_keep_has_its_status(error, code):
    assert answer_to(error) == code


def test_no_reason_is_forgotten():
    assert set(ANSWERS) == set(errors.ReceiveError.__subclasses__())


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (0x0000, Outcome.STORED),
        (0x0110, Outcome.TRY_AGAIN),
        (0x0111, Outcome.WARNING),
        (0x0117, Outcome.REFUSED),
        (0x0122, Outcome.REFUSED),
        (0x0124, Outcome.REFUSED),
        (0xA700, Outcome.TRY_AGAIN),
        (0xA7FF, Outcome.TRY_AGAIN),
        (0xA900, Outcome.REFUSED),
        (0xB000, Outcome.WARNING),
        (0xB006, Outcome.WARNING),
        (0xB007, Outcome.WARNING),
        (0xB123, Outcome.WARNING),
        (0xC000, Outcome.REFUSED),
        (0xCFFF, Outcome.REFUSED),
        (0x9999, Outcome.REFUSED),
    ],
)
def test_what_a_peers_answer_means(code, outcome):
    assert meaning_of(code).outcome is outcome
    assert meaning_of(code).stored is (outcome in (Outcome.STORED, Outcome.WARNING))


def test_a_warning_is_never_without_a_word():
    assert str(meaning_of(0x0000)) == "0x0000"
    for code in (0x0111, 0xB000, 0xB006, 0xB007, 0xBABE):
        assert len(str(meaning_of(code)).split(maxsplit=1)[1]) > 10


def test_the_peers_own_comment_is_kept():
    assert str(meaning_of(0xA700, "disk 3 is full")) == "0xA700 out of resources (disk 3 is full)"


def test_a_status_without_words_prints_as_its_code():
    assert str(Status(0x0000)) == "0x0000"
