"""Who may do what: one permission a role, one permission a route. A route that is not in the table does not exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import compile_path

from storage.people.users import Role


class Permission(StrEnum):
    """What a route asks of who calls it."""

    ANYBODY = "anybody"  # also who has not signed in
    LOOK = "look"  # at everything but the patient, who is shown by the settings
    ACT = "act"  # send again, let go, run again, fetch, download; call a peer; try a model
    ADMINISTER = "administer"  # decide who may, delete, and say whom the node exchanges images with, by which models


GRANTED: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.ANYBODY, Permission.LOOK}),
    Role.OPERATOR: frozenset({Permission.ANYBODY, Permission.LOOK, Permission.ACT}),
    Role.ADMIN: frozenset(Permission),
}

ROUTES: Mapping[str, Permission] = {
    # how the process fares, for machines that watch it
    "GET /healthz": Permission.ANYBODY,
    "GET /readyz": Permission.ANYBODY,
    # coming and going
    "GET /sign-in": Permission.ANYBODY,
    "POST /sign-in": Permission.ANYBODY,
    "GET /sign-in/oidc": Permission.ANYBODY,
    "GET /sign-in/oidc/back": Permission.ANYBODY,
    "GET /welcome": Permission.ANYBODY,
    "POST /welcome": Permission.ANYBODY,
    "POST /sign-out": Permission.LOOK,
    # what everybody sees who has signed in
    "GET /": Permission.LOOK,
    "GET /studies": Permission.LOOK,
    "GET /studies/{uid}": Permission.LOOK,
    "GET /studies/{uid}/pictures/{sop}": Permission.LOOK,
    "GET /studies/{uid}/pictures/{sop}/{number}": Permission.LOOK,
    "GET /deliveries": Permission.LOOK,
    "GET /peers": Permission.LOOK,
    "GET /peers/{group}/{name}": Permission.LOOK,
    "GET /models": Permission.LOOK,
    "GET /models/{name}": Permission.LOOK,
    "GET /about": Permission.LOOK,
    "GET /about/conformance": Permission.LOOK,
    "GET /about/conformance.md": Permission.LOOK,
    "GET /about/conformance.pdf": Permission.LOOK,
    "GET /about/support-bundle": Permission.ADMINISTER,
    # a study of one's own, tried
    "GET /try": Permission.ACT,
    "POST /try": Permission.ACT,
    "POST /studies/{uid}/send": Permission.ACT,
    "GET /studies/{uid}/results/{sop}": Permission.ACT,
    "GET /studies/{uid}/results/{sop}/pdf": Permission.ACT,
    # which rules there are, and what others would do
    "GET /routing": Permission.LOOK,
    "GET /routing/edit": Permission.LOOK,
    "POST /routing/edit": Permission.ACT,
    "POST /routing/judge": Permission.ACT,
    "POST /routing/live": Permission.ADMINISTER,
    "GET /api/v1/routing": Permission.LOOK,
    "POST /api/v1/routing/rehearse": Permission.ACT,
    "POST /api/v1/routing/judge": Permission.ACT,
    "POST /api/v1/routing/live": Permission.ADMINISTER,
    "POST /routing/remove": Permission.ADMINISTER,
    "GET /routing/history": Permission.ADMINISTER,
    "GET /routing/history/{number}": Permission.ADMINISTER,
    "POST /routing/history/{number}": Permission.ADMINISTER,
    "DELETE /api/v1/routing/{name}": Permission.ADMINISTER,
    "GET /api/v1/routing/history": Permission.ADMINISTER,
    "POST /api/v1/routing/history/{number}/restore": Permission.ADMINISTER,
    # what is done about it
    "POST /studies/{uid}/retry": Permission.ACT,
    "POST /studies/{uid}/reissue": Permission.ACT,
    "POST /studies/{uid}/route": Permission.ACT,
    "POST /studies/{uid}/run": Permission.ACT,
    "POST /studies/{uid}/fetch": Permission.ACT,
    "POST /fetch": Permission.ACT,
    "GET /studies/{uid}/download": Permission.ACT,
    "POST /studies/{uid}/delete": Permission.ADMINISTER,
    "POST /deliveries/retry": Permission.ACT,
    "POST /peers/{group}/{name}/echo": Permission.ACT,
    "POST /peers/{group}/{name}/probe": Permission.ACT,
    "POST /models/{name}/verify": Permission.ACT,
    "POST /models/{name}/bench": Permission.ACT,
    # which models take jobs, and which others run beside them
    "POST /models/{name}/disable": Permission.ADMINISTER,
    "POST /models/{name}/enable": Permission.ADMINISTER,
    "POST /models/{name}/shadow": Permission.ADMINISTER,
    "GET /models/history": Permission.ADMINISTER,
    "GET /models/history/{number}": Permission.ADMINISTER,
    "POST /models/history/{number}": Permission.ADMINISTER,
    # whom the node exchanges images with
    "GET /peers/new": Permission.ADMINISTER,
    "POST /peers/new": Permission.ADMINISTER,
    "POST /peers/{group}/{name}": Permission.ADMINISTER,
    "POST /peers/{group}/{name}/remove": Permission.ADMINISTER,
    "GET /peers/history": Permission.ADMINISTER,
    "GET /peers/history/{number}": Permission.ADMINISTER,
    "POST /peers/history/{number}": Permission.ADMINISTER,
    # the same for programs
    "GET /api/v1/openapi.json": Permission.LOOK,
    "GET /metrics": Permission.LOOK,
    "GET /api/v1/status": Permission.LOOK,
    "GET /api/v1/models": Permission.LOOK,
    "GET /api/v1/conformance": Permission.LOOK,
    "GET /api/v1/models/{name}": Permission.LOOK,
    "GET /api/v1/models/{name}/shadow": Permission.LOOK,
    "POST /api/v1/models/{name}/verify": Permission.ACT,
    "POST /api/v1/models/{name}/bench": Permission.ACT,
    "POST /api/v1/models/{name}/disable": Permission.ADMINISTER,
    "POST /api/v1/models/{name}/enable": Permission.ADMINISTER,
    "PUT /api/v1/models/{name}/shadow": Permission.ADMINISTER,
    "GET /api/v1/models/history": Permission.ADMINISTER,
    "POST /api/v1/models/history/{number}/restore": Permission.ADMINISTER,
    "GET /api/v1/support-bundle": Permission.ADMINISTER,
    "GET /api/v1/changes": Permission.LOOK,
    "GET /api/v1/studies": Permission.LOOK,
    "POST /api/v1/studies": Permission.ACT,
    "POST /api/v1/studies/{uid}/send": Permission.ACT,
    "GET /api/v1/studies/{uid}/results/{sop}": Permission.ACT,
    "GET /api/v1/studies/{uid}": Permission.LOOK,
    "GET /api/v1/studies/{uid}/explain": Permission.LOOK,
    "POST /api/v1/studies/{uid}/retry": Permission.ACT,
    "POST /api/v1/studies/{uid}/reissue": Permission.ACT,
    "POST /api/v1/studies/{uid}/route": Permission.ACT,
    "POST /api/v1/studies/{uid}/run": Permission.ACT,
    "POST /api/v1/studies/{uid}/fetch": Permission.ACT,
    "GET /api/v1/studies/{uid}/measurements": Permission.LOOK,
    "GET /api/v1/studies/{uid}/download": Permission.ACT,
    "DELETE /api/v1/studies/{uid}": Permission.ADMINISTER,
    "GET /api/v1/deliveries": Permission.LOOK,
    "POST /api/v1/deliveries/retry": Permission.ACT,
    "GET /api/v1/peers": Permission.LOOK,
    "GET /api/v1/peers/{group}/{name}": Permission.LOOK,
    "POST /api/v1/peers/{group}/{name}/echo": Permission.ACT,
    "POST /api/v1/peers/{group}/{name}/probe": Permission.ACT,
    "GET /api/v1/peers/{group}/{name}/entry": Permission.ADMINISTER,
    "PUT /api/v1/peers/{group}/{name}": Permission.ADMINISTER,
    "DELETE /api/v1/peers/{group}/{name}": Permission.ADMINISTER,
    "GET /api/v1/peers/history": Permission.ADMINISTER,
    "POST /api/v1/peers/history/{number}/restore": Permission.ADMINISTER,
    # oneself
    "GET /account": Permission.LOOK,
    "POST /account/password": Permission.LOOK,
    "POST /account/tokens": Permission.LOOK,
    "POST /account/tokens/revoke": Permission.LOOK,
    # others
    "GET /users": Permission.ADMINISTER,
    "POST /users": Permission.ADMINISTER,
    "POST /users/link": Permission.ADMINISTER,
    "POST /users/role": Permission.ADMINISTER,
    "POST /users/shut-out": Permission.ADMINISTER,
    # what everybody did
    "GET /audit": Permission.ADMINISTER,
    "GET /api/v1/audit": Permission.ADMINISTER,
    "GET /api/v1/audit/export": Permission.ADMINISTER,
}

STREAMED = frozenset(  # whose body may be large: the route reads it itself
    {"POST /try", "POST /api/v1/studies", "POST /routing/judge", "POST /api/v1/routing/judge"}
)


_ADDRESSES = [(route.partition(" ")[0], compile_path(route.partition(" ")[2])[0]) for route in ROUTES]


def named(method: str, path: str) -> str:
    """A route as the table calls it."""
    return f"{method} {path}"


def methods_at(address: str) -> list[str]:
    """What may be done at an address, be it by whom it may."""
    return sorted({method for method, pattern in _ADDRESSES if pattern.fullmatch(address)})


def check_complete(routers: Iterable[APIRouter]) -> None:
    """ValueError where a route has no permission, or a permission no route: nothing is open by oversight."""
    found = {
        named(method, route.path)
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    if found != ROUTES.keys():
        raise ValueError(f"routes and permissions differ: {', '.join(sorted(found ^ ROUTES.keys()))}")


def permitted(role: Role | None, needed: Permission) -> bool:
    """Whether somebody with this role, or with none, may."""
    return needed is Permission.ANYBODY or (role is not None and needed in GRANTED[role])
