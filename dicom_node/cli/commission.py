"""`segnode commission`: a site is taken over, with phantoms, and a page to sign."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dicom_node.cli.options import SHOWN_SEED, TASK_NAMES, Failed, conf_option, open_storage, peer_called, plainly

if TYPE_CHECKING:
    from dicom_node.assembly import Parts
    from dicom_node.commissioning.conduct import Wish
    from dicom_node.commissioning.record import SignOff

FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.command()
@click.option("--pacs", metavar="NAME", help="Destination in node.yaml. Default: the PACS, where there is only one.")
@click.option("--tasks", metavar="TASK,TASK", help="Default: those that a route sends to the PACS.")
@click.option("--seed", default=SHOWN_SEED, show_default=True, help="Which phantoms are played.")
@click.option("--out", type=FILE, help="Default: commissioning-DATE.pdf here.")
@click.option("--confirm", is_flag=True, help="Ask for each study whether its overlay is seen in the viewer.")
@click.option("--keep/--remove", default=None, help="Leave the phantoms on this node, or take them off. Default: ask.")
@click.option("--node", metavar="PEER", help="How a scanner calls this node. Default: its own port on this machine.")
@click.option("--aet", default="SEGNODE_TEST", show_default=True, help="The scanner's AE title.")
@click.option("--minutes", default=30.0, show_default=True, type=click.FloatRange(min=0.1), help="Wait no longer.")
@click.option("--tolerance", default=0.25, show_default=True, type=click.FloatRange(0, 1),
              help="How far below its model's mean the Dice of one phantom may lie.")
@conf_option
@plainly
def commission(  # noqa: PLR0913, PLR0917 (its options)
    pacs: str | None,
    tasks: str | None,
    seed: int,
    out: Path | None,
    confirm: bool,
    keep: bool | None,
    node: str | None,
    aet: str,
    minutes: float,
    tolerance: float,
    conf: Path | None,
) -> None:
    """Play phantoms through the running node to the PACS, ask the PACS for the results, and write a page to sign.

    Exit code 0 only where every check passed; the PDF is written all the same.
    """
    from dicom_node.checking.places import why_not_written
    from dicom_node.commissioning.conduct import Wish, node_of, tasks_for, the_pacs
    from dicom_node.commissioning.conduct import commission as conduct
    from dicom_node.commissioning.sheet import sign_off_pdf

    path = out or Path(f"commissioning-{datetime.now().astimezone():%Y%m%d-%H%M%S}.pdf")
    if not path.parent.is_dir():
        raise click.UsageError(f"--out {path}: there is no folder {path.parent}")
    if sentence := why_not_written(path.parent):
        raise click.UsageError(f"--out {path}: {sentence}")
    with open_storage(conf) as parts:
        name = the_pacs(parts.settings, pacs)
        wanted = _tasks(tasks) or tasks_for(parts.settings, name)
        if not wanted:
            raise Failed(f"no route sends results of a task that has phantoms to {name}; name some with --tasks")
        scanned = peer_called(node, conf) if node else node_of(parts.settings)
        wish = Wish(name, wanted, seed, scanned, aet, minutes * 60, tolerance, click.confirm if confirm else None)
        found = conduct(parts, wish)
        path.write_bytes(sign_off_pdf(found))
        _tell(found, path, wish)
        _clear(parts, found, keep)
    sys.exit(0 if found.passed else 1)


def _tasks(text: str | None) -> list[str]:
    names = [name.strip() for name in text.split(",")] if text else []
    if unknown := [name for name in names if name not in TASK_NAMES.choices]:
        raise click.UsageError(f"unknown tasks: {', '.join(unknown)}; allowed: {', '.join(TASK_NAMES.choices)}")
    return list(dict.fromkeys(names))


def _tell(found: SignOff, path: Path, wish: Wish) -> None:
    from rich.table import Table

    from dicom_node.terminal.present import said

    table = Table("about", "check", "", "what was seen")
    for task, check in found.every_check():
        verdict = "[green]passed[/]" if check.passed else "[bold red]failed[/]"
        table.add_row(task or "node", check.name, verdict, said(check.words))
    wish.console.print(table)
    click.echo(f"{'Every check passed' if found.passed else 'Not every check passed'}. To sign: {path}")


def _clear(parts: Parts, found: SignOff, keep: bool | None) -> None:
    """Take the phantoms off the node where that is wanted; the PACS has to be cleared by its own means."""
    from dicom_node.commissioning.conduct import removed

    if keep is None and sys.stdin.isatty():
        keep = not click.confirm("Remove the synthetic studies from this node?", default=True)
    if keep or keep is None:
        click.echo("The synthetic studies stay on this node: " + " ".join(study.study_uid for study in found.studies))
        return
    stay = removed(parts, found)
    for sentence in stay:
        click.echo(f"{sentence}; `segnode delete` removes it later", err=True)
    click.echo(f"{len(found.studies) - len(stay)} synthetic studies are off this node.")
    patients = ", ".join(sorted({study.patient for study in found.studies}))
    click.echo(f"What {found.pacs} has of them stays there; remove it by its own means: {patients}")
