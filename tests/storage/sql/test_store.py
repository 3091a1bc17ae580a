"""What the stores share: conditions on states, text that any database takes."""

from storage.lifecycle import JobState
from storage.sql.store import among, plain
from storage.tables import jobs


def test_one_state_is_compared_so_that_an_index_can_give_the_order():
    assert str(among(jobs.c.state, [JobState.DONE])) == "jobs.state = 'DONE'"
    assert " IN " in str(among(jobs.c.state, [JobState.DONE, JobState.FAILED]))


def test_plain_text_keeps_all_but_what_databases_refuse():
    assert plain("Müller's 頭 \0x\ud800") == "Müller's 頭 x?"
