"""What belongs to a member: everything else is not found, like what does not exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.web.pages.names import brand_name
from paygate.web.pages.visits import NotThereError
from paygate.web.pages.ways import WAYS
from paygate.web.texts import Text, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.domain.invoice import Invoice
    from paygate.domain.link import PaymentLink
    from paygate.domain.method import PaymentMethod
    from paygate.domain.payment import Payment
    from paygate.domain.subscription import Subscription
    from paygate.web.portal.visit import PortalVisit

INVOICES_MAX = 1_000
_METHODS_MAX = 100


async def payment_of(visit: PortalVisit) -> Payment:
    """Return the payment in the address."""
    found: Payment = await visit.run(visit.cashier.payment, visit.params["payment"])
    if found.customer != visit.member.customer:
        raise NotThereError
    return found


async def method_of(visit: PortalVisit) -> PaymentMethod:
    """Return the stored method in the address, unless it was deleted."""
    found: PaymentMethod = await visit.run(visit.cashier.method, visit.params["method"])
    if found.customer != visit.member.customer or found.forgotten_at is not None:
        raise NotThereError
    return found


async def link_of(visit: PortalVisit) -> PaymentLink:
    """Return the payment link in the address."""
    found: PaymentLink = await visit.run(visit.cashier.link_by_id, visit.params["link"])
    if found.customer != visit.member.customer:
        raise NotThereError
    return found


async def open_invoices(visit: PortalVisit) -> list[Invoice]:
    """Return the member's open invoices, the oldest due date first."""
    found: list[Invoice] = await visit.run(
        visit.cashier.open_invoices, visit.member.customer, limit=INVOICES_MAX
    )
    return found


async def stored_methods(visit: PortalVisit) -> list[PaymentMethod]:
    """Return the member's stored methods, the default one first."""
    found: Sequence[PaymentMethod] = await visit.run(
        visit.cashier.methods, visit.member.customer, limit=_METHODS_MAX
    )
    kept = [each for each in found if each.forgotten_at is None]
    return sorted(kept, key=lambda each: not each.is_default)


async def subscription_of(visit: PortalVisit) -> Subscription | None:
    """Return the member's automatic payment; None if it has ended."""
    found: Subscription | None = await visit.run(visit.cashier.subscription, visit.member.customer)
    return None if found is None or found.status.value == "ended" else found


def name_of(method: PaymentMethod) -> Text:
    """Return what a member knows a stored method by, such as ``Visa ending 4242``."""
    way = WAYS.get(method.kind)
    kind = Text(way.label, {"processor": method.account}) if way else Text("")
    if not method.last4:
        return kind
    brand = brand_name(method.brand) or kind
    return text("{brand} ending {digits}", brand=brand, digits=method.last4)


def icon_of(method: PaymentMethod) -> str:
    """Return the icon of a stored method."""
    way = WAYS.get(method.kind)
    return way.icon if way else "wallet"
