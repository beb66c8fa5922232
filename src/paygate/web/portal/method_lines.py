"""The member's stored methods as a list: what each is called, and what can be done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.web.portal.owned import icon_of, name_of, stored_methods, subscription_of
from paygate.web.portal.views import Leads, MethodLine
from paygate.web.texts import text

if TYPE_CHECKING:
    from paygate.domain.method import PaymentMethod
    from paygate.domain.subscription import Subscription
    from paygate.web.portal.visit import PortalVisit
    from paygate.web.texts import Text


async def method_lines(visit: PortalVisit) -> tuple[list[MethodLine], bool]:
    """Return the stored methods, and whether invoices are paid automatically."""
    methods = await stored_methods(visit)
    subscription = await subscription_of(visit)
    return [_line(visit, each, subscription) for each in methods], subscription is not None


def _line(
    visit: PortalVisit, method: PaymentMethod, subscription: Subscription | None
) -> MethodLine:
    at = f"/methods/{method.id}"
    pays = subscription is not None and method.is_default and method.mandate is not None
    use = [Leads(text("Use automatically"), visit.at(f"{at}/use"))]
    automatic = None
    if pays and subscription is not None:
        since = visit.reader.local_date(subscription.since)
        automatic = text("new invoices, from {date}", date=since)
    return MethodLine(
        label=name_of(method),
        icon=icon_of(method),
        notes=_notes(visit, method),
        automatic=automatic,
        leads=[
            *([] if pays or _needs_payer(visit, method) else use),
            Leads(text("Replace"), visit.at(f"/methods/new/{method.id}")),
            Leads(text("Delete"), visit.at(f"{at}/delete"), danger=True),
        ],
    )


def _needs_payer(visit: PortalVisit, method: PaymentMethod) -> bool:
    account = visit.accounts.get(method.account)
    rail = None if account is None else account.traits.rails.get(method.kind)
    return rail is None or rail.payer_present


def _notes(visit: PortalVisit, method: PaymentMethod) -> list[Text]:
    notes: list[Text] = []
    if method.expires is not None:
        when = f"{method.expires.month:02}/{method.expires.year}"
        expired = method.expires < visit.today
        notes.append(
            text("Expired {month}", month=when) if expired else text("Expires {month}", month=when)
        )
    if method.blocked_for:
        notes.append(text("It cannot be charged any more. Replace it."))
    return notes
