"""`segnode train`, `evaluate`, `cross-validate`, `compare`: models made and judged; torch is loaded when one runs."""

from __future__ import annotations

from pathlib import Path

import click

from dicom_node.cli.options import plainly

_CONFIGURATION = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_cache = click.option("--cache", type=_FOLDER, help="Where prepared cases and checkpoints are kept.")


def seeds_of(text: str) -> range:
    """A seed, or FIRST-LAST; UsageError where it is neither, or names none."""
    first, _, last = text.partition("-")
    if not (first.isdigit() and (last or first).isdigit()):
        raise click.UsageError(f"{text!r} is neither a seed nor FIRST-LAST")
    if last and int(last) < int(first):
        raise click.UsageError(f"{text!r} ends before it begins")
    return range(int(first), int(last or first) + 1)


@click.command()
@click.argument("configuration", type=_CONFIGURATION)
@click.option("--output", type=_FOLDER, help="Bundle folder to write.")
@_cache
@plainly
def train(configuration: Path, output: Path | None, cache: Path | None) -> None:
    """Train a model from a file like conf/training/brats.yaml and export it as a bundle.

    An interrupted run goes on where it was. On several GPUs: torchrun --nproc-per-node=N -m dicom_node train FILE
    """
    from inference.training.run import CACHE
    from inference.training.run import train as run

    click.echo(f"bundle written to {run(configuration, output, cache or CACHE)}")


@click.command()
@click.argument("configuration", type=_CONFIGURATION)
@click.argument("bundle", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--output", type=_FOLDER, default=Path("evaluation"), show_default=True, help="Folder of the report.")
@click.option("--seeds", default="9000-9009", show_default=True, help="Phantoms to judge; a data set has its own.")
@click.option("--device", default="cpu", show_default=True)
@plainly
def evaluate(configuration: Path, bundle: Path, output: Path, seeds: str, device: str) -> None:
    """Judge a bundle on the test cases of the configuration that it was trained by: tables, curves, overlays."""
    from dicom_node.terminal import present
    from inference.experiments.evaluate import evaluate_bundle

    with present.progress_bar("test cases") as tell:
        _, _, page = evaluate_bundle(configuration, bundle, output, seeds_of(seeds), device=device, tell=tell)
    click.echo(f"report written to {page}")


@click.command("cross-validate")
@click.argument("configuration", type=_CONFIGURATION)
@click.option("--output", type=_FOLDER, default=Path("cross-validation"), show_default=True, help="Folder to fill.")
@click.option("--device", default="cpu", show_default=True)
@_cache
@plainly
def cross_validate(configuration: Path, output: Path, device: str, cache: Path | None) -> None:
    """Train five times, each time without a fifth of the patients, and judge each on its fifth: one report."""
    from inference.experiments.evaluate import cross_validate as run
    from inference.training.run import CACHE

    _, _, page = run(configuration, output, cache or CACHE, device=device)
    click.echo(f"report written to {page}")


@click.command()
@click.argument("experiment", type=_CONFIGURATION)
@click.option("--output", type=_FOLDER, default=Path("comparison"), show_default=True, help="Folder to fill.")
@_cache
@plainly
def compare(experiment: Path, output: Path, cache: Path | None) -> None:
    """Train and judge variants of one configuration on the same cases; stopped, it goes on where it was."""
    from inference.experiments.compare import compare as run
    from inference.training.run import CACHE

    _, _, page = run(experiment, output, cache or CACHE)
    click.echo(f"comparison written to {page}")


COMMANDS = (train, evaluate, cross_validate, compare)
