"""Ways to pay: the kinds of payment, at which gateway accounts, that a payer can choose from.

They follow from the accounts: what they take, in which currency and within which limits, and from
the link, which may name accounts and ask for an immediate result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.kind import Kind, Operation
from paygate.domain.link import WayToPay
from paygate.domain.money import Money
from paygate.errors import WayNotOffered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.domain.link import PaymentLink
    from paygate.gateway import Rail
    from paygate.service.account import GatewayAccount


def of_link(link: PaymentLink, accounts: Mapping[str, GatewayAccount]) -> list[WayToPay]:
    """Return the ways to pay *link*, by account in the order of the link, or else of *accounts*."""
    names = link.accounts or tuple(accounts)
    return [
        way
        for account in (accounts[name] for name in names if name in accounts)
        for kind in account.traits.rails
        for way in [_way(link, account, kind)]
        if way is not None
    ]


def check(link: PaymentLink, account: GatewayAccount, kind: Kind) -> None:
    """Raise `WayNotOffered` unless *link* can be paid by *kind* at *account*."""
    allowed = not link.accounts or account.name in link.accounts
    if not allowed or not _is_fit(link, account, kind):
        raise WayNotOffered(
            f"payment link {link.id} cannot be paid by {kind} at the account {account.name!r}; "
            "ways_to_pay lists what a payer can choose",
            link=link.id,
            account=account.name,
            kind=kind.value,
        )


def _is_fit(link: PaymentLink, account: GatewayAccount, kind: Kind) -> bool:
    """Return whether payments of *kind* have the properties that *link* asks for."""
    rail = account.traits.rails.get(kind)
    if rail is None or not account.offers(kind, Operation.CHARGE):
        return False
    return rail.immediate or not link.immediate_only


def _way(link: PaymentLink, account: GatewayAccount, kind: Kind) -> WayToPay | None:
    rail = account.traits.rails[kind]
    currency = link.currency
    takes = rail.currencies is None or currency in rail.currencies
    enabled = account.terms.enabled and currency not in account.terms.disabled
    if not _is_fit(link, account, kind) or not takes or not enabled:
        return None
    low, high = _limits(rail, currency)
    least, most = link.minimum or link.open, link.maximum or link.open
    if (low is not None and most < low) or (high is not None and least > high):
        return None
    return WayToPay(
        account=account.name,
        kind=kind,
        immediate=rail.immediate,
        hosted=not rail.methods or type(None) in rail.methods,
        needs_return_url=rail.needs_return_url,
        brands=tuple(sorted(rail.brands or ())),
        payer_fields=rail.payer_fields,
        minimum=low,
        maximum=high,
    )


def _limits(rail: Rail, currency: str) -> tuple[Money | None, Money | None]:
    found = rail.limits.get(currency)
    if found is None:
        return None, None
    bounds = (found.minimum_minor, found.maximum_minor)
    low, high = (None if each is None else Money(currency, each) for each in bounds)
    return low, high
