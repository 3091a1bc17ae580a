"""What the stores share: conditions on states."""

from storage.lifecycle import JobState
from storage.sql.store import among
from storage.tables import jobs


def test_one_state_is_compared_so_that_an_index_can_give_the_order():
    assert str(among(jobs.c.state, [JobState.DONE])) == "jobs.state = 'DONE'"
    assert " IN " in str(among(jobs.c.state, [JobState.DONE, JobState.FAILED]))
