"""The counter at which requests arrive: who asks, whether they may, and what the answer is."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from paygate import logs
from paygate.domain.api_key import ApiScope, digest_of_secret, is_api_secret
from paygate.domain.secret import Secret
from paygate.errors import ApiKeyNotFound, InvalidValue, PaygateError, UsageError
from paygate.web.api.problems import HEADERS, ProblemError, problem_of, problem_response
from paygate.web.api.reading import read_body_as, read_json, read_query_as
from paygate.web.bodies import TooMuch, read_body
from paygate.web.calling import call, of_this_loop
from paygate.web.pages.limits import Counter, visitor_of
from paygate.web.settings import WebSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from anyio import CapacityLimiter
    from anyio.lowlevel import RunVar
    from pydantic import BaseModel
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from paygate.cashier.within import Within
    from paygate.domain.api_key import ApiKey
    from paygate.web.pages.visits import AnyCashier, SettingsOf
    from paygate.web.shares import Shares

LOGGER: Final = "paygate.web"
"""The logger of requests that are refused."""

API_THREADS: Final = 40
"""How many requests a `Cashier` answers at once."""

TENANT_THREADS: Final = 10
"""How many requests of one tenant are answered at once, of many tenants."""

BODY_SECONDS_MAX: Final = 10.0
KEY_IS_KNOWN_FOR: Final = timedelta(minutes=10)
"""For how long after its last use a key is answered although its address guesses others."""

IDEMPOTENCY_KEY: Final = re.compile(r"[!-~]{1,128}")
_PLACE: Final = re.compile(r"[^\x00-\x1f\x7f]{1,255}")
_KNOWN_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is well formed, and may be made."""

    cashier: AnyCashier
    web: WebSettings
    api_key: ApiKey
    place: str
    """What the address names, or an empty text."""
    query: Any
    body: Any
    key: str
    """The idempotency key, or an empty text."""
    digest: str
    run: Callable[..., Awaitable[Any]]

    @property
    def verb_key(self) -> str:
        """The key of the verbs of this request: of two API keys, each has its own."""
        return f"{self.api_key.id} {self.key}"

    async def once(self, work: Callable[[Within], Any]) -> Any:
        """Do *work* in one transaction, once."""
        return await self.run(
            self.cashier.once, self.api_key, self.key, digest=self.digest, work=work
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an endpoint answers: a model, or a file of some media type."""

    body: BaseModel | bytes
    media_type: str = "application/json"
    location: str = ""
    """The address of what was made, below the application."""
    file_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An address of the API and what it does: the application and its description read this."""

    method: str
    path: str
    name: str
    """What generated clients call it."""
    summary: str
    scope: ApiScope
    answer: Callable[[Asked], Awaitable[Answer]]
    answers: type[BaseModel] | None
    """What it answers; None for a file."""
    status: int = 200
    takes: type[BaseModel] | None = None
    """Its body; with one it needs an idempotency key."""
    asks: type[BaseModel] | None = None
    """Its query."""
    media_type: str = "application/json"
    leads_to: tuple[str, ...] = ()
    """The endpoints whose addresses name what this one makes."""

    @property
    def place(self) -> str:
        """The name of the parameter in its path, or an empty text."""
        found = re.search(r"{(\w+)}", self.path)
        return "" if found is None else found[1]


class ApiCounter:
    """Answers requests."""

    def __init__(
        self,
        cashier: AnyCashier,
        web: WebSettings | SettingsOf,
        *,
        bytes_max: int,
        refused_per_minute: int,
    ) -> None:
        from anyio.lowlevel import RunVar

        self._cashier = cashier
        self._web = web
        self._bytes_max = bytes_max
        # The limiters belong to one event loop; the application may outlive it.
        self._threads: RunVar[CapacityLimiter] = RunVar("API threads")
        self._shares: RunVar[Shares] = RunVar("shares of the API")
        self._refused = Counter(refused_per_minute, timedelta(minutes=1))
        self._known: dict[str, Any] = {}

    def serving(self, endpoints: Mapping[str, Endpoint]) -> ASGIApp:
        """Return the application of one address, with its endpoints by method."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            from starlette.requests import Request

            response = await self._served(Request(scope, receive), endpoints)
            await response(scope, receive, send)

        return _Served(serve)

    async def _served(self, request: Request, endpoints: Mapping[str, Endpoint]) -> Response:
        try:
            return await self._answered(request, _chosen(request.method, endpoints))
        except ProblemError as problem:
            return problem_response(problem)
        except PaygateError as error:
            return problem_response(problem_of(error))

    async def _answered(self, request: Request, endpoint: Endpoint) -> Response:
        from starlette.responses import Response

        cashier, web = await self._merchant(request)
        api_key = await self._admitted(request, cashier, web, endpoint)
        asked = await self._asked(request, endpoint, cashier, web, api_key)
        try:
            answer = await endpoint.answer(asked)
        except UsageError as error:
            problem = problem_of(error)
            if endpoint.takes is None and problem.status == 422:
                problem.status = 400  # there is no body; the query is wrong
            raise problem from None
        headers = dict(HEADERS)
        if answer.location:
            root = str(request.scope.get("root_path", ""))
            tenant = request.path_params.get("tenant", "")
            headers["location"] = "/".join(filter(None, [root, tenant])) + answer.location
        if answer.file_name:
            headers["content-disposition"] = f'attachment; filename="{answer.file_name}"'
        body = answer.body
        written = body if isinstance(body, bytes) else body.model_dump_json().encode()
        return Response(
            written, status_code=endpoint.status, headers=headers, media_type=answer.media_type
        )

    # --- Who asks ----------------------------------------------------------------------------

    async def _merchant(self, request: Request) -> tuple[AnyCashier, WebSettings]:
        tenant: str = request.path_params.get("tenant", "")
        if isinstance(self._web, WebSettings):
            return self._cashier, self._web
        try:
            cashier = self._cashier.for_tenant(tenant)
            web: WebSettings = await call(self._api_threads(), self._web, tenant)
        except (LookupError, InvalidValue):
            raise ProblemError(404, "there is nothing at this address") from None
        return cashier, web

    async def _admitted(
        self, request: Request, cashier: AnyCashier, web: WebSettings, endpoint: Endpoint
    ) -> ApiKey:
        """Return the key of the request; raise `ProblemError` unless it may be made with it."""
        visitor = visitor_of(request, web.trusted_proxies)
        secret = _secret_of(request.headers.getlist("authorization"))
        digest = "" if secret is None else f"{cashier.tenant} {digest_of_secret(secret)}"
        now = cashier.now()
        full = self._refused.is_full(visitor, now)
        if full and now >= self._known.get(digest, now):
            raise ProblemError(429, "too many requests with a wrong key came from your address")
        found = await self._recognized(cashier, secret)
        if found is None:
            self._known.pop(digest, None)
            self._refuse(visitor, cashier)
            raise ProblemError(
                401,
                "send the secret of a live key of this merchant: Authorization: Bearer pgk_…",
                headers={"www-authenticate": "Bearer"},
            )
        if len(self._known) >= _KNOWN_MAX:
            self._known.clear()
        self._known[digest] = now + KEY_IS_KNOWN_FOR
        if endpoint.scope not in found.scopes:
            scope = endpoint.scope.value
            raise ProblemError(
                403,
                f"this needs a key with the scope {scope}",
                headers={"www-authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
            )
        return found

    async def _recognized(self, cashier: AnyCashier, secret: Secret[str] | None) -> ApiKey | None:
        if secret is None:
            return None
        try:
            found: ApiKey = await self._run(cashier, cashier.api_key_of, secret)
        except ApiKeyNotFound:
            return None
        return found

    def _refuse(self, visitor: str, cashier: AnyCashier) -> None:
        """Count a wrong key, and write it to the log; the first one too many is a warning."""
        now = cashier.now()
        self._refused.add(visitor, now)
        about = logs.About(tenant=cashier.tenant)
        text = f"a request from {visitor} came without the secret of a live API key"
        logs.write(LOGGER, "api.key_refused", text, about)
        if self._refused.is_full(visitor, now):
            text = f"{visitor} sends many wrong API keys, and is refused for a minute"
            logs.write(LOGGER, "api.keys_guessed", text, about)

    # --- What is asked -----------------------------------------------------------------------

    async def _asked(
        self,
        request: Request,
        endpoint: Endpoint,
        cashier: AnyCashier,
        web: WebSettings,
        api_key: ApiKey,
    ) -> Asked:
        query = None
        if endpoint.asks is not None:
            query = read_query_as(endpoint.asks, request.url.query)
        elif request.url.query:
            raise ProblemError(400, "this address takes no query")
        place = str(request.path_params.get(endpoint.place, ""))
        if endpoint.place and not _PLACE.fullmatch(place):
            raise ProblemError(404, "there is nothing at this address")
        body, key, digest = None, "", ""
        if endpoint.takes is not None:
            key = _idempotency_key(request)
            given = read_json(await self._body(request))
            body = read_body_as(endpoint.takes, given)
            digest = _digest(endpoint, place, given)
        acting = cashier.acting_as(f"api {api_key.name}"[:255])

        async def run(verb: Callable[..., Any], *args: Any, **more: Any) -> Any:
            return await self._run(acting, verb, *args, **more)

        return Asked(acting, web, api_key, place, query, body, key, digest, run)

    async def _body(self, request: Request) -> bytes:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise ProblemError(415, "send JSON: Content-Type: application/json")
        try:
            return await read_body(request, bytes_max=self._bytes_max, seconds_max=BODY_SECONDS_MAX)
        except TooMuch as much:
            detail = f"a body can have {self._bytes_max:,} bytes"
            raise ProblemError(much.status, detail) from None

    # --- Calling the cashier -----------------------------------------------------------------

    async def _run(
        self, cashier: AnyCashier, verb: Callable[..., Any], *args: Any, **more: Any
    ) -> Any:
        async with self._share(cashier):
            return await call(self._api_threads(), verb, *args, **more)

    def _api_threads(self) -> CapacityLimiter:
        from anyio import CapacityLimiter

        return of_this_loop(self._threads, lambda: CapacityLimiter(API_THREADS))

    def _share(self, cashier: AnyCashier) -> AbstractAsyncContextManager[None]:
        from paygate.web.shares import Shares

        if not self._cashier.serves_all:
            return nullcontext()
        shares = of_this_loop(self._shares, lambda: Shares(TENANT_THREADS))
        return shares.of(cashier.tenant)


class _Served:
    """An ASGI application; Starlette lets one that is no function take every method."""

    def __init__(self, serve: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._serve(scope, receive, send)


def _chosen(method: str, endpoints: Mapping[str, Endpoint]) -> Endpoint:
    found = endpoints.get(method)
    if found is None:
        allow = ", ".join(sorted(endpoints))
        raise ProblemError(405, f"use {allow}", headers={"allow": allow})
    return found


def _secret_of(headers: list[str]) -> Secret[str] | None:
    """Return the secret in the only header ``Authorization``, or None."""
    if len(headers) != 1:
        return None
    scheme, _, credentials = headers[0].partition(" ")
    given = Secret(credentials.strip())
    del credentials
    if scheme.lower() != "bearer" or not is_api_secret(given.reveal()):
        return None
    return given


def _idempotency_key(request: Request) -> str:
    found = request.headers.getlist("idempotency-key")
    if len(found) != 1 or not IDEMPOTENCY_KEY.fullmatch(found[0]):
        raise ProblemError(
            400,
            "send one header Idempotency-Key: 1 to 128 printable ASCII characters without spaces, "
            "the same for each repetition of this request and for no other",
            name="idempotency-key-missing",
        )
    return found[0]


def _digest(endpoint: Endpoint, place: str, given: Mapping[str, Any]) -> str:
    """Return what stands for the content of a request; spaces and order do not matter."""
    content = json.dumps([endpoint.name, place, given], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
