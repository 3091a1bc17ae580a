"""What is done about users, for the command line and the console alike; links are told by `segnode users`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from click.testing import CliRunner

from dicom_node.acts import people
from dicom_node.assembly import Parts
from dicom_node.audit.facts import Participant
from dicom_node.cli.main import main
from storage.errors import IllegalStep, NotFound
from storage.people.tickets import TicketKind
from storage.people.users import Role

ADA = Participant("ada", requestor=True, name="ada")
NOW = 1000.0


def test_somebody_new_gets_a_link_and_a_newer_one_takes_its_place(parts: Parts) -> None:
    first = people.add_user(parts, " Vera ", Role.VIEWER, NOW, ADA)
    second = people.new_link(parts, "vera", NOW, ADA)
    with parts.database.reading() as tx:
        assert tx.tickets.find(TicketKind.LINK, first, NOW) is None
        ticket = tx.tickets.find(TicketKind.LINK, second, NOW)
        assert ticket is not None
        assert ticket.user_id == tx.users.named("vera").user_id
    assert people.address_of(parts, second) == f"http://127.0.0.1:8470/welcome?link={second}"


def test_who_is_shut_out_keeps_nothing(parts: Parts) -> None:
    people.add_user(parts, "vera", Role.VIEWER, NOW)
    with parts.database.transaction() as tx:
        vera = tx.users.named("vera").user_id
        for kind in TicketKind:
            tx.tickets.issue(kind, vera, NOW)
    people.shut_out(parts, "vera")
    with parts.database.reading() as tx:
        assert tx.users.named("vera").disabled
        assert [ticket for kind in TicketKind for ticket in tx.tickets.of_user(vera, kind)] == []
    people.let_in(parts, "vera")
    with parts.database.reading() as tx:
        assert not tx.users.named("vera").disabled


def test_what_is_over_is_forgotten(parts: Parts) -> None:
    with parts.database.transaction() as tx:
        vera = tx.users.add("vera", Role.VIEWER, NOW).user_id
        over = tx.tickets.issue(TicketKind.SESSION, vera, NOW, lasts_s=60.0)
        good = tx.tickets.issue(TicketKind.PROGRAM, vera, NOW)
    people.forget(parts, NOW + 61)
    with parts.database.reading() as tx:
        assert tx.tickets.find(TicketKind.SESSION, over, NOW) is None
        assert tx.tickets.find(TicketKind.PROGRAM, good, NOW)


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\x1bb"])
def test_a_name_is_one_line_of_letters(name: str) -> None:
    with pytest.raises(IllegalStep, match="a name has 1 to 64 characters"):
        people.checked_name(name)


def test_nobody_is_not_found(parts: Parts) -> None:
    for change in (people.shut_out, people.let_in):
        with pytest.raises(NotFound, match="no user nobody"):
            change(parts, "nobody")


def test_each_change_is_audited_with_who_made_it(parts: Parts, audited: Callable[[], list[Element]]) -> None:
    people.add_user(parts, "vera", Role.VIEWER, NOW, ADA)
    people.give_role(parts, "vera", Role.OPERATOR, ADA)
    people.shut_out(parts, "vera", ADA)
    kinds = [message.find("EventIdentification/EventTypeCode").get("csd-code") for message in audited()]
    assert kinds == ["110137", "110136", "110137"]


class TestCommands:
    """dicom_node.cli.users"""

    def run(self, conf: Path, *words: str):
        return CliRunner().invoke(main, ["users", *words, "--conf", str(conf)])

    def test_the_way_in_where_nobody_has_one(self, parts: Parts, conf: Path) -> None:
        shown = self.run(conf, "link").stdout
        assert shown.startswith("http://127.0.0.1:8470/welcome?link=")
        with parts.database.reading() as tx:
            ticket = tx.tickets.find(TicketKind.LINK, shown.strip().partition("=")[2], 0.0)
        assert ticket is not None
        assert ticket.user_id is None

    def test_made_listed_given_a_role_and_shut_out(self, parts: Parts, conf: Path) -> None:
        assert "/welcome?link=" in self.run(conf, "link", "vera", "--role", "viewer").stdout
        assert "/welcome?link=" in self.run(conf, "link", "Vera").stdout
        assert self.run(conf, "role", "vera", "operator").stdout == "vera is an operator\n"
        assert self.run(conf, "shut-out", "vera").exit_code == 0
        listed = self.run(conf, "list", "--json").stdout
        assert '"role": "operator"' in listed
        assert '"shut_out": true' in listed
        assert self.run(conf, "let-in", "vera").exit_code == 0

    def test_wrong_usage_and_no_such_user(self, parts: Parts, conf: Path) -> None:
        assert self.run(conf, "link", "--role", "viewer").exit_code == 2
        answer = self.run(conf, "link", "nobody")
        assert (answer.exit_code, answer.stderr) == (1, "Error: no user nobody\n")
