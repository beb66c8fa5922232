"""The routes of the portal, as a table: the path of each page, what it shows and what it does."""

from __future__ import annotations

from typing import Final

from paygate.web.portal.history import show_credit, show_payment, show_payments, show_receipt
from paygate.web.portal.methods import (
    come_back,
    delete,
    pay_automatically,
    show_adding,
    show_delete,
    show_request,
    show_stop,
    show_use,
    stop,
    store,
)
from paygate.web.portal.overview import show_overview
from paygate.web.portal.paying import choose, pay, show_paying
from paygate.web.portal.serving import PortalRoute

ROUTES: Final = (
    PortalRoute(path="/", shows=show_overview),
    PortalRoute(path="/pay", shows=show_overview, acts=choose, page="pay"),
    PortalRoute(path="/pay/{link}", shows=show_paying, acts=pay, page="pay with"),
    PortalRoute(path="/payments", shows=show_payments),
    PortalRoute(path="/payments/{payment}", shows=show_payment),
    PortalRoute(path="/payments/{payment}/receipt", shows=show_receipt),
    PortalRoute(path="/credit", shows=show_credit),
    PortalRoute(path="/methods/new", shows=show_adding, acts=store, page="store"),
    PortalRoute(path="/methods/new/{method}", shows=show_adding, acts=store, page="replace"),
    PortalRoute(path="/methods/stop", shows=show_stop, acts=stop, page="stop"),
    PortalRoute(path="/methods/stored/{nonce}", shows=show_request),
    PortalRoute(path="/methods/stored/{nonce}/{method}", shows=show_request),
    PortalRoute(path="/methods/back/{nonce}", shows=come_back, takes_posts=True),
    PortalRoute(path="/methods/back/{nonce}/{method}", shows=come_back, takes_posts=True),
    PortalRoute(path="/methods/{method}/use", shows=show_use, acts=pay_automatically, page="use"),
    PortalRoute(path="/methods/{method}/delete", shows=show_delete, acts=delete, page="delete"),
)
"""The pages of the portal."""
