"""How values are written on pages."""

from __future__ import annotations

import pytest

from dicom_node.web.rendering import coded, count, day, duration, moment, sentence, size, words


@pytest.mark.parametrize(("seconds", "shown"), [
    (None, "–"), (0.04, "0.0 s"), (4.25, "4.2 s"), (59.7, "1 min"), (61, "1 min 1 s"), (3600, "1 h"),
    (7805, "2 h 10 min"), (90000, "1 d 1 h"), (-3, "0.0 s"),
])  # fmt: skip
def test_a_span_of_time(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(("number", "shown"), [(10, "10 bytes"), (1500, "1.5 kB"), (3e13, "30.0 TB")])
def test_bytes(number: float, shown: str) -> None:
    assert size(number) == shown


def test_points_in_time_can_be_read_by_machines_too() -> None:
    assert moment(None) == "–"
    assert moment(0.0).startswith('<time datetime="19')


def test_a_command_leads_to_the_page_that_does_the_same() -> None:
    assert coded("1 job: `segnode explain 1.2.3` says why") == (
        '1 job: <a href="/studies/1.2.3"><code>segnode explain 1.2.3</code></a> says why'
    )
    assert coded("`segnode retry --destination pacs.b`").startswith('<a href="/deliveries?destination=pacs.b">')
    assert coded("`segnode check` says") == "<code>segnode check</code> says"


def test_what_strangers_wrote_stays_text() -> None:
    assert coded("<b> `segnode explain <i>`") == "&lt;b&gt; <code>segnode explain &lt;i&gt;</code>"


def test_words_for_people() -> None:
    assert (words("NOT_ROUTED"), words("liver_tumour")) == ("not routed", "liver tumour")
    assert (count(1, "image"), count(2, "image")) == ("1 image", "2 images")
    assert (sentence("no user Anne"), sentence("Done.")) == ("No user Anne.", "Done.")
    assert (day("19700102"), day("hidden"), day("")) == ("1970-01-02", "hidden", "")
