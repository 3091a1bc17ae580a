"""What a stranger calls a UID must be one."""

import pytest

from storage.errors import BadIdentifier
from storage.identifiers import check_uid


@pytest.mark.parametrize("uid", ["1", "1.2.840.10008.1.2", "2.25." + "9" * 39, "1.2.007", "1." + "2" * 62])
def test_uids_are_given_back(uid):
    assert check_uid(uid) == uid


@pytest.mark.parametrize(
    "uid", ["", ".", "1.", ".1", "1..2", "1.2\n", "1.2\0", "1,2", "a.b", "../../etc/passwd", "1.٣", "1." + "2" * 63]
)
def test_all_else_is_refused_without_repeating_it(uid):
    with pytest.raises(BadIdentifier) as refused:
        check_uid(uid)
    assert len(uid) < 5 or uid not in str(refused.value)
