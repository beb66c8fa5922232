"""Callbacks and return pages of every account, as an ASGI application to mount.

``/{account}`` takes the account's callbacks, ``/{account}/return`` the payer who
comes back from its page; a slash at the end changes nothing. ``/{account}/secret/{secret}`` takes
callbacks too: a driver may require a secret there. With a cashier for many
merchants, both begin with the tenant: ``/{tenant}/{account}``. Neither trusts its
input: a callback must be authentic on its raw bytes, and on a return the gateway is
asked. Someone who is refused learns nothing else.

Callbacks have their own threads. However many payers wait for a slow processor,
the callbacks of processors are answered.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from paygate.domain.kind import Operation
from paygate.domain.payment import PaymentStatus
from paygate.errors import (
    AccountsUnavailable,
    GatewayNotFound,
    InvalidValue,
    MissingExtra,
    NotAllowedHere,
    NotAuthentic,
    NotVerified,
    RecordNotFound,
    Refused,
    StoreError,
    Unsupported,
    UsageError,
)
from paygate.gateway import Callback
from paygate.web.bodies import TooMuch, read_body, read_fields
from paygate.web.calling import call, of_this_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from anyio import CapacityLimiter
    from anyio.lowlevel import RunVar
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from paygate.cashier.aio import AsyncCashier
    from paygate.cashier.sync import Cashier
    from paygate.domain.payment import Payment
    from paygate.service.account import GatewayAccount
    from paygate.web.looks import Looks
    from paygate.web.shares import Shares

    AnyCashier: TypeAlias = Cashier | AsyncCashier
    Told: TypeAlias = str | Awaitable[str | None] | None
    Landing: TypeAlias = Callable[[Payment], Told] | Callable[[str, Payment], Told]
    PaymentOf: TypeAlias = (
        Callable[[Mapping[str, str]], Told] | Callable[[str, Mapping[str, str]], Told]
    )

BODY_BYTES_MAX: Final = 1_000_000
"""Far more than any processor's callback; a longer one is refused unread."""

LOOK_AGAIN_AFTER_S: Final = 5.0
"""For how long a return page does not ask the gateway again about the same payment."""

CALLBACK_THREADS: Final = 20
RETURN_THREADS: Final = 40
"""How many callbacks, and how many returning payers, a `Cashier` serves at once."""

TENANT_THREADS: Final = 5
"""How many callbacks and returning payers of one tenant are served at once, of many tenants."""

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

    A *cashier* that was opened with ``merchants=`` and without ``tenant=`` serves all tenants, each
    under its name: ``/{tenant}/{account}``. One from `for_tenant` serves that tenant.

    *landing* is where a returning payer is sent: a URL, or a function that returns one for
    the payment; without it, or if it returns None, a plain sentence is shown. *payment_of*
    returns the payment's id from the parameters of the return URL, or None; in that case
    the parameter ``payment`` is used. The fields of a form that is posted there are parameters
    too. Both may be functions, which run in a thread, or coroutine functions; if they raise a
    `LookupError`, the reply is status 404. If all tenants are served, the name of the tenant is
    their first argument.

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
        payment_of,
        bytes_max,
        timeout_s,
        timedelta(seconds=look_again_after_s),
    )
    methods, of_tenant = ["GET", "POST"], "/{tenant}" if cashier.serves_all else ""
    app = Starlette(
        routes=[
            Route(f"{of_tenant}{path}{slash}", endpoint, methods=methods)
            for path, endpoint in (
                ("/{account}", desk.callback),
                ("/{account}/return", desk.came_back),
                ("/{account}/secret/{secret}", desk.callback),
            )
            for slash in ("", "/")
        ]
    )
    # A redirect would repeat the Host header of the client, and processors do not follow any.
    app.router.redirect_slashes = False
    return app


@dataclass(frozen=True, slots=True)
class _Visit:
    """A request to an account; the *tenant* is None if only one is served."""

    cashier: AnyCashier
    tenant: str | None
    account: str


class _NotThereError(Exception):
    """The payment does not exist."""


class _Desk:
    def __init__(
        self,
        cashier: AnyCashier,
        landing: str | Landing | None,
        payment_of: PaymentOf | None,
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
        self._shares: RunVar[Shares] = RunVar("shares")

    async def callback(self, request: Request) -> Response:
        """Receive a callback and reply as the driver says."""
        from starlette.responses import Response

        visit = self._visit(request)
        refused = await self._refused(visit)
        if visit is None or refused is not None:
            return refused or _plain(404, "not found")
        body = await self._read(request)
        if not isinstance(body, bytes):
            return body
        callback = Callback(
            method=request.method,
            path=request.url.path,
            query=request.url.query,
            headers=_headers(request),
            body=body,
            received_at=visit.cashier.now(),
            sender=request.client.host if request.client is not None else "",
        )
        try:
            reply = await self._take(visit, visit.cashier.receive, visit.account, callback)
        except NotAuthentic:
            return _plain(400, "refused")
        except (Unsupported, GatewayNotFound):
            return _plain(404, "not found")
        except (NotVerified, StoreError, AccountsUnavailable):
            return _plain(503, "try again later")
        return Response(reply.body, status_code=reply.status, headers=dict(reply.headers))

    async def _refused(self, visit: _Visit | None) -> Response | None:
        """
        Return the reply for an account that does not exist or cannot be used; else None.

        A tenant that does not exist gets the reply of an account that does not.
        """
        if visit is None:
            return _plain(404, "not found")
        with suppress(NotAllowedHere):
            found = visit.account in visit.cashier.gateways
            return None if found else _plain(404, "not found")
        try:
            await self._take(visit, visit.cashier.public_settings, visit.account)
        except (GatewayNotFound, InvalidValue):
            return _plain(404, "not found")
        except (AccountsUnavailable, StoreError, UsageError):
            return _plain(503, "try again later")
        return None

    async def came_back(self, request: Request) -> Response:
        """Ask for the state of the returning payer's payment, and send the payer on."""
        form = await self._form(request)
        if not isinstance(form, dict):
            return form
        visit = self._visit(request)
        if visit is None:
            return _plain(404, "not found")
        try:
            # The URL takes precedence: we wrote the URL, but the processor wrote the form.
            return await self._sent_on(visit, {**form, **request.query_params})
        except (_NotThereError, GatewayNotFound):
            return _plain(404, "not found")
        except (StoreError, AccountsUnavailable):
            return _plain(503, "try again later")

    async def _sent_on(self, visit: _Visit, parameters: Mapping[str, str]) -> Response:
        """Return the reply to the payer of the payment that *parameters* name."""
        from starlette.responses import RedirectResponse

        named = parameters.get("payment")
        if self._payment_of is not None:
            named = await self._told(visit, self._payment_of, parameters)
        payment = await self._payment(visit, named)
        account = (await self._accounts(visit)).get(visit.account)
        if account is None or payment.account != account.name:
            return _plain(404, "not found")
        payment = await self._find_out(visit, account, payment, parameters)
        to = self._landing
        if callable(to):
            to = await self._told(visit, to, payment)
        if to is None:
            return _plain(200, _SAYS.get(payment.status, "This payment was not made."))
        return RedirectResponse(to, status_code=303, headers={"cache-control": "no-store"})

    async def _told(self, visit: _Visit, verb: Callable[..., Told], about: object) -> str | None:
        """Return what a function of the host says; if all tenants are served, of which tenant."""
        tenant = [] if visit.tenant is None else [visit.tenant]
        try:
            said: str | None = await self._run(visit, verb, *tenant, about)
        except LookupError:
            raise _NotThereError from None
        return said

    async def _payment(self, visit: _Visit, named: str | None) -> Payment:
        """Return the payment that the return URL names."""
        if named is None:
            raise _NotThereError
        try:
            payment: Payment = await self._run(visit, visit.cashier.payment, named)
        except RecordNotFound:
            raise _NotThereError from None
        return payment

    async def _accounts(self, visit: _Visit) -> Mapping[str, GatewayAccount]:
        with suppress(NotAllowedHere):
            return visit.cashier.gateways
        found: Mapping[str, GatewayAccount] = await self._run(visit, visit.cashier.accounts)
        return found

    async def _find_out(
        self,
        visit: _Visit,
        account: GatewayAccount,
        payment: Payment,
        parameters: Mapping[str, str],
    ) -> Payment:
        """Return the payment after asking the gateway; the return URL is not trusted."""
        from paygate.web.looks import Looks

        # A page that ended unpaid, as far as the ledger knows, may have been paid nevertheless.
        if payment.status in _PAID:
            return payment
        looks = of_this_loop(self._looks, lambda: Looks(self._look_pause, self._cashier.now))

        async def look() -> None:
            await self._look(visit, account, payment, parameters)

        await looks.at(payment.id, look)
        # Read it even if another request has asked: a callback may have been applied since.
        found: Payment = await self._run(visit, visit.cashier.payment, payment)
        return found

    async def _look(
        self,
        visit: _Visit,
        account: GatewayAccount,
        payment: Payment,
        parameters: Mapping[str, str],
    ) -> None:
        """Inquire, and complete the payment if it waits for that."""
        payment = await self._run(visit, visit.cashier.inquire, payment)
        waits = payment.status is PaymentStatus.REQUIRES_ACTION
        if not waits or not account.traits.offers(payment.kind, Operation.COMPLETE):
            return
        with suppress(Refused, UsageError):
            await self._run(visit, visit.cashier.complete, payment, parameters=parameters)

    def _visit(self, request: Request) -> _Visit | None:
        """Return whose account is visited; None if no tenant can have that name."""
        path = request.path_params
        tenant: str | None = path.get("tenant")
        try:
            cashier = self._cashier if tenant is None else self._cashier.for_tenant(tenant)
        except InvalidValue:
            return None
        return _Visit(cashier, tenant, path["account"])

    async def _form(self, request: Request) -> dict[str, str] | Response:
        """Return the fields of a form that a processor makes the payer's browser post."""
        if request.method != "POST":
            return {}
        try:
            return await read_fields(
                request, bytes_max=self._bytes_max, seconds_max=self._timeout_s
            )
        except TooMuch as much:
            return _refused(request, much)

    async def _read(self, request: Request) -> bytes | Response:
        try:
            return await read_body(request, bytes_max=self._bytes_max, seconds_max=self._timeout_s)
        except TooMuch as much:
            return _refused(request, much)

    async def _take(self, visit: _Visit, verb: Callable[..., Any], *args: Any) -> Any:
        """Run *verb* for a processor."""
        async with self._share(visit):
            return await call(self._callback_threads(), verb, *args)

    async def _run(self, visit: _Visit, verb: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """Run *verb* for a returning payer."""
        from anyio import CapacityLimiter

        threads = of_this_loop(self._for_returns, lambda: CapacityLimiter(RETURN_THREADS))
        async with self._share(visit):
            return await call(threads, verb, *args, **more)

    def _share(self, visit: _Visit) -> AbstractAsyncContextManager[None]:
        """Return the block in which something is done for one of many tenants."""
        from paygate.web.shares import Shares

        if visit.tenant is None:
            return nullcontext()
        return of_this_loop(self._shares, lambda: Shares(TENANT_THREADS)).of(visit.tenant)

    def _callback_threads(self) -> CapacityLimiter:
        from anyio import CapacityLimiter

        return of_this_loop(self._for_callbacks, lambda: CapacityLimiter(CALLBACK_THREADS))


def _headers(request: Request) -> dict[str, str]:
    """Return the headers; several with one name are joined, as HTTP allows."""
    headers: dict[str, str] = {}
    for name, text in request.headers.items():
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


def _refused(request: Request, much: TooMuch) -> Response:
    """Return the reply to a body that is too long, too slow, or not a form."""
    texts = {413: "too long", 408: "too slow"}
    if much.status in texts:
        return _hang_up(request, much.status, texts[much.status])
    return _plain(much.status, "refused")


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
