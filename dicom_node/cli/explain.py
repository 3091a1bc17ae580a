"""`segnode explain-model`: what the model looked at in a study."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from dicom_node.cli.options import TASK_NAMES, Failed, conf_option, json_option, open_storage, plainly


@click.command("explain-model")
@click.argument("study_uid")
@click.option("--finding", type=click.IntRange(min=1), help="Its number in the result. Default: the largest lesion.")
@click.option("--task", type=TASK_NAMES, help="Whose result, where the study has several.")
@click.option("--output", "folder", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where to.")
@conf_option
@json_option
@plainly
def explain_model(
    study_uid: str, finding: int | None, task: str | None, folder: Path, conf: Path | None, as_json: bool
) -> None:
    """Write maps of what a model looked at into a folder: Grad-CAM of one finding, and the network's attention gates.

    As NIfTI on the series' own voxels, and as pictures of the main slices. The model runs once more, in a process of
    its own. No file says whose images these are, but the pictures show them.
    """
    from dicom_node.acts.explaining import ask, write
    from dicom_node.audit.facts import PersonAction
    from dicom_node.terminal import present
    from inference.executors.devices import resolve
    from inference.executors.processes import Processes

    with open_storage(conf) as parts:
        scratch = parts.settings.node.scratch_folder
        scratch.mkdir(exist_ok=True)
        executor = Processes(resolve(parts.settings.node.devices)[:1])
        with (
            tempfile.TemporaryDirectory(dir=scratch, prefix="explain-") as folder_of_maps,
            ask(parts, study_uid, Path(folder_of_maps), task, finding) as asked,
        ):
            parts.audit.asked_by_a_person(PersonAction.EXPLAIN, study_uid)
            executor.start()
            try:
                explanation = executor.explain(asked.request, lambda *_: None)
            finally:
                executor.stop()
            try:
                written = write(asked, explanation, folder)
            except OSError as trouble:
                raise Failed(f"{folder} cannot be written: {trouble.strerror or trouble}") from trouble
    if as_json:
        present.as_json({"finding": asked.finding and asked.finding.number, "files": list(map(str, written))})
        return
    for path in written:
        click.echo(path)
    click.echo("They show where the network looked, not that it is right: see about.txt.")
