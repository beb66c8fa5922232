"""Callbacks and return pages of every account, as an ASGI application to mount.

``/{account}`` takes the account's callbacks, ``/{account}/return`` the payer who
comes back from its page; a slash at the end changes nothing. Neither trusts its
input: a callback must be authentic on its raw bytes, and on a return the gateway is
asked. Someone who is refused learns nothing else.

Callbacks have their own threads. However many payers wait for a slow processor,
the callbacks of processors are answered.
"""

from __future__ import annotations

import inspect
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar
from urllib.parse import parse_qsl

from paygate.domain.kind import Operation
from paygate.domain.payment import PaymentStatus
from paygate.errors import (
    GatewayNotFound,
    MissingExtra,
    NotAuthentic,
    NotVerified,
    RecordNotFound,
    Refused,
    StoreError,
    Unsupported,
    UsageError,
)
from paygate.gateway import Callback

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from anyio import CapacityLimiter
    from anyio.lowlevel import RunVar
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from paygate.cashier.aio import AsyncCashier
    from paygate.cashier.sync import Cashier
    from paygate.domain.payment import Payment
    from paygate.web.looks import Looks

    AnyCashier: TypeAlias = Cashier | AsyncCashier
    Landing: TypeAlias = Callable[[Payment], str | Awaitable[str | None] | None]
    PaymentOf: TypeAlias = Callable[[Mapping[str, str]], str | Awaitable[str | None] | None]

T = TypeVar("T")

BODY_BYTES_MAX: Final = 1_000_000
"""Far more than any processor's callback; a longer one is refused unread."""

LOOK_AGAIN_AFTER_S: Final = 5.0
"""For how long a return page does not ask the gateway again about the same payment."""

CALLBACK_THREADS: Final = 20
RETURN_THREADS: Final = 40
"""How many callbacks, and how many returning payers, a `Cashier` serves at once."""

_FIELDS_MAX: Final = 1000

_PAID: Final = (PaymentStatus.SUCCEEDED, PaymentStatus.AUTHORIZED)
_SAYS: Final[Mapping[PaymentStatus, str]] = {
    PaymentStatus.SUCCEEDED: "Thank you. Your payment has arrived.",
    PaymentStatus.AUTHORIZED: "Thank you. Your payment is authorized.",
    PaymentStatus.PROCESSING: "Thank you. Your payment is on its way; please do not pay again.",
    PaymentStatus.UNKNOWN: "We do not know yet whether you have paid; please do not pay again.",
    PaymentStatus.REQUIRES_ACTION: "Your payment is not finished yet.",
}


def callbacks(
    cashier: AnyCashier,
    *,
    landing: str | Landing | None = None,
    payment_of: PaymentOf | None = None,
    bytes_max: int = BODY_BYTES_MAX,
    timeout_s: float = 10.0,
    look_again_after_s: float = LOOK_AGAIN_AFTER_S,
) -> ASGIApp:
    """
    Return the application that serves callbacks and returning payers.

    *landing* is where a returning payer is sent: a URL, or a function that returns one for
    the payment; without it, or if it returns None, a plain sentence is shown. *payment_of*
    returns the payment's id from the parameters of the return URL, or None; in that case
    the parameter ``payment`` is used. The fields of a form that is posted there are parameters
    too. Both may be functions, which run in a thread, or coroutine functions; if they raise a
    `LookupError`, the reply is status 404.

    A callback that is larger than *bytes_max*, or takes longer than *timeout_s* to arrive, is
    refused. For *look_again_after_s* after the gateway was asked about a payment, the return
    page of the same process does not ask again. Raises `MissingExtra` without Starlette.
    """
    try:
        from starlette.applications import Starlette
        from starlette.routing import Route
    except ImportError as error:
        raise MissingExtra(
            "paygate.web needs Starlette; pip install 'paygate-sdk[web]'", extra="web"
        ) from error
    desk = _Desk(
        cashier,
        landing,
        payment_of or _named,
        bytes_max,
        timeout_s,
        timedelta(seconds=look_again_after_s),
    )
    methods = ["GET", "POST"]
    app = Starlette(
        routes=[
            Route(f"{path}{slash}", endpoint, methods=methods)
            for path, endpoint in (
                ("/{account}", desk.callback),
                ("/{account}/return", desk.came_back),
            )
            for slash in ("", "/")
        ]
    )
    # A redirect would repeat the Host header of the client, and processors do not follow any.
    app.router.redirect_slashes = False
    return app


class _Desk:
    def __init__(
        self,
        cashier: AnyCashier,
        landing: str | Landing | None,
        payment_of: PaymentOf,
        bytes_max: int,
        timeout_s: float,
        look_pause: timedelta,
    ) -> None:
        from anyio.lowlevel import RunVar

        self._cashier = cashier
        self._landing = landing
        self._payment_of = payment_of
        self._bytes_max = bytes_max
        self._timeout_s = timeout_s
        self._look_pause = look_pause
        # The limiters belong to one event loop; the application may outlive it.
        self._for_callbacks: RunVar[CapacityLimiter] = RunVar("callback threads")
        self._for_returns: RunVar[CapacityLimiter] = RunVar("return threads")
        self._looks: RunVar[Looks] = RunVar("looks")

    async def callback(self, request: Request) -> Response:
        """Receive a callback and reply as the driver says."""
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
            reply = await _call(self._callback_threads(), self._cashier.receive, account, callback)
        except NotAuthentic:
            return _plain(400, "refused")
        except (Unsupported, GatewayNotFound):
            return _plain(404, "not found")
        except (NotVerified, StoreError):
            return _plain(503, "try again later")
        return Response(reply.body, status_code=reply.status, headers=dict(reply.headers))

    async def came_back(self, request: Request) -> Response:
        """Ask for the state of the returning payer's payment, and send the payer on."""
        from starlette.responses import RedirectResponse

        form = await self._form(request)
        if not isinstance(form, dict):
            return form
        # The URL takes precedence: we wrote the URL, but the processor wrote the form.
        parameters = {**form, **request.query_params}
        payment = await self._named(parameters)
        if payment is None:
            return _plain(404, "not found")
        account = self._cashier.gateways.get(request.path_params["account"])
        if account is None or payment.account != account.name:
            return _plain(404, "not found")
        try:
            payment = await self._find_out(payment, parameters)
        except StoreError:
            return _plain(503, "try again later")
        try:
            to = await self._landing_of(payment)
        except LookupError:
            return _plain(404, "not found")
        if to is None:
            return _plain(200, _SAYS.get(payment.status, "This payment was not made."))
        return RedirectResponse(to, status_code=303, headers={"cache-control": "no-store"})

    async def _named(self, parameters: Mapping[str, str]) -> Payment | None:
        """Return the payment that the return URL names, if it names one."""
        try:
            named: str | None = await self._run(self._payment_of, parameters)
        except LookupError:
            return None
        if named is None:
            return None
        try:
            payment: Payment = await self._run(self._cashier.payment, named)
        except RecordNotFound:
            return None
        return payment

    async def _landing_of(self, payment: Payment) -> str | None:
        landing = self._landing
        if landing is None or isinstance(landing, str):
            return landing
        to: str | None = await self._run(landing, payment)
        return to

    async def _find_out(self, payment: Payment, parameters: Mapping[str, str]) -> Payment:
        """Return the payment after asking the gateway; the return URL is not trusted."""
        from paygate.web.looks import Looks

        # A page that ended unpaid, as far as the ledger knows, may have been paid nevertheless.
        if payment.status in _PAID:
            return payment
        looks = _of_this_loop(self._looks, lambda: Looks(self._look_pause, self._cashier.now))

        async def look() -> None:
            await self._look(payment, parameters)

        await looks.at(payment.id, look)
        # Read it even if another request has asked: a callback may have been applied since.
        found: Payment = await self._run(self._cashier.payment, payment)
        return found

    async def _look(self, payment: Payment, parameters: Mapping[str, str]) -> None:
        """Inquire, and complete the payment if it waits for that."""
        cashier = self._cashier
        payment = await self._run(cashier.inquire, payment)
        account = cashier.gateways[payment.account]
        waits = payment.status is PaymentStatus.REQUIRES_ACTION
        if not waits or not account.traits.offers(payment.kind, Operation.COMPLETE):
            return
        with suppress(Refused, UsageError):
            await self._run(cashier.complete, payment, parameters=parameters)

    async def _form(self, request: Request) -> dict[str, str] | Response:
        """Return the fields of a form that a processor makes the payer's browser post."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.method != "POST" or kind != "application/x-www-form-urlencoded":
            return {}
        body = await self._read(request)
        if not isinstance(body, bytes):
            return body
        text = body.decode("utf-8", "replace")
        try:
            fields = parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS_MAX)
        except ValueError:
            return _plain(400, "refused")
        return dict(fields)

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

    async def _run(self, call: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """Run *call* for a returning payer."""
        from anyio import CapacityLimiter

        threads = _of_this_loop(self._for_returns, lambda: CapacityLimiter(RETURN_THREADS))
        return await _call(threads, call, *args, **more)

    def _callback_threads(self) -> CapacityLimiter:
        from anyio import CapacityLimiter

        return _of_this_loop(self._for_callbacks, lambda: CapacityLimiter(CALLBACK_THREADS))


async def _call(threads: CapacityLimiter, call: Callable[..., Any], *args: Any, **more: Any) -> Any:
    """Await a coroutine function, and run any other in a thread, because it may block."""
    from anyio.to_thread import run_sync

    if inspect.iscoroutinefunction(call):
        return await call(*args, **more)
    result = await run_sync(partial(call, *args, **more), limiter=threads)
    return await result if inspect.isawaitable(result) else result


def _of_this_loop(held: RunVar[T], make: Callable[[], T]) -> T:
    """Return the value that *held* has for the running event loop; made on first use."""
    try:
        return held.get()
    except LookupError:
        made = make()
        held.set(made)
        return made


async def _named(parameters: Mapping[str, str]) -> str | None:
    return parameters.get("payment")


def _headers(request: Request) -> dict[str, str]:
    """Return the headers; several with one name are joined, as HTTP allows."""
    headers: dict[str, str] = {}
    for name, text in request.headers.items():
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


def _hang_up(request: Request, status: int, text: str) -> Response:
    """Refuse a request that was not read to its end, and let the server close the connection."""
    response = _plain(status, text)
    # Otherwise a server reads, and discards, what the client never ends. HTTP/2 ends a stream by
    # itself, and WSGI leaves connections to the server: both forbid the header.
    if request.scope["http_version"].startswith("1") and "wsgi_environ" not in request.scope:
        response.headers["connection"] = "close"
    return response


def _plain(status: int, text: str) -> Response:
    from starlette.responses import PlainTextResponse

    return PlainTextResponse(text, status_code=status, headers={"cache-control": "no-store"})
