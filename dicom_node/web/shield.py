"""What stands around every answer: headers that bind the browser, and bounds on what may be sent to us, and how slowly.

No page needs a script or style of its own: the policy allows files of ours alone (Content Security Policy level 3).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dicom_node.web.access import BY_PROGRAMS
from dicom_node.web.problems import told

LARGEST_BODY = 1024 * 1024  # bytes; forms and commands are small
BODY_S, SLOWEST = 20.0, 1000.0  # so long is waited for a body, and a second more for each so many bytes that came
STATIC = "/static/"
GONE: Message = {"type": "http.disconnect"}
NOTHING: Message = {"type": "http.response.body"}

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Shield:
    """Wraps the application. HEAD, by which monitors ask, is answered as GET is, without the content.

    `secure`: browsers come by TLS, and are told to come by nothing else for a year.

    `larger`: how many bytes may be sent to addresses that take more than usual.
    """

    def __init__(self, app: ASGIApp, *, secure: bool, larger: Mapping[str, int] = MappingProxyType({})) -> None:
        self._app = app
        self._larger = larger
        self._headers = dict(HEADERS)
        if secure:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        head = scope["method"] == "HEAD"
        asked = {**scope, "method": "GET"} if head else scope

        async def answer(message: Message) -> None:
            begins = message["type"] == "http.response.start"
            if begins:
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.setdefault("Cache-Control", "no-cache" if scope["path"].startswith(STATIC) else "no-store")
            if begins or not head:
                await send(message)
            if begins and head:
                await send(NOTHING)  # the answer is over: who streams is told that the caller has gone

        announced = Headers(scope=scope).get("content-length", "0")
        largest = self._larger.get(scope["path"], LARGEST_BODY) if scope["method"] == "POST" else LARGEST_BODY
        if announced.isdigit() and int(announced) <= largest:
            await self._app(asked, _bounded(receive, largest), answer)
        else:
            await _too_large(scope["path"], largest)(asked, receive, answer)


def _too_large(path: str, largest: int) -> Response:
    detail = f"more than {largest} bytes are not taken"
    if path.startswith(BY_PROGRAMS):
        return told(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
    return PlainTextResponse(f"{detail}\n", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def _bounded(receive: Receive, largest: int) -> Receive:
    """`receive` that ends where more comes than may, announced or not, or what is still to come does not."""
    came, waited, whole = 0, 0.0, False

    async def bounded() -> Message:
        nonlocal came, waited, whole
        if whole:  # who asks on is told when the caller has gone
            return await receive()
        begun, message = time.monotonic(), GONE
        with anyio.move_on_after(BODY_S + came / SLOWEST - waited):
            message = await receive()
        waited += time.monotonic() - begun
        came += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        return message if came <= largest else GONE

    return bounded
