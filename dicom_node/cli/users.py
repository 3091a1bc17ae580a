"""`segnode users`: who may use the web console; and the way in, where nobody has one."""

from __future__ import annotations

import time
from pathlib import Path

import click

from dicom_node.cli.options import conf_option, json_option, open_storage, plainly

ROLES = click.Choice(["viewer", "operator", "admin"])  # said here so that no table is loaded for it


@click.group()
def users() -> None:
    """Who may use the web console."""


@users.command("list")
@conf_option
@json_option
@plainly
def list_(conf: Path | None, as_json: bool) -> None:
    """Everybody, with role, and whether a password is set."""
    from dicom_node.terminal import present

    with open_storage(conf) as parts, parts.database.reading() as tx:
        lines = [
            {
                "name": user.name,
                "role": str(user.role),
                "password": "set" if user.password else "not set",
                "shut_out": user.disabled,
                "since": present.clock_text(user.created_at),
            }
            for user in tx.users.list()
        ]
    (present.as_json if as_json else present.show_lines)(lines)


@users.command()
@click.argument("name", required=False)
@click.option("--role", type=ROLES, help="Make the user NAME, with this role.")
@conf_option
@plainly
def link(conf: Path | None, name: str | None, role: str | None) -> None:
    """Print a link, good once and for a day, by which NAME chooses a password; without NAME a new administrator."""
    from dicom_node.acts import people
    from storage.people.users import Role

    if role and not name:
        raise click.UsageError("--role needs a NAME")
    now = time.time()
    with open_storage(conf) as parts:
        if name is None:
            with parts.database.transaction() as tx:
                token = people.first_link(tx, now)
            parts.audit.user_changed("", "a link was made by which anybody becomes an administrator")
        elif role:
            token = people.add_user(parts, name, Role(role), now)
        else:
            token = people.new_link(parts, name, now)
        click.echo(people.address_of(parts, token))


@users.command()
@click.argument("name")
@click.argument("new_role", type=ROLES)
@conf_option
@plainly
def role(conf: Path | None, name: str, new_role: str) -> None:
    """Give NAME another role."""
    from dicom_node.acts import people
    from storage.people.users import Role

    with open_storage(conf) as parts:
        people.give_role(parts, name, Role(new_role))
    click.echo(f"{name} is {'an' if new_role[0] in 'ao' else 'a'} {new_role}")


@users.command("shut-out")
@click.argument("name")
@conf_option
@plainly
def shut_out(conf: Path | None, name: str) -> None:
    """Let NAME in no more; open sessions and tokens end at once."""
    from dicom_node.acts import people

    with open_storage(conf) as parts:
        people.shut_out(parts, name)
    click.echo(f"{name} is shut out")


@users.command("let-in")
@click.argument("name")
@conf_option
@plainly
def let_in(conf: Path | None, name: str) -> None:
    """Let NAME in again."""
    from dicom_node.acts import people

    with open_storage(conf) as parts:
        people.let_in(parts, name)
    click.echo(f"{name} may come in again")
