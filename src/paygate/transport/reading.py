"""One answer of HTTP/1.1, read as it arrives.

llhttp, the parser of Node.js, does the reading (`httptools`), with none of its
leniencies. What it leaves open is decided here: how large an answer may be, what
ends it, and whether the connection may be used again.
"""

from __future__ import annotations

from typing import Final

import httptools

from paygate.dialogue import BODY_BYTES_MAX
from paygate.errors import BadResponse

HEAD_MAX: Final = 100 * 1024
"""The largest head of an answer that is read, trailers and provisional answers included."""

CHUNK_COST: Final = 8
"""How many bytes of framing are read for one of a body in chunks; a chunk of one byte has five."""

_SIZED: Final = frozenset({"content-length", "transfer-encoding"})
_VERSIONS: Final = frozenset({"1.0", "1.1"})


class WholeResponse:
    """A whole answer; header names are in lower case, and texts of one name joined."""

    __slots__ = ("body", "headers", "status", "version")

    def __init__(self, status: int, version: str, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.version = version
        self.headers = headers
        self.body = body


class ConnectionEnded(Exception):
    """The connection ended before a whole answer came."""


class ResponseReader:
    """Reads the answer to one request: `told` is the answer, or what is wrong with it.

    It is None for as long as more has to be read, and does not change any more after that.
    """

    __slots__ = (
        "_bodiless",
        "_body",
        "_body_size",
        "_bytes_max",
        "_headers",
        "_headers_ended",
        "_parser",
        "_received",
        "reusable",
        "told",
    )

    def __init__(self, *, bodiless: bool, bytes_max: int = BODY_BYTES_MAX) -> None:
        self.told: WholeResponse | Exception | None = None
        self.reusable = False
        # One parser per answer: nothing of an earlier one can be left in it.
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._bodiless = bodiless
        self._headers: dict[str, str] = {}
        self._headers_ended = False
        self._body: list[bytes] = []
        self._body_size = 0
        self._bytes_max = bytes_max
        self._received = 0

    # --- what the connection calls ---

    def feed(self, data: bytes) -> None:
        """Read on; `told` is set as soon as it is clear what came."""
        parser = self._parser
        if parser is None:  # the answer has ended, and bytes that follow are nobody's
            self.reusable = False
            return None
        if not self._received and data[:1] != b"H":  # llhttp also reads RTSP, and empty lines
            return self.fail(_not_http())
        self._received += len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            return self.fail(cause if isinstance(cause, Exception) else _not_http())
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return self.fail(_not_http())
        if self._received - self._body_size > HEAD_MAX + CHUNK_COST * self._body_size:
            return self.fail(_not_http())
        return None

    def end(self, lost: Exception) -> None:
        """Take note that nothing more will come: that ends an answer without a length."""
        if self._parser is not None and self._headers_ended and not _SIZED & self._headers.keys():
            self._tell(self._parser)
        self.fail(lost)

    def fail(self, error: Exception) -> None:
        """Give up; what was read is no answer, or bytes follow it."""
        self.reusable = False
        self._parser = None
        if self.told is None:
            self.told = error

    # --- what llhttp calls ---

    def on_message_begin(self) -> None:
        """See another answer begin: the one after a provisional one, or one nobody asked for."""
        if self._parser is None:
            self.reusable = False

    def on_header(self, name: bytes, text: bytes) -> None:
        """Keep a header; trailers are not used."""
        if self._headers_ended:
            return
        known = self._headers
        key, value = name.decode("ascii").lower(), text.decode("latin-1").rstrip(" \t")
        if key == "transfer-encoding" and (key in known or value.lower() != "chunked"):
            # Whatever else there is (RFC 9112, 7) was not asked for, and nothing says its length.
            raise _not_http()
        known[key] = f"{known[key]}, {value}" if key in known else value

    def on_headers_complete(self) -> None:
        """Look at the version; the answer to HEAD ends here, which llhttp cannot know."""
        parser = self._parser
        if parser is None:
            return
        if parser.get_http_version() not in _VERSIONS:
            raise _not_http()
        if parser.get_status_code() >= 200:
            self._headers_ended = True
            if self._bodiless:
                self._tell(parser)

    def on_body(self, part: bytes) -> None:
        """Keep a part of the body, and never more than the request expects."""
        if not self._headers_ended:  # a provisional answer has none
            raise _not_http()
        self._body_size += len(part)
        if self._body_size > self._bytes_max:
            raise too_large(self._bytes_max)
        self._body.append(part)

    def on_message_complete(self) -> None:
        """Tell the answer, unless it was a provisional one."""
        parser = self._parser
        if parser is None:
            return
        if self._headers_ended:
            self.reusable = parser.should_keep_alive()
            self._tell(parser)
        else:
            self._headers.clear()

    def _tell(self, parser: httptools.HttpResponseParser) -> None:
        self._parser = None
        if self.told is None:
            self.told = WholeResponse(
                parser.get_status_code(),
                parser.get_http_version(),
                self._headers,
                b"".join(self._body),
            )


def too_large(bytes_max: int) -> BadResponse:
    """Say that an answer is larger than its request expects."""
    return BadResponse(f"the answer has more than {bytes_max} bytes; the rest was not read")


def _not_http() -> BadResponse:
    return BadResponse("what came is not HTTP")
