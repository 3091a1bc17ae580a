"""Each page shows what there is, and does what it offers.

dicom_node.web.pages.overview, dicom_node.web.pages.studies, dicom_node.web.pages.study,
dicom_node.web.pages.deliveries, dicom_node.web.pages.about, dicom_node.web.pages.forms
"""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree.ElementTree import Element

import pytest
from browsing import NOW, Browser

from dicom_node.assembly import Parts
from dicom_node.web.pages.study import by_series, drawn
from storage.deliveries import Setback
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, JobMark, JobState

MakeBrowser = Callable[[str], Browser]


@pytest.fixture
def otto(story: Parts, signed_in: MakeBrowser) -> Browser:
    """An operator who looks at the story."""
    return signed_in("otto")


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


class TestOverview:
    def test_what_needs_a_person_comes_first_and_leads_to_where_it_is_mended(self, otto: Browser) -> None:
        page = otto.get("/").text
        text = text_of(page)
        assert text.index("Needs a person") < text.index("Today")
        assert "receive is silent: nothing here takes images" in text
        assert '<a href="/studies/1.2.3"><code>segnode explain 1.2.3</code></a>' in page
        assert '<a href="/deliveries?state=DEAD"><code>segnode deliveries --dead</code></a>' in page

    def test_roles_queues_destinations_and_certificates(self, otto: Browser, story: Parts) -> None:
        tls = {"certificate": "segnode.example", "expires_at": NOW + 86400 * 200, "trouble": ""}
        with story.database.transaction() as tx:
            for number, role in enumerate(("receive", "pipeline", "clock", "web")):
                tx.processes.beat(role, number, "host", NOW - 90, NOW, [], {"tls": [tls]} if role == "receive" else {})
            tx.circuits.failed("share", NOW, "the share is gone")
            tx.circuits.open("share", NOW + 30)
            tx.deliveries.add("job-0", "1.2.3", "share", DeliveryState.PENDING, NOW)
        text = text_of(otto.get("/").text)
        assert "silent" not in text
        assert "receive runs 1 min 30 s" in text
        assert "2 associations" not in text
        assert "0 associations open" in text
        assert "share down since" in text
        assert "the share is gone 1 waiting" in text
        assert "segnode.example: valid until" in text

    def test_when_all_is_well_it_says_so(self, parts: Parts, signed_in: MakeBrowser) -> None:
        with parts.database.transaction() as tx:
            for number, role in enumerate(("receive", "pipeline", "clock", "web")):
                tx.processes.beat(role, number, "host", NOW, NOW, [], {})
        assert "Nothing needs a person" in signed_in("vera").get("/").text


class TestStudies:
    def test_newest_first_with_state_results_and_deliveries(self, otto: Browser) -> None:
        page = otto.get("/studies").text
        assert re.findall(r'href="/studies/([0-9.]+)"', page) == ["1.2.4", "1.2.3"]
        text = text_of(page)
        assert "Doe, Jane P-17" in text
        assert "liver tumour failed" in text
        assert "dead" in text

    @pytest.mark.parametrize(("query", "found"), [
        ("state=NOT_ROUTED", ["1.2.4"]), ("q=1.2.3", ["1.2.3"]), ("q=jane+doe", ["1.2.4", "1.2.3"]), ("q=nobody", []),
        ("trouble=true", ["1.2.4", "1.2.3"]), ("state=", ["1.2.4", "1.2.3"]),
    ])
    def test_narrowed(self, otto: Browser, query: str, found: list[str]) -> None:
        page = otto.get(f"/studies?{query}").text
        assert re.findall(r'href="/studies/([0-9.]+)"', page) == found
        assert ("No study is like that" in page) is not found or found

    def test_a_page_leads_to_the_next_and_back(self, otto: Browser) -> None:
        page = otto.get("/studies?limit=1&q=jane").text
        onward = re.search(r'href="([^"]+)" rel="next"', page)
        assert onward
        second = otto.get(onward[1].replace("&amp;", "&")).text
        assert re.findall(r'href="/studies/([0-9.]+)"', second) == ["1.2.3"]
        assert 'href="/studies?q=jane">Newest' in second

    @pytest.mark.parametrize("query", ["state=GONE", "after=x", "limit=0"])
    def test_what_is_not_allowed_is_said(self, otto: Browser, query: str) -> None:
        answer = otto.get(f"/studies?{query}")
        assert answer.status_code in (400, 422)
        assert answer.headers["Content-Type"].startswith("text/html")

    def test_an_empty_node_says_what_to_do(self, parts: Parts, signed_in: MakeBrowser) -> None:
        assert "Have a scanner or an archive send to this node" in signed_in("vera").get("/studies").text


class TestStudy:
    def test_it_shows_why_and_what_was_found(self, otto: Browser) -> None:
        page = otto.get("/studies/1.2.3").text
        text = text_of(page)
        assert "[/bold]Liver [2J" in text
        assert "slices are [axial]" in text
        assert "a reason to be failed" in text
        assert "given up after 12 attempts" in text
        assert "Liver 12.50 ml" in text
        assert "\x1b" not in page

    def test_markup_of_strangers_is_text(self, otto: Browser, story: Parts) -> None:
        with story.database.transaction() as tx:
            tx.journal.add(140.0, "note", "<script>alert(1)</script>", study="1.2.3")
        page = otto.get("/studies/1.2.3").text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page

    def test_a_running_job_shows_how_far_it_is(self, otto: Browser, story: Parts) -> None:
        with story.database.transaction() as tx:
            tx.jobs.claim("me", NOW, 60.0)
            tx.jobs.renew("job-3", "me", NOW, 60.0, progress=0.4, step="network")
        assert "network 40 %" in text_of(otto.get("/studies/1.2.3").text)

    @pytest.mark.parametrize(("uid", "status"), [("1.2.9", 404), ("no-uid", 400)])
    def test_one_that_is_not_there(self, otto: Browser, uid: str, status: int) -> None:
        assert otto.get(f"/studies/{uid}").status_code == status

    def test_who_may_only_look_is_offered_nothing(self, story: Parts, signed_in: MakeBrowser) -> None:
        assert "Try again" not in signed_in("vera").get("/studies/1.2.3").text
        assert "Try again" in signed_in("otto").get("/studies/1.2.3").text

    def test_it_goes_again_and_says_so(self, otto: Browser, story: Parts) -> None:
        answer = otto.fill_in("/studies/1.2.3/retry", "/studies/1.2.3")
        assert answer.headers["Location"] == "/studies/1.2.3"
        assert "2 jobs and 1 delivery go again." in otto.get("/studies/1.2.3").text
        with story.database.reading() as tx:
            assert tx.jobs.get("job-1").state is JobState.PENDING

    def test_held_results_go_only_when_that_is_asked(self, otto: Browser, story: Parts) -> None:
        otto.fill_in("/studies/1.2.3/retry", "/studies/1.2.3")
        with story.database.reading() as tx:
            assert tx.deliveries.counts()[DeliveryState.HELD] == 1
        otto.fill_in("/studies/1.2.3/retry", "/studies/1.2.3", release="true")
        with story.database.reading() as tx:
            assert DeliveryState.HELD not in tx.deliveries.counts()

    def test_stale_results_are_made_anew(self, otto: Browser, story: Parts) -> None:
        assert "Make anew" not in otto.get("/studies/1.2.3").text
        with story.database.transaction() as tx:
            tx.jobs.mark("job-0", JobMark.STALE, "a header was corrected")
        assert "Make anew" in otto.get("/studies/1.2.3").text
        otto.fill_in("/studies/1.2.3/reissue", "/studies/1.2.3")
        assert "1 stale results are made anew." in otto.get("/studies/1.2.3").text

    def test_who_asked_and_who_looked_is_audited_once(
        self, otto: Browser, audited: Callable[[], list[Element]]
    ) -> None:
        otto.get("/studies/1.2.3")
        otto.get("/studies/1.2.3")
        otto.fill_in("/studies/1.2.3/retry")
        found = []
        for message in audited():
            kind = message.find("EventIdentification/EventTypeCode").get("csd-code")
            found.append((kind, message.find("ActiveParticipant").get("UserID")))
        assert found == [("look", "otto"), ("retry", "otto")]

    def test_of_verdicts_the_newest_of_each_route_count(self) -> None:
        old, new = ({"series": "1", "route": "r", "reason": reason, "at": at, "ok": ok}
                    for reason, at, ok in (("thick", 1.0, False), ("fine", 2.0, True)))
        beside = {**new, "reason": "axial"}
        assert by_series([old, new, beside]) == {"1": [new, beside]}

    def test_the_drawing_has_each_step_where_it_was(self) -> None:
        spans = [(0.0, 50.0), (50.0, 50.0), (None, None), (100.0, None)]
        steps = drawn([{"begin": begin, "seconds": seconds} for begin, seconds in spans], 100.0)
        assert [(one["x"], one["width"]) for one in steps] == [(0.0, 500.0), (500.0, 500.0), (0.0, 4.0), (996.0, 4.0)]


class TestDeliveries:
    def test_what_was_given_up_says_why_and_what_to_do(self, otto: Browser) -> None:
        text = text_of(otto.get("/deliveries?state=DEAD").text)
        assert "given up after 12 attempts" in text
        assert "mend what the reason names" in text
        assert "Send again what was given up (1)" in text

    def test_dead_letters_go_again(self, otto: Browser, story: Parts) -> None:
        otto.fill_in("/deliveries/retry", "/deliveries")
        assert "0 jobs and 1 delivery go again." in otto.get("/deliveries").text
        otto.fill_in("/deliveries/retry", "/deliveries", destination="dead")
        assert "There was nothing to send" in otto.get("/deliveries").text

    def test_what_was_sent_and_goes_again_in_vain_says_when_next(self, otto: Browser, story: Parts) -> None:
        with story.database.transaction() as tx:
            (sent,) = [one for one in tx.deliveries.of_study("1.2.3") if one.destination == "sent"]
            tx.deliveries.retry(sent.delivery_id, 200.0)
            tx.outbox.claim(Sender("sent"), "deliver", 201.0, 5.0)
            tx.deliveries.postpone(sent.delivery_id, "deliver", 261.0, Setback("cannot be reached"))
        shown = text_of(otto.get("/deliveries?destination=sent").text)
        assert "sent 1970-01-01 00:02:12 , tried 1 ×, last 1970-01-01 00:03:21" in shown
        assert "again 1970-01-01 00:04:21" in shown

    def test_one_destination_alone(self, otto: Browser) -> None:
        page = otto.get("/deliveries?destination=sent").text
        assert "held" not in re.findall(r'data-name="To">([a-z]+)', page)
        assert "Try sent now" in page


def test_models_and_about_say_what_is_here(otto: Browser) -> None:
    assert "bright" in text_of(otto.get("/models").text)
    text = text_of(otto.get("/about").text)
    assert "pydicom" in text
    assert "No medical device" in text


PLACES = ["/", "/studies", "/studies/1.2.3", "/deliveries", "/models", "/models/bright", "/about", "/account", "/users"]


@pytest.mark.parametrize("place", PLACES)
def test_every_page_can_be_used_by_keyboard_and_ear(story: Parts, signed_in: MakeBrowser, place: str) -> None:
    page = signed_in("ada").get(place).text
    assert page.count("<h1") == 1
    assert '<html lang="en">' in page
    assert 'class="skip" href="#main"' in page
    identifiers = re.findall(r'\sid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    named = set(re.findall(r'<label for="([^"]+)"', page))
    for field in re.findall(r"<(?:input|select)\s[^>]*>", page):
        if re.search('type="(hidden|checkbox|range)"', field):  # the last two stand inside their labels
            continue
        found = re.search(r'\sid="([^"]+)"', field)
        assert "aria-label" in field or (found and found[1] in named), field
    for table in re.findall(r"<thead.*?</thead>", page, re.DOTALL):
        assert "<th>" not in table, "a column's head says that it is one"


def test_states_are_counted_no_further_than_anybody_reads(
    story: Parts, signed_in: MakeBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    vera = signed_in("vera")
    assert "not routed (1)" in vera.get("/studies").text
    for place in ("rendering", "pages.studies", "pages.deliveries", "pages.overview"):
        monkeypatch.setattr(f"dicom_node.web.{place}.MANY", 0)
    assert "not routed (more than 0)" in vera.get("/studies").text
    assert "(more than 0)" in vera.get("/deliveries").text
    assert "<b>more than 0</b>" in vera.get("/").text
