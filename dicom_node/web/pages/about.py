"""What this is: versions and licences."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, metadata, version

from fastapi import APIRouter, Request
from starlette.responses import Response

from dicom_node.web.access import Caller, Here
from dicom_node.web.rendering import page
from dicom_node.web.supporting import support_bundle

router = APIRouter(include_in_schema=False)

LONGEST_LICENCE = 60
PARTS = (
    "pydicom", "pynetdicom", "highdicom", "torch", "monai", "SimpleITK", "sqlalchemy", "alembic", "fastapi", "uvicorn",
    "jinja2", "argon2-cffi", "itsdangerous", "pydantic", "numpy", "scipy",
)  # fmt: skip


@router.get("/about")
def about(request: Request, console: Here) -> Response:
    """Versions and licences; of the libraries their metadata is read, they are not loaded."""
    with console.parts.database.reading() as tx:
        newest = tx.revisions.newest()
    return page(
        request,
        "about.html",
        version=version("segnode"),
        python=platform.python_version(),
        libraries=[(name, *_told(name)) for name in PARTS],
        revision=newest[0] if newest else 0,
        database=console.parts.settings.node.database.partition(":")[0],
        folder=str(console.parts.settings.node.data_folder),
    )


@router.get("/about/support-bundle")
def take_support_bundle(console: Here, caller: Caller) -> Response:
    """What whoever helps would ask for, in one ZIP, without patients and passwords."""
    return support_bundle(console, caller)


def _told(name: str) -> tuple[str, str]:
    """Version and licence of a library."""
    try:
        facts = metadata(name)
    except PackageNotFoundError:
        return "not installed", ""
    said = [str(one) for key in ("License-Expression", "License") for one in facts.get_all(key) or ()]
    classified = [one.rpartition(" :: ")[2] for one in facts.get_all("Classifier") or () if one.startswith("License")]
    short = [one for one in said if 0 < len(one) <= LONGEST_LICENCE]  # some put the whole text there
    return facts["Version"], short[0] if short else ", ".join(classified)
