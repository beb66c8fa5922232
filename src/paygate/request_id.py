"""Request ids: a processor's own name for a request, which its support asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from paygate.domain.private import CARD_NUMBER, without_private
from paygate.domain.secret import DOTS
from paygate.printing import printable

if TYPE_CHECKING:
    from paygate.dialogue import Request, Response

REQUEST_ID_HEADERS: Final = ("request-id", "x-request-id", "paypal-debug-id", "x-correlation-id")
"""The headers in which processors return their own id of the request; their support needs it."""

_REQUEST_ID_MAX: Final = 100
# A word that may be a key, a token or a password: if a header repeats one, it is not shown.
_WORD: Final = re.compile(r"[A-Za-z0-9_\-]{6,}")


def request_id_of(request: Request, response: Response) -> str:
    """Return the processor's id of *request*; dots if the id repeats something that was sent."""
    headers = response.headers
    named = next((headers[name] for name in REQUEST_ID_HEADERS if name in headers), "")
    if not named:
        return ""
    sent = [request.body.decode("utf-8", "replace"), request.url]
    sent += [
        value
        for name, value in request.headers.items()
        if name.lower() not in (*REQUEST_ID_HEADERS, "idempotency-key")
    ]
    words = {word for text in sent for word in _WORD.findall(text)}
    repeated = any(part in text for part in _WORD.findall(named) for text in sent)
    if repeated or any(word in named for word in words):
        return DOTS
    return CARD_NUMBER.sub(DOTS, printable(without_private(named[:_REQUEST_ID_MAX])))
