"""What may be deleted, and when; and everything that never may."""

from itertools import product

import pytest

from storage.lifecycle import DeliveryState, JobMark, JobState, StudyState
from storage.retention import DAY_S, Ended, JobFacts, Rule, StudyFacts, decide, unfinished

NOW = 1000 * DAY_S
AT_ONCE = [Rule(ended, 0.0) for ended in Ended]
HELD, PENDING, SENT, COMMITTED, DEAD, SUPERSEDED = DeliveryState


def study(*jobs, state=StudyState.DISPATCHED, days=100.0, **other):
    facts = {str(number): job for number, job in enumerate(jobs)}
    return StudyFacts("1.2.3", state, NOW - days * DAY_S, facts, **other)


def job(state=JobState.DONE, *deliveries, days=100.0, route="liver", **other):
    return JobFacts(route, state, NOW - days * DAY_S, deliveries, **other)


def goes(facts, rules=AT_ONCE, **how):
    return decide(facts, rules, NOW, **how).goes


@pytest.mark.parametrize("state", StudyState)
def test_only_a_study_at_rest_may_go(state):
    assert goes(study(state=state)) == (state in {StudyState.DISPATCHED, StudyState.NOT_ROUTED})


@pytest.mark.parametrize(("one", "other"), list(product(JobState, JobState)))
def test_no_study_with_an_unfinished_job_may_go(one, other):
    facts = study(job(one, SENT), job(other, SENT))
    assert goes(facts) == (JobState.PENDING not in (one, other))


@pytest.mark.parametrize(("job_state", "one", "other"), list(product(JobState, DeliveryState, DeliveryState)))
def test_no_study_with_an_unfinished_delivery_may_go_whatever_its_job_is(job_state, one, other):
    finished = {one, other} <= {SENT, COMMITTED, SUPERSEDED} and job_state is not JobState.PENDING
    assert goes(study(job(job_state, one, other))) == finished


def test_a_state_that_nobody_thought_of_is_kept():
    assert unfinished(study(job(JobState.DONE, "SUSPENDED")), NOW) == "a delivery of route liver is SUSPENDED"
    assert unfinished(study(job("PAUSED")), NOW) == "its job on route liver is PAUSED"


def test_what_we_promised_to_keep_stays_until_the_promise_ends():
    assert not goes(study(barred_until=NOW + 1))
    assert goes(study(barred_until=NOW))


def test_what_has_not_been_read_is_kept():
    waits = "a second content of an image, a note or a segmentation has not been read"
    assert unfinished(study(unread=True), NOW) == waits


@pytest.mark.parametrize("mark", JobMark)
def test_a_stale_result_waits_for_a_person(mark):
    assert goes(study(job(JobState.DONE, SENT, mark=mark))) == (mark is not JobMark.STALE)


def test_a_rejection_note_needs_no_rule_but_must_have_left():
    rules = [Rule(Ended.SENT, 0.0, route="liver"), Rule(Ended.NOT_ROUTED, 0.0)]
    for state, gone in ((SENT, True), (PENDING, False), (DEAD, False)):
        note = job(JobState.DONE, state, route="", rejects=True)
        assert goes(study(job(JobState.DONE, SENT), note), rules) == gone
        assert goes(study(job(JobState.SUPERSEDED, SENT), note), rules) == gone


@pytest.mark.parametrize(
    ("facts", "ended"),
    [
        (study(), Ended.NOT_ROUTED),
        (study(state=StudyState.NOT_ROUTED), Ended.NOT_ROUTED),
        (study(job(JobState.SUPERSEDED)), Ended.NOT_ROUTED),
        (study(job(JobState.REFUSED)), Ended.REFUSED),
        (study(job(JobState.FAILED)), Ended.FAILED),
        (study(job(JobState.DONE)), Ended.UNSENT),
        (study(job(JobState.DONE, SUPERSEDED)), Ended.UNSENT),
        (study(job(JobState.DONE, SENT)), Ended.SENT),
        (study(job(JobState.DONE, SENT, COMMITTED)), Ended.SENT),
        (study(job(JobState.DONE, COMMITTED, SUPERSEDED)), Ended.COMMITTED),
        (study(job(JobState.DONE, COMMITTED), job(JobState.SUPERSEDED, SENT)), Ended.COMMITTED),
    ],
)
def test_how_it_ended_chooses_the_rule(facts, ended):
    assert [one for one in Ended if goes(facts, [Rule(one, 0.0)])] == [ended]


def test_every_job_of_a_study_must_have_a_rule_and_be_old_enough():
    rules = [Rule(Ended.SENT, 10 * DAY_S), Rule(Ended.REFUSED, 20 * DAY_S)]
    assert not goes(study(job(JobState.DONE, SENT), job(JobState.FAILED)), rules)
    assert not goes(study(job(JobState.DONE, SENT, days=11), job(JobState.REFUSED, days=11), days=30), rules)
    assert goes(study(job(JobState.DONE, SENT, days=11), job(JobState.REFUSED, days=21), days=30), rules)


def test_the_first_rule_that_fits_decides():
    rules = [Rule(Ended.SENT, 200 * DAY_S, route="liver"), Rule(Ended.SENT, 1 * DAY_S)]
    assert not goes(study(job(JobState.DONE, SENT, route="liver")), rules)
    assert goes(study(job(JobState.DONE, SENT, route="brain")), rules)
    assert goes(study(job(JobState.DONE, SENT, route="liver")), rules[::-1])


def test_age_counts_from_the_last_of_image_job_and_delivery():
    rules = [Rule(Ended.SENT, 10 * DAY_S)]
    for images, work in product((9, 10), (9, 10)):
        assert goes(study(job(JobState.DONE, SENT, days=work), days=images), rules) == (images == work == 10)


def test_a_short_disk_lets_it_go_sooner_where_the_rule_says_so():
    rules = [Rule(Ended.SENT, 60 * DAY_S, short_after_s=7 * DAY_S), Rule(Ended.COMMITTED, 60 * DAY_S)]
    sent, committed = study(job(JobState.DONE, SENT, days=8), days=8), study(job(JobState.DONE, COMMITTED), days=8)
    assert not goes(sent, rules)
    assert goes(sent, rules, short=True)
    assert not goes(committed, rules, short=True)


def test_without_a_rule_nothing_goes():
    assert not goes(study(job(JobState.DONE, SENT)), [])


def test_the_reason_names_age_and_rule():
    rules = [Rule(Ended.SENT, 60 * DAY_S, "liver", 7 * DAY_S)]
    told = decide(study(job(JobState.DONE, SENT, days=61.5), days=90), rules, NOW)
    assert told.reason == "sent for 61.5 days; rule sent on route liver: after 60 days"
    early = decide(study(job(JobState.DONE, SENT, days=8), days=90), rules, NOW, short=True)
    assert early.reason == "sent for 8.0 days; rule sent on route liver: after 60 days (early: the disk is short)"
    kept = decide(study(job(JobState.FAILED)), rules, NOW)
    assert kept.reason == "no rule removes what is failed on route liver"
