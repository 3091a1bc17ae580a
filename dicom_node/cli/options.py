"""What the commands of `segnode` share: options, exit codes, and the way from a name to a peer or the storage.

Exit codes: 0 done; 1 the answer is no (not found, refused, failed); 2 wrong usage or configuration.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from dicom_node.assembly import Parts
    from dicom_node.audit.recorder import Recorder
    from dicom_node.network.peer import Peer

F = TypeVar("F", bound=Callable[..., Any])


def _nearest(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """What is said before a subcommand holds for it, whatever the environment says; its own option comes first."""
    if context.parent is None or context.get_parameter_source(str(option.name)) is ParameterSource.COMMANDLINE:
        return value
    return context.parent.params.get(str(option.name), value)


conf_option = click.option(
    "--conf",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    envvar="SEGNODE_CONF",
    callback=_nearest,
    help="Folder with node.yaml, routes.yaml, models.yaml. Default: built-in settings.",
)
TASK_NAMES = click.Choice(["brain_tumour", "liver_tumour", "lung_nodule"])  # said here so that no card is loaded for it
json_option = click.option("--json", "as_json", is_flag=True, callback=_nearest, help="Print JSON for a script.")


def _roles(_context: click.Context, _option: click.Parameter, value: str) -> list[str]:
    from dicom_node.running.node import ROLES

    wanted = [role.strip() for role in value.split(",")]
    if unknown := [role for role in wanted if role not in ROLES]:
        raise click.BadParameter(f"unknown roles: {', '.join(unknown)}; allowed: {', '.join(ROLES)}")
    return wanted


roles_option = click.option(
    "--roles",
    default="receive,pipeline,web,clock",
    show_default=True,
    envvar="SEGNODE_ROLES",
    callback=_roles,
    help="Which roles run here.",
)


def _ae_title(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    from dicom_node.network.peer import AE_TITLE_FORM

    if value is not None and not AE_TITLE_FORM.fullmatch(value):
        raise click.BadParameter("an AE title is 1 to 16 plain characters, no backslash, no space at either end")
    return value


SHOWN_SEED = 9004  # of the phantoms that people look at: each of the three has something to find

aet_option = click.option(
    "--aet", callback=_ae_title, help="Our calling AE title. Default: that by which the node itself calls the peer."
)


class Failed(click.ClickException):
    """The answer is no; its sentence goes to standard error."""

    exit_code = 1


def plainly(command: F) -> F:
    """Turn the house's errors, and those of a file, into one sentence and an exit code."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        from dicom_node.errors import ConfigurationError, NodeError
        from inference.errors import InferenceError
        from storage.errors import StorageError

        try:
            return command(*args, **kwargs)
        except ConfigurationError as wrong:
            for problem in wrong.problems:
                click.echo(problem, err=True)
            sys.exit(2)
        except (NodeError, StorageError, InferenceError) as error:
            raise Failed(str(error)) from error
        except OSError as error:
            if error.filename is None:  # a pipe that was closed, say, which click knows
                raise
            raise Failed(f"{error.strerror}: {error.filename}") from error

    return run  # type: ignore[return-value]


@contextmanager
def open_storage(conf: Path | None) -> Iterator[Parts]:
    """What the node has stored, whether it runs or not."""
    from dicom_node.assembly import look_into
    from dicom_node.settings import load

    parts = look_into(load(conf))
    try:
        yield parts
    finally:
        parts.close()


@contextmanager
def audit_trail(conf: Path | None) -> Iterator[Recorder]:
    """Where to tell what a person does to the node, also where none has run yet or its database is away."""
    from dicom_node.assembly import recorder
    from dicom_node.settings import load
    from storage.errors import StorageError

    with ExitStack() as undo:
        try:
            audit = undo.enter_context(open_storage(conf)).audit
        except StorageError:
            audit = recorder(load(conf), None)
            undo.callback(audit.close)
        yield audit


def peer_called(text: str, conf: Path | None) -> Peer:
    """`HOST:PORT:AET`, or the name of a peer or destination in node.yaml that is called by DICOM's own protocol."""
    from pydantic import ValidationError

    from dicom_node.network.peer import Peer
    from dicom_node.settings import load

    where, _, ae_title = text.rpartition(":")
    host, _, port = where.rpartition(":")
    if host and port.isdigit():
        try:
            return Peer(host=host, port=int(port), ae_title=ae_title)
        except ValidationError as wrong:
            sentences = "; ".join(f"{error['loc'][0]}: {error['msg']}" for error in wrong.errors())
            raise click.UsageError(f"{text!r} names no peer: {sentences}") from wrong
    peers = {name: one for name, one in load(conf).archives().items() if isinstance(one, Peer)}
    if text not in peers:
        known = ", ".join(sorted(peers)) or "none"
        what = "neither HOST:PORT:AET nor the name of a peer or DICOM destination in node.yaml"
        raise click.UsageError(f"{text!r} is {what} (known: {known})")
    return peers[text]


def peer_and_title(text: str, conf: Path | None, aet: str | None) -> tuple[Peer, str]:
    """`peer_called(text)`, and by which title: `aet` where it is said, else the node's own, as it calls there."""
    from dicom_node.destinations import DimseDestination
    from dicom_node.settings import load

    peer = peer_called(text, conf)
    if aet is not None:
        return peer, aet
    settings = load(conf)
    destination = None if text in settings.peers() else settings.destinations().get(text)
    return peer, destination.calling_ae_title if isinstance(destination, DimseDestination) else settings.node.ae_title
