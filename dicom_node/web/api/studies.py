"""Studies: the list, one, why it got what it got; and what can be done about it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from dicom_node.views.study_views import Looking, studies_page
from dicom_node.web import commands, uploading
from dicom_node.web.access import Caller, Here
from dicom_node.web.api.answers import PROBLEMS, as_zip
from dicom_node.web.asked import look_at, looking, sought
from dicom_node.web.results import result_file, sent
from storage.finding.search import Sought
from storage.identifiers import check_uid

router = APIRouter(prefix="", tags=["studies"], responses=PROBLEMS)

Look = Annotated[Looking, Depends(looking)]
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=128,
                                   description="Asked again under the same key, it is not done again.")]
BINARY = {"schema": {"type": "string", "format": "binary"}}
UPLOAD = {
    "parameters": [{"in": "query", "name": "task", "schema": {"type": "string"},
                    "description": "The only task that is wanted, whatever the routes say; left out, theirs."}],
    "requestBody": {"required": True, "content": {"application/zip": BINARY, "application/dicom": BINARY}},
}  # fmt: skip
ONLY_EXPLAINED = ("verdicts", "history", "timeline", "measurements")


class Patient(BaseModel):
    """Whose study it is; `hidden` stands where the caller may not know."""

    name: str
    id: str
    birth_date: str
    accession: str
    referrer: str
    sex: str
    shown: bool


class Study(BaseModel):
    """A study in a list; further fields are described by the command line's `segnode study --json`."""

    model_config = ConfigDict(extra="allow")

    study: str = Field(description="Study Instance UID")
    state: str
    images: int
    incomplete: str
    received_at: float = Field(description="seconds since 1970, UTC")
    patient: Patient
    description: str
    date: str
    modalities: list[str]
    time_to_result_s: float | None
    jobs: list[dict[str, Any]]
    deliveries: list[dict[str, Any]]


class StudiesPage(BaseModel):
    """One page; `next` is the cursor of the page after it, null at the end."""

    studies: list[Study]
    next: str | None


class Retry(BaseModel):
    """What goes again beside failed and refused jobs and dead deliveries."""

    model_config = ConfigDict(extra="forbid")

    release: bool = Field(default=False, description="Let held deliveries go as well.")
    resend: bool = Field(default=False, description="Send what was sent once more: the same instances.")


class Retried(BaseModel):
    """How much goes again."""

    jobs: int
    deliveries: int
    tried_now: bool


class BroughtStudy(BaseModel):
    """A study of which something was taken."""

    study: str
    instances: int


class Skipped(BaseModel):
    """A file, or an entry of a zip, that was not taken."""

    name: str
    reason: str


class BroughtAnswer(BaseModel):
    """What became of what was brought."""

    studies: list[BroughtStudy]
    skipped: list[Skipped]
    skipped_further: int


class Sent(BaseModel):
    """How many deliveries were made of what was kept back."""

    deliveries: int


class Reissued(BaseModel):
    """How many stale results are made anew."""

    results: int


class With(BaseModel):
    """Which model answers."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(max_length=64, description="Its name in models.yaml.")


class Queued(BaseModel):
    """How many jobs were queued."""

    jobs: int


class Routed(BaseModel):
    """That the routes look at it again."""

    routed: bool


class From(BaseModel):
    """Which archive is asked."""

    model_config = ConfigDict(extra="forbid")

    peer: str | None = Field(
        default=None, max_length=64, description="A name in node.yaml; null: the source, where there is only one."
    )


class Fetched(BaseModel):
    """Which studies the archive will be asked for; empty where it was going to be already."""

    studies: list[str]
    peer: str


class Deleted(BaseModel):
    """What went."""

    files: int
    bytes: int


@router.get("/api/v1/studies", response_model=StudiesPage)
def list_studies(console: Here, look: Look, asked: Annotated[Sought, Depends(sought)]) -> dict[str, Any]:
    """Studies, the newest first."""
    with console.parts.database.reading() as tx:
        return studies_page(tx, asked, look)


@router.post("/api/v1/studies", response_model=BroughtAnswer, openapi_extra=UPLOAD)
async def bring_study(request: Request, console: Here, caller: Caller) -> dict[str, Any]:
    """Bring a study to be tried: a zip or DICOM file as the body, or a form; nothing is sent on unless asked."""
    return uploading.as_answer(await uploading.take(request, console, caller))


@router.post("/api/v1/studies/{uid}/send", response_model=Sent)
def send_study(uid: str, console: Here, caller: Caller, key: Key = None) -> dict[str, Any]:
    """Send the results of a study that was brought where its routes say."""
    command = commands.let_go(check_uid(uid), console.parts.revision)
    return commands.carry_out_once(console, caller, command, f"send {uid}", key)


@router.get("/api/v1/studies/{uid}/results/{sop}", response_class=StreamingResponse)
def study_result(uid: str, sop: str, console: Here, caller: Caller) -> StreamingResponse:
    """A result of the study as a DICOM file."""
    return sent(console, result_file(console, caller, uid, sop))


@router.get("/api/v1/studies/{uid}", response_model=Study)
def one_study(uid: str, console: Here, caller: Caller, look: Look) -> dict[str, Any]:
    """One study: its series, jobs, findings and deliveries."""
    view = explain_study(uid, console, caller, look)
    return {key: value for key, value in view.items() if key not in ONLY_EXPLAINED}


@router.get("/api/v1/studies/{uid}/explain", response_model=Study)
def explain_study(uid: str, console: Here, caller: Caller, look: Look) -> dict[str, Any]:
    """The same with every verdict on every series, the timeline and the whole history."""
    return look_at(console, caller, look, uid)


@router.post("/api/v1/studies/{uid}/retry", response_model=Retried)
def retry_study(
    uid: str, console: Here, caller: Caller, wanted: Retry | None = None, key: Key = None
) -> dict[str, Any]:
    """Run its failed and refused jobs again, and send its dead deliveries again."""
    wanted = wanted or Retry()
    command = commands.again(check_uid(uid), release=wanted.release, resend=wanted.resend)
    asked = f"retry {uid} release={wanted.release} resend={wanted.resend}"
    return commands.carry_out_once(console, caller, command, asked, key)


@router.post("/api/v1/studies/{uid}/reissue", response_model=Reissued)
def reissue_study(uid: str, console: Here, caller: Caller, key: Key = None) -> dict[str, Any]:
    """Make delivered results anew under the study's corrected header."""
    return commands.carry_out_once(console, caller, commands.anew(check_uid(uid)), f"reissue {uid}", key)


@router.post("/api/v1/studies/{uid}/route", response_model=Routed)
def route_study(uid: str, console: Here, caller: Caller, key: Key = None) -> dict[str, Any]:
    """Have every route of now judge a settled study once more."""
    return commands.carry_out_once(console, caller, commands.route_once_more(check_uid(uid)), f"route {uid}", key)


@router.post("/api/v1/studies/{uid}/run", response_model=Queued)
def run_study(uid: str, wanted: With, console: Here, caller: Caller, key: Key = None) -> dict[str, Any]:
    """Make its results of a model's task by that model; they take the place of those that there are."""
    command = commands.with_model(console, check_uid(uid), wanted.model)
    return commands.carry_out_once(console, caller, command, f"run {uid} {wanted.model}", key)


@router.post("/api/v1/studies/{uid}/fetch", response_model=Fetched)
def fetch_study(
    uid: str, console: Here, caller: Caller, wanted: From | None = None, key: Key = None
) -> dict[str, Any]:
    """Pull it from an archive and process it behind all other work, whatever is here of it."""
    peer = wanted.peer if wanted else None
    command = commands.wanted(console, [check_uid(uid)], peer)
    return commands.carry_out_once(console, caller, command, f"fetch {uid} {peer}", key)


@router.get("/api/v1/studies/{uid}/measurements")
def measurements(uid: str, console: Here, caller: Caller, look: Look) -> dict[str, Any]:
    """What was measured (ml, mm), and how it changed since the patient's earlier studies."""
    view = look_at(console, caller, look, uid)
    return {"study": uid, "results": view["measurements"]}


@router.get("/api/v1/studies/{uid}/download", response_class=StreamingResponse)
def download_study(uid: str, console: Here, caller: Caller) -> StreamingResponse:
    """All its files that are held, images and results, as a ZIP; for who is shown names."""
    return as_zip(uid, commands.download(console, caller, check_uid(uid)))


@router.delete("/api/v1/studies/{uid}", response_model=Deleted)
def delete_study(uid: str, console: Here, caller: Caller) -> dict[str, Any]:
    """Delete it from this node, whatever its age, unless work hangs on it; held and dead deliveries are dropped."""
    return commands.delete(console, caller, check_uid(uid)).answer
