"""`segnode models disable`, `enable`, `shadow`: which installed models take jobs, which others run beside them."""

from __future__ import annotations

import time
from pathlib import Path

import click

from dicom_node.cli.options import conf_option, json_option, open_storage, plainly


@click.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask, though studies wait for it.")
@conf_option
@plainly
def disable(name: str, yes: bool, conf: Path | None) -> None:
    """Have model NAME take no new jobs; those that wait for it stay in the queue, nothing is lost."""
    from dicom_node.configuring.changes import Author
    from dicom_node.errors import StudiesWait
    from dicom_node.models import model_switch

    with open_storage(conf) as parts:
        author = Author(time.time())
        try:
            changed = model_switch.disable(parts, name, author, sure=yes)
        except StudiesWait as waiting:
            click.confirm(f"{waiting}. Disable it?", abort=True)
            changed = model_switch.disable(parts, name, author, sure=True)
    click.echo(f"{name} takes no new jobs" if changed.change else f"{name} was disabled already")


@click.command()
@click.argument("name")
@conf_option
@plainly
def enable(name: str, conf: Path | None) -> None:
    """Have model NAME take jobs again; `segnode route` has its routes look at what arrived meanwhile."""
    from dicom_node.configuring.changes import Author
    from dicom_node.models import model_switch

    with open_storage(conf) as parts:
        changed = model_switch.enable(parts, name, Author(time.time()))
    click.echo(f"{name} takes jobs again" if changed.change else f"{name} was not disabled")


@click.command()
@click.argument("names", nargs=-1)
@click.option("--by", metavar="OTHER", help="Have model OTHER run beside the one model NAMES from now on; '' for none.")
@conf_option
@json_option
@plainly
def shadow(names: tuple[str, ...], by: str | None, conf: Path | None, as_json: bool) -> None:
    """How shadows (models.yaml: shadow) compare with models NAMES, or with all: Dice, volumes, seconds, failures."""
    from dicom_node.models.shadowing import shadow_lines, shadow_view
    from dicom_node.models.verifying import known
    from dicom_node.terminal import present

    if by is not None:
        _put_beside(conf, names, by)
        return
    with open_storage(conf) as parts:
        wanted = names or sorted(parts.settings.models)
        for name in wanted:
            known(parts.settings, name)
        with parts.database.reading() as tx:
            views = [shadow_view(tx, name) for name in wanted]
    if as_json:
        present.as_json(views)
        return
    present.show_lines(shadow_lines(views))
    for view in views:
        for one in view["compared"]:
            for study in one["worst"]:
                click.echo(f"{view['model']} and {one['shadow']} differ most in {study['study']}: {study['mean_dice']}")


def _put_beside(conf: Path | None, names: tuple[str, ...], shadow: str) -> None:
    """Have models.yaml name the shadow of one model."""
    from dicom_node.configuring.changes import Author
    from dicom_node.models.shadow_choice import name_shadow

    if len(names) != 1:
        raise click.UsageError("--by: beside which one model?")
    with open_storage(conf) as parts:
        changed = name_shadow(parts, names[0], shadow, Author(time.time()))
    told = f"{shadow or 'no model'} runs beside {names[0]} from now on"
    click.echo(told if changed.change else "it was so already")
