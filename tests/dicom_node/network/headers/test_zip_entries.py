"""What a zip of a stranger's may hold, and what is not taken of it."""

from __future__ import annotations

import io
import zipfile

import pytest

from dicom_node.network.headers import zip_entries
from dicom_node.network.headers.zip_entries import BadEntry, Zip


def made(**entries: bytes) -> memoryview:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", b"")
        for name, data in entries.items():
            archive.writestr(name, data)
    return content.getbuffer()


def taken(archive: Zip) -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    for name, info in archive.entries():
        try:
            found[name] = b"".join(archive.pieces(info))
        except BadEntry as bad:
            found[name] = str(bad)
    return found


def test_files_come_out_and_folders_are_none() -> None:
    assert taken(Zip(made(a=b"one", b=b"two"), 100)) == {"a": b"one", "b": b"two"}


@pytest.mark.parametrize("name", ["../a", "/etc/a", "a/../../b", "C:\\a", "..\\a"])
def test_a_name_that_leads_out_is_not_taken(name: str) -> None:
    assert list(taken(Zip(made(**{name: b"x"}), 100)).values()) == ["its name leads out of the zip"]


def test_what_unpacks_to_too_much_ends_it() -> None:
    archive = Zip(made(a=bytes(60), bomb=bytes(10_000_000), c=b""), 100)
    found = taken(archive)
    assert found["a"] == bytes(60)
    assert found["bomb"] == "with it the zip unpacks to more than the 100 bytes allowed"
    assert archive.is_spent


def test_a_link_and_an_encrypted_entry_are_not_taken() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("secret", b"abc")
    data = bytearray(content.getvalue())
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        data[data.rindex(signature) + offset] |= 1
    assert taken(Zip(memoryview(data), 100)) == {"link": "it is a link", "secret": "it is encrypted"}


def test_a_damaged_entry_is_told_and_the_others_come() -> None:
    data = bytearray(made(a=b"abcdefgh" * 9, b=b"two"))
    data[data.index(b"a", 60) + 3] ^= 0xFF
    found = taken(Zip(memoryview(data), 1000))
    assert "cannot be unpacked" in str(found["a"])
    assert found["b"] == b"two"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_is_compressed_by_a_method_whose_memory_has_no_bound_is_not_taken(method: int) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        archive.writestr("a", b"abc")
    assert taken(Zip(content.getbuffer(), 100)) == {"a": "it is compressed otherwise than by deflate"}


@pytest.mark.parametrize("change", [0x01, 0x80, 0xFF])
def test_damage_anywhere_is_told_as_such(change: int) -> None:
    whole = bytes(made(a=b"abcdefgh" * 9, b=b"two"))
    for place in range(len(whole)):
        data = bytearray(whole)
        data[place] ^= change
        try:
            found = taken(Zip(memoryview(data), 1000))
        except BadEntry:
            continue
        assert all(isinstance(content, bytes | str) for content in found.values())


def test_an_entry_without_a_name_is_one_like_others() -> None:
    data = bytearray(made(a=b"one", b=b"two"))
    header = data.rindex(b"PK\x01\x02")  # of the last entry, in the directory
    data[header + 28 : header + 34] = (0).to_bytes(2, "little") + (1).to_bytes(2, "little") + bytes(2)  # no name
    found = taken(Zip(memoryview(data), 100))
    assert found["a"] == b"one"
    assert "cannot be unpacked" in str(found[""])


def test_what_is_no_zip_says_so() -> None:
    with pytest.raises(BadEntry, match="no zip"):
        Zip(memoryview(b"PK\x03\x04 and nothing else"), 100)


def test_a_directory_without_bounds_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_entries, "LARGEST_DIRECTORY", 4096)
    with pytest.raises(BadEntry, match="no zip"):
        Zip(made(**{f"{number:04}": b"" for number in range(200)}), 100)
