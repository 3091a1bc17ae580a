"""What a person has the node do about studies and deliveries, from a page or by a program; audited with who asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dicom_node import outgoing
from dicom_node.acts import reissue, retry
from dicom_node.acts.another_model import run_with
from dicom_node.acts.backfill import queue, source_called
from dicom_node.acts.download import check_there, entries_of, zipped
from dicom_node.acts.route_again import route_again
from dicom_node.assembly import cleaner
from dicom_node.audit.facts import Code, PersonAction
from dicom_node.models.installed_models import installed_models
from dicom_node.web.access import Forbidden, Visit
from dicom_node.web.console import Console
from storage.database import Transaction
from storage.errors import NotFound

LONGEST_KEY = 128


@dataclass(frozen=True)
class Done:
    """What came of a command: the answer for a program, the sentence for a person, what the audit trail is told."""

    answer: dict[str, Any]
    sentence: str
    asked: tuple[tuple[Code, str], ...] = ()


Command = Callable[[Transaction, float], Done]


def again(study_uid: str | None, *, release: bool = False, resend: bool = False) -> Command:
    """Failed jobs and dead deliveries of a study, or of all, go again (`dicom_node.acts.retry`)."""

    def run(tx: Transaction, now: float) -> Done:
        return _retried(retry.retry(tx, now, study_uid, release_held=release, resend=resend))

    return run


def dead_again(destination: str | None) -> Command:
    """Dead letters of a destination, which is tried at once, or of all go again."""
    return lambda tx, now: _retried(retry.resend_dead(tx, now, destination))


def anew(study_uid: str) -> Command:
    """Stale results of a study are made anew under its corrected header (`dicom_node.acts.reissue`)."""

    def run(tx: Transaction, now: float) -> Done:
        number = reissue.reissue(tx, now, study_uid)
        sentence = f"{number} stale results are made anew." if number else "No result of this study is stale."
        return Done({"results": number}, sentence, ((PersonAction.REISSUE, study_uid),) if number else ())

    return run


def let_go(study_uid: str, revision: int) -> Command:
    """What was made of a study that a person brought is sent where its routes say (`dicom_node.outgoing`)."""

    def run(tx: Transaction, now: float) -> Done:
        tx.studies.get(study_uid)
        was_kept = tx.by_hand.has(study_uid)
        number = outgoing.let_go(tx, study_uid, "a person asked for it to be sent", revision, now)
        sentence = f"{_number(number, 'delivery')} made; what is still to come is sent as well."
        asked = ((PersonAction.SEND, study_uid),) if was_kept else ()
        return Done({"deliveries": number}, sentence if was_kept else "Nothing of this study is kept back.", asked)

    return run


def route_once_more(study_uid: str) -> Command:
    """The routes of now look at a settled study once more (`dicom_node.acts.route_again`)."""

    def run(tx: Transaction, now: float) -> Done:
        route_again(tx, now, study_uid)
        return Done({"routed": True}, "Every route looks at this study again.", ((PersonAction.ROUTE, study_uid),))

    return run


def with_model(console: Console, study_uid: str, name: str) -> Command:
    """A study's results of a model's task are made by that model (`dicom_node.acts.another_model`). NotFound."""
    model = installed_models(console.parts.settings).get(name)
    if model is None:
        raise NotFound(f"no model {name[:64]!r} is installed")

    def run(tx: Transaction, now: float) -> Done:
        number = run_with(tx, now, study_uid, model, console.parts.revision)
        sentence = f"{_number(number, 'job')} of model {name} will take the place of what there is."
        return Done({"jobs": number}, sentence, ((PersonAction.RUN, study_uid),))

    return run


def wanted(console: Console, study_uids: Sequence[str], peer: str | None) -> Command:
    """Studies are pulled from an archive and processed (`dicom_node.acts.backfill`). NoSuchSource."""
    settings = console.parts.settings
    source = source_called(settings, peer or None)

    def run(tx: Transaction, now: float) -> Done:
        queued = queue(tx, study_uids, source, settings.node.backfill, now)
        sentence = f"{source.peer} will be asked for {_number(len(queued), 'study')}."
        if not queued:
            sentence = "It is being fetched already."
        asked = tuple((PersonAction.FETCH, uid) for uid in queued)
        return Done({"studies": queued, "peer": source.peer}, sentence, asked)

    return run


def delete(console: Console, caller: Visit, study_uid: str) -> Done:
    """Take a study off this node with all its files; the cleaner tells the audit trail. NotFound, IllegalStep."""
    gone = cleaner(console.parts, by_person=True, who=caller.participant).remove_now(study_uid, console.clock())
    sentence = f"The study was deleted: {_number(gone.files, 'file')}."
    return Done({"files": gone.files, "bytes": gone.bytes}, sentence)


def download(console: Console, caller: Visit, study_uid: str) -> Iterator[bytes]:
    """A study's files as a ZIP, for who may know whose it is. Forbidden, NotFound."""
    if not caller.names:
        raise Forbidden("the files name the patient, and you are not shown names (names_for in node.yaml)")
    with console.parts.database.reading() as tx:
        entries = entries_of(tx, study_uid)
    check_there(console.parts.archive, entries)
    console.parts.audit.downloaded(study_uid, caller.participant)
    return zipped(console.parts.archive, entries)


def carry_out(console: Console, caller: Visit, command: Command) -> Done:
    """Do it, in one commit."""
    with console.parts.database.transaction() as tx:
        done = command(tx, console.clock())
    _tell(console, caller, done)
    return done


def carry_out_once(console: Console, caller: Visit, command: Command, asked: str, key: str | None) -> dict[str, Any]:
    """Do it unless it was done under this key before, and give the answer. IllegalStep where the key was another's."""
    if not key:
        return carry_out(console, caller, command).answer
    now, user = console.clock(), caller.somebody.user_id
    with console.parts.database.transaction() as tx:
        if (known := tx.commands.answer(user, key[:LONGEST_KEY], asked)) is not None:
            return known
        done = command(tx, now)
        tx.commands.keep(user, key[:LONGEST_KEY], asked, done.answer, now)
    _tell(console, caller, done)
    return done.answer


def _retried(done: retry.Retried) -> Done:
    answer = {"jobs": done.jobs, "deliveries": done.deliveries, "tried_now": done.tried_now}
    sentence = f"{_number(done.jobs, 'job')} and {_number(done.deliveries, 'delivery')} go again."
    if not done.anything:
        sentence = "There was nothing to send or to run again."
    elif done.tried_now:
        sentence += " The destination is tried now."
    return Done(answer, sentence, done.asked)


def _number(number: int, one: str) -> str:
    many = f"{one[:-1]}ies" if one.endswith("y") else f"{one}s"
    return f"{number} {one if number == 1 else many}"


def _tell(console: Console, caller: Visit, done: Done) -> None:
    for action, study in done.asked:
        console.parts.audit.asked_by_a_person(action, study, caller.participant)
