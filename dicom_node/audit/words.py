"""What an audit message tells, in a sentence; and the kinds of action that a person may look for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import unquote

from dicom_node.audit import facts
from dicom_node.audit.facts import Code, Outcome, PersonAction
from dicom_node.audit.reading import Message, Party

OURS = "urn:segnode:"  # what begins so is no study: a user, a peer, a file of ours
BY_A_PERSON = "by a person"
ASKED = tuple(code for code in vars(PersonAction).values() if isinstance(code, Code))

# By Audit Event ID or Event Type Code, in the words of a filter.
ACTIONS: Mapping[str, str] = MappingProxyType({
    facts.INSTANCES_TRANSFERRED.value: "images or results were transferred",
    facts.BEGIN_TRANSFERRING.value: "a transfer began",
    facts.INSTANCES_ACCESSED.value: "images were used, by a model or a person",
    **{code.value: code.meaning[0].lower() + code.meaning[1:] for code in ASKED},
    facts.STUDY_DELETED.value: "a study was deleted",
    facts.EXPORT.value: "a backup was written",
    facts.IMPORT.value: "a backup was restored",
    facts.QUERY.value: "an archive was queried",
    facts.LOGIN.value: "signing in",
    facts.LOGOUT.value: "signing out",
    facts.USER_CHANGED.value: "a user was changed",
    facts.ROLES_CHANGED.value: "a user's role was changed",
    facts.NETWORK_CONFIGURATION.value: "a peer or destination was changed",
    facts.SOFTWARE_CONFIGURATION.value: "a model was added, changed or removed",
    facts.RESTRICTED_FUNCTION.value: "a peer was called by a person, or a function was restricted",
    facts.NODE_AUTHENTICATION.value: "a caller was kept out",
    facts.AUDIT_LOG_USED.value: "the audit trail was read",
    facts.APPLICATION_START.value: "a process started",
    facts.APPLICATION_STOP.value: "a process stopped",
})
OUTCOMES: Mapping[Outcome, str] = MappingProxyType({
    Outcome.SUCCESS: "success",
    Outcome.MINOR_FAILURE: "failed",
    Outcome.SERIOUS_FAILURE: "failed for good",
    Outcome.MAJOR_FAILURE: "could not go on",
})


def sentence_of(told: Message) -> str:
    """Who did what, without the patient."""
    what = _WORDS.get(told.event.value, _otherwise)(told)
    failed = told.outcome is not Outcome.SUCCESS and told.reason and told.reason not in what
    return f"{what}: {told.reason}" if failed else what


def _transferred(told: Message) -> str:
    verb = "sent" if told.outcome is Outcome.SUCCESS else "could not send"
    number = f"{told.instances} instance{'' if told.instances == 1 else 's'}" if told.instances else "instances"
    return f"{_in_role(told, facts.SOURCE)} {verb} {number} to {_in_role(told, facts.DESTINATION)}"


def _begun(told: Message) -> str:
    return f"{_in_role(told, facts.SOURCE)} began to send to {_in_role(told, facts.DESTINATION)}"


def _accessed(told: Message) -> str:
    if told.kind is None:
        return f"{_who(told)} read the images for a model"
    meaning, who = told.kind.meaning, str(_who(told))
    return meaning.replace(BY_A_PERSON, f"by {who}") if BY_A_PERSON in meaning else f"{who}: {meaning}"


def _deleted(told: Message) -> str:
    return f"{_who(told)} deleted the study"


def _exported(told: Message) -> str:
    return f"{_who(told)} exported {_contents(told)} to {_in_role(told, facts.DESTINATION_MEDIA)}"


def _imported(told: Message) -> str:
    return f"{_who(told)} imported {_contents(told)} from {_in_role(told, facts.SOURCE_MEDIA)}"


def _contents(told: Message) -> str:
    return next((value for one in told.subjects for kind, value in one.details if kind == "Contents"), "data")


def _queried(told: Message) -> str:
    return f"{_in_role(told, facts.SOURCE)} asked {_in_role(told, facts.DESTINATION)} by C-FIND"


def _signed(told: Message) -> str:
    out = told.kind is not None and told.kind.value == facts.LOGOUT.value
    if told.outcome is not Outcome.SUCCESS:
        return f"{_who(told)} was kept from signing in"
    return f"{_who(told)} signed {'out' if out else 'in'}"


def _security(told: Message) -> str:
    """What the alert says; where a person changed something, who and of whom."""
    text = next((value for one in told.subjects for kind, value in one.details if kind == "Alert Description"), "")
    changed = next((one.identifier for one in told.subjects if one.identifier.startswith(OURS)), "")
    if not changed:
        return text or told.event.meaning
    group, _, name = changed.removeprefix(OURS).partition(":")  # some of ours, such as a support bundle, have no name
    about = f"user {unquote(name)}: {text}" if group == "user" else text
    return f"{_who(told)}: {about}"


def _activity(told: Message) -> str:
    stopped = told.kind is not None and told.kind.value == facts.APPLICATION_STOP.value
    verb = "stopped" if stopped else "was started"
    launched = next((f" by {one}" for one in told.parties if one.role == facts.APPLICATION_LAUNCHER.value), "")
    return f"{_in_role(told, facts.APPLICATION)} {verb}{'' if stopped else launched}"


def _log_used(told: Message) -> str:
    return f"{_who(told)} read the audit trail"


def _otherwise(told: Message) -> str:
    return f"{_who(told)}: {(told.kind or told.event).meaning}"


_WORDS = {
    facts.INSTANCES_TRANSFERRED.value: _transferred,
    facts.BEGIN_TRANSFERRING.value: _begun,
    facts.INSTANCES_ACCESSED.value: _accessed,
    facts.STUDY_DELETED.value: _deleted,
    facts.EXPORT.value: _exported,
    facts.IMPORT.value: _imported,
    facts.QUERY.value: _queried,
    facts.USER_AUTHENTICATION.value: _signed,
    facts.SECURITY_ALERT.value: _security,
    facts.APPLICATION_ACTIVITY.value: _activity,
    facts.AUDIT_LOG_USED.value: _log_used,
}


def _who(told: Message) -> Party | str:
    """Who wanted it, or else who did it."""
    asked = [one for one in told.parties if one.requestor]
    return next(iter([*asked, *told.parties]), facts.UNKNOWN)


def _in_role(told: Message, role: Code) -> Party | str:
    return next((one for one in told.parties if one.role == role.value), facts.UNKNOWN)
