"""A destination that does not take what its profile sends is named, with the way out."""

from __future__ import annotations

import pytest

from dicom_node.checking.fits import as_yaml, tell_unfit, unfit
from dicom_node.destinations import DimseDestination, FolderDestination
from dicom_node.objects.profile import Profile
from storage.database import Database


def orthanc_as(orthanc, profile: Profile) -> DimseDestination:
    return DimseDestination(ae_title=orthanc.aet, host="127.0.0.1", port=orthanc.port, profile=profile)


@pytest.mark.peer
class TestOrthanc:
    @pytest.fixture
    def orthanc_settings(self):
        return {"UnknownSopClassAccepted": False}

    def test_what_it_does_not_take_is_told_in_journal_and_check(self, orthanc, tmp_path) -> None:
        destinations = {
            "pacs": orthanc_as(orthanc, Profile()),
            "research": orthanc_as(orthanc, Profile(seg="labelmap", diameters=True)),
            "share": FolderDestination(path=tmp_path, profile=Profile(seg="labelmap")),
        }
        sentence = (
            "destination research does not take LABELMAP segmentations, which its profile sends; "
            "the nearest profile that it takes: profile: {diameters: true}"
        )
        assert list(unfit(destinations)) == [sentence]
        database = Database.open(f"sqlite:///{tmp_path / 'node.sqlite'}")
        tell_unfit(destinations, database, 3)
        with database.reading() as tx:
            (entry,) = tx.journal.recent(5)
        assert (entry.event, entry.text, entry.revision) == ("profile unfit", sentence, 3)
        database.close()


def test_who_cannot_be_asked_is_told_elsewhere(free_port) -> None:
    gone = DimseDestination(ae_title="GONE", host="127.0.0.1", port=free_port())
    assert list(unfit({"gone": gone})) == []


def test_a_profile_is_written_as_a_line_of_yaml() -> None:
    assert as_yaml({}) == "profile: standard"
    assert as_yaml({"seg": "none", "document": True}) == "profile: {seg: none, document: true}"
