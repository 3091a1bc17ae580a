"""`segnode commission`: phantoms go through the running node to its PACS, which is asked for what it got."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from dicom_node.assembly import Parts, cleaner
from dicom_node.commissioning.asking_back import AskedBack, pacs_called
from dicom_node.commissioning.expected import TOLERANCE, expected
from dicom_node.commissioning.fresh import fresh
from dicom_node.commissioning.judging import Expected, agreed, agreement, judged
from dicom_node.commissioning.record import Check, SignOff, Study
from dicom_node.commissioning.surroundings import of_the_node, require_running, surroundings
from dicom_node.errors import ConfigurationError, PeerError
from dicom_node.network.client import echo
from dicom_node.network.peer import Peer
from dicom_node.objects.overlay import Overlay
from dicom_node.phantoms.playing import GONE, Played, play, watch
from dicom_node.settings import Settings
from dicom_node.terminal.present import console
from inference.phantom import MAKERS, make_case
from storage.errors import StorageError
from storage.lifecycle import LEFT, DeliveryState
from storage.records import ResultObject

BACK = "comes back"
PATIENCE_S = 60.0  # until a PACS has said whether it keeps what it was given, and lists it
EVERY_S = 2.0  # it is asked again
PICTURES = 4  # of a study
ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 (what a node listens on, which nobody can call)


@dataclass(frozen=True)
class Wish:
    """What a person wants to be commissioned; `confirm` asks that person whether a study's overlay is seen."""

    pacs: str
    tasks: Sequence[str]
    seed: int
    node: Peer
    calling_aet: str
    limit_s: float
    tolerance: float = TOLERANCE
    confirm: Callable[[str], bool] | None = None
    console: Console = field(default_factory=console)


def commission(parts: Parts, wish: Wish) -> SignOff:
    """Play, wait, ask back, judge. PeerError where node or PACS cannot be reached at all, before anything is played."""
    status = require_running(parts)
    echo(wish.node, calling_aet=wish.calling_aet)
    asked_back = AskedBack.of(parts, wish.pacs)
    asked_back.require_there()
    sign_off = surroundings(parts, wish.pacs, time.time())
    sign_off.checks.extend(of_the_node(parts, status, sign_off))
    with TemporaryDirectory(prefix="segnode-commission-") as name:
        folder = Path(name)
        played = []
        for task in wish.tasks:
            try:
                played.append(_play(wish, task, folder))
            except PeerError as trouble:
                checks = [Check("received", passed=False, words=str(trouble))]
                sign_off.studies.append(Study(task, wish.seed, "", "", checks=checks))
        must_commit = parts.settings.destinations()[wish.pacs].requires_commitment
        watch(
            parts.database, played, wish.console, wish.limit_s,
            lambda study: is_over(study, wish.pacs, must_commit=must_commit),
        )  # fmt: skip
        for study in played:
            on_way = on_its_way(study, wish.pacs, must_commit=must_commit)
            sign_off.studies.append(_examined(parts, wish, study, on_way, asked_back, folder))
    sign_off.ended_at = time.time()
    return sign_off


def tasks_for(settings: Settings, pacs: str) -> list[str]:
    """The tasks whose results a route sends to the PACS and for which there are phantoms."""
    routed = {route.task for route in settings.routes if route.enabled and pacs in route.destinations}
    return [task for task in MAKERS if task in routed]


def the_pacs(settings: Settings, name: str | None) -> str:
    """The destination that is meant: the named one, or the only PACS; ConfigurationError with those that there are."""
    known = sorted(one for one in settings.destinations() if pacs_called(settings, one) is not None)
    if name is None and len(known) == 1:
        return known[0]
    if name not in known:
        said = f"--pacs {name!r} is no destination that is a PACS" if name else "say which PACS with --pacs"
        raise ConfigurationError([f"{said}; known in node.yaml: {', '.join(known) or 'none'}"])
    return name


def node_of(settings: Settings) -> Peer:
    """The node as a scanner on this machine calls it; ConfigurationError where it listens by TLS alone."""
    node = settings.node
    if node.port is None:
        raise ConfigurationError(
            ["the node listens by TLS alone: add it to peers in node.yaml with its tls, and name that with --node"]
        )
    return Peer(ae_title=node.ae_title, host="127.0.0.1" if node.host in ANYWHERE else node.host, port=node.port)


def removed(parts: Parts, sign_off: SignOff, patience_s: float = PATIENCE_S) -> list[str]:
    """Take the played studies off this node, once nothing hangs on them; a sentence for each that stays."""
    deadline = time.monotonic() + patience_s
    stay = {study.study_uid: "" for study in sign_off.studies if study.study_uid}
    while True:
        for uid in list(stay):
            try:
                cleaner(parts, by_person=True).remove_now(uid, time.time())
                del stay[uid]
            except StorageError as why:
                stay[uid] = str(why)
        if not stay or time.monotonic() > deadline:
            return list(stay.values())
        time.sleep(1.0)


def _play(wish: Wish, task: str, folder: Path) -> Played:
    with wish.console.status(f"making phantom {task} {wish.seed}"):
        case = fresh(make_case(task, wish.seed), datetime.now(UTC).astimezone())
    return play(case, folder / task, wish.node, wish.calling_aet, wish.console)


def is_over(study: Played, pacs: str, *, must_commit: bool) -> bool:
    """What the PACS was to get has gone there, or never will; other destinations may take their time.

    Where it `must_commit` it has also said whether it keeps that: else the delivery may yet be dead.
    """
    to_pacs = [one for one in study.deliveries if one["destination"] == pacs]
    if must_commit and any(one["state"] == DeliveryState.SENT for one in to_pacs):
        return False
    if study.ended or not study.job:
        return study.ended
    return bool(to_pacs) and all(one["state"] in GONE for one in to_pacs)


def _examined(
    parts: Parts, wish: Wish, played: Played, on_way: Sequence[Check], asked_back: AskedBack, folder: Path
) -> Study:
    patient = played.case.acquisitions[played.case.primary].study.patient
    study = Study(
        task=played.task,
        seed=wish.seed,
        study_uid=played.study_uid,
        patient=f"{patient.name} ({patient.patient_id})",
        images=int(played.view.get("images", 0)),
        route=str(played.job.get("route", "")),
        model=str(played.job.get("model", "")),
        timeline=played.view.get("timeline", ()),
        seconds=played.job.get("seconds", {}),
    )
    study.checks += on_way
    if all(check.passed for check in study.checks):
        _ask_back(parts, wish, played, study, asked_back, folder)
    return study


def on_its_way(played: Played, pacs: str, *, must_commit: bool = False) -> list[Check]:
    """Received, routed, inferred, delivered (and committed, where the PACS `must_commit`): as far as it came."""
    arrived = int(played.view.get("images", 0))
    checks = [Check("received", arrived == len(played.paths), f"{arrived} of {len(played.paths)} images")]
    if not checks[-1].passed:
        return checks
    job = played.job
    words = f"route {job['route']}, model {job['model']}" if job else "no route fires: see segnode explain"
    checks.append(Check("routed", bool(job), words))
    if not job:
        return checks
    done = job["state"] == "DONE"
    took = sum(job["seconds"].values())
    words = f"{len(job['findings'])} findings in {took:.1f} s on {job['device'] or 'cpu'}"
    checks.append(Check("inferred", done, words if done else _where(job)))
    if done:
        checks.append(_delivered(played, pacs, must_commit=must_commit))
    return checks


def listed(asked_back: AskedBack, results: Sequence[ResultObject], patience_s: float = PATIENCE_S) -> Check:
    """What the PACS lists of its results: many a one puts into its index only later what it has taken. PeerError."""
    begun, waited = time.monotonic(), 0.0
    while True:
        check = asked_back.listed(results)
        if check.passed or waited >= patience_s:
            break
        time.sleep(EVERY_S)
        waited = time.monotonic() - begun
    return replace(check, words=f"{check.words}, when it was asked for {waited:.0f} s") if waited else check


def _delivered(played: Played, pacs: str, *, must_commit: bool) -> Check:
    to_pacs = [one for one in played.deliveries if one["destination"] == pacs]
    if not to_pacs:
        words = f"route {played.job['route']} does not send to {pacs}"
        return Check("delivered", passed=False, words=words)
    lacking = [one for one in to_pacs if DeliveryState(one["state"]) not in LEFT]
    if lacking:
        return Check("delivered", passed=False, words="; ".join(map(_where, lacking)))
    elsewhere = sorted({one["via"] for one in to_pacs if one["via"] not in ("", pacs)})
    if elsewhere:
        return Check("delivered", passed=False, words=f"{', '.join(elsewhere)} got it instead of {pacs}")
    states = "; ".join(one["state"].lower() + _promised(one) for one in to_pacs)
    if must_commit and any(one["state"] != DeliveryState.COMMITTED for one in to_pacs):
        words = f"{pacs} took it, but has not committed it, which it must ({states})"
        return Check("delivered", passed=False, words=words)
    return Check("delivered", passed=True, words=f"{pacs} took it ({states})")


def _promised(delivery: Mapping[str, Any]) -> str:
    """What became of the question whether it keeps it; nothing where it was not asked, or has said so by now."""
    asked = delivery.get("commitment")
    if asked is None or delivery["state"] == DeliveryState.COMMITTED:
        return ""
    return f", storage commitment {asked['state'].lower()}{': ' if asked['reason'] else ''}{asked['reason']}"


def _where(view: Mapping[str, Any]) -> str:
    """Where a job or a delivery has got stuck."""
    return f"{view['state'].lower()}: {view['reason'] or 'no end yet'}"


def _ask_back(parts: Parts, wish: Wish, played: Played, study: Study, asked_back: AskedBack, folder: Path) -> None:
    """What the PACS has of it, and how good that is; what it does not tell, a person does."""
    results = asked_back.results_of(played.job["job"])
    segs = [one for one in results if one.kind == "seg"]
    with parts.archive.local([one.file for one in segs]) as sent:
        trouble = ""
        back: list[Path] = []
        if played.job["findings"] and not segs:
            trouble = f"the profile of {wish.pacs} sends no SEG, so there is nothing to compare"
        try:
            study.checks.append(listed(asked_back, results))
            back, study.how = asked_back.bring(segs, folder / f"{played.task}-back")
            if segs:
                words = f"{len(back)} SEG by {study.how}"
                study.checks.append(Check(BACK, len(back) == len(segs), words))
        except PeerError as told:
            trouble = str(told)
        if trouble and wish.confirm is None:
            way_out = "run again with --confirm, and look at the overlay yourself"
            study.checks.append(Check(BACK, passed=False, words=f"{trouble}; {way_out}"))
        if wish.confirm is not None:
            study.checks.append(_confirmed(wish.confirm, study, trouble))
        seen = back or sent
        study.how = study.how if back or not segs else "as the node has sent it"
        if back:
            study.checks += judged(back, sent, played.case)
        if (segs or not played.job["findings"]) and all(check.passed for check in study.checks if check.name != BACK):
            _compare(parts, wish, played, study, seen)


def _confirmed(confirm: Callable[[str], bool], study: Study, trouble: str) -> Check:
    question = f"{study.task}: patient {study.patient}. Do you see the overlay in the viewer, at its place?"
    yes = confirm(question)
    words = "a person sees the overlay" if yes else "a person does not see the overlay"
    return Check("seen in the viewer", yes, f"{words}; {trouble}" if trouble else words)


def _compare(parts: Parts, wish: Wish, played: Played, study: Study, segs: Sequence[Path]) -> None:
    """Dice beside the truth, and pictures."""
    model = parts.settings.models.get(study.model)
    means = expected(model) if model else {}
    study.agreement = agreement(segs, played.case, Expected(means, wish.tolerance))
    study.checks.append(agreed(study.agreement))
    for seg in segs:
        overlay = Overlay(seg, played.paths)
        room = PICTURES - len(study.pictures)
        study.pictures += [overlay.paint(one) for one in overlay.key_slices(room)]
