"""`segnode`: the command line.

Exit codes: 0 done; 1 the answer is no (not found, refused, failed) or nobody could read it; 2 wrong usage or
configuration.
Commands import what they need when they run, so that `--help` is instant.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dicom_node.cli import experiments, keep, site, studies
from dicom_node.cli.conformance import conformance
from dicom_node.cli.corrections import reissue
from dicom_node.cli.deliveries import deliveries
from dicom_node.cli.experiments import seeds_of
from dicom_node.cli.explain import explain_model
from dicom_node.cli.fetch import fetch
from dicom_node.cli.health import health
from dicom_node.cli.models import models
from dicom_node.cli.options import (
    SHOWN_SEED,
    TASK_NAMES,
    Failed,
    aet_option,
    conf_option,
    json_option,
    open_storage,
    peer_and_title,
    peer_called,
    plainly,
    roles_option,
)
from dicom_node.cli.output import Commands
from dicom_node.cli.probe import probe
from dicom_node.cli.review import export_reviewed
from dicom_node.cli.users import users
from dicom_node.cli.validate import validate

if TYPE_CHECKING:
    from storage.database import Transaction


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="segnode")
def main() -> None:
    """A DICOM node that segments tumours and sends SEG and SR back to the PACS."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # not every terminal takes what a header says


@main.command()
@conf_option
@roles_option
@plainly
def serve(conf: Path | None, roles: list[str]) -> None:
    """Run the node until it is told to stop."""
    import dicom_node.running.roles  # noqa: F401 (loaded once for all roles, which are forked)
    from dicom_node.log import setup
    from dicom_node.running.node import serve as run
    from dicom_node.settings import load

    settings = load(conf, look_at_files=True)
    setup(settings.logging)
    if settings.node.web.port is None:
        roles = [role for role in roles if role != "web"]
    elif "web" in roles:
        click.echo(f"The console is at {settings.node.web.address}.", err=True)
    does = f"listens on {settings.node.ears}" if "receive" in roles else f"runs here as {', '.join(roles)}"
    click.echo(
        f"{settings.node.ae_title} {does}; data in {settings.node.data_folder}. Stop with Ctrl-C.",
        err=True,
    )
    sys.exit(run(roles, conf, drain_s=settings.node.drain_s))


@main.command(hidden=True)
@click.argument("name")
@conf_option
@plainly
def role(name: str, conf: Path | None) -> None:
    """Run one role in this process (what `serve` starts)."""
    from dicom_node.assembly import assemble
    from dicom_node.running.roles import ROLES, run_role
    from dicom_node.settings import load

    if name not in ROLES:
        raise click.UsageError(f"unknown role {name!r}; allowed: {', '.join(ROLES)}")
    run_role(name, assemble(load(conf), name))


@main.command()
@click.option("--pacs", metavar="HOST:PORT:AET", help="Send results to a real PACS instead of the embedded archive.")
@click.option("--seed", default=SHOWN_SEED, show_default=True, help="Which phantoms are played.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Where pictures and data go.")
@plainly
def demo(pacs: str | None, seed: int, output: Path | None) -> None:
    """Play three phantom studies through a real node and show what comes back."""
    from dicom_node.phantoms.demo import run_demo

    sys.exit(run_demo(seed=seed, output=output, pacs=peer_called(pacs, None) if pacs else None))


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--to", "peer", required=True, metavar="PEER", help="HOST:PORT:AET, or a name in node.yaml.")
@aet_option
@conf_option
@json_option
@plainly
def send(files: tuple[Path, ...], peer: str, aet: str | None, conf: Path | None, as_json: bool) -> None:
    """Send DICOM files or folders by C-STORE."""
    from dicom_node.network.client import find_dicom
    from dicom_node.network.client import send as store
    from dicom_node.terminal import present

    paths = [path for given in files for path in find_dicom(given)]
    if not paths:
        raise Failed("no DICOM file was found there")
    target, title = peer_and_title(peer, conf, aet)
    with present.progress_bar("sending", len(paths)) as advance:
        statuses = store(paths, target, title, told=lambda _: advance())
    bad = {uid: str(status) for uid, status in statuses.items() if not status.stored}
    if as_json:
        present.as_json({"sent": len(statuses) - len(bad), "not_success": bad})
    else:
        click.echo(f"{len(statuses) - len(bad)} of {len(statuses)} stored with success")
        for uid, status in bad.items():
            click.echo(f"{uid}: {status}", err=True)
    sys.exit(1 if bad else 0)


@main.command()
@click.argument("peer")
@aet_option
@conf_option
@plainly
def echo(peer: str, aet: str | None, conf: Path | None) -> None:
    """C-ECHO a peer: HOST:PORT:AET, or its name in node.yaml."""
    from dicom_node.network.client import echo as ask

    target, title = peer_and_title(peer, conf, aet)
    started = time.perf_counter()
    ask(target, calling_aet=title)
    click.echo(f"{target.ae_title} at {target.host}:{target.port} answers ({time.perf_counter() - started:.2f} s)")


@main.command()
@conf_option
@json_option
@click.option("--limit", default=20, show_default=True, help="How many of the newest studies.")
@plainly
def status(conf: Path | None, as_json: bool, limit: int) -> None:
    """Is the node well, and where are the newest studies?"""
    from dicom_node.terminal import present
    from dicom_node.terminal.present_deliveries import show_destinations
    from dicom_node.views.node import study_line
    from dicom_node.views.status import node_status

    now = time.time()
    with open_storage(conf) as parts, parts.database.reading() as tx:
        view = node_status(parts, tx, now)
        newest = {study.study_instance_uid: study for study in tx.studies.list(limit=limit)}
        jobs, deliveries = tx.gathered.jobs(newest), tx.gathered.deliveries(newest)
        view["newest"] = [study_line(study, jobs[uid], deliveries[uid], now) for uid, study in newest.items()]
    if as_json:
        present.as_json(view)
        return
    present.show_status(view)
    show_destinations(view["destinations"], now)
    present.show_studies(view["newest"])


def _looked_at(
    study_uid: str, conf: Path | None, view: Callable[[Transaction, str, float], dict[str, Any]]
) -> dict[str, Any]:
    """What `view` shows of a study now, as the audit trail is told."""
    with open_storage(conf) as parts:
        with parts.database.reading() as tx:
            shown = view(tx, study_uid, time.time())
        parts.audit.looked_at(study_uid)
    return shown


@main.command()
@click.argument("study_uid")
@conf_option
@json_option
@plainly
def study(study_uid: str, conf: Path | None, as_json: bool) -> None:
    """One study: its series, jobs, findings and deliveries."""
    from dicom_node.terminal import present
    from dicom_node.views.node import study_view

    view = _looked_at(study_uid, conf, study_view)
    (present.as_json if as_json else present.show_study)(view)


@main.command()
@click.argument("study_uid")
@conf_option
@json_option
@plainly
def explain(study_uid: str, conf: Path | None, as_json: bool) -> None:
    """Why a study got what it got: every route, every series, every step."""
    from dicom_node.terminal import present
    from dicom_node.views.node import explain_view

    view = _looked_at(study_uid, conf, explain_view)
    (present.as_json if as_json else present.show_explain)(view)


@main.command()
@click.argument("study_uid", required=False)
@click.option("--all", "everything", is_flag=True, help="All failed jobs and dead deliveries.")
@click.option("--dead", is_flag=True, help="All dead deliveries, no jobs.")
@click.option("--destination", metavar="NAME", help="All dead deliveries to NAME, which is tried at once.")
@click.option("--release", is_flag=True, help="Let held deliveries go as well.")
@click.option("--resend", is_flag=True, help="Send what was sent once more: the same instances, no duplicates.")
@conf_option
@plainly
def retry(conf: Path | None, study_uid: str | None, destination: str | None, **asked: bool) -> None:
    """Run failed and refused jobs of a study again, and send its dead deliveries again."""
    from dicom_node.acts.retry import resend_dead
    from dicom_node.acts.retry import retry as again

    if sum(map(bool, (study_uid, asked["everything"], asked["dead"] or destination))) != 1:
        raise click.UsageError("name a study, or say --all, --dead or --destination NAME")
    if not study_uid and asked["resend"]:
        raise click.UsageError("--resend needs a study")
    if (asked["dead"] or destination) and asked["release"]:
        raise click.UsageError("--release needs a study or --all")
    now = time.time()
    with open_storage(conf) as parts:
        with parts.database.transaction() as tx:
            if study_uid or asked["everything"]:
                done = again(tx, now, study_uid, release_held=asked["release"], resend=asked["resend"])
            else:
                done = resend_dead(tx, now, destination)
        for action, study in done.asked:
            parts.audit.asked_by_a_person(action, study)
    click.echo(f"{done.jobs} jobs and {done.deliveries} deliveries go again")
    if done.tried_now:
        click.echo(f"{destination} is tried now")
    sys.exit(0 if done.anything else 1)


@main.command()
@conf_option
@click.option("--echo/--no-echo", default=True, help="C-ECHO every peer.")
@json_option
@plainly
def check(conf: Path | None, echo: bool, as_json: bool) -> None:
    """Validate all configuration at once and C-ECHO the peers."""
    from dicom_node.checking.check import check as examine
    from dicom_node.terminal import present

    report = examine(conf, with_echo=echo)
    if as_json:
        present.as_json(vars(report))
    else:
        present.show_check(report.problems, report.silent, report.unfit, report.remarks)
    sys.exit(report.exit_code)


main.add_command(conformance)
main.add_command(deliveries)
main.add_command(reissue)
main.add_command(fetch)
main.add_command(health)
main.add_command(probe)
main.add_command(validate)
main.add_command(models)
main.add_command(export_reviewed)
main.add_command(explain_model)
main.add_command(users)


@main.group()
def phantom() -> None:
    """Synthetic cases whose truth is known."""


@phantom.command("make")
@click.argument("task", type=TASK_NAMES)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--seed", default=9000, show_default=True)
@plainly
def phantom_make(task: str, folder: Path, seed: int) -> None:
    """Write one phantom study as DICOM files."""
    from inference.phantom import make_case, write_study

    paths = write_study(make_case(task, seed), folder)
    click.echo(f"{len(paths)} files in {folder}")


@phantom.command("score")
@click.option("--task", "tasks", type=TASK_NAMES, multiple=True, help="Default: all three.")
@click.option("--seeds", default="9000-9009", show_default=True, help="FIRST-LAST; training never saw 9000-9009.")
@json_option
@plainly
def phantom_score(tasks: tuple[str, ...], seeds: str, as_json: bool) -> None:
    """Score the shipped models on unseen phantoms, beside the best single threshold."""
    from dicom_node.terminal import present
    from inference.evaluation.score import score

    wanted, rows = seeds_of(seeds), []
    for task in tasks or TASK_NAMES.choices:
        with present.progress_bar(str(task), len(wanted)) as advance:
            rows += score(str(task), _telling(wanted, advance))
    if as_json:
        present.as_json(rows)
    else:
        present.show_lines(rows)


@phantom.command("froc")
@click.option("--seeds", default="9000-9019", show_default=True, help="FIRST-LAST; training never saw 9000-9019.")
@json_option
@plainly
def phantom_froc(seeds: str, as_json: bool) -> None:
    """Say which nodules of unseen phantoms the shipped model finds, by false alarms a scan and by diameter."""
    from dicom_node.terminal import present
    from inference.evaluation import phantom_nodules

    wanted, bundle = seeds_of(seeds), phantom_nodules.shipped()
    with present.progress_bar(phantom_nodules.TASK, len(wanted)) as advance:
        found = phantom_nodules.phantom_froc(_telling(wanted, advance), bundle)
    if as_json:
        present.as_json(found.model_dump(mode="json", exclude={"curve"}))
        return
    rates = zip(found.rates, found.at, strict=True)
    present.show_lines(
        [{"false positives a scan": rate, "sensitivity": at.mean, "from": at.low, "to": at.high} for rate, at in rates]
    )
    present.show_lines(
        [{"diameter": b.band, "nodules": b.nodules, "found at 1 a scan": b.hit_at_rate} for b in found.bands]
    )


def _telling(seeds: Iterable[int], advance: Callable[[], None]) -> Iterator[int]:
    """The seeds, with a word after each."""
    for seed in seeds:
        yield seed
        advance()


for command in (*studies.COMMANDS, *keep.COMMANDS, *experiments.COMMANDS, *site.COMMANDS):
    main.add_command(command)
