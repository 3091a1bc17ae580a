"""Passwords come from a file or the environment; where they are not there, the sentence says so and no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from dicom_node.errors import NoSecret
from dicom_node.network.secret import LARGEST_FILE, Secret


def test_the_first_line_of_a_file_counts_and_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("open sesame\nand a remark\n")
    secret = Secret(file=Path("password")).below(tmp_path)
    assert secret.read() == "open sesame"
    file.write_text("new")
    assert secret.read() == "new"
    assert "new" not in repr(secret)


def test_or_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGNODE_TEST", "open sesame")
    secret = Secret(environment="SEGNODE_TEST")
    assert (secret.read(), secret.below(Path("/etc"))) == ("open sesame", secret)
    monkeypatch.delenv("SEGNODE_TEST")
    with pytest.raises(NoSecret, match="is no variable of the environment"):
        secret.read()


def test_what_is_no_password_is_told(tmp_path: Path) -> None:
    file = tmp_path / "password"
    with pytest.raises(NoSecret, match="is not there"):
        Secret(file=file).read()
    with pytest.raises(NoSecret, match="cannot be read"):
        Secret(file=tmp_path).read()
    file.write_bytes(b"x" * (LARGEST_FILE + 1))
    with pytest.raises(NoSecret, match="longer than 1 MiB"):
        Secret(file=file).read()
    file.write_bytes(b"")
    assert Secret(file=file).read() == ""


@pytest.mark.parametrize("wrong", [{}, {"file": "a", "environment": "B"}])
def test_it_is_in_one_place(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="either file or environment"):
        Secret.model_validate(wrong)
