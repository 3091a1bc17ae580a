"""An installed wheel has all that the packages need beside their modules."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from dicom_node import settings

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def options() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_configuration_file_is_installed(options: configparser.ConfigParser) -> None:
    patterns = [pattern for line in options["options.data_files"].values() for pattern in line.split()]
    installed = {path for pattern in patterns for path in ROOT.glob(pattern)}
    assert installed == set((ROOT / "conf").rglob("*.yaml"))


def test_they_are_looked_for_where_they_are_installed(
    options: configparser.ConfigParser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "__file__", str(tmp_path / "site-packages" / "dicom_node" / "settings.py"))
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    assert settings.shipped_folder().relative_to(tmp_path).as_posix() in options["options.data_files"]


def test_every_file_of_a_shipped_model_is_installed(options: configparser.ConfigParser) -> None:
    patterns = options["options.package_data"]["inference"].split()
    installed = {path for pattern in patterns for path in (ROOT / "inference").glob(pattern) if path.is_file()}
    bundles = ROOT / "inference" / "bundles"
    assert {path for path in installed if bundles in path.parents} == {p for p in bundles.rglob("*") if p.is_file()}


def test_every_template_and_file_of_the_console_is_installed(options: configparser.ConfigParser) -> None:
    patterns = options["options.package_data"]["dicom_node"].split()
    installed = {path for pattern in patterns for path in (ROOT / "dicom_node").glob(pattern) if path.is_file()}
    web = ROOT / "dicom_node" / "web"
    kept = (path for part in ("templates", "static") for path in (web / part).rglob("*"))
    assert installed == {path for path in kept if path.is_file()}


@pytest.mark.parametrize("package", ["dicom_node", "inference", "storage"])
def test_every_folder_of_modules_is_a_package(package: str) -> None:
    """Otherwise a wheel leaves it out."""
    folders = {path.parent for path in (ROOT / package).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []
