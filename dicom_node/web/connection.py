"""A connection of the console: who brings no whole request in time is hung up on.

uvicorn waits for ever for a first request, and for the rest of the headers of one that has begun. Each such connection
keeps one of the process's descriptors, and anybody who reaches the port could use them up.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

from dicom_node.network.addresses import unmapped

REQUEST_S = 20.0  # from the connection, or a later request's first byte, to the end of that request's headers


class Connection(H11Protocol):
    """uvicorn's own, which does not wait longer than `REQUEST_S`; drop by drop is no faster.

    A caller by IPv4 has that address, also through a socket of IPv6: `web.proxies` name it so.
    """

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.client is not None:
            self.client = unmapped(self.client[0]), self.client[1]
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._wait()
        else:
            self._wait_no_more()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._patience is None:
            self._patience = self.loop.call_later(REQUEST_S, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
