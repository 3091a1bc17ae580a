"""The audit message schema of PS3.15 A.5.1.1 as tables, and a check of a message against them.

The standard publishes it as RELAX NG; here each element has its children in order (`?` none or one, `*` any,
`+` some, `|` one of) and its attributes with the form of their values (a trailing `?` on the name: optional).
"""

from __future__ import annotations

import base64
import binascii
import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

TOKEN = r"\S(?:.*\S)?"
UID = r"[0-2](\.(0|[1-9][0-9]*))+"
BASE64 = r"[A-Za-z0-9+/]*={0,2}"
CODE = {"csd-code": TOKEN, "codeSystemName": TOKEN, "displayName?": TOKEN, "originalText": TOKEN}
NO_CHILDREN = ""

SCHEMA: dict[str, tuple[str, dict[str, str]]] = {
    "AuditMessage": (
        "EventIdentification ActiveParticipant+ AuditSourceIdentification ParticipantObjectIdentification*",
        {},
    ),
    "EventIdentification": (
        "EventID EventTypeCode* EventOutcomeDescription?",
        {
            "EventActionCode?": "[CRUDE]",
            "EventDateTime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)",  # with its zone: A.5.2.5
            "EventOutcomeIndicator": "0|4|8|12",
        },
    ),
    "EventID": (NO_CHILDREN, CODE),
    "EventTypeCode": (NO_CHILDREN, CODE),
    "EventOutcomeDescription": (NO_CHILDREN, {}),
    "ActiveParticipant": (
        "RoleIDCode* MediaIdentifier?",
        {
            "UserID": ".+",
            "AlternativeUserID?": ".+",
            "UserName?": ".+",
            "UserIsRequestor": "true|false",
            "NetworkAccessPointID?": TOKEN,
            "NetworkAccessPointTypeCode?": "[1-5]",
        },
    ),
    "RoleIDCode": (NO_CHILDREN, CODE),
    "MediaIdentifier": ("MediaType", {}),
    "MediaType": (NO_CHILDREN, CODE),
    "AuditSourceIdentification": (
        "AuditSourceTypeCode*",
        {"AuditEnterpriseSiteID?": TOKEN, "AuditSourceID": TOKEN},
    ),
    "AuditSourceTypeCode": (NO_CHILDREN, {"csd-code": "[1-9]"}),
    "ParticipantObjectIdentification": (
        (
            "ParticipantObjectIDTypeCode (ParticipantObjectName|ParticipantObjectQuery) ParticipantObjectDetail* "
            "ParticipantObjectDescription*"
        ),
        {
            "ParticipantObjectID": TOKEN,
            "ParticipantObjectTypeCode?": "[1-4]",
            "ParticipantObjectTypeCodeRole?": "[1-9]|1[0-9]|2[0-6]",
            "ParticipantObjectDataLifeCycle?": "[1-9]|1[0-5]",
            "ParticipantObjectSensitivity?": TOKEN,
        },
    ),
    "ParticipantObjectIDTypeCode": (NO_CHILDREN, CODE),
    "ParticipantObjectName": (NO_CHILDREN, {}),
    "ParticipantObjectQuery": (NO_CHILDREN, {}),
    "ParticipantObjectDetail": (NO_CHILDREN, {"type": TOKEN, "value": BASE64}),
    "ParticipantObjectDescription": (
        "MPPS* Accession* SOPClass* ParticipantObjectContainsStudy? Encrypted? Anonymized?",
        {},
    ),
    "Accession": (NO_CHILDREN, {"Number": TOKEN}),
    "SOPClass": ("Instance*", {"UID?": UID, "NumberOfInstances": r"\d+"}),
}


def read(message: bytes) -> Element:
    """The message, after the check; AssertionError names what is wrong."""
    root = ElementTree.fromstring(message)
    assert root.tag == "AuditMessage"
    _check(root)
    return root


def _check(element: Element) -> None:
    assert element.tag in SCHEMA, f"no element {element.tag} in the schema"
    content, attributes = SCHEMA[element.tag]
    children = " ".join(child.tag for child in element)
    pattern = " ?".join(
        re.sub(r"^(.*?)([?*+]?)$", lambda m: f"(?:{m[1]} ?){m[2]}", part) for part in content.split()
    )
    assert re.fullmatch(pattern, children), f"{element.tag} holds [{children}], allowed is [{content}]"
    required = {name for name in attributes if not name.endswith("?")}
    assert required <= set(element.keys()), f"{element.tag} lacks {required - set(element.keys())}"
    for name, value in element.items():
        form = attributes.get(name) or attributes.get(f"{name}?")
        assert form, f"no attribute {name} in {element.tag}"
        assert re.fullmatch(form, value), f"{element.tag}@{name} = {value!r}"
    if element.tag == "ParticipantObjectQuery":
        assert decoded(element.text or "")
    for child in element:
        _check(child)


def decoded(text: str) -> bytes:
    """The bytes behind a base64 text."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise AssertionError(f"{text!r} is not base64") from error


def code(element: Element | None) -> tuple[str, str, str]:
    """A coded element as (value, scheme, meaning)."""
    assert element is not None
    return element.get("csd-code", ""), element.get("codeSystemName", ""), element.get("originalText", "")
