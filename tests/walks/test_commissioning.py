"""A site is commissioned: phantoms through a live node, back from its PACS, onto a page (dicom_node.commissioning).

dicom_node.commissioning.conduct and dicom_node.commissioning.asking_back do it, dicom_node.cli.commission asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from answering_archive import AnsweringArchive
from bright_conf import routes
from click.testing import CliRunner, Result
from commissioned import small_case
from printed import words
from pydicom.dataset import Dataset
from running_node import MakeNode, RunningNode

from dicom_node.cli.main import main
from dicom_node.network.peer import Peer
from inference.phantom import MAKERS
from storage.lifecycle import StudyState

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MODELS = "models:\n  bright: {task: liver_tumour, kind: threshold, lower: 150, upper: 3000, label: 2}\n"


class Site(NamedTuple):
    node: RunningNode
    archive: AnsweringArchive
    out: Path

    def commission(self, *args: str, typed: str = "") -> Result:
        command = ["commission", "--out", str(self.out), "--conf", str(self.node.conf), *args]
        return CliRunner().invoke(main, command, input=typed, catch_exceptions=False)


@pytest.fixture(scope="module")
def site(make_shared_node: MakeNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A node with a model that takes what is bright for a tumour, and a PACS that tells what it has and gives it."""
    folder = tmp_path_factory.mktemp("pacs")
    with AnsweringArchive(folder / "archive", "find", "get") as archive:
        pacs = Peer(ae_title="ARCHIVE", host="127.0.0.1", port=archive.port)
        yield Site(make_shared_node(routes=routes("seg", "sr"), models=MODELS, pacs=pacs), archive, folder / "out.pdf")


@pytest.fixture(autouse=True)
def small_phantoms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Phantoms of a few slices, which cost nothing to draw."""
    monkeypatch.setitem(MAKERS, "liver_tumour", small_case)


def test_everything_holds_and_the_page_says_so(site: Site) -> None:
    done = site.commission("--remove")
    assert done.exit_code == 0, done.output
    text = words(site.out.read_bytes())
    for said in ("PASSED: every check", "1 SEG by C-GET", "Liver tumour", "1.000", "lies where it was drawn",
                 "Phantom^Trunk7 (PHANTOM-A7)", "delivered", "ARCHIVE at 127.0.0.1"):  # fmt: skip
        assert said in text, said
    with site.node.database.reading() as tx:
        assert tx.studies.counts() == {StudyState.REMOVED: 1}, "the synthetic study is off the node again"
    assert "off this node" in done.output


def test_what_the_archive_changes_is_found(site: Site) -> None:
    def shifted(ds: Dataset) -> Dataset:
        for group in ds.PerFrameFunctionalGroupsSequence:
            place = group.PlanePositionSequence[0]
            place.ImagePositionPatient = [float(v) + 0.5 for v in place.ImagePositionPatient]
        return ds

    site.archive.mangle = shifted
    try:
        done = site.commission("--keep")
    finally:
        site.archive.mangle = lambda ds: ds
    assert done.exit_code == 1
    text = words(site.out.read_bytes())
    assert "FAILED: 1 of" in text
    assert "stay on this node" in done.output


def test_an_archive_may_list_later_what_it_took(site: Site) -> None:
    site.archive.unheard = 4  # questions: one for each series, each time
    done = site.commission("--keep")
    assert done.exit_code == 0, done.output
    assert " objects, when it was asked for " in words(site.out.read_bytes())


def test_an_archive_that_must_commit_and_does_not_is_not_signed_off(make_node: MakeNode, tmp_path: Path) -> None:
    with AnsweringArchive(tmp_path / "archive", "find", "get") as archive:
        pacs = Peer(ae_title="ARCHIVE", host="127.0.0.1", port=archive.port)
        node = make_node(routes=routes("seg", "sr"), models=MODELS, pacs=pacs, beside="    commitment: required\n")
        done = Site(node, archive, tmp_path / "out.pdf").commission("--keep")
    assert done.exit_code == 1
    assert "offers no storage commitment" in words((tmp_path / "out.pdf").read_bytes())


def test_a_person_says_no(site: Site) -> None:
    done = site.commission("--confirm", "--keep", typed="n\n")
    assert done.exit_code == 1
    assert "a person does not see the overlay" in words(site.out.read_bytes())
