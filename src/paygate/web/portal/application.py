"""The application of the member portal: its pages, for members whom the host's session knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.errors import InvalidValue, MissingExtra
from paygate.web.settings import is_safe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from paygate.web.pages.visits import AnyCashier, SettingsOf
    from paygate.web.portal.fragments import Fragment
    from paygate.web.portal.member import Member
    from paygate.web.settings import WebSettings


def portal(
    cashier: AnyCashier,
    web: WebSettings | SettingsOf,
    *,
    customer_of: Callable[[Request], Member | Awaitable[Member | None] | None],
    sign_in_url: str = "",
    sign_out_url: str = "",
    url: str = "",
    render: Callable[[Request, Fragment], Any] | None = None,
    mandate_version: str = "",
) -> ASGIApp:
    """
    Return the application of the member portal.

    - *customer_of* reads your session: it returns the member who is signed in, or None. It is a
      function, which runs in a thread, or a coroutine function. A visitor without a session is sent
      to *sign_in_url*; a form of theirs does nothing. *sign_out_url* is a link on each page.
    - *url* is the address at which the portal is mounted (default: the origin of the pages, with
      the path of the mount). Members are sent there from the pages and from processors.
    - *render* puts a page into a template of yours: it gets the request and a `Fragment`, and
      returns HTML or a response of Starlette. Without it, the portal sends whole pages.
    - *mandate_version* names your own version of the text by which members allow automatic
      payment; without it, the version is a digest of the text.

    The payment pages of the same settings must be mounted at their ``base_url``. A cashier for all
    tenants is served as by `paygate.web.pages.pages`; `Member.tenant` says whose customer somebody
    is. Raises `MissingExtra` without the extras ``web`` and ``slips``, and `InvalidValue` for
    settings without ``keys``, which sign the forms.
    """
    try:
        from starlette.applications import Starlette
        from starlette.routing import Route
    except ImportError as error:
        raise MissingExtra(
            "the portal needs Starlette; pip install 'paygate-sdk[web,slips]'", extra="web"
        ) from error
    from paygate.web.portal.reception import PortalReception, PortalRules
    from paygate.web.portal.routes import ROUTES

    if cashier.serves_all is not callable(web):
        raise InvalidValue(
            "web is the settings of the pages, or with a cashier for all tenants a function that "
            "returns those of a tenant",
            argument="web",
        )
    if url and not is_safe(url):
        raise InvalidValue("url must be the https address of the portal", argument="url")
    rules = PortalRules(
        customer_of=customer_of,
        sign_in_url=sign_in_url,
        sign_out_url=sign_out_url,
        url=url.rstrip("/"),
        render=render,
        mandate_version=mandate_version,
    )
    reception = PortalReception(cashier, web, rules)
    of_tenant = "/{tenant}" if cashier.serves_all else ""
    app = Starlette(
        routes=[
            Route(f"{of_tenant}/portal.css", reception.stylesheet, methods=["GET"]),
            *(
                Route(f"{of_tenant}{each.path}", reception.endpoint(each), methods=each.methods)
                for each in ROUTES
            ),
        ],
        exception_handlers={
            404: reception.not_found,
            405: reception.not_found,
            Exception: reception.broken,
        },
    )
    # A redirect would repeat the Host header of the client.
    app.router.redirect_slashes = False
    return app
