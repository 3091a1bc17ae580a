"""`segnode models`: what is installed, and bringing one's own: add, verify, pin, remove, bench."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from dicom_node.cli.model_use import disable, enable, shadow
from dicom_node.cli.options import TASK_NAMES, Failed, audit_trail, conf_option, json_option, open_storage, plainly

KINDS = click.Choice(["bundle", "nnunet", "zoo", "torchscript", "exported"])


@click.group(invoke_without_command=True)
@conf_option
@json_option
@click.pass_context
@plainly
def models(context: click.Context, conf: Path | None, as_json: bool) -> None:
    """Installed models: task, version, intended use, hash; and ways to bring your own."""
    if context.invoked_subcommand is not None:  # which takes its folder from here (cli.options)
        return
    from dicom_node.models.model_views import model_lines
    from dicom_node.settings import load
    from dicom_node.terminal import present

    lines = model_lines(load(conf))
    (present.as_json if as_json else present.show_lines)(lines)


models.add_command(disable)
models.add_command(enable)
models.add_command(shadow)


@models.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--name", required=True, help="What routes call it.")
@click.option("--task", required=True, type=TASK_NAMES, help="The task that it solves.")
@click.option("--kind", type=KINDS, help="What it is. Default: told from its files.")
@click.option("--input", "inputs", multiple=True, metavar="CHANNEL=ROLE", help="Which role a channel of the model is.")
@click.option("--output", "outputs", multiple=True, metavar="NAME=STRUCTURE",
              help="Which structure of the task the model's NAME is. Others are left out.")
@click.option("--set", "further", multiple=True, metavar="KEY=VALUE", help="Any other key of the entry; VALUE is YAML.")
@click.option("--trust", is_flag=True, help="Let the code run that the model brings.")
@conf_option
@plainly
def add(path: Path, name: str, task: str, conf: Path | None, **asked: Any) -> None:
    """Write an entry for the model at PATH into models.yaml, and record the SHA-256 of every file of it."""
    from dicom_node.models.models_file import ModelsFile
    from dicom_node.models.new_model import WHAT_TRUST_MEANS, NewModel

    folder = _folder(conf)
    said = {key: _pairs(asked[key]) for key in ("inputs", "outputs") if asked[key]}
    new = NewModel.at(path.resolve(), task, asked["kind"], _yaml(asked["further"]) | said)
    if new.brings_code:
        click.echo(WHAT_TRUST_MEANS, err=True)
        if not asked["trust"]:
            raise Failed("nothing was added; --trust adds it as a trusted one")
        new = new.trusted()
    entry, recorded = new.checked(folder)
    with _audited(name, f"model {name} added for task {task}, from {path.resolve()}", conf):
        ModelsFile(folder).add(name, entry, recorded)
    click.echo(f"{name}: {task}, kind {entry['kind']}, {len(recorded)} files recorded")
    for key in ("inputs", "outputs"):
        for word, meant in entry.get(key, {}).items():
            click.echo(f"  {key[:-1]} {word} is {meant}")
    if left_out := new.left_out(entry):
        click.echo(f"  left out: {', '.join(left_out)} (--output NAME=STRUCTURE says what one is)", err=True)
    click.echo(f"A route runs it that says model: {name} (routes.yaml); `segnode models bench {name}` tries it.")


@models.command()
@click.argument("names", nargs=-1)
@conf_option
@json_option
@plainly
def verify(names: tuple[str, ...], conf: Path | None, as_json: bool) -> None:
    """Read every file of the models again; exit code 1 where one is not as it was recorded.

    What came out is kept for the page Models, where a node has run with this configuration.
    """
    from dicom_node.configuring.changes import Author
    from dicom_node.models.verifying import check, keep
    from dicom_node.settings import load
    from dicom_node.terminal import present
    from storage.errors import StorageError

    author = Author(time.time())
    settings = load(conf)
    checks = [check(settings, name, author) for name in names or settings.models]
    try:
        with open_storage(conf) as parts:
            for one in checks:
                keep(parts, one, author)
    except StorageError as none:
        click.echo(f"This is written down nowhere: {none}", err=True)
    lines = [{"model": one.model, "as_recorded": not one.fault, "fault": one.fault} for one in checks]
    if as_json:
        present.as_json(lines)
    else:
        for line in lines:
            click.echo(f"{line['model']}: {line['fault'] or 'as recorded'}", err=bool(line["fault"]))
    sys.exit(0 if all(line["as_recorded"] for line in lines) else 1)


@models.command()
@click.argument("name")
@conf_option
@plainly
def pin(name: str, conf: Path | None) -> None:
    """Record the files of model NAME as they are now, after a change that is meant."""
    from dicom_node.models.models_file import ModelsFile
    from dicom_node.settings import load
    from inference.backends.foreign import Foreign
    from inference.backends.pins import hashes_of

    folder = _folder(conf)
    backend = _known(name, load(folder).models).backend
    if not isinstance(backend, Foreign):
        raise Failed(f"{name} has no files that are recorded here; a bundle's list is its own configs/sha256.json")
    recorded = hashes_of(backend.path)
    changed = ", ".join(sorted(file for file in recorded.keys() | backend.sha256.keys()
                               if recorded.get(file) != backend.sha256.get(file))) or "none"
    with _audited(name, f"files of model {name} recorded as they are; other than before: {changed}", conf):
        ModelsFile(folder).record(name, recorded)
    click.echo(f"{name}: {len(recorded)} files recorded; other than before: {changed}")


@models.command()
@click.argument("name")
@conf_option
@plainly
def remove(name: str, conf: Path | None) -> None:
    """Take model NAME out of models.yaml; its files stay where they are."""
    from dicom_node.models.models_file import ModelsFile
    from dicom_node.settings import load

    folder = _folder(conf)
    settings = load(folder)
    _known(name, settings.models)
    if routes := [route.name for route in settings.routes if route.model == name]:
        raise Failed(f"{name} is still named by route {', '.join(routes)} (routes.yaml)")
    if beside := [other for other, model in settings.models.items() if model.shadow == name]:
        raise Failed(f"{name} is still the shadow of {', '.join(beside)} (models.yaml)")
    with _audited(name, f"model {name} removed", conf):
        ModelsFile(folder).remove(name)
    click.echo(f"{name} removed; its files are where they were")


@models.command()
@click.argument("name")
@click.option("--device", help="cpu, cuda:0… Default: the node's first.")
@click.option("--seed", default=9000, show_default=True, help="Which phantom of the task it is run on.")
@click.option("--keep", is_flag=True, help="Write the fastest way that finds the same into models.yaml.")
@click.option("--supervisor", type=int, hidden=True, help="Process that this one ends with.")
@conf_option
@json_option
@plainly
def bench(name: str, conf: Path | None, as_json: bool, **asked: Any) -> None:
    """Run model NAME on a phantom in fp32 and bf16, by torch and by OpenVINO where installed: seconds, memory, Dice."""
    from dicom_node.settings import load
    from dicom_node.terminal import present
    from inference import bench as run
    from inference.executors.devices import resolve
    from inference.phantom import make_case

    if asked["supervisor"]:
        from dicom_node.running.node import die_with

        die_with(asked["supervisor"])
    settings = load(conf)
    model = _known(name, settings.models)
    device = asked["device"] or resolve(settings.node.devices)[0]
    study = make_case(model.task, asked["seed"]).volumes
    told = run.bench(model.backend.model_dump(mode="json"), model.task, device, study)
    lines = [
        {
            "precision": one.way,
            "windows": one.windows,
            "seconds": round(one.seconds, 2),
            "network_s": round(one.network_s, 2),
            "peak_mb": round(one.peak_mb),
            "dice_with_fp32": round(told.alike[one.way], 4),
        }
        for one in told.runs
    ]
    if asked["keep"] and told.better:
        from dicom_node.models.models_file import ModelsFile

        folder = _folder(conf)
        with _audited(name, f"model {name} is run in {told.better} from now on", conf):
            ModelsFile(folder).set(name, run.settings_of(told.better))
    if as_json:
        present.as_json({"device": device, "runs": lines, "chosen": told.auto, "better": told.better})
        return
    present.show_lines(lines)
    click.echo(f"On {device} it is run in {told.auto}.")
    if not told.found:
        click.echo("It found nothing in this phantom, so no way is known to find the same: try another --seed.")
    if told.better:
        said = ", ".join(f"{key}: {value}" for key, value in run.settings_of(told.better).items())
        where = "models.yaml says so now" if asked["keep"] else f"--keep writes {said} into models.yaml"
        click.echo(f"{told.better} is faster here and finds the same: {where}.")


@contextmanager
def _audited(name: str, text: str, conf: Path | None) -> Iterator[None]:
    """Tell the audit trail `text` of a model, once what it says is done."""
    from dicom_node.audit.facts import SOFTWARE_CONFIGURATION

    with audit_trail(conf) as audit:
        yield
        audit.model_touched(name, text, kind=SOFTWARE_CONFIGURATION)


def _folder(conf: Path | None) -> Path:
    if conf is None:
        raise click.UsageError("say --conf FOLDER: the shipped configuration is not written to")
    return conf.resolve()


def _known(name: str, installed: Any) -> Any:
    if name not in installed:
        raise Failed(f"there is no model {name}; known: {', '.join(sorted(installed)) or 'none'}")
    return installed[name]


def _pairs(texts: Iterable[str]) -> dict[str, str]:
    """LEFT=RIGHT by LEFT."""
    pairs = {}
    for text in texts:
        left, equals, right = text.partition("=")
        if not (left and equals and right):
            raise click.UsageError(f"{text!r} is not NAME=MEANING")
        pairs[left.strip()] = right.strip()
    return pairs


def _yaml(texts: Iterable[str]) -> dict[str, Any]:
    """KEY=VALUE by KEY, values read as YAML."""
    from ruamel.yaml import YAML

    reader = YAML(typ="safe")
    return {key: reader.load(value) for key, value in _pairs(texts).items()}
