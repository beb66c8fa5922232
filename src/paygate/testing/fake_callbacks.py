"""Callbacks of the fake processor over HTTP: signed, and repeated until they are acknowledged.

A status of 2xx acknowledges a callback. Otherwise it is sent again, each time after twice
the pause and with a new signature, and given up after several tries, as real processors
do. The event of a callback that was given up is still in the feed and found by inquiries.
"""

from __future__ import annotations

import heapq
import threading
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from paygate.errors import InvalidValue
from paygate.testing.fake.guard import require_loopback
from paygate.testing.processor.callbacks import signed_events

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paygate.testing.processor import FakeProcessor

TRIES_MAX: Final = 6
"""How many times a callback is sent before it is given up."""

FIRST_PAUSE_S: Final = 1.0
"""The seconds between the first and the second try; the pause doubles each time."""

TIMEOUT_S: Final = 10.0

_TURN_S: Final = 0.05


def _host_of(url: str) -> str:
    """Return the host of *url*; raise `InvalidValue` if no callback can be sent there."""
    wrong = InvalidValue(
        f"callbacks need an http or https address, and {url[:80]!r} is not one of them"
    )
    # http.client sends no other characters in a path; a URL has %20 and so on instead.
    if not url.isascii() or not url.isprintable() or " " in url:
        raise wrong
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:  # a port that is not a number, a bracket that is not closed
        raise wrong from None
    if parts.scheme not in ("http", "https") or not host:
        raise wrong
    return host


class Pusher:
    """
    Send the events of *processor* to *url*, starting with the next one.

    ``{kind}`` in *url* is replaced by the kind of the payment, for a host whose accounts are
    named after kinds. *tell* is called with a line about each try.
    """

    def __init__(
        self,
        processor: FakeProcessor,
        url: str,
        *,
        tell: Callable[[str], object] = lambda _: None,
        tries_max: int = TRIES_MAX,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        require_loopback(_host_of(url))
        self._processor = processor
        self._url = url
        self._tell = tell
        self._tries_max = tries_max
        self._first_pause_s = first_pause_s
        # Events from before a restart were sent then, or are found by an inquiry.
        self._read = len(processor.truth.events)
        self._guard = threading.Lock()
        self._due: list[tuple[float, int, int, Mapping[str, Any]]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start to send."""
        self._thread.start()

    def stop(self) -> None:
        """Stop sending, without waiting for a try that is under way."""
        self._stopping.set()

    def unheard(self, what: Callable[[], object]) -> None:
        """Call *what*, and never send the events that it causes: those callbacks are lost."""
        with self._guard:
            self._take()
            what()
            self._read = len(self._processor.truth.events)

    def _run(self) -> None:
        while not self._stopping.wait(_TURN_S):
            self._processor.catch_up()
            while (due := self._next()) is not None and not self._stopping.is_set():
                self._try(*due)

    def _next(self) -> tuple[int, int, Mapping[str, Any]] | None:
        with self._guard:
            self._take()
            if not self._due or self._due[0][0] > time.monotonic():
                return None
            return heapq.heappop(self._due)[1:]

    def _take(self) -> None:
        events = self._processor.truth.events
        while self._read < len(events):
            self._wait(0, self._read, 0, events[self._read])
            self._read += 1

    def _wait(self, pause_s: float, number: int, tries: int, event: Mapping[str, Any]) -> None:
        heapq.heappush(self._due, (time.monotonic() + pause_s, number, tries, event))

    def _try(self, number: int, before: int, event: Mapping[str, Any]) -> None:
        answer, tries = self._send(event), before + 1
        what = f"callback {event['id']} ({event['type']}): {answer}"
        if answer.startswith("2"):
            self._tell(what)
        elif tries >= self._tries_max:
            self._tell(f"{what}; given up after {tries} tries")
        else:
            pause_s = self._first_pause_s * 2**before
            self._tell(f"{what}; sent again in {pause_s:g} s")
            with self._guard:
                self._wait(pause_s, number, tries, event)

    def _send(self, event: Mapping[str, Any]) -> str:
        processor = self._processor
        now = processor.clock.now()
        [written] = signed_events([event], processor.signing_key, now)
        order = processor.truth.orders.get(event["order"]["reference"])
        url = self._url.replace("{kind}", order.kind if order else "card")
        to = urlsplit(url)
        kind = HTTPSConnection if to.scheme == "https" else HTTPConnection
        connection = kind(to.hostname or "", to.port, timeout=TIMEOUT_S)
        path = f"{to.path or '/'}{'?' if to.query else ''}{to.query}"
        try:
            connection.request("POST", path, written["body"].encode(), written["headers"])
            return str(connection.getresponse().status)
        except (OSError, HTTPException) as fault:
            return f"no response ({type(fault).__name__})"
        finally:
            connection.close()
