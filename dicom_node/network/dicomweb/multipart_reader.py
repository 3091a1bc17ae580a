"""The parts of a `multipart` answer as they come (RFC 2046 5.1, RFC 2387, PS3.18 8.6.1.2.1), none of them held whole.

What stands between parts is bounded; how much of a part is kept is for who reads it. A part is over only where a
delimiter follows: what ends without one was cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email.message import Message

from dicom_node.errors import NodeError

PIECE = 1 << 18
LONGEST_LINE = 16 << 10
MOST_LINES = 100  # before the first part, and of one part's head
LONGEST_BOUNDARY = 256  # RFC 2046 allows 70
LONGEST_PADDING = 256  # blanks behind a boundary


class BadMultipart(NodeError):
    """The answer is no multipart, or ends too early; the sentence goes on after the name of who gave it."""


class Parts:
    """`for part in Parts(…)`, and within it `for piece in part`; what is left of a part is skipped by the next one.

    `content_type` is the answer's; `read(n)` gives at most n bytes, and none only at the end.
    """

    def __init__(self, content_type: str, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._buffer = bytearray()
        self._dashes = b"--" + _boundary(content_type)
        self._delimiter = b"\r\n" + self._dashes
        self._another = False

    def __iter__(self) -> Iterator[Iterator[bytes]]:
        self._find_first()
        while self._another:
            self._skip_head()
            part = self._pieces()
            yield part
            for _ in part:
                continue

    def _find_first(self) -> None:
        """Its line also tells what ends a line in this answer: some servers write no carriage return."""
        for _ in range(MOST_LINES):
            line = self._line()
            rest = line.removeprefix(self._dashes)
            if rest != line and rest.strip() in (b"", b"--"):
                self._another = not rest.strip()
                self._delimiter = (b"\r\n" if line.endswith(b"\r\n") else b"\n") + self._dashes
                return
        raise BadMultipart("begins with something else than a part")

    def _skip_head(self) -> None:
        """Its fields say nothing that a DICOM file does not say better."""
        for _ in range(MOST_LINES):
            if not self._line().strip():
                return
        raise BadMultipart("begins a part with a head that does not end")

    def _pieces(self) -> Iterator[bytes]:
        """The content of a part; once it is through, it is known whether another follows."""
        while True:
            at = self._buffer.find(self._delimiter)
            if at < 0:
                # The end may be the beginning of a delimiter.
                yield self._taken(max(0, len(self._buffer) - len(self._delimiter) + 1))
                self._more()
                continue
            yield self._taken(at)
            follows = self._after_delimiter()
            if follows in (b"", b"--"):
                del self._buffer[: len(self._delimiter)]
                self._another = not follows
                if self._another:
                    self._line()
                return
            yield self._taken(1)  # content that only begins like a delimiter

    def _after_delimiter(self) -> bytes:
        """What stands behind the delimiter at the start of the buffer: --, or the rest of the line without blanks."""
        start = len(self._delimiter)
        while len(self._buffer) < start + 2:
            self._more()
        if self._buffer.startswith(b"--", start):
            return b"--"
        while (end := self._buffer.find(b"\n", start, start + LONGEST_PADDING)) < 0:
            if len(self._buffer) >= start + LONGEST_PADDING:
                return bytes(self._buffer[start : start + LONGEST_PADDING])
            self._more()
        return bytes(self._buffer[start:end]).strip()

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\n", 0, LONGEST_LINE)) < 0:
            if len(self._buffer) >= LONGEST_LINE:
                raise BadMultipart("has a line without an end where there should be a short one")
            self._more()
        return self._taken(end + 1)

    def _taken(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _more(self) -> None:
        piece = self._read(PIECE)
        if not piece:
            raise BadMultipart("ends before its last part does")
        self._buffer += piece


def _boundary(content_type: str) -> bytes:
    """The boundary that the answer names; it may be quoted."""
    head = Message()
    head["Content-Type"] = content_type
    boundary = head.get_boundary() or ""
    if head.get_content_maintype() != "multipart" or not 0 < len(boundary) <= LONGEST_BOUNDARY:
        raise BadMultipart("is no multipart with a boundary")
    return boundary.encode("latin-1", "replace")
