"""Tokens that stand for a person."""

import pytest
from sqlalchemy import text

from storage.people.tickets import TicketKind
from storage.people.users import Role


@pytest.fixture
def anne(db):
    with db.transaction() as tx:
        return tx.users.add("anne", Role.VIEWER, 100.0).user_id


def test_a_token_opens_until_it_expires_and_only_what_it_is_for(db, anne):
    with db.transaction() as tx:
        token = tx.tickets.issue(TicketKind.SESSION, anne, 100.0, lasts_s=60.0, label="10.0.0.1")
        ticket = tx.tickets.find(TicketKind.SESSION, token, 159.0)
        assert (ticket.user_id, ticket.label, ticket.expires_at) == (anne, "10.0.0.1", 160.0)
        assert tx.tickets.find(TicketKind.SESSION, token, 160.0) is None
        assert tx.tickets.find(TicketKind.PROGRAM, token, 110.0) is None
        assert tx.tickets.find(TicketKind.SESSION, token + "x", 110.0) is None
        assert tx.tickets.forget(160.0) == 1


def test_the_database_does_not_know_it(db, anne):
    with db.transaction() as tx:
        token = tx.tickets.issue(TicketKind.PROGRAM, anne, 100.0)
        rows = tx._connection.execute(text("SELECT * FROM tickets")).all()
    assert token not in str(rows)


def test_a_link_is_good_once(db):
    with db.transaction() as tx:
        token = tx.tickets.issue(TicketKind.LINK, None, 100.0, lasts_s=60.0)
        ticket = tx.tickets.find(TicketKind.LINK, token, 110.0)
        assert tx.tickets.use(ticket.ticket_id, 110.0)
        assert not tx.tickets.use(ticket.ticket_id, 111.0)
        assert tx.tickets.find(TicketKind.LINK, token, 112.0) is None


def test_a_new_first_link_takes_the_place_of_the_old(db):
    with db.transaction() as tx:
        old = tx.tickets.issue(TicketKind.LINK, None, 100.0)
        tx.tickets.revoke_first_links()
        new = tx.tickets.issue(TicketKind.LINK, None, 101.0)
        assert tx.tickets.find(TicketKind.LINK, old, 102.0) is None
        assert tx.tickets.find(TicketKind.LINK, new, 102.0)


def test_a_user_takes_away_only_what_is_the_users_own(db, anne):
    with db.transaction() as tx:
        bob = tx.users.add("bob", Role.VIEWER, 100.0).user_id
        tx.tickets.issue(TicketKind.PROGRAM, anne, 100.0, label="monitor")
        tx.tickets.issue(TicketKind.SESSION, anne, 100.0)
        (ticket,) = tx.tickets.of_user(anne, TicketKind.PROGRAM)
        assert ticket.label == "monitor"
        assert not tx.tickets.revoke(ticket.ticket_id, bob)
        assert tx.tickets.revoke(ticket.ticket_id, anne)
        assert tx.tickets.revoke_all(anne, TicketKind.LINK) == 0
        assert tx.tickets.revoke_all(anne) == 1
