"""Payment links: an address that a merchant hands out, and what can be paid by following it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from paygate.domain.money import Money

if TYPE_CHECKING:
    from datetime import date, datetime

    from paygate.domain.customer import PayerField
    from paygate.domain.kind import Kind
    from paygate.domain.secret import Secret


class LinkStatus(StrEnum):
    """The status of a payment link."""

    ACTIVE = "active"
    """It can be paid."""
    USED = "used"
    """Nothing is open any more of what it is for, or it was paid as often as it can be."""
    REVOKED = "revoked"
    """The host revoked it, or closed its prepayment."""
    EXPIRED = "expired"
    """Its time has passed."""


class LinkFor(StrEnum):
    """What a payment link is for."""

    INVOICES = "invoices"
    """One or more invoices."""
    PREPAYMENT = "prepayment"
    """A prepayment, which no invoice has replaced."""
    BALANCE = "balance"
    """Whatever a customer owes when it is followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkItem:
    """An invoice or prepayment that a link is for, with its current amounts.

    `name` is what the payer knows it by: the number of an invoice, or the assignment key of a
    prepayment. `open` is what can still be paid, and `claimed` the part of that which live payments
    hold. `due` is the due date of an invoice.
    """

    id: str
    name: str
    total: Money
    open: Money
    claimed: Money
    due: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentLink:
    """A payment link, and what can be paid by following it now.

    - `items` are what it is for: invoices, or a prepayment. Once an invoice has replaced that
      prepayment, it is the invoice. A link to the balance of a customer has the
      customer's open invoices in `currency`, the oldest due date first. `open` is their sum.
    - `minimum` and `maximum` are set if the payer chooses the amount: what can be chosen now. They
      never exceed what is open, except for a link to a balance, where more becomes credit.
    - `uses` is how many payments it is for (None: any number), and `paid` how many have brought
      money that did not go back. `payment` is the last of these.
    - `accounts` are the gateway accounts that a payer can choose from (empty: all), and with
      `immediate_only` only kinds of payment whose result is immediate.
    - `token` is the secret part of its address, see `address`; None if its key is not among the
      ``page_keys`` of this cashier. `generation` counts the tokens that it has had, and `key_id`
      names that key.
    - `language`, `return_to` and `metadata` are the host's; the payment pages read them.
    """

    id: str
    customer: str
    of: LinkFor
    status: LinkStatus
    currency: str
    items: tuple[LinkItem, ...]
    open: Money
    minimum: Money | None
    maximum: Money | None
    uses: int | None
    paid: int
    payment: str | None
    expires_at: datetime | None
    accounts: tuple[str, ...]
    immediate_only: bool
    language: str
    return_to: str
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    reason: str = ""
    generation: int = 1
    key_id: str = ""
    created_at: datetime
    changed_at: datetime
    token: Secret[str] | None = None

    @property
    def chosen_by_payer(self) -> bool:
        """Whether the payer chooses the amount."""
        return self.minimum is not None

    @property
    def payable(self) -> Money:
        """What is open and not held by a payment under way; if all of it is held, what is open."""
        free = sum(each.open.minor - each.claimed.minor for each in self.items if each.open.minor)
        return Money(self.currency, free) if free > 0 else self.open

    def address(self, base_url: str) -> str:
        """Return the address to hand out; *base_url* is where the payment pages are mounted.

        Raises `PageKeysMissing` if the token is not known here.
        """
        if self.token is None:
            from paygate.errors import PageKeysMissing

            raise PageKeysMissing(
                f"the token of link {self.id} is derived from a key that is not among the "
                "page_keys; add that key, or make a new token with reissue_link"
            )
        return f"{base_url.rstrip('/')}/l/{self.token.reveal()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTry:
    """One try to pay a link: a signed text for a form, valid once, and the amount shown.

    `value` is for the form on the page, and is passed to `pay_link`. `amount` is what can be paid
    now (`PaymentLink.payable`): it is charged only if it is still the same, unless the payer
    chooses the amount.
    """

    value: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentPage:
    """The page of one payment: its token, from which `address` makes the address."""

    payment: str
    token: Secret[str]

    def address(self, base_url: str) -> str:
        """Return the address of the page; *base_url* is where the payment pages are mounted."""
        return f"{base_url.rstrip('/')}/p/{self.token.reveal()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WayToPay:
    """A kind of payment at a gateway account with which a payer can pay a link.

    With `hosted` the payer pays on a page of the processor; otherwise `pay_link` needs a `method`
    from a form of the processor. `minimum` and `maximum` are the limits of the account, if any.
    `needs_return_url` and `payer_fields` say what `pay_link` must be given. `brands` are the cards
    that the account accepts, sorted by name; empty if that is not known.
    """

    account: str
    kind: Kind
    immediate: bool
    hosted: bool
    needs_return_url: bool
    payer_fields: frozenset[PayerField] = frozenset()
    minimum: Money | None = None
    maximum: Money | None = None
    brands: tuple[str, ...] = ()
