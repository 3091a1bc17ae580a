"""`segnode validate`: what is wrong with SEG and SR files, whoever wrote them."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from dicom_node.cli.options import Failed, json_option, plainly


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--sources", type=click.Path(exists=True, path_type=Path), help="The images that they are about.")
@json_option
@plainly
def validate(files: tuple[Path, ...], sources: Path | None, as_json: bool) -> None:
    """Examine SEG and SR files (or folders): rules of the standard, and what viewers break on."""
    from dicom_node.objects.examine import examine
    from dicom_node.terminal import present

    images = _found(sources) if sources else []
    wanted = [path for place in files for path in ([place] if place.is_file() else _found(place))]
    found = {str(path): examine(path, images) for path in wanted}
    if as_json:
        present.as_json(found)
    else:
        for name, problems in found.items():
            click.echo(f"{name}: {'holds' if not problems else f'{len(problems)} problems'}")
            for problem in problems:
                click.echo(f"  {problem}")
    sys.exit(1 if any(found.values()) else 0)


def _found(place: Path) -> list[Path]:
    """The DICOM files there; without any, nothing would be examined and all would seem well."""
    from dicom_node.network.client import find_dicom

    if not (paths := find_dicom(place)):
        raise Failed(f"no DICOM file was found in {place}")
    return paths
