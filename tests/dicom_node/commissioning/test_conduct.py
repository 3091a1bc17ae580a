"""How far a played study came, and whom a commissioning is about; the whole trip is walked in tests/walks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from commissioned import small_case

from dicom_node.commissioning.conduct import is_over, listed, node_of, on_its_way, tasks_for, the_pacs
from dicom_node.commissioning.record import Check
from dicom_node.errors import ConfigurationError
from dicom_node.phantoms.playing import Played
from dicom_node.settings import Settings, load
from storage.records import ResultObject

JOB = {"job": "j", "task": "liver_tumour", "route": "r", "model": "m", "state": "DONE", "reason": "",
       "device": "cuda:0", "seconds": {"read": 1.0, "network": 2.5}, "findings": [{}, {}]}  # fmt: skip


def delivery(state: str, to: str = "pacs", **more: str) -> dict[str, Any]:
    return {"job": "j", "destination": to, "state": state, "reason": "", "via": ""} | more


def played(images: int = 3, job: dict[str, Any] | None = None, *deliveries: dict[str, Any]) -> Played:
    view = {"images": images, "jobs": [job] if job else [], "deliveries": list(deliveries)}
    return Played("liver_tumour", small_case(), tuple(Path(str(number)) for number in range(3)), view)


@pytest.mark.parametrize(
    ("study", "name", "words"),
    [
        (played(2), "received", "2 of 3 images"),
        (played(3), "routed", "no route fires: see segnode explain"),
        (played(3, JOB | {"state": "REFUSED", "reason": "no liver"}), "inferred", "refused: no liver"),
        (played(3, JOB | {"state": "RUNNING"}), "inferred", "running: no end yet"),
        (played(3, JOB), "delivered", "route r does not send to pacs"),
        (played(3, JOB, delivery("SENT", "other")), "delivered", "route r does not send to pacs"),
        (played(3, JOB, delivery("HELD", reason="it accepts clinical")), "delivered", "held: it accepts clinical"),
        (played(3, JOB, delivery("SENT", via="backup")), "delivered", "backup got it instead of pacs"),
    ],
)
def test_the_first_that_does_not_hold_is_told(study: Played, name: str, words: str) -> None:
    *before, last = on_its_way(study, "pacs")
    assert all(check.passed for check in before)
    assert (last.name, last.passed, last.words) == (name, False, words)


def test_a_study_that_arrived_passes_every_check() -> None:
    checks = on_its_way(played(3, JOB, delivery("COMMITTED"), delivery("DEAD", "other")), "pacs")
    assert [check.name for check in checks if check.passed] == ["received", "routed", "inferred", "delivered"]
    assert "2 findings in 3.5 s on cuda:0" in {check.words for check in checks}


def test_a_promise_that_is_awaited_is_told() -> None:
    asked = delivery("SENT") | {"commitment": {"state": "ASKED", "reason": "no report yet"}}
    assert on_its_way(played(3, JOB, asked), "pacs")[-1].words == (
        "pacs took it (sent, storage commitment asked: no report yet)"
    )


@pytest.mark.parametrize(("state", "ended", "passed"), [
    ("SENT", False, False), ("COMMITTED", True, True), ("DEAD", True, False), ("PENDING", False, False),
])  # fmt: skip
def test_where_its_commitment_is_required_that_is_awaited_and_judged(state: str, ended: bool, passed: bool) -> None:
    study = played(3, JOB, delivery(state) | {"commitment": {"state": "PENDING", "reason": ""}})
    assert is_over(study, "pacs", must_commit=True) is ended
    last = on_its_way(study, "pacs", must_commit=True)[-1]
    assert (last.name, last.passed) == ("delivered", passed)
    if state == "SENT":
        assert is_over(study, "pacs", must_commit=False)
        assert last.words == "pacs took it, but has not committed it, which it must (sent, storage commitment pending)"


class LateIndex:
    """A PACS that lists what it took only when it has been asked so often."""

    def __init__(self, times: int) -> None:
        self.left = times

    def listed(self, results: Sequence[ResultObject]) -> Check:
        self.left -= 1
        return Check("listed by the PACS", self.left <= 0, f"{0 if self.left > 0 else 2} of 2 objects")


def test_a_pacs_may_take_its_time_to_list_what_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(range(0, 1000, 2))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(moments)))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    assert listed(LateIndex(1), []) == Check("listed by the PACS", passed=True, words="2 of 2 objects")
    assert listed(LateIndex(4), []).words == "2 of 2 objects, when it was asked for 6 s"
    never = listed(LateIndex(1000), [])
    assert (never.passed, never.words) == (False, "0 of 2 objects, when it was asked for 60 s")


@pytest.fixture
def settings(conf: Path) -> Settings:
    with (conf / "node.yaml").open("a") as file:
        file.write("  pacs: {kind: dimse, ae_title: PACS, host: h, port: 104}\n")
    (conf / "routes.yaml").write_text((conf / "routes.yaml").read_text().replace("[share]", "[share, pacs]"))
    return load(conf)


def test_what_was_not_said_follows_from_the_settings(settings: Settings) -> None:
    assert the_pacs(settings, None) == "pacs", "a folder is no PACS"
    assert tasks_for(settings, "pacs") == ["liver_tumour"]
    assert tasks_for(settings, "elsewhere") == []
    assert str(node_of(settings)) == "SEGNODE@127.0.0.1:11112"


@pytest.mark.parametrize(("host", "called"), [("0.0.0.0", "127.0.0.1"), ("10.1.2.3", "10.1.2.3")])
def test_the_node_is_called_where_it_listens(settings: Settings, host: str, called: str) -> None:
    node = settings.node.model_copy(update={"host": host})
    assert node_of(settings.model_copy(update={"node": node})).host == called


def test_a_node_that_speaks_only_tls_must_be_named(settings: Settings) -> None:
    node = settings.node.model_copy(update={"port": None})
    with pytest.raises(ConfigurationError, match=r"listens by TLS alone.*--node"):
        node_of(settings.model_copy(update={"node": node}))
