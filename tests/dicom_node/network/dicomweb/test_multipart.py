"""Files become one body; what another parser makes of it is what went in."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import HTTP
from pathlib import Path

import pytest

from dicom_node.network.dicomweb import multipart
from dicom_node.network.dicomweb.multipart import Multipart


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    contents = [b"", b"\r\n--", bytes(range(256)) * 9, b"ends with a line\r\n"]
    paths = [tmp_path / str(number) for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def test_another_parser_finds_the_files(files: list[Path]) -> None:
    body = Multipart(files)
    head = "".join(f"{name}: {value}\r\n" for name, value in body.headers.items()).encode()
    message = message_from_bytes(head + b"\r\n" + b"".join(body), policy=HTTP)
    parts = list(message.iter_parts())
    assert (message.get_content_type(), message.get_param("type")) == ("multipart/related", "application/dicom")
    assert [part.get_content_type() for part in parts] == ["application/dicom"] * len(files)
    assert len(parts) == len(files)


def test_its_length_is_known_and_it_may_be_sent_again(files: list[Path]) -> None:
    body = Multipart(files)
    sent = b"".join(body)
    assert body.headers["Content-Length"] == str(len(sent)) == str(len(body))
    assert b"".join(body) == sent
    assert all(path.read_bytes() in sent for path in files)


def test_a_large_file_goes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "PIECE", 1000)
    (tmp_path / "large").write_bytes(b"x" * 10_500)
    assert max(map(len, Multipart([tmp_path / "large"]))) == 1000


def test_no_two_bodies_have_one_boundary() -> None:
    assert Multipart([]).headers["Content-Type"] != Multipart([]).headers["Content-Type"]
