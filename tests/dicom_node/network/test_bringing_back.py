"""What an archive was given is asked back: listed, then brought by C-GET, C-MOVE or WADO-RS."""

from __future__ import annotations

from pathlib import Path

import pytest
from answering_archive import AnsweringArchive
from pydicom import dcmread
from web_archive import web_archive
from web_shelf import Shelf

from dicom_node.errors import NotOffered, Refused, Unfinished, Unreachable
from dicom_node.network.bringing_back import GivenTo, Wanted
from dicom_node.network.client import send
from dicom_node.network.dicomweb.web_peer import WebPeer
from dicom_node.network.embedded_archive import EmbeddedArchive
from dicom_node.network.peer import Peer


def wanted_of(paths: list[Path]) -> list[Wanted]:
    keywords = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
    return [Wanted(*(str(dcmread(path)[keyword].value) for keyword in keywords)) for path in paths]


def nothing_moved(_: Wanted, __: Path) -> Path | None:
    return None


def peer_of(archive: EmbeddedArchive) -> Peer:
    return Peer(ae_title="ARCHIVE", host="127.0.0.1", port=archive.port)


def assert_same(back: dict[str, Path], paths: list[Path]) -> None:
    there = {str(dcmread(path).SOPInstanceUID): dcmread(path).PixelData for path in paths}
    assert {uid: dcmread(path).PixelData for uid, path in back.items()} == there


def test_what_it_lists_comes_by_c_get(make_slices, tmp_path: Path) -> None:
    paths = make_slices(3)
    with AnsweringArchive(tmp_path / "archive", "find", "get") as archive:
        send(paths[:2], peer_of(archive))
        given = GivenTo(peer_of(archive), "SEGNODE", nothing_moved)
        wanted = wanted_of(paths)
        assert given.listed(wanted) == {one.instance for one in wanted[:2]}
        back = given.bring(wanted[:2], tmp_path / "back")
        with pytest.raises(Unfinished, match="did not send 1 of 3"):
            given.bring(wanted, tmp_path / "more")
    assert back.how == "C-GET"
    assert_same(back.files, paths[:2])


def test_where_there_is_no_c_get_it_is_sent_to_our_own_title(make_slices, tmp_path: Path) -> None:
    paths = make_slices(2)
    with EmbeddedArchive(tmp_path / "ours", ae_title="SEGNODE") as ours:
        movers = {"SEGNODE": ("127.0.0.1", ours.port)}

        def moved(wanted: Wanted, _: Path) -> Path | None:
            return {one.sop_instance_uid: one.path for one in ours.kept()}.get(wanted.instance)

        with AnsweringArchive(tmp_path / "archive", "find", "move", movers=movers) as archive:
            send(paths, peer_of(archive))
            back = GivenTo(peer_of(archive), "SEGNODE", moved).bring(wanted_of(paths), tmp_path / "back")
            with pytest.raises(Refused, match=r"no.* C-GET.*0xA801: move destination unknown"):
                GivenTo(peer_of(archive), "STRANGER", moved).bring(wanted_of(paths), tmp_path / "back")
    assert back.how == "C-MOVE"
    assert_same(back.files, paths)


def test_where_nothing_comes_by_c_get_though_it_is_offered_it_is_sent_to_our_own_title_too(
    make_slices, tmp_path: Path
) -> None:
    paths = make_slices(2)
    with EmbeddedArchive(tmp_path / "ours", ae_title="SEGNODE") as ours:

        def moved(wanted: Wanted, _: Path) -> Path | None:
            return {one.sop_instance_uid: one.path for one in ours.kept()}.get(wanted.instance)

        movers = {"SEGNODE": ("127.0.0.1", ours.port)}
        with AnsweringArchive(tmp_path / "archive", "find", "get", "move", movers=movers, roles=False) as archive:
            send(paths, peer_of(archive))
            back = GivenTo(peer_of(archive), "SEGNODE", moved).bring(wanted_of(paths), tmp_path / "back")
            with pytest.raises(Unreachable, match=r"C-GET with 0xA702.*0xA801: move destination unknown"):
                GivenTo(peer_of(archive), "STRANGER", moved).bring(wanted_of(paths), tmp_path / "back")
    assert back.how == "C-MOVE"
    assert_same(back.files, paths)


def test_a_dicomweb_server_is_asked_by_its_own_means(make_slices, tmp_path: Path) -> None:
    paths = make_slices(2)
    wanted = wanted_of(paths)
    with web_archive(tmp_path / "web", shelf=Shelf(paths[0].parent)) as server:
        given = GivenTo(WebPeer(server.url), "SEGNODE", nothing_moved)
        assert given.listed(wanted) == {one.instance for one in wanted}
        back = given.bring(wanted, tmp_path / "back")
    assert back.how == "WADO-RS"
    assert_same(back.files, paths)


def test_an_archive_that_only_stores_is_one_that_a_person_must_look_at(make_slices, tmp_path: Path) -> None:
    with EmbeddedArchive(tmp_path / "archive") as archive:
        given = GivenTo(peer_of(archive), "SEGNODE", nothing_moved)
        with pytest.raises((Refused, NotOffered), match="does not offer C-FIND"):
            given.listed(wanted_of(make_slices(1)))
