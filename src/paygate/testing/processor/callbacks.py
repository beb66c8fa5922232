"""Callbacks of the fake processor: events, signed with HMAC-SHA256 over instant and body."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from paygate.dialogue import Response
from paygate.errors import BadResponse, NotAuthentic
from paygate.gateway import Applied, Callback, CallbackStyle, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.gateway import Notice

SIGNATURE: Final = "fake-signature"
TOLERANCE: Final = timedelta(minutes=5)
"""The maximum age of a signature: an older callback is treated as a replay."""

_STATUS: Final[Mapping[Applied, int]] = {
    Applied.BOOKED: 200,
    Applied.NO_CHANGE: 200,
    Applied.UNKNOWN_REFERENCE: 404,
    Applied.REFUSED: 409,
    Applied.OPEN: 200,
    Applied.PAID: 409,
    Applied.WITHDRAWN: 410,
    Applied.EXPIRED: 410,
}


def signed_events(
    events: Sequence[Mapping[str, Any]], signing_key: str, now: datetime
) -> list[dict[str, Any]]:
    """Return *events* as signed callbacks, each with its headers and body."""
    written: list[dict[str, Any]] = []
    for event in events:
        body = json.dumps(event, separators=(",", ":"))
        instant = str(int(now.timestamp()))
        signature = f"t={instant},v1={_mac(signing_key, instant, body.encode())}"
        headers = {"content-type": "application/json", SIGNATURE: signature}
        written.append({"headers": headers, "body": body, "received_at": now.isoformat()})
    return written


def read_written(written: Mapping[str, Any]) -> Callback:
    """Return the `Callback` that a host receives for what `signed_events` returned."""
    return Callback(
        method="POST",
        path="/callbacks/fake",
        headers=written["headers"],
        body=written["body"].encode(),
        received_at=datetime.fromisoformat(written["received_at"]),
    )


def read_callback(callback: Callback, signing_key: str) -> list[Notice]:
    """Authenticate *callback* and return its notice, or raise `NotAuthentic`."""
    signed_at = authenticated(callback, signing_key)
    # The fake's driver imports this module, so importing it at the top would be circular.
    from paygate.testing.fake.answers import parse_notice

    try:
        notice = parse_notice(Response(status=200, body=callback.body))
    except BadResponse as error:
        raise NotAuthentic("the callback is signed, but its body is not an event") from error
    return [replace(notice, signed_at=signed_at)]


def authenticated(callback: Callback, signing_key: str) -> datetime:
    """Return when *callback* was signed, or raise `NotAuthentic`."""
    signature = callback.headers.get(SIGNATURE, "")
    instant, _, theirs = signature.removeprefix("t=").partition(",v1=")
    ours = _mac(signing_key, instant, callback.body)
    # Compared as bytes: a header with characters outside ASCII must be refused, not crash.
    if not hmac.compare_digest(ours.encode(), theirs.encode()):
        raise NotAuthentic(
            "the callback is not signed with the fake processor's key",
            why="signature" if signature else "unsigned",
        )
    signed_at = datetime.fromtimestamp(int(instant), UTC)
    if abs(callback.received_at - signed_at) > TOLERANCE:
        raise NotAuthentic(
            f"the callback was signed at {signed_at:%Y-%m-%d %H:%M:%S} UTC", why="too_old"
        )
    return signed_at


def reply_to(style: CallbackStyle, result: Applied) -> Reply:
    """Return the reply: an acknowledgement, or the result if the style is ANSWERED."""
    if style is not CallbackStyle.ANSWERED:
        return Reply(body=b"received")
    body = json.dumps({"result": result}).encode()
    headers = {"content-type": "application/json"}
    return Reply(status=_STATUS[result], headers=headers, body=body)


def _mac(signing_key: str, instant: str, body: bytes) -> str:
    message = instant.encode() + b"." + body
    return hmac.new(signing_key.encode(), message, hashlib.sha256).hexdigest()
