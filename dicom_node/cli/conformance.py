"""`segnode conformance`: the DICOM conformance statement of the node as it is configured (PS3.2)."""

from __future__ import annotations

import time
from pathlib import Path

import click

from dicom_node.cli.options import conf_option, json_option, plainly

FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.command()
@click.option("--out", type=FILE, help="Write it as Markdown to this file. Default: print it.")
@click.option("--pdf", type=FILE, help="Write it as PDF to this file.")
@conf_option
@json_option
@plainly
def conformance(out: Path | None, pdf: Path | None, conf: Path | None, as_json: bool) -> None:
    """Write the DICOM conformance statement, made of the configuration and of what is negotiated."""
    from dataclasses import asdict

    from dicom_node.conformance.markdown import to_markdown
    from dicom_node.conformance.pdf import to_pdf
    from dicom_node.conformance.statement import conformance_statement
    from dicom_node.settings import load
    from dicom_node.terminal import present

    statement = conformance_statement(load(conf), time.time())
    if as_json:
        present.as_json(asdict(statement))
        return
    if pdf:
        pdf.write_bytes(to_pdf(statement.document, statement.made_on))
    text = to_markdown(statement.document)
    if out:
        out.write_text(text, encoding="utf-8")
    elif not pdf:
        click.echo(text, nl=False)
