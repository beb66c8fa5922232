"""The sink ``standard_webhooks``: post each event, signed, to one endpoint.

The body has the three fields that the scheme asks for, `type`, `timestamp` and `data`, and those
by which a receiver puts events in order: `aggregate` and `seq`. The id of the event is the id of
the webhook and stays the same on every try; the time in the signature is that of the try, because
receivers refuse what is older than some minutes.

An answer with a status from 200 to 299 accepts the event. The body of an answer is not looked at
and never shown: it comes from a stranger, and may repeat what we sent.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from paygate._version import __version__
from paygate.driver import CredentialsRejected, NoResponse, Request
from paygate.errors import EndpointGone, EventRefused
from paygate.sink import SinkTraits
from paygate.sinks.standard_webhooks.settings import StandardWebhooksSettings
from paygate.sinks.standard_webhooks.signing import signed_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.domain.event import Event
    from paygate.driver import Dialogue, Response
    from paygate.sink import Delivery

BUSY: Final = frozenset({408, 425, 429, 502, 503, 504})
"""Statuses of an endpoint, or of a proxy in front of it, that takes no events at the moment."""

GONE: Final = 410
"""The status by which an endpoint asks for no more events."""

_write = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def _system_now() -> datetime:
    return datetime.now(UTC)


class StandardWebhooks:
    """An endpoint that receives events as signed webhooks."""

    settings_model = StandardWebhooksSettings

    def __init__(
        self, settings: StandardWebhooksSettings, *, now: Callable[[], datetime] = _system_now
    ) -> None:
        self._settings = settings
        self._now = now
        self._keys = tuple(settings.keys())
        self._traits = SinkTraits(in_flight=settings.in_flight, keeps_log=True)

    @property
    def traits(self) -> SinkTraits:
        """What the core has to know about it."""
        return self._traits

    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        """Post the event; returning means that the endpoint accepted it."""
        event = delivery.event
        body = body_of(event)
        seconds = int(self._now().timestamp())
        headers = signed_headers(event.id, seconds, body, self._keys)
        _read((yield self._request("POST", "deliver", headers, body)))

    def check(self) -> Dialogue[None]:
        """
        Ask the endpoint for its options: that needs its address and certificate, but no event.

        Whether it knows the secret shows only at the first event.
        """
        answer = yield self._request("OPTIONS", "check", {}, b"")
        if answer.status in (401, 410) or 300 <= answer.status < 400 or answer.status >= 500:
            _read(answer)

    def _request(self, method: str, step: str, headers: dict[str, str], body: bytes) -> Request:
        given = self._settings
        return Request(
            method=method,
            url=given.url,
            step=step,
            headers={
                "content-type": "application/json",
                "user-agent": f"paygate/{__version__}",
                **headers,
            },
            body=body,
            timeout_s=given.timeout_s,
            answer_bytes_max=given.answer_bytes_max,
            public_only=not given.allow_private_addresses,
        )


def body_of(event: Event) -> bytes:
    """Return the body of the webhook about *event*, the same on every try."""
    facts = event.as_json()
    return _write(
        {
            "type": facts["type"],
            "timestamp": facts["occurred_at"],
            "id": facts["id"],
            "aggregate": facts["aggregate"],
            "seq": facts["seq"],
            "schema_version": facts["schema_version"],
            "data": facts["data"],
        }
    ).encode("utf-8", "replace")


def _read(answer: Response) -> None:
    """Raise what the status of *answer* means for the event."""
    status = answer.status
    if 200 <= status < 300:
        return
    if status == 401:
        raise CredentialsRejected("the endpoint does not accept the signature (401)")
    if status == GONE:
        raise EndpointGone("the endpoint asks for no more events (410)")
    if status in BUSY:
        raise NoResponse(f"the endpoint takes no events at the moment ({status})")
    if 300 <= status < 400:
        raise EventRefused(
            f"the endpoint redirects ({status}), which is not followed; set the new url"
        )
    raise EventRefused(f"the endpoint answered {status}")
