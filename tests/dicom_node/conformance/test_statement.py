"""The statement says what is negotiated: neither more nor less.

dicom_node.conformance.contexts, dicom_node.conformance.statement, dicom_node.conformance.networking,
dicom_node.conformance.services, dicom_node.conformance.web_services, dicom_node.conformance.security
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from pydicom._uid_dict import UID_dictionary
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID, generate_uid
from pynetdicom import AE, AllStoragePresentationContexts, build_context, evt
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import _QR_CLASSES, StorageCommitmentPushModel, Verification

import dicom_node
from dicom_node.assembly import assemble, server
from dicom_node.conformance.contexts import Call, Context, accepted, fetched_classes, objects_for, proposed
from dicom_node.conformance.document import Table, numbered
from dicom_node.conformance.statement import conformance_statement
from dicom_node.errors import PeerError
from dicom_node.network import commitment, proposals, query, retrieve
from dicom_node.network.client import echo
from dicom_node.network.contexts import MAX_CONTEXTS
from dicom_node.network.peer import Peer
from dicom_node.network.ports import free_port
from dicom_node.network.probe import probe
from dicom_node.settings import Settings, load
from storage.records import CommitmentReport, Reference

SYNTAXES = {uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"}
RETIRED = {uid for uid, entry in UID_dictionary.items() if entry[1] == "SOP Class" and "Storage" in entry[0]}
SERVICES = {Verification, StorageCommitmentPushModel, *_QR_CLASSES.values()}
CLASSES = {str(cx.abstract_syntax) for cx in AllStoragePresentationContexts} | RETIRED | set(map(str, SERVICES))
SMALL_ENOUGH = 20  # contexts of many syntaxes in one request, whose length the node bounds

Pairs = set[tuple[str, str]]


def pairs_of(contexts: Iterable[Context]) -> Pairs:
    return {(context.uid, syntax) for context in contexts for syntax in context.syntaxes}


def accepted_of(port: int, asked: list[PresentationContext], at_once: int = MAX_CONTEXTS) -> Pairs:
    """What the node takes of `asked`, in as many associations as that needs."""
    found: Pairs = set()
    for start in range(0, len(asked), at_once):
        association = AE(ae_title="SCANNER").associate(
            "127.0.0.1", port, asked[start : start + at_once], ae_title="SEGNODE"
        )
        found |= {(str(cx.abstract_syntax), str(cx.transfer_syntax[0])) for cx in association.accepted_contexts}
        association.release() if association.is_established else association.abort()
    return found


@pytest.fixture
def configured(conf: Path) -> Callable[..., Settings]:
    """`configured(port)`: a node that stores to, asks and fetches from an archive at that port in every way."""

    def make(port: int, more: str = "") -> Settings:
        text = (conf / "node.yaml").read_text().replace(
            "destinations:\n",
            "destinations:\n"
            f"  pacs:\n    kind: dimse\n    ae_title: PACS\n    host: 127.0.0.1\n    port: {port}\n"
            "    calling_ae_title: SENDER\n    commitment: required\n    iocm: true\n"
            "    profile: {seg: labelmap, transfer_syntax: rle, captures: key, document: true}\n",
        )
        sources = "sources:\n  CT1: {peer: pacs, retrieve: get}\n  CT2: {peer: pacs}\ncommitment: {service: own}\n"
        (conf / "node.yaml").write_text(f"{text}\n{sources}{more}")
        return load(conf)

    return make


def test_the_node_takes_what_its_statement_says_and_nothing_else(
    conf: Path, empty_sqlite: Callable[[Path], str]
) -> None:
    with (conf / "node.yaml").open("a") as file:
        file.write(f"port: {(port := free_port())}\ncommitment: {{service: own}}\n")
    settings = load(conf)
    empty_sqlite(settings.node.data_folder / "segnode.sqlite")
    stated = pairs_of(accepted(settings.node))
    single = [build_context(uid, syntax) for uid, syntax in sorted(stated)]
    others = {uid: sorted(SYNTAXES - {syntax for one, syntax in stated if one == uid}) for uid in sorted(CLASSES)}
    parts = assemble(settings)
    try:
        with server(parts):
            assert accepted_of(port, single) == stated
            rest = [build_context(uid, syntaxes) for uid, syntaxes in others.items()]
            assert accepted_of(port, rest, SMALL_ENOUGH) == set()
    finally:
        parts.close()


@contextmanager
def recording() -> Iterator[tuple[int, list[tuple[str, Pairs, set[str]]]]]:
    """A peer that takes nothing, and what it was asked for: by whom, the contexts, the roles of a provider."""
    asked: list[tuple[str, Pairs, set[str]]] = []

    def requested(event: evt.Event) -> None:
        request = event.assoc.requestor.primitive
        contexts = request.presentation_context_definition_list
        pairs = {(str(cx.abstract_syntax), str(syntax)) for cx in contexts for syntax in cx.transfer_syntax}
        roles = {str(item.sop_class_uid) for item in request.user_information if getattr(item, "scp_role", False)}
        asked.append((request.calling_ae_title.strip(), pairs, roles))

    entity = AE(ae_title="PACS")
    entity.add_supported_context("1.2.3.4")
    listener = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_REQUESTED, requested)])
    try:
        yield listener.server_address[1], asked
    finally:
        listener.shutdown()


def small_file(folder: Path, sop_class: UID, syntax: UID) -> Path:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, generate_uid()
    meta.TransferSyntaxUID, meta.ImplementationClassUID = syntax, PYDICOM_IMPLEMENTATION_UID
    data = Dataset()
    data.file_meta, data.SOPClassUID, data.SOPInstanceUID = meta, sop_class, meta.MediaStorageSOPInstanceUID
    data.save_as(path := folder / f"{meta.MediaStorageSOPInstanceUID}.dcm", enforce_file_format=True)
    return path


def ways_to_call(settings: Settings, peer: Peer, folder: Path) -> dict[str, Callable[[], object]]:
    """By the statement's word for a service, the function by which the node uses it."""
    pacs, parcels = settings.destinations()["pacs"], [retrieve.Parcel("1.2", "1.3")]
    refs, ours = [Reference("1.2.3", "1.2.4")], settings.node.ae_title
    keep = (list(fetched_classes(settings)), lambda _: 0)
    return {
        "Storage": lambda: pacs.deliver([small_file(folder, *one) for one in objects_for(pacs)]),
        "Storage commitment, request": lambda: pacs.ask_commitment("1.2", refs, heard=lambda *_: True, wait_s=0),
        "Storage commitment, report": lambda: commitment.tell(peer, ours, "1.2", refs, CommitmentReport((), {})),
        "Query": lambda: query.asking(peer, ours).__enter__(),
        "Retrieve, C-MOVE": lambda: retrieve.move(peer, ours, parcels, 5),
        "Retrieve, C-GET": lambda: retrieve.get(peer, ours, parcels, keep, 5),
        "Verification": lambda: echo(peer, ours),
        "Negotiation alone, to learn what a peer takes": lambda: probe(peer, ours),
    }


def as_recorded(call: Call) -> tuple[str, Pairs, set[str]]:
    return call.calling, pairs_of(call.contexts), {one.uid for one in call.contexts if one.role == "SCP"}


def test_the_node_proposes_what_its_statement_says_and_nothing_else(
    configured: Callable[..., Settings], tmp_path: Path
) -> None:
    with recording() as (port, asked):
        settings = configured(port)
        ways = ways_to_call(settings, Peer(ae_title="PACS", host="127.0.0.1", port=port), tmp_path)
        stated = proposed(settings)
        assert [call.service for call in stated] == list(ways)
        for way in ways.values():
            with suppress(PeerError):
                way()
    assert asked == [as_recorded(call) for call in stated]


def test_a_destination_reports_to_the_title_that_asked_it(
    configured: Callable[..., Settings], empty_sqlite: Callable[[Path], str]
) -> None:
    settings = configured(104, f"port: {(port := free_port())}\n")
    empty_sqlite(settings.node.data_folder / "segnode.sqlite")
    parts = assemble(settings)
    try:
        with server(parts):
            assert called_by(port, "SENDER") == called_by(port, "SEGNODE") == ""
            assert called_by(port, "OTHER") == "Called AE title not recognised"
    finally:
        parts.close()
    assert "The called AE title must be SEGNODE or SENDER." in words_of(settings)


def called_by(port: int, title: str) -> str:
    """Why the node refuses an association under this title, for a report; "" where it lets it in."""
    said: list[str] = []
    association = AE(ae_title="PACS").associate(
        "127.0.0.1", port, proposals.commitment_report().contexts, ae_title=title,
        evt_handlers=[(evt.EVT_REJECTED, lambda event: said.append(event.assoc.acceptor.primitive.reason_str))],
    )  # fmt: skip
    if association.is_established:
        association.release()
    return "".join(said)


def test_no_context_is_made_where_the_statement_does_not_look() -> None:
    root = Path(dicom_node.__file__).parent
    found = {path.relative_to(root).as_posix() for path in root.rglob("*.py") if "build_context(" in path.read_text()}
    assert found == {"network/contexts.py", "network/probe.py", "network/proposals.py"}


def test_the_tables_of_the_document_are_these_contexts(configured: Callable[..., Settings]) -> None:
    statement = conformance_statement(configured(104), 0)
    tables = [block for part in numbered(statement.document.sections) for block in part.blocks
              if isinstance(block, Table)]  # fmt: skip
    (named,) = [table for table in tables if table.caption == "Sets of transfer syntaxes"]
    sets: dict[str, set[str]] = {}
    for name, _, uid in named.rows:
        sets.setdefault(name, set()).add(uid)
    shown = [{(row[1], syntax) for row in table.rows for syntax in sets[row[2]]} for table in tables
             if table.caption.startswith("Presentation contexts")]  # fmt: skip
    assert shown == [pairs_of(statement.accepted), *(pairs_of(call.contexts) for call in statement.proposed)]


def words_of(settings: Settings) -> set[str]:
    return {cell for part in numbered(conformance_statement(settings, 0).document.sections)
            for block in part.blocks for row in (block.rows if isinstance(block, Table) else [[block]])
            for cell in row}  # fmt: skip


def test_it_follows_the_configuration(configured: Callable[..., Settings], conf: Path) -> None:
    alone = load(conf)
    assert proposed(alone) == ()
    settings = configured(104, "admission:\n  - {ae_titles: [CT1], addresses: [10.0.0.0/8], may: [store]}\n")
    words = words_of(settings)
    assert {"10.0.0.0/8", "SENDER calls PACS (pacs)."} <= words
    assert any(re.match("Requests of known peers are taken", cell) for cell in words)
    roles = {one.uid: one.role for one in accepted(settings.node)}
    assert roles[StorageCommitmentPushModel] == "SCP and SCU"
    assert {one.uid: one.role for one in accepted(alone.node)}[StorageCommitmentPushModel] == "SCU"
