"""The application of the API, to mount next to the payment pages.

Each request has a key in its header ``Authorization``. It is answered in the order: is there such
an address, may this method be used, who asks, may they, and is what they ask well formed. Whatever
is refused is a problem (RFC 9457) in JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.errors import InvalidValue, MissingExtra

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from paygate.web.pages.visits import AnyCashier, SettingsOf
    from paygate.web.settings import WebSettings

BODY_BYTES_MAX: Final = 64 * 1024
"""The longest body of a request; a prepayment with 16 KiB of data fits into it."""


def api(
    cashier: AnyCashier,
    web: WebSettings | SettingsOf,
    *,
    bytes_max: int = BODY_BYTES_MAX,
    refused_per_minute: int = 30,
) -> ASGIApp:
    """
    Return the application of the API, to mount at any path.

    Programs of the merchant call it with the keys of `add_api_key`; ``/openapi.json`` describes it.
    *web* are the settings of the payment pages, to which its links lead. A cashier that was opened
    with ``merchants=`` and without ``tenant=`` serves all tenants, each under its name:
    ``/{tenant}/v1/…``. Then *web* is a function that returns the settings of a tenant, and raises a
    `LookupError` for one that has no pages.

    A body of more than *bytes_max* is refused unread. An address from which more than
    *refused_per_minute* requests with a wrong key came within a minute gets status 429 for further
    ones; requests with a live key that was used there before are answered. Each process counts by
    itself. Raises `MissingExtra` without the extra ``web``.
    """
    try:
        from starlette.applications import Starlette
        from starlette.routing import Route
    except ImportError as error:
        raise MissingExtra(
            "the API needs Starlette; pip install 'paygate-sdk[web]'", extra="web"
        ) from error
    from paygate.web.api.counter import ApiCounter
    from paygate.web.api.endpoints import ENDPOINTS, by_path
    from paygate.web.api.openapi import description
    from paygate.web.api.problems import ProblemError, problem_response

    if cashier.serves_all is not callable(web):
        raise InvalidValue(
            "web is the settings of the pages, or with a cashier for all tenants a function that "
            "returns those of a tenant",
            argument="web",
        )
    of_tenant = "/{tenant}" if cashier.serves_all else ""
    counter = ApiCounter(cashier, web, bytes_max=bytes_max, refused_per_minute=refused_per_minute)

    async def described(request: Request) -> Response:
        from starlette.responses import JSONResponse

        return JSONResponse(description(ENDPOINTS, request.scope.get("root_path", "")))

    async def not_found(_: Request, __: Exception) -> Response:
        return problem_response(ProblemError(404, "there is nothing at this address"))

    async def broken(_: Request, __: Exception) -> Response:
        return problem_response(
            ProblemError(500, "an error of ours; send the same request again, with the same key")
        )

    app = Starlette(
        routes=[
            *(
                Route(f"{of_tenant}{path}", counter.serving(endpoints))
                for path, endpoints in by_path(ENDPOINTS).items()
            ),
            Route("/openapi.json", described),
        ],
        exception_handlers={404: not_found, Exception: broken},
    )
    # A redirect would repeat the Host header of the client.
    app.router.redirect_slashes = False
    return app
