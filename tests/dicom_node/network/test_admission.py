"""The decision on a caller, case by case."""

from dataclasses import dataclass

import pytest
from pydantic import ValidationError

from dicom_node.network.admission import Admittance, Caller, Rejection, Role, decide, role_of


@dataclass(frozen=True)
class Rules:
    ae_title: str = "SEGNODE"
    called_titles: tuple[str, ...] = ("SEGNODE",)
    require_called_aet: bool = True
    accept_calling_aets: tuple[str, ...] = ()
    admission: tuple[Admittance, ...] = ()
    max_associations: int = 4


def row(*, titles=(), addresses=(), may=(Role.STORE,)) -> Admittance:
    return Admittance(ae_titles=titles, addresses=addresses, may=may)


TABLE = Rules(
    admission=(
        row(titles=["CT1", "MR1"], addresses=["10.1.2.0/24"]),
        row(titles=["PACS"], addresses=["10.1.9.7", "fd00:9::/64"], may=["store", "commit"]),
        row(titles=["PACS"], addresses=["10.1.0.0/16"], may=["find"]),
        row(addresses=["192.168.7.7"], may=[]),
    )
)


def verdict(rules: Rules, calling: str = "CT1", address: str = "10.1.2.3", called: str = "SEGNODE", others: int = 0):
    answer = decide(Caller(calling, called, address, others), rules)
    return (answer.result, answer.source, answer.reason) if isinstance(answer, Rejection) else set(answer)


EVERYTHING = {Role.STORE, Role.FIND, Role.COMMIT}


def test_without_rules_everybody_may_everything():
    assert verdict(Rules(), calling="ANY", address="203.0.113.9") == EVERYTHING


@pytest.mark.parametrize(
    ("calling", "address", "expected"),
    [
        ("CT1", "10.1.2.3", {Role.STORE}),
        (" CT1 ", "10.1.2.3", {Role.STORE}),  # spaces at the ends do not count
        ("PACS", "10.1.9.7", EVERYTHING),  # what all its rows allow
        ("PACS", "10.1.4.4", {Role.FIND}),
        ("PACS", "fd00:9::17", {Role.STORE, Role.COMMIT}),
        ("PACS", "fd00:9::17%eth0", {Role.STORE, Role.COMMIT}),
        ("CT1", "::ffff:10.1.2.3", {Role.STORE}),  # an IPv4 caller at a socket of both families
        ("WATCH", "192.168.7.7", set()),  # may come in and C-ECHO
        ("CT1", "10.2.0.1", (1, 1, 1)),
        ("CT1", "fd00:8::1", (1, 1, 1)),
        ("CT1", "not an address", (1, 1, 1)),
        ("CT1", "10.1.9.7", (1, 1, 3)),  # known, but not from there
        ("ct1", "10.1.2.3", (1, 1, 3)),  # titles are case sensitive
        ("STRANGER", "10.1.2.3", (1, 1, 3)),
    ],
)
def test_a_row_is_who_from_where_for_what(calling, address, expected):
    assert verdict(TABLE, calling, address) == expected


def test_a_stranger_from_nowhere_learns_nothing_of_titles():
    answers = {verdict(TABLE, c, "10.2.0.1", called) for c in ("CT1", "X") for called in ("SEGNODE", "X")}
    assert answers == {(1, 1, 1)}


def test_the_called_title_comes_before_the_calling_one():
    assert verdict(TABLE, "STRANGER", called="OTHER") == (1, 1, 7)
    assert verdict(Rules(require_called_aet=False), called="OTHER") == EVERYTHING


def test_who_was_called_by_another_title_of_ours_may_call_that():
    rules = Rules(called_titles=("SEGNODE", "SENDER"))
    assert verdict(rules, "PACS", called="SENDER ") == EVERYTHING
    assert verdict(rules, "PACS", called="OTHER") == (1, 1, 7)


def test_the_short_list_of_titles_still_works_and_both_must_hold():
    assert verdict(Rules(accept_calling_aets=("CT1",)), "CT1") == EVERYTHING
    assert verdict(Rules(accept_calling_aets=("CT1",)), "MR1") == (1, 1, 3)
    both = Rules(accept_calling_aets=("MR1",), admission=TABLE.admission)
    assert (verdict(both, "CT1"), verdict(both, "MR1")) == ((1, 1, 3), {Role.STORE})


def test_the_limit_is_told_only_to_who_may_come_in():
    assert verdict(TABLE, others=3) == {Role.STORE}
    assert verdict(TABLE, others=4) == (2, 3, 2)
    assert verdict(TABLE, "STRANGER", others=4) == (1, 1, 3)


def test_every_rejection_says_why():
    for rules, caller in (
        (TABLE, Caller("CT1", "SEGNODE", "10.2.0.1")),
        (TABLE, Caller("X", "SEGNODE", "10.1.2.3")),
        (TABLE, Caller("CT1", "X", "10.1.2.3")),
        (TABLE, Caller("CT1", "SEGNODE", "10.1.2.3", 9)),
        (Rules(accept_calling_aets=("A",)), Caller("B", "SEGNODE", "10.1.2.3")),
    ):
        assert decide(caller, rules).sentence


@pytest.mark.parametrize(
    ("uid", "role"),
    [
        ("1.2.840.10008.1.1", None),
        ("1.2.840.10008.5.1.4.1.1.2", Role.STORE),
        ("1.2.840.10008.5.1.4.1.2.2.1", Role.FIND),  # study root C-FIND
        ("1.2.840.10008.1.20.1", Role.COMMIT),
        ("1.2.3.4", Role.STORE),  # what is not known is not for who may only ask
    ],
)
def test_every_class_belongs_to_a_role(uid, role):
    assert role_of(uid) == role


@pytest.mark.parametrize("address", ["10.1.2.3/24", "10.1.2", "ct1.example", "fd00::/129", ""])
def test_what_is_no_network_is_told_with_what_is(address):
    with pytest.raises(ValidationError, match=r"a network like 10\.1\.2\.0/24"):
        row(addresses=[address])
