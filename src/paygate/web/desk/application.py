"""The application of the desk: its pages, for those whom the host's session knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.errors import InvalidValue, MissingExtra
from paygate.web.desk.acting import ACT_PAGES
from paygate.web.desk.bank import BANK_PAGES
from paygate.web.desk.finding import FIND_PAGES
from paygate.web.desk.queues import QUEUE_PAGES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from paygate.domain.money import Money
    from paygate.web.desk.pages import DeskPage
    from paygate.web.desk.staff import Staff
    from paygate.web.pages.visits import AnyCashier, SettingsOf
    from paygate.web.settings import WebSettings

PAGES: Final[tuple[DeskPage, ...]] = (*FIND_PAGES, *ACT_PAGES, *BANK_PAGES, *QUEUE_PAGES)
"""The pages that every desk has, in the order of the menu."""


def desk(
    cashier: AnyCashier,
    web: WebSettings | SettingsOf,
    *,
    staff_of: Callable[[Request], Staff | Awaitable[Staff | None] | None],
    sign_in_url: str = "",
    url: str = "",
    approve_above: Sequence[Money] = (),
    pages: Sequence[DeskPage] = (),
) -> ASGIApp:
    """
    Return the application of the desk, to mount where only your staff is let in.

    - *staff_of* reads your session: it returns who is signed in, or None. It is a function, which
      runs in a thread, or a coroutine function. Without a session a visitor is sent to
      *sign_in_url*.
    - *url* is the address at which the desk is mounted, if its origin is not that of the pages.
    - *approve_above* are amounts, one for each currency: a manager who is not the clerk approves an
      act above it.
    - *pages* are pages of your own.

    A cashier for all tenants is served as by `paygate.web.pages.pages`; `Staff.tenant` says whose
    desk somebody sees. Raises `MissingExtra` without the extras ``web`` and ``slips``, and
    `InvalidValue` for settings without ``keys``, which sign the forms.
    """
    try:
        from starlette.applications import Starlette
        from starlette.routing import Route
    except ImportError as error:
        raise MissingExtra(
            "the desk needs Starlette; pip install 'paygate-sdk[web,slips]'", extra="web"
        ) from error
    from paygate.web.desk.reception import DeskReception, DeskRules

    if cashier.serves_all is not callable(web):
        raise InvalidValue(
            "web is the settings of the pages, or with a cashier for all tenants a function that "
            "returns those of a tenant",
            argument="web",
        )
    limits = {each.currency: each for each in approve_above}
    if len(limits) < len(approve_above):
        raise InvalidValue("approve_above has two amounts of a currency", argument="approve_above")
    all_pages = (*PAGES, *pages)
    rules = DeskRules(
        staff_of=staff_of, sign_in_url=sign_in_url, url=url, limits=limits, pages=all_pages
    )
    reception = DeskReception(cashier, web, rules)
    of_tenant = "/{tenant}" if cashier.serves_all else ""
    app = Starlette(
        routes=[
            Route(
                f"{of_tenant}{each.path}",
                reception.endpoint(each),
                methods=["GET"] if each.act is None else ["GET", "POST"],
            )
            for each in all_pages
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
