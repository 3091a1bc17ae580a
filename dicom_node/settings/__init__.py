"""The node's settings: what conf/*.yaml say, validated as a whole, frozen.

A file that is not in the folder is taken from those that are shipped.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dicom_node.audit.settings import AuditSettings
from dicom_node.destinations import (
    AnyDestination,
    Destination,
    DimseDestination,
    FolderDestination,
    alternatives,
)
from dicom_node.errors import ConfigurationError
from dicom_node.log import LoggingSettings
from dicom_node.network.admission import Admittance, Network
from dicom_node.network.dicomweb.web_peer import WebPeer
from dicom_node.network.dicomweb.web_server import WebServer
from dicom_node.network.peer import AETitle, Host, Peer, Port
from dicom_node.network.tls.settings import ServerTls
from dicom_node.routing.route import Route, Routing
from dicom_node.routing.vocabulary import Vocabulary
from dicom_node.settings.alerts import AlertSettings
from dicom_node.settings.archive import ArchiveSettings
from dicom_node.settings.files import Document, Place, document_of, problems_of, read_document
from dicom_node.settings.models import LOCK, Models, ModelSettings, Name, model_mistakes, read_lock, with_files
from dicom_node.settings.peers import AnyPeer, archives_of, unknown_archives
from dicom_node.settings.priors import PriorSettings
from dicom_node.settings.retention import DEFAULT_RULES, RetentionRule
from dicom_node.settings.secrets import secret_mistakes, with_secrets
from dicom_node.settings.tls import tls_loose_ends, tls_mistakes, with_tls
from dicom_node.settings.tracing import TracingSettings
from dicom_node.settings.web import WebSettings
from dicom_node.sources import Backfill, Source, Sources
from dicom_node.written_off import OrFalse
from dicom_node.written_path import WrittenPath
from inference.executors.devices import DEVICE_NAME
from inference.executors.ray_settings import RaySettings

M = TypeVar("M", bound=BaseModel)

FILES = ("node.yaml", "routes.yaml", "models.yaml", "logging.yaml")

Device = Annotated[str, Field(pattern=rf"^({DEVICE_NAME.pattern})$")]
Seconds = Annotated[float, Field(gt=0, le=7 * 86400)]


class Frozen(BaseModel):
    """Settings do not change; a change builds the changed parts anew."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DeliverySettings(Frozen):
    """How often and how patiently a delivery is tried, and when a destination is left in peace."""

    attempts: Annotated[int, Field(ge=1, le=1000)] = 12
    backoff_base_s: Seconds = 10.0
    backoff_max_s: Seconds = 3600.0
    down_after: Annotated[int, Field(ge=1, le=100)] = 3
    pause_base_s: Seconds = 30.0
    pause_max_s: Seconds = 600.0
    give_up_after_days: Annotated[float, Field(gt=0, le=3650)] = 14.0


class CommitmentSettings(Frozen):
    """Storage commitment (PS3.4 J): our patience with destinations, and what we answer who asks us."""

    service: Annotated[Literal["off", "own", "relay"], OrFalse] = "off"
    relay_to: Name | None = None
    keep_days: Annotated[float, Field(gt=0, le=36500)] = 30.0
    wait_s: Annotated[float, Field(ge=0, le=300)] = 5.0
    ask_after_s: Annotated[float, Field(ge=0, le=86400)] = 5.0
    ask_again_s: Seconds = 3600.0
    give_up_s: Seconds = 7 * 86400.0

    @property
    def keep_s(self) -> float:
        return self.keep_days * 86400.0


class NodeSettings(Frozen):
    """The whole of node.yaml. Relative paths are below the configuration's folder."""

    ae_title: AETitle = "SEGNODE"
    host: Host = "0.0.0.0"  # noqa: S104 (modalities call from other machines)
    port: Port | None = 11112
    tls: ServerTls | None = None
    require_called_aet: bool = True
    accept_calling_aets: tuple[AETitle, ...] = ()
    admission: tuple[Admittance, ...] = ()
    balancers: tuple[Network, ...] = ()
    max_associations: Annotated[int, Field(ge=1, le=1000)] = 32
    max_connections: Annotated[int, Field(ge=2, le=10_000)] = 256
    associate_s: Seconds = 30.0
    max_pdu_bytes: Annotated[int, Field(ge=4096, le=16 * 1024 * 1024)] = 131072
    max_object_bytes: Annotated[int, Field(ge=1024 * 1024)] = 4 * 1024**3
    idle_s: Seconds = 60.0
    drain_s: Annotated[float, Field(ge=0, le=3600)] = 15.0
    data_folder: Annotated[WrittenPath, Field(validate_default=True)] = Path("~/segnode-data")
    archive: ArchiveSettings = ArchiveSettings()
    database_url: str | None = None
    keep_free_bytes: Annotated[int, Field(ge=0)] = 2_000_000_000
    clean_below_bytes: Annotated[int, Field(ge=0)] = 10_000_000_000
    retention: tuple[RetentionRule, ...] = DEFAULT_RULES
    quiet_s: Seconds = 30.0
    devices: Literal["auto"] | Annotated[tuple[Device, ...], Field(min_length=1)] = "auto"
    executor: Literal["processes", "ray"] = "processes"
    ray: RaySettings | None = None
    time_limit_s: Seconds = 1800.0
    lease_term_s: Annotated[float, Field(ge=3, le=3600)] = 30.0
    max_crashes: Annotated[int, Field(ge=1, le=1000)] = 2
    delivery: DeliverySettings = DeliverySettings()
    commitment: CommitmentSettings = CommitmentSettings()
    audit: AuditSettings = AuditSettings()
    peers: dict[Name, AnyPeer] = Field(default_factory=dict)
    destinations: dict[Name, AnyDestination] = Field(default_factory=dict)
    sources: dict[Annotated[str, Field(min_length=1, max_length=64)], Source] = Field(default_factory=dict)
    backfill: Backfill = Backfill()
    priors: PriorSettings = PriorSettings()
    web: WebSettings = WebSettings()
    alerts: AlertSettings = AlertSettings()
    tracing: TracingSettings | None = None

    @model_validator(mode="after")
    def _listens_somewhere(self) -> NodeSettings:
        if self.port is None and self.tls is None:
            raise ValueError("neither port nor tls says where to listen; one of them must")
        if self.tls is not None and self.port == self.tls.port:
            raise ValueError(f"port and tls.port are both {self.port}; one port speaks either TLS or not")
        return self

    @property
    def ears(self) -> str:
        """Where it listens, in words."""
        plain = [f"{self.host}:{self.port}"] if self.port is not None else []
        return " and ".join([*plain, *([f"{self.host}:{self.tls.port} (TLS)"] if self.tls else [])])

    @model_validator(mode="after")
    def _runs_models_somewhere(self) -> Self:
        if self.executor == "ray" and self.ray is None:
            raise ValueError("executor: ray needs ray: with the address of the cluster's head")
        return self

    @model_validator(mode="after")
    def _relays_to_somebody(self) -> Self:
        if self.commitment.service == "relay":
            archive = self.destinations.get(self.commitment.relay_to or "")
            if archive is None or not archive.asks_commitment:
                raise ValueError(
                    f"commitment.relay_to = {self.commitment.relay_to!r}: name a destination of kind dimse whose "
                    "commitment is auto or required"
                )
        return self

    @property
    def called_titles(self) -> tuple[str, ...]:
        """Our AE titles: the node's own, then those under which destinations know us and call us (PS3.4 J)."""
        there = [one.calling_ae_title for one in self.destinations.values() if isinstance(one, DimseDestination)]
        return tuple(dict.fromkeys([self.ae_title, *there]))

    @property
    def known_peers(self) -> Mapping[str, Peer]:
        """Whom we can call back, by AE title: peers, and destinations that are some."""
        called = [one.peer for one in self.destinations.values() if isinstance(one, DimseDestination)]
        return {peer.ae_title: peer for peer in (*called, *self.called_peers.values())}

    @property
    def called_peers(self) -> dict[str, Peer]:
        """Those peers, by name, that are called by DICOM's own protocol."""
        return {name: peer for name, peer in self.peers.items() if isinstance(peer, Peer)}

    @property
    def images_folder(self) -> Path:
        """Where images lie; of an archive in object storage, what is at hand of it."""
        if self.archive.url is None:
            return self.archive.folder or self.data_folder / "archive"
        return self.archive.cache_folder or self.data_folder / "archive-cache"

    @property
    def scratch_folder(self) -> Path:
        """Where what jobs write lies while they run."""
        return self.data_folder / "scratch"

    @property
    def audit_folder(self) -> Path:
        """Where audit messages wait."""
        return self.data_folder / "audit"

    @property
    def database(self) -> str:
        """The database's URL: SQLite in the data folder unless one is given."""
        return self.database_url or f"sqlite:///{self.data_folder / 'segnode.sqlite'}"


class Settings(Frozen):
    """Everything. `content` is the files' text by name, `sha256` its hash: a revision of the configuration.

    `folder` is where the files are; None where all of them are those that are shipped.
    """

    node: NodeSettings
    routing: Routing
    models: dict[str, ModelSettings]
    logging: LoggingSettings
    content: dict[str, str] = Field(repr=False)
    sha256: str
    folder: Path | None = None

    @property
    def routes(self) -> tuple[Route, ...]:
        """Every route that looks at every study."""
        return self.routing.routes

    @property
    def vocabulary(self) -> Vocabulary:
        """The site's own words."""
        return self.routing.vocabulary

    def destinations(self) -> Mapping[str, Destination]:
        """Where results may go, by name."""
        return self.node.destinations

    def peers(self) -> Mapping[str, Peer]:
        """Whom we know and call by DICOM's own protocol, by name."""
        return self.node.called_peers

    def web_servers(self) -> Mapping[str, WebServer]:
        """Those peers, by name, that are called by DICOMweb."""
        return {name: peer for name, peer in self.node.peers.items() if isinstance(peer, WebServer)}

    def archives(self) -> Mapping[str, Peer | WebPeer]:
        """Whom we can ask what he holds, by name: peers, and destinations that are no folders."""
        return archives_of(self.node)

    def sources(self) -> Sources:
        """Who is asked about what, by the AE titles of senders that are named by title or as a peer."""
        known = self.archives()
        titles = {name: known[name].ae_title if name in known else name for name in self.node.sources}
        return Sources({titles[name]: source for name, source in self.node.sources.items()})


def load(
    folder: Path | None = None, *, look_at_files: bool = False, instead: Mapping[str, str] = MappingProxyType({})
) -> Settings:
    """Read and validate the configuration in `folder`; ConfigurationError names every mistake at once.

    `look_at_files`: those of TLS and of passwords as well, which not every user who may ask for the status may read.
    `instead`: texts, by the names of files, that stand for what these files say now.
    """
    problems: list[str] = []
    documents = {name: _document(folder, name, instead.get(name), problems) for name in FILES}
    base = (folder or Path.cwd()).resolve()
    node = _validated(documents["node.yaml"], NodeSettings, problems)
    routing = _validated(documents["routes.yaml"], Routing, problems)
    locked, recorded = read_lock(folder, problems)
    models = _validated(with_files(documents["models.yaml"], base, recorded), Models, problems)
    logging = _validated(documents["logging.yaml"], LoggingSettings, problems)
    if models:
        problems += model_mistakes(models, documents["models.yaml"])
    if node:
        problems += _wrong_alternatives(node, documents["node.yaml"])
        problems += unknown_archives(node, documents["node.yaml"])
    if node and routing and models:
        problems += _loose_ends(routing, node, models, documents["routes.yaml"])
    if node:
        node = _completed(node, base)
        problems += tls_loose_ends(node, documents["node.yaml"])
        problems += tls_mistakes(node, documents["node.yaml"]) if look_at_files else []
        problems += secret_mistakes(node, documents["node.yaml"]) if look_at_files else []
    if problems or not (node and routing and models and logging):
        raise ConfigurationError(problems)
    content = {name: document.text for name, document in documents.items() if document}
    content |= {LOCK: locked} if locked else {}
    digest = hashlib.sha256("\0".join(f"{name}\0{content[name]}" for name in sorted(content)).encode()).hexdigest()
    return Settings(
        node=node,
        routing=routing,
        models=models.models,
        logging=logging,
        content=content,
        sha256=digest,
        folder=folder,
    )


def shipped_folder() -> Path:
    """Where the shipped conf/*.yaml lie: beside the packages in a checkout, below the prefix when installed."""
    checkout = Path(__file__).resolve().parent.parent.parent / "conf"
    return checkout if checkout.is_dir() else Path(sys.prefix) / "share" / "segnode" / "conf"


def _document(folder: Path | None, name: str, instead: str | None, problems: list[str]) -> Document | None:
    own = folder / name if folder else None
    try:
        if instead is not None:
            return document_of(instead, name)
        if own is not None and own.exists():
            return read_document(own, name)
        return read_document(shipped_folder() / name, f"shipped {name}")
    except ConfigurationError as wrong:
        problems.extend(wrong.problems)
        return None


def _validated(document: Document | None, model: type[M], problems: list[str]) -> M | None:
    if document is None:
        return None
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        problems.extend(problems_of(error, document, model))
        return None


def _completed(node: NodeSettings, base: Path) -> NodeSettings:
    """Paths made absolute, and destinations that do not say how they are called, called under the node's title."""
    destinations = {name: _completed_destination(one, node, base) for name, one in node.destinations.items()}
    paths = {"data_folder": base / node.data_folder.expanduser(), "audit": node.audit.below(base)}
    paths |= {"archive": node.archive.below(base)}
    paths |= {"alerts": node.alerts.below(base), "tracing": node.tracing.below(base) if node.tracing else None}
    return with_secrets(with_tls(node.model_copy(update={"destinations": destinations, **paths}), base), base)


def _completed_destination(destination: AnyDestination, node: NodeSettings, base: Path) -> AnyDestination:
    if isinstance(destination, FolderDestination):
        return destination.model_copy(update={"path": base / destination.path.expanduser()})
    if not isinstance(destination, DimseDestination) or "calling_ae_title" in destination.model_fields_set:
        return destination
    return destination.model_copy(update={"calling_ae_title": node.ae_title})


def _wrong_alternatives(node: NodeSettings, document: Document | None) -> list[str]:
    return [
        f"{document.at(('destinations', name, 'alternative')) if document else 'node.yaml'}: "
        f"destination {name} {sentence}"
        for name, sentence in alternatives.problems(node.destinations)
    ]


def _loose_ends(routing: Routing, node: NodeSettings, models: Models, document: Document | None) -> list[str]:
    """What routes name that is not there."""
    problems = []
    for number, route in enumerate(routing.routes):

        def tell(key: str, sentence: str, place: Place = ("routes", number), name: str = route.name) -> None:
            where = document.at((*place, key)) if document else "routes.yaml"
            problems.append(f"{where}: route {name} {sentence}")

        model = models.models.get(route.model)
        if model is None:
            tell("model", f"names model {route.model!r}; known: {_listed(models.models)}")
        elif model.task != route.task:
            tell("task", f"is for {route.task}, model {route.model} solves {model.task}")
        for name in route.destinations:
            if name not in node.destinations:
                tell("destinations", f"names destination {name!r}; known: {_listed(node.destinations)}")
            elif not node.destinations[name].profile.takes(route.outputs):
                outputs = ", ".join(route.outputs)
                tell("outputs", f"makes {outputs}, and the profile of destination {name} takes nothing of it")
    return problems


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
