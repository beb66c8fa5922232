"""Offering: the form by which a link is paid, and what a payer typed into it.

The form offers what the link and the gateway accounts allow, and asks for what a way to pay needs
to know about the payer and the ledger does not. What came back is read by the same facts, so
whatever is not offered is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from paygate.domain.customer import Customer, PayerField, PostalAddress
from paygate.domain.kind import Kind
from paygate.web.amounts import amount_as_typed, read_amount
from paygate.web.pages.names import brand_names, processor_of, usual_duration
from paygate.web.pages.views import AmountField, PayerInput, PayForm, Problem, SummaryLine
from paygate.web.pages.ways import WAYS, way_to_pay
from paygate.web.texts import Text, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from paygate.domain.link import LinkTry, PaymentLink, WayToPay
    from paygate.domain.money import Money
    from paygate.service.account import GatewayAccount
    from paygate.web.languages import Language
    from paygate.web.pages.views import Way
    from paygate.web.settings import WebSettings

CHOOSE_A_WAY: Final = text("Choose how you want to pay")
CHECK_AND_SEND: Final = text("Please check the amount and press Continue again.")

_EMAIL: Final = re.compile(r"[^\s@<>\"']{1,64}@[^\s@<>\"']{1,190}")
_LENGTH_MAX: Final = 200
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """How a fact about the payer is asked for."""

    label: Text
    missing: Text
    type: str = "text"
    autocomplete: str = ""


_ASKED: Final[Mapping[PayerField, _Asked]] = {
    PayerField.NAME: _Asked(
        label=text("Name"), missing=text("Enter your name"), autocomplete="name"
    ),
    PayerField.EMAIL: _Asked(
        label=text("E-mail address"),
        missing=text("Enter an e-mail address"),
        type="email",
        autocomplete="email",
    ),
    PayerField.PHONE: _Asked(
        label=text("Telephone"),
        missing=text("Enter a telephone number"),
        type="tel",
        autocomplete="tel",
    ),
    PayerField.ADDRESS: _Asked(
        label=text("Street and number"),
        missing=text("Enter your street and number"),
        autocomplete="address-line1",
    ),
    PayerField.POSTAL_CODE: _Asked(
        label=text("Postal code"),
        missing=text("Enter your postal code"),
        autocomplete="postal-code",
    ),
    PayerField.COUNTRY: _Asked(
        label=text("Country, as two letters"),
        missing=text("Enter your country as two letters, such as US"),
        autocomplete="country",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a link offers now: a try for the form, the ways to pay, and whom it is for.

    *known* is what the ledger knows about the customer. It is never shown: a link can be in
    anybody's hands.
    """

    link: PaymentLink
    given: LinkTry
    ways: Sequence[WayToPay]
    accounts: Mapping[str, GatewayAccount]
    known: Customer | None

    def way(self, value: str) -> WayToPay | None:
        """Return the way that a form sends as *value*."""
        return next((each for each in self.ways if value_of(each) == value), None)

    @property
    def asked(self) -> list[PayerField]:
        """The facts about the payer that a way needs and the ledger lacks."""
        return _missing(self.ways, self.known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a payer chose, ready for `pay_link`."""

    account: str
    kind: Kind
    amount: Money | None = None
    payer: Customer | None = None


@dataclass(frozen=True, slots=True)
class Typed:
    """The fields of a form as they came."""

    fields: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.fields.get(name, "").strip()


def value_of(way: WayToPay) -> str:
    """Return what a form sends for *way*."""
    return f"{way.account}/{way.kind.value}"


def account_and_kind(value: str) -> tuple[str, Kind] | None:
    """Return the account and kind in a `value_of`, or None."""
    account, _, word = value.rpartition("/")
    return (account, Kind(word)) if account and word in {*Kind} else None


def payable_ways(ways: Iterable[WayToPay]) -> list[WayToPay]:
    """Return the *ways* that the pages can offer: those that need no method from a form of ours."""
    return [each for each in ways if each.hosted and each.kind in WAYS]


# --- The form ------------------------------------------------------------------------------


def form_of(
    offer: Offer,
    web: WebSettings,
    *,
    action: str,
    legend: Text,
    typed: Typed | None = None,
    problems: Sequence[Problem] = (),
) -> PayForm:
    """Return the form by which *offer* is taken, as it was *typed* and with its *problems*."""
    fields = typed or Typed({})
    return PayForm(
        action=action,
        token=offer.given.value,
        legend=legend,
        ways=tuple(_ways(offer, web)),
        chosen=fields["via"],
        amount=_amount_field(offer.link, fields["amount"]),
        inputs=tuple(_input(each, fields[each.value]) for each in offer.asked),
        problems=tuple(problems),
    )


def lines_of(link: PaymentLink) -> tuple[SummaryLine, ...]:
    """Return what is paid by *link*: each item with its amount."""
    free = link.payable != link.open
    lines: list[SummaryLine] = []
    for item in link.items:
        amount = item.open - item.claimed if free else item.open
        if amount.minor <= 0:
            continue
        if item.due is None:
            label = Text("{number}", {"number": item.name})
        else:
            label = text("{number}, due {date}", number=item.name, date=item.due)
        lines.append(SummaryLine(label, amount))
    return tuple(lines)


def _ways(offer: Offer, web: WebSettings) -> Iterable[Way]:
    for each in offer.ways:
        rail = offer.accounts[each.account].traits.rails[each.kind]
        shown = way_to_pay(
            value_of(each),
            each.kind,
            offer.given.amount,
            processor=processor_of(web, each.account),
            brands=brand_names(each.brands),
            duration=usual_duration(each.kind, rail) if each.kind is Kind.E_CHECK else None,
        )
        # If the payer chooses the amount, a button cannot name it.
        yield replace(shown, by=text("Continue")) if offer.link.chosen_by_payer else shown


def _amount_field(link: PaymentLink, typed: str) -> AmountField | None:
    if link.minimum is None or link.maximum is None:
        return None
    return AmountField(typed=typed, minimum=link.minimum, maximum=link.maximum)


def _input(field: PayerField, typed: str) -> PayerInput:
    asked = _ASKED[field]
    return PayerInput(
        name=field.value,
        label=asked.label,
        value=typed,
        type=asked.type,
        autocomplete=asked.autocomplete,
    )


# --- What came back ------------------------------------------------------------------------


def read_form(offer: Offer, typed: Typed, reader: Language) -> Order | list[Problem]:
    """Return what the payer chose, or what is wrong with the form."""
    problems: list[Problem] = []
    amount: Money | None = None
    if offer.link.chosen_by_payer:
        found = _read_chosen(offer.link, typed["amount"], reader)
        amount = None if isinstance(found, Problem) else found
        problems += [found] if isinstance(found, Problem) else []
    way = offer.way(typed["via"])
    if way is None:
        return [*problems, Problem("via", CHOOSE_A_WAY)]
    needed = _missing([way], offer.known)
    problems += [
        Problem(each.value, _ASKED[each].missing)
        for each in needed
        if not _is_given(each, typed[each.value])
    ]
    if problems:
        return problems
    return Order(
        account=way.account,
        kind=way.kind,
        amount=amount,
        payer=_payer(offer, needed, typed) if needed else None,
    )


def amount_problem(link: PaymentLink, reader: Language) -> Problem:
    """Return what to say about an amount that is not within the bounds of *link*."""
    if link.minimum is None or link.maximum is None:
        return Problem("amount", CHECK_AND_SEND)
    if link.minimum == link.maximum:
        typed = amount_as_typed(link.maximum, reader)
        return Problem("amount", text("Enter an amount such as {example}", example=typed))
    return Problem(
        "amount",
        text(
            "Enter an amount between {minimum} and {maximum}",
            minimum=link.minimum,
            maximum=link.maximum,
        ),
    )


def payer_problem(field: str) -> Problem:
    """Return what to say about a fact that a gateway missed."""
    return Problem(field, _ASKED[PayerField(field)].missing)


def _read_chosen(link: PaymentLink, typed: str, reader: Language) -> Money | Problem:
    found = read_amount(typed, link.currency, reader)
    if found is None:
        example = amount_as_typed(link.maximum or link.open, reader)
        return Problem("amount", text("Enter an amount such as {example}", example=example))
    low, high = link.minimum, link.maximum
    if low is None or high is None or not low.minor <= found.minor <= high.minor:
        return amount_problem(link, reader)
    return found


def _missing(ways: Iterable[WayToPay], known: Customer | None) -> list[PayerField]:
    needed = frozenset[PayerField]().union(*(each.payer_fields for each in ways))
    return [each for each in PayerField if each in needed and not each.given_by(known)]


def _is_given(field: PayerField, typed: str) -> bool:
    if not typed or len(typed) > _LENGTH_MAX or not typed.isprintable():
        return False
    match field:
        case PayerField.EMAIL:
            return _EMAIL.fullmatch(typed) is not None
        case PayerField.PHONE:
            return sum(each.isdecimal() for each in typed) >= 3
        case PayerField.COUNTRY:
            return _COUNTRY.fullmatch(typed.upper()) is not None
        case _:
            return True


def _payer(offer: Offer, needed: Sequence[PayerField], typed: Typed) -> Customer:
    """Return the customer with what was typed; nothing that the ledger knows is replaced."""
    known = offer.known or Customer(offer.link.customer)
    given = {each: typed[each.value] for each in needed}
    old = known.address
    address = PostalAddress(
        line1=given.get(PayerField.ADDRESS, old.line1),
        line2=old.line2,
        city=old.city,
        region=old.region,
        postal_code=given.get(PayerField.POSTAL_CODE, old.postal_code),
        country=given.get(PayerField.COUNTRY, old.country).upper(),
    )
    return replace(
        known,
        name=given.get(PayerField.NAME, known.name),
        email=given.get(PayerField.EMAIL, known.email),
        phone=given.get(PayerField.PHONE, known.phone),
        address=address,
    )
