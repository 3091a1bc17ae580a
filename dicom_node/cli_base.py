"""What the files of the command line share: options, errors as sentences and exit codes, a node's storage."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from dicom_node.assembly import Parts

F = TypeVar("F", bound=Callable[..., Any])

conf_option = click.option(
    "--conf",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    envvar="SEGNODE_CONF",
    help="Folder with node.yaml, routes.yaml, models.yaml. Default: built-in settings.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")


class Failed(click.ClickException):
    """The answer is no; its sentence goes to standard error."""

    exit_code = 1


def plainly(command: F) -> F:
    """Turn the house's errors into one sentence and an exit code."""

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

    return run  # type: ignore[return-value]


@contextmanager
def storage(conf: Path | None) -> Iterator[Parts]:
    """What the node has stored, whether it runs or not."""
    from dicom_node.assembly import look_into
    from dicom_node.settings import load

    parts = look_into(load(conf))
    try:
        yield parts
    finally:
        parts.close()
