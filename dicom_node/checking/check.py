"""`segnode check`: every mistake in the configuration at once, what will be held or expire, who answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from dicom_node.checking.fits import unfit
from dicom_node.checking.outlook import outlook_of
from dicom_node.checking.places import unwritable, why_not_written
from dicom_node.destinations import DimseDestination, FolderDestination
from dicom_node.errors import BadTlsFiles, ConfigurationError, PeerError
from dicom_node.network.client import echo
from dicom_node.network.dicomweb.qido import ask
from dicom_node.network.dicomweb.web_server import WebServer
from dicom_node.network.tls.settings import ClientTls
from dicom_node.settings import FILES, Settings, load
from dicom_node.storing import object_store
from inference.errors import ClusterError, ModelError
from inference.findings import IntendedUse
from storage.errors import NoAccess, StorageError, Unavailable
from storage.sql.schema import look


@dataclass
class Report:
    """What was found: mistakes that stop the node, peers that do not answer, destinations that do not take what their
    profiles send, things worth knowing.
    """

    problems: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    unfit: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """2 for mistakes, 1 for silent peers or profiles that do not fit, 0 when all is well."""
        if self.problems:
            return 2
        return 1 if self.silent or self.unfit else 0


def check(conf: Path | None, with_echo: bool) -> Report:
    """Examine the configuration in `conf`; with `with_echo`, also ask every peer and destination."""
    report = Report()
    try:
        settings = load(conf, look_at_files=True)
    except ConfigurationError as wrong:
        report.problems.extend(wrong.problems)
        return report
    report.problems.extend(_places(settings))
    report.problems.extend(_authorities(settings))
    uses = _models(settings, report)
    report.remarks.extend(_shipped(conf))
    report.remarks.extend(_held(settings, uses))
    report.remarks.extend(_pointing_nowhere(settings))
    report.remarks.extend(_idle_rules(settings))
    report.remarks.extend(_in_the_clear(settings))
    if settings.node.executor == "processes" and find_spec("torch") is None:
        report.remarks.append("torch is not installed here, so a pipeline on this machine cannot run models itself")
    outlook = outlook_of(settings.node, time.time())
    report.problems.extend(outlook.problems)
    report.remarks.extend(outlook.remarks)
    if with_echo:
        _database(settings, report)
        _archive(settings, report)
        _echo(settings, report)
        _knock(settings, report)
        report.unfit.extend(unfit(settings.destinations()))
    return report


def _shipped(conf: Path | None) -> Iterator[str]:
    """Files of which the shipped ones count; the name of a site's own may be mistyped. Few have a log of their own."""
    if conf and (lacking := [name for name in FILES if name != "logging.yaml" and not (conf / name).exists()]):
        yield f"{conf} holds no {', '.join(lacking)}: what is shipped counts there"


def _places(settings: Settings) -> Iterator[str]:
    """Whether there can be such a database, and may be written where things are kept; nobody is connected to."""
    try:
        yield from unwritable(settings.node)
    except StorageError as wrong:
        yield f"node.yaml: database_url: {wrong}"


def _authorities(settings: Settings) -> Iterator[str]:
    """Mistakes in the certificate files of those whom the node calls beside its partners; it starts all the same."""
    for keys, tls in _called_by_tls(settings):
        try:
            tls.context()
        except BadTlsFiles as wrong:
            for mistake in wrong.mistakes:
                yield f"node.yaml: {keys[mistake.key]} = {mistake.place!r}: {mistake.sentence}"


def _called_by_tls(settings: Settings) -> Iterator[tuple[dict[str, str], ClientTls]]:
    """Files of TLS, and under which keys of node.yaml each is named."""
    node = settings.node
    hooks = ((f"alerts.webhooks.{name}", hook) for name, hook in node.alerts.webhooks.items())
    for place, one in (("alerts.mail", node.alerts.mail), *hooks, ("archive", node.archive), ("tracing", node.tracing)):
        if one and one.authorities:
            yield {"authorities": f"{place}.authorities"}, ClientTls(authorities=one.authorities)
    if (syslog := node.audit.syslog) and node.audit.mode == "syslog" and syslog.protocol == "tls":
        names = {"authorities": "ca_file", "certificate": "cert_file", "key": "key_file"}
        files = {key: getattr(syslog, name) for key, name in names.items()}
        yield {key: f"audit.syslog.{name}" for key, name in names.items()}, ClientTls.model_validate(files)


def _models(settings: Settings, report: Report) -> dict[str, IntendedUse]:
    """Intended use by model; a model that cannot be identified is a problem."""
    uses = {}
    for name, model in settings.models.items():
        try:
            uses[name] = model.backend.identity().intended_use
        except ModelError as broken:
            report.problems.append(f"models.yaml: {name}: {broken}")
    return uses


def _held(settings: Settings, uses: dict[str, IntendedUse]) -> Iterator[str]:
    """Routes whose results would wait for a person, and why."""
    for route in settings.routes:
        use = uses.get(route.model)
        for name in route.destinations:
            destination = settings.destinations().get(name)
            if use and destination and use not in destination.accepts:
                accepted = ", ".join(destination.accepts)
                yield (
                    f"route {route.name}: model {route.model} is for {use}, destination {name} accepts {accepted}: "
                    f"its results are HELD and shown by `segnode status`; to send them, add {use} to 'accepts' of "
                    f"destination {name} in node.yaml"
                )


def _pointing_nowhere(settings: Settings) -> Iterator[str]:
    """Routes that send the SR of the measurements without the SEG whose segments it measures (TID 1411)."""
    for route in settings.routes:
        for name in route.destinations if "seg" not in route.outputs else ():
            profile = settings.destinations()[name].profile
            if profile.seg != "none" and profile.sr != "none" and profile.measurements:
                yield (
                    f"route {route.name}: destination {name} gets an SR of the measurements and not the SEG that it "
                    "refers to: viewers there show numbers without a place, or nothing; outputs: [seg, sr] sends both"
                )


def _idle_rules(settings: Settings) -> Iterator[str]:
    """Rules of retention that nothing comes to: what they were to keep goes by another rule, or never."""
    rules, routes = [one.rule for one in settings.node.retention], sorted(route.name for route in settings.routes)
    for number, rule in enumerate(rules):
        before = next((n for n in range(number) if rules[n].fits(rule.state, rule.route)), None)
        if before is not None:
            yield (
                f"retention: rule {number + 1} ({rule}) decides nothing: rule {before + 1} ({rules[before]}) stands "
                "before it and fits whatever it fits; the first counts"
            )
        elif rule.route and rule.route not in routes:
            yield (
                f"retention: rule {number + 1} ({rule}) is for what a route of that name made, and routes.yaml has "
                f"none; known: {', '.join(routes) or 'none'}"
            )


def _in_the_clear(settings: Settings) -> Iterator[str]:
    """Web servers that are shown, or whose token server is shown, our password without TLS; and our own console."""
    if settings.node.web.in_the_clear:
        yield (
            f"web: passwords and patient names travel to {settings.node.web.address} in the clear; give it tls, or "
            "let it listen on 127.0.0.1 behind a proxy that has"
        )
    if (endpoint := settings.node.archive.endpoint or "").startswith("http://"):
        yield f"archive: images travel to {endpoint} in the clear; use https:// there"
    for name, one in _web_servers(settings):
        if one.authentication:
            addresses = (one.url, getattr(one.authentication, "token_url", ""))
            for address in addresses:
                if address.startswith("http://"):
                    yield f"{name}: our credentials travel to {address} in the clear; use https:// there"


def _web_servers(settings: Settings) -> Iterator[tuple[str, WebServer]]:
    """Peers and destinations that are called by DICOMweb, with what they are called in a sentence."""
    for name, peer in settings.web_servers().items():
        yield f"peer {name}", peer
    for name, one in settings.destinations().items():
        if isinstance(one, WebServer):
            yield f"destination {name}", one


def _database(settings: Settings, report: Report) -> None:
    """Whether a PostgreSQL lets us in, and a node could start with what is there."""
    if not settings.node.database.startswith("postgresql"):
        return
    try:
        look(settings.node.database)
    except Unavailable as silence:
        report.silent.append(f"database_url: {silence}")
    except StorageError as wrong:
        if (sentence := f"node.yaml: database_url: {wrong}") not in report.problems:  # as of a URL that is none
            report.problems.append(sentence)
    else:
        report.remarks.append("the database answers")


def _archive(settings: Settings, report: Report) -> None:
    """Whether the object storage that the files are kept in takes and gives."""
    if (store := object_store(settings)) is None:
        return
    try:
        store.try_out()
    except NoAccess as refused:
        report.problems.append(f"node.yaml: archive: {refused}")
    except Unavailable as silence:
        report.silent.append(f"archive: {silence}")
    else:
        report.remarks.append(f"archive: {store} takes and gives objects")


def _knock(settings: Settings, report: Report) -> None:
    """Whether the cluster that models are to run on is there."""
    if settings.node.executor != "ray" or settings.node.ray is None:
        return
    try:
        settings.node.ray.knock()
    except ClusterError as away:
        report.silent.append(str(away))
    else:
        report.remarks.append(f"the Ray cluster at {settings.node.ray.address} answers")


def _echo(settings: Settings, report: Report) -> None:
    """Ask each as it will be called: a destination under the title by which results are sent to it."""
    destinations = settings.destinations().items()
    calls = [(name, peer, settings.node.ae_title) for name, peer in settings.peers().items()]
    calls += [(name, one.peer, one.calling_ae_title) for name, one in destinations if isinstance(one, DimseDestination)]
    for name, peer, title in calls:
        try:
            echo(peer, calling_aet=title)
        except PeerError as silence:
            report.silent.append(f"{name} ({peer}): {silence}")
        else:
            report.remarks.append(f"{name} ({peer}) answers C-ECHO")
    for called, server in _web_servers(settings):
        name = called.partition(" ")[2]
        try:
            ask(server.peer)
        except PeerError as silence:
            report.silent.append(f"{name}: {silence}")
        else:
            report.remarks.append(f"{name} ({server.peer}) answers QIDO-RS")
    for name, one in destinations:
        if isinstance(one, FolderDestination) and (sentence := why_not_written(one.path)):
            report.silent.append(f"{name}: {sentence}")
