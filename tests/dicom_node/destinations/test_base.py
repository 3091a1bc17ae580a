"""What every destination holds to."""

import pytest
from pydantic import TypeAdapter, ValidationError

from dicom_node.destinations import KINDS, AnyDestination, Destination

EXAMPLES = {
    "dimse": {"kind": "dimse", "ae_title": "PACS", "host": "pacs.example", "port": 104},
    "folder": {"kind": "folder", "path": "results"},
    "stow": {"kind": "stow", "url": "https://pacs.example/dicom-web"},
}


def test_every_kind_is_tried():
    assert set(EXAMPLES) == set(KINDS)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_kind_chooses_the_class(kind):
    destination = TypeAdapter(AnyDestination).validate_python(EXAMPLES[kind])
    assert type(destination) is KINDS[kind]
    assert isinstance(destination, Destination)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_settings_are_frozen_and_closed(kind):
    destination = KINDS[kind](**EXAMPLES[kind])
    with pytest.raises(ValidationError):
        destination.accepts = ()
    with pytest.raises(ValidationError):
        KINDS[kind](**EXAMPLES[kind], unheard_of=1)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValidationError, match="dimse"):
        TypeAdapter(AnyDestination).validate_python({"kind": "pigeon"})
