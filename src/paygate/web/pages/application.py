"""The application of the payment pages: links, payments, and the way back from the processor.

``/l/{token}`` is a link, ``/p/{token}`` a payment. To open a page stores nothing, because mail
scanners open links, too. A form that is sent needs the origin of these pages and a try, which is
signed and valid once; whatever it leads to is shown by a page of its own, so that reload and back
repeat nothing. Absolute addresses come from `WebSettings.base_url`, never from a request.

Every token that leads nowhere gets the same page, byte by byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paygate.errors import InvalidValue, MissingExtra

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from paygate.web.pages.visits import AnyCashier, SettingsOf
    from paygate.web.settings import WebSettings


def pages(cashier: AnyCashier, web: WebSettings | SettingsOf) -> ASGIApp:
    """
    Return the application of the payment pages, to mount at the path of `WebSettings.base_url`.

    It serves the links and payments of *cashier*, which was opened with ``page_keys``. A cashier
    that was opened with ``merchants=`` and without ``tenant=`` serves all tenants, each under its
    name: ``/{tenant}/l/{token}``. Then *web* is a function that returns the settings of a tenant,
    and raises a `LookupError` for one that has no pages; their ``base_url`` ends with that name.

    Raises `MissingExtra` without the extras ``web`` and ``slips``.
    """
    try:
        from starlette.applications import Starlette
        from starlette.routing import Route
    except ImportError as error:
        raise MissingExtra(
            "the payment pages need Starlette; pip install 'paygate-sdk[web,slips]'", extra="web"
        ) from error
    from paygate.web.pages.payment_pages import PaymentPages

    _require_codes()
    if cashier.serves_all is not callable(web):
        raise InvalidValue(
            "web is the settings of the pages, or with a cashier for all tenants a function that "
            "returns those of a tenant",
            argument="web",
        )
    desk = PaymentPages(cashier, web)
    of_tenant = "/{tenant}" if cashier.serves_all else ""
    both, get = ["GET", "POST"], ["GET"]
    routes: tuple[tuple[str, Any, list[str]], ...] = (
        ("/page.js", desk.page_js, get),
        ("/popup.js", desk.popup_js, get),
        ("/l/{token}", desk.link, both),
        ("/p/{token}", desk.payment, both),
        ("/p/{token}/state", desk.state, get),
        ("/p/{token}/back", desk.back, both),
        ("/p/{token}/slip", desk.slip, get),
        ("/p/{token}/receipt", desk.receipt, get),
        ("/p/{token}/slip.pdf", desk.slip_pdf, get),
        ("/p/{token}/receipt.pdf", desk.receipt_pdf, get),
    )
    app = Starlette(
        routes=[
            Route(f"{of_tenant}{path}", endpoint, methods=methods)
            for path, endpoint, methods in routes
        ],
        exception_handlers={404: desk.not_found, 405: desk.not_found, Exception: desk.broken},
    )
    # A redirect would repeat the Host header of the client.
    app.router.redirect_slashes = False
    return app


def _require_codes() -> None:
    """Raise `MissingExtra` now, rather than when the first payer needs a code."""
    from paygate.slips import code128_svg, qr_svg

    _ = qr_svg("0"), code128_svg("0")
