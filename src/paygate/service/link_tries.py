"""Tries: a payer pays a link by a form, and each form can be used once.

A payer clicks twice, reloads, goes back and sends a form again, or pays in two tabs. So each form
has a *try*: a signed text with an id of its own, the link, the amount that was shown, and the time.
Nothing is stored when a page is shown, because mail scanners open links too. The id of the try is
the key under which the payment is stored: the same form returns the same payment, whatever else it
says by then, and never charges again.

The amount that was shown is charged, or nothing: if what can be paid has changed meanwhile, because
of a payment or of one that is under way, the payer is asked again. If the payer chooses the amount,
it must be within the bounds that hold now.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from paygate.domain.link import LinkTry
from paygate.domain.money import Money
from paygate.errors import TryExpired, TryNotValid
from paygate.service import page_tokens

if TYPE_CHECKING:
    from paygate.domain.link import PaymentLink
    from paygate.ledger.tx import Tx

LIFE: Final = timedelta(hours=24)
"""How long a form can be sent after it was shown."""

LENGTH_MAX: Final = 300
_PARTS: Final = 4
_PURPOSE: Final = "try"
_SECONDS_MAX: Final = 10**11


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenTry:
    """A try that came back with a form, and whose signature is right."""

    id: str
    amount: Money
    shown_at: datetime


def begin(tx: Tx, link: PaymentLink) -> LinkTry:
    """Return a new try of *link*, for what can be paid on it now."""
    amount = link.payable
    text = f"{tx.new_id('try')}.{amount.minor}.{int(tx.now.timestamp())}"
    return LinkTry(value=f"{text}.{_signature(tx, link, text)}", amount=amount)


def read(tx: Tx, link: PaymentLink, value: str) -> GivenTry:
    """Return the try with this value, or raise `TryNotValid` if it was not made for *link*."""
    text, _, signature = value.rpartition(".")
    parts = value.split(".")
    if len(value) > LENGTH_MAX or len(parts) != _PARTS or not value.isascii():
        raise _not_valid()
    if not hmac.compare_digest(signature, _signature(tx, link, text)):
        raise _not_valid()
    id_, minor, seconds, _ = parts
    return GivenTry(
        id=id_,
        amount=Money(link.currency, int(minor)),
        shown_at=datetime.fromtimestamp(min(int(seconds), _SECONDS_MAX), UTC),
    )


def check_age(tx: Tx, link: PaymentLink, given: GivenTry) -> None:
    """Raise `TryExpired` if a form is too old to be sent."""
    if tx.now - given.shown_at > LIFE:
        raise TryExpired(
            f"the form is of {given.shown_at:%Y-%m-%d %H:%M} UTC; show the payer the current "
            "amount, and let them confirm it",
            link=link.id,
        )


def _signature(tx: Tx, link: PaymentLink, text: str) -> str:
    of = f"{link.id}\0{link.generation}\0{text}"
    return page_tokens.keys_of(tx).signature(_PURPOSE, tx.tenant, of, link.key_id)


def _not_valid() -> TryNotValid:
    return TryNotValid(
        "the form does not come from the page of this payment link; show that page again",
        argument="given",
    )
