"""Callbacks and return pages of every account, as an ASGI application to mount.

``/{account}`` takes the account's callbacks, ``/{account}/return`` the payer who
comes back from its page. Neither believes what it is told: a callback must be
authentic on its raw bytes, and on a return the gateway is asked. Who is refused
learns nothing but that.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from paygate.domain.payment import Operation, PaymentStatus
from paygate.errors import (
    MissingExtra,
    NotAuthentic,
    NotFoundError,
    NotVerified,
    Refused,
    StoreError,
    UnknownGateway,
    Unsupported,
    UsageError,
)
from paygate.gateway import Callback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from paygate.aio import AsyncCashier
    from paygate.cashier import Cashier
    from paygate.domain.payment import Payment

    AnyCashier: TypeAlias = Cashier | AsyncCashier

BODY_BYTES_MAX: Final = 1_000_000
"""No processor's callback comes near it; what is longer is refused unread."""

_OPEN: Final = (PaymentStatus.REQUIRES_ACTION, PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN)
_SAYS: Final[Mapping[PaymentStatus, str]] = {
    PaymentStatus.SUCCEEDED: "Thank you. Your payment has arrived.",
    PaymentStatus.AUTHORIZED: "Thank you. Your payment is authorised.",
    PaymentStatus.PROCESSING: "Thank you. Your payment is on its way; please do not pay again.",
    PaymentStatus.UNKNOWN: "We do not know yet how this payment ended; please do not pay again.",
    PaymentStatus.REQUIRES_ACTION: "Your payment is not finished yet.",
}


def callbacks(
    cashier: AnyCashier,
    *,
    landing: str | Callable[[Payment], str] | None = None,
    payment_of: Callable[[Mapping[str, str]], str] | None = None,
    bytes_max: int = BODY_BYTES_MAX,
    timeout_s: float = 10.0,
) -> ASGIApp:
    """
    Make the application that takes callbacks and payers who come back.

    *landing* is where a payer goes who came back: an address, or what makes one of
    the payment; a plain sentence is shown without it. *payment_of* finds the
    payment's id in the parameters of the return address; else it is the parameter
    ``payment``. A callback of more than *bytes_max*, or that takes longer than
    *timeout_s* to come, is refused. Raises `MissingExtra` without Starlette.
    """
    try:
        from starlette.applications import Starlette
        from starlette.routing import Route
    except ImportError as error:
        raise MissingExtra(
            "paygate.web needs Starlette; pip install 'paygate-sdk[web]'", extra="web"
        ) from error
    desk = _Desk(cashier, landing, payment_of or _named, bytes_max, timeout_s)
    return Starlette(
        routes=[
            Route("/{account}", desk.callback, methods=["GET", "POST"]),
            Route("/{account}/return", desk.came_back, methods=["GET", "POST"]),
        ]
    )


class _Desk:
    def __init__(
        self,
        cashier: AnyCashier,
        landing: str | Callable[[Payment], str] | None,
        payment_of: Callable[[Mapping[str, str]], str],
        bytes_max: int,
        timeout_s: float,
    ) -> None:
        self._cashier = cashier
        self._landing = landing
        self._payment_of = payment_of
        self._bytes_max = bytes_max
        self._timeout_s = timeout_s

    async def callback(self, request: Request) -> Response:
        """Take in a callback and reply as the driver says."""
        from starlette.responses import Response

        account = request.path_params["account"]
        if account not in self._cashier.gateways:
            return _plain(404, "not found")
        body = await self._read(request)
        if not isinstance(body, bytes):
            return body
        callback = Callback(
            method=request.method,
            path=request.url.path,
            query=request.url.query,
            headers=_headers(request),
            body=body,
            received_at=self._cashier.now(),
        )
        try:
            reply = await self._call(self._cashier.receive, account, callback)
        except NotAuthentic:
            return _plain(400, "refused")
        except (Unsupported, UnknownGateway):
            return _plain(404, "not found")
        except (NotVerified, StoreError):
            return _plain(503, "try again later")
        return Response(reply.body, status_code=reply.status, headers=dict(reply.headers))

    async def came_back(self, request: Request) -> Response:
        """Ask how the payment stands whose payer came back, and send the payer on."""
        from starlette.responses import RedirectResponse

        parameters = dict(request.query_params)
        try:
            payment: Payment = await self._call(self._cashier.payment, self._payment_of(parameters))
        except NotFoundError:
            return _plain(404, "not found")
        account = self._cashier.gateways.get(request.path_params["account"])
        if account is None or payment.account != account.name:
            return _plain(404, "not found")
        try:
            payment = await self._find_out(payment, parameters)
        except StoreError:
            return _plain(503, "try again later")
        if self._landing is None:
            return _plain(200, _SAYS.get(payment.status, "This payment was not made."))
        to = self._landing if isinstance(self._landing, str) else self._landing(payment)
        return RedirectResponse(to, status_code=303)

    async def _find_out(self, payment: Payment, parameters: Mapping[str, str]) -> Payment:
        """Inquire, and complete what waits for that; what the address says is not believed."""
        cashier = self._cashier
        if payment.status not in _OPEN:
            return payment
        payment = await self._call(cashier.inquire, payment)
        account = cashier.gateways[payment.account]
        waits = payment.status is PaymentStatus.REQUIRES_ACTION
        if not waits or not account.traits.offers(payment.kind, Operation.COMPLETE):
            return payment
        try:
            completed: Payment = await self._call(cashier.complete, payment, parameters=parameters)
        except (Refused, UsageError):
            completed = await self._call(cashier.payment, payment)
        return completed

    async def _read(self, request: Request) -> bytes | Response:
        from anyio import move_on_after
        from starlette.requests import ClientDisconnect

        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._bytes_max:
            return _hang_up(request, 413, "too long")
        body = bytearray()
        with move_on_after(self._timeout_s):
            try:
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > self._bytes_max:
                        return _hang_up(request, 413, "too long")
            except ClientDisconnect:
                return _plain(400, "refused")
            return bytes(body)
        return _hang_up(request, 408, "too slow")

    async def _call(self, verb: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """Await a verb of the async face; let one that blocks run in a thread."""
        from starlette.concurrency import run_in_threadpool

        if inspect.iscoroutinefunction(verb):
            return await verb(*args, **more)
        return await run_in_threadpool(verb, *args, **more)


def _named(parameters: Mapping[str, str]) -> str:
    return parameters.get("payment", "")


def _headers(request: Request) -> dict[str, str]:
    """Read the headers; several of one name are joined, as HTTP allows."""
    headers: dict[str, str] = {}
    for name, text in request.headers.items():
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


def _hang_up(request: Request, status: int, text: str) -> Response:
    """Refuse what was not read to its end, and let the server close the connection."""
    response = _plain(status, text)
    # Else a server reads on, and throws away, what a sender never ends. HTTP/2 ends a stream by
    # itself, and WSGI leaves connections to the server: both forbid the header.
    if request.scope["http_version"].startswith("1") and "wsgi_environ" not in request.scope:
        response.headers["connection"] = "close"
    return response


def _plain(status: int, text: str) -> Response:
    from starlette.responses import PlainTextResponse

    return PlainTextResponse(text, status_code=status, headers={"cache-control": "no-store"})
