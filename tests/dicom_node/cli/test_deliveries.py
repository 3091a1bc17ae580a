"""`segnode deliveries`.

dicom_node.cli.deliveries, dicom_node.views.delivery_views, dicom_node.terminal.present_deliveries
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dicom_node.assembly import Parts
from dicom_node.cli import main as cli
from storage.deliveries import Setback
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState

Deliveries = Callable[..., Result]
DOWN_AT = 7200.0


@pytest.fixture
def deliveries(conf: Path, story: Parts) -> Deliveries:
    """Runs `segnode deliveries`; the story ended one delivery in each way."""

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli.main, ["deliveries", *words, "--conf", str(conf)])

    return run


def go_down(story: Parts, next_try_at: float) -> None:
    """A fourth delivery waits for a destination that is down."""
    with story.database.transaction() as tx:
        number = tx.deliveries.add("job-0", "1.2.3", "pacs", DeliveryState.PENDING, 130.0)
        tx.outbox.claim(Sender("pacs"), "deliver", 131.0, 5.0)
        tx.deliveries.postpone(number, "deliver", 130.0, Setback("connection [refused]"))
        tx.circuits.failed("pacs", DOWN_AT, "connection [refused]")
        tx.circuits.open("pacs", next_try_at)


def test_each_is_told_with_its_reason_and_what_to_do(deliveries: Deliveries) -> None:
    shown = deliveries()
    assert shown.exit_code == 0
    for words in (
        "to sent: SENT", "sent holds 1 of 1 objects", "delivered", "at attempt 1",
        "to dead: DEAD", "because: given up after 12 attempts", "tried once",
        "to do: mend what the reason names, then `segnode retry 1.2.3` sends it again",
        "to held: HELD", "never tried", "`segnode retry 1.2.3 --release` lets it go",
    ):  # fmt: skip
        assert words in shown.stdout


@pytest.mark.parametrize(
    ("words", "states"),
    [
        ((), ["SENT", "DEAD", "HELD"]),
        (("--dead",), ["DEAD"]),
        (("--destination", "held"), ["HELD"]),
        (("--limit", "1"), ["SENT"]),
        (("--dead", "--destination", "sent"), []),
    ],
)
def test_dead_letters_or_one_destination_alone(
    deliveries: Deliveries, words: tuple[str, ...], states: list[str]
) -> None:
    told = json.loads(deliveries(*words, "--json").stdout)
    assert [one["state"] for one in told["deliveries"]] == states


def test_nothing_is_said_to_be_nothing(deliveries: Deliveries) -> None:
    assert deliveries("--destination", "nobody").stdout.strip() == "nothing"


@pytest.mark.parametrize(("next_try_at", "words"), [(0.0, "it is being tried"), (1e12, "next try in")])
def test_a_destination_that_is_down_comes_first_and_asks_for_nothing(
    deliveries: Deliveries, story: Parts, next_try_at: float, words: str
) -> None:
    go_down(story, next_try_at)
    told = json.loads(deliveries("--json").stdout)
    (place,) = told["destinations"]
    assert (place["destination"], place["waiting"], place["down_since"]) == ("pacs", 1, DOWN_AT)
    assert told["deliveries"][0]["to_do"].startswith("nothing once pacs is back: it goes by itself")
    shown = deliveries()
    first = shown.stdout.splitlines()[0]
    assert first.startswith("pacs: down since")
    assert words in first
    assert first.endswith("connection [refused]"), "what a peer says is no markup"
