"""Names: what a payment page calls processors, cards and references, and how long things take."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate.domain.kind import Kind
from paygate.web.pages.ways import THE_PROCESSOR, WAYS
from paygate.web.texts import Text, several, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from paygate.domain.link import PaymentLink
    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.gateway import Rail
    from paygate.web.settings import WebSettings
    from paygate.web.texts import Value

_BRANDS: Final[Mapping[str, str]] = {
    "visa": "Visa",
    "mastercard": "Mastercard",
    "amex": "American Express",
    "discover": "Discover",
    "diners": "Diners Club",
    "jcb": "JCB",
    "unionpay": "UnionPay",
    "maestro": "Maestro",
}


def brand_names(brands: Iterable[str]) -> str:
    """Return the names of card brands as payers know them: ``Mastercard, Visa``."""
    return ", ".join(_BRANDS.get(each, each) for each in brands)


_REFERENCE_LENGTH: Final = 8
_USUAL_DAYS: Final[Mapping[Kind, int]] = {Kind.E_CHECK: 3, Kind.VOUCHER: 1, Kind.REDIRECT: 1}
_USUAL: Final[Mapping[Kind, timedelta]] = {
    Kind.BITCOIN: timedelta(hours=1),
    Kind.CARD: timedelta(days=1),
}
_SOON: Final = timedelta(minutes=5)


def processor_of(web: WebSettings, account: str) -> Value:
    """Return what payers know the processor of *account* as."""
    return web.processors.get(account) or THE_PROCESSOR


def reference_of(link: PaymentLink) -> str:
    """Return the end of the id of *link*, by which the payer names it before there is a payment."""
    return in_groups(link.id[-_REFERENCE_LENGTH:].upper())


def in_groups(reference: str) -> str:
    """Return a *reference* in two groups, as a payer reads it out on the telephone."""
    half = _REFERENCE_LENGTH // 2
    return f"{reference[:half]}-{reference[half:]}"


def receipt_number(receipt: Receipt) -> str:
    """Return the number of a payment receipt: that of the host's series, or else ours."""
    return receipt.host_number or f"{receipt.number:06}"


def usual_duration(kind: Kind, rail: Rail | None) -> Value:
    """Return how long a payment of *kind* usually takes until its result is known."""
    if rail is not None and rail.settles_within is not None:
        return rail.settles_within
    if kind in _USUAL_DAYS:
        return several("{n} working day", "{n} working days", _USUAL_DAYS[kind])
    return _USUAL.get(kind, _SOON)


def brand_name(brand: str) -> str:
    """Return the name of a card's *brand* as it is printed; one that we do not know is kept."""
    return _BRANDS.get(brand, brand)


def paid_with(payment: Payment, web: WebSettings) -> Text:
    """Return what the payer paid with: the card or account, or else the kind of payment."""
    facts = payment.method_facts
    way = WAYS.get(payment.kind)
    label = Text(way.label, {"processor": processor_of(web, payment.account)}) if way else Text("")
    if facts is None or not facts.last4:
        return label
    brand: Value = brand_name(facts.brand) or label
    return text("{brand} ending {digits}", brand=brand, digits=facts.last4)
