"""What an audit message tells of: the event, who took part, whose images; and the codes of PS3.15 A.5 and PS3.16."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

UNKNOWN = "unknown"  # stands where the standard wants a value and the images bear none


class Outcome(IntEnum):
    """EventOutcomeIndicator (PS3.15 Table A.5.2-1)."""

    SUCCESS = 0
    MINOR_FAILURE = 4  # it will be tried again
    SERIOUS_FAILURE = 8  # it has ended without success
    MAJOR_FAILURE = 12  # whoever reports cannot go on


@dataclass(frozen=True)
class Code:
    """A coded value; `meaning` becomes originalText."""

    value: str
    scheme: str
    meaning: str


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


# Audit Event ID (PS3.16 CID 400)
APPLICATION_ACTIVITY = _dcm("110100", "Application Activity")
AUDIT_LOG_USED = _dcm("110101", "Audit Log Used")
BEGIN_TRANSFERRING = _dcm("110102", "Begin Transferring DICOM Instances")
INSTANCES_ACCESSED = _dcm("110103", "DICOM Instances Accessed")
INSTANCES_TRANSFERRED = _dcm("110104", "DICOM Instances Transferred")
STUDY_DELETED = _dcm("110105", "DICOM Study Deleted")
EXPORT = _dcm("110106", "Export")
IMPORT = _dcm("110107", "Import")
QUERY = _dcm("110112", "Query")
SECURITY_ALERT = _dcm("110113", "Security Alert")
USER_AUTHENTICATION = _dcm("110114", "User Authentication")

# Audit Event Type Code (CID 401), Security Alert Type Code (CID 403)
APPLICATION_START = _dcm("110120", "Application Start")
APPLICATION_STOP = _dcm("110121", "Application Stop")
LOGIN = _dcm("110122", "Login")
LOGOUT = _dcm("110123", "Logout")
NODE_AUTHENTICATION = _dcm("110126", "Node Authentication")
NETWORK_CONFIGURATION = _dcm("110128", "Network Configuration")
SOFTWARE_CONFIGURATION = _dcm("110131", "Software Configuration")
RESTRICTED_FUNCTION = _dcm("110132", "Use of Restricted Function")
ROLES_CHANGED = _dcm("110136", "Security Roles Changed")
USER_CHANGED = _dcm("110137", "User Security Attributes Changed")

# Audit Active Participant Role ID Code (CID 402)
APPLICATION = _dcm("110150", "Application")
APPLICATION_LAUNCHER = _dcm("110151", "Application Launcher")
DESTINATION = _dcm("110152", "Destination Role ID")
SOURCE = _dcm("110153", "Source Role ID")
DESTINATION_MEDIA = _dcm("110154", "Destination Media")
SOURCE_MEDIA = _dcm("110155", "Source Media")

# Media Type Code (CID 405)
MEDIA_URI = _dcm("110037", "URI")

# Audit Participant Object ID Type Code (CID 404, and PS3.15 A.5.1.2.4)
STUDY_UID = _dcm("110180", "Study Instance UID")
CLASS_UID = _dcm("110181", "SOP Class UID")
NODE_ID = _dcm("110182", "Node ID")
PATIENT_NUMBER = Code("2", "RFC-3881", "Patient Number")
URI = Code("12", "RFC-3881", "URI")


class PersonAction:
    """What a person may ask of the node: EventTypeCode of DICOM Instances Accessed, our own codes."""

    RETRY = Code("retry", "99SEGNODE", "Processing or delivery asked for again by a person")
    RELEASE = Code("release", "99SEGNODE", "Held results released by a person")
    RESEND = Code("resend", "99SEGNODE", "Delivered results sent once more by a person")
    REISSUE = Code("reissue", "99SEGNODE", "Results asked for anew under a corrected header by a person")
    FETCH = Code("fetch", "99SEGNODE", "Study asked for from an archive by a person")
    ROUTE = Code("route", "99SEGNODE", "Study routed again, asked for by a person")
    RUN = Code("run", "99SEGNODE", "Results asked for of another model by a person")
    DOWNLOAD = Code("download", "99SEGNODE", "Images or results of a study downloaded by a person")
    EXPORT = Code("export", "99SEGNODE", "Reviewed images written out for training by a person")
    LOOK = Code("look", "99SEGNODE", "Study looked at by a person")
    BRING = Code("bring", "99SEGNODE", "Study brought by a person")
    SEND = Code("send", "99SEGNODE", "Results of a study that a person brought sent at a person's wish")
    EXPLAIN = Code("explain", "99SEGNODE", "Maps of what a model looked at written out by a person")


@dataclass(frozen=True)
class Reporter:
    """Who reports (AuditSourceIdentification)."""

    source_id: str
    enterprise_site_id: str = ""


@dataclass(frozen=True)
class Happened:
    """When an event took place (seconds since the epoch), how it ended and, where it failed, why."""

    at: float
    outcome: Outcome = Outcome.SUCCESS
    reason: str = ""


@dataclass(frozen=True)
class Participant:
    """One who takes part: a process, a person or a peer (PS3.15 A.5.2.1 to A.5.2.4)."""

    user_id: str
    requestor: bool = False
    ae_title: str = ""
    name: str = ""
    address: str = ""  # host name or IP address


@dataclass(frozen=True)
class Images:
    """Images of one study of one patient; `sop_classes` counts them by SOP class, empty where that is not known."""

    study_uid: str
    patient_id: str = field(default="", repr=False)
    patient_name: str = field(default="", repr=False)
    accession: str = field(default="", repr=False)
    sop_classes: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, study_uid: str, header: Mapping[str, object], sop_classes: Mapping[str, int] | None = None) -> Images:
        """Of a study whose patient and study attributes are `header` (`Study.header`)."""
        patient, name, number = (
            str(header.get(keyword) or "") for keyword in ("PatientID", "PatientName", "AccessionNumber")
        )
        return cls(study_uid, patient, name, number, sop_classes or {})
