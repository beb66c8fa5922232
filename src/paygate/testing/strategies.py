"""Hypothesis strategies for money, customers, invoices, outcomes and callbacks.

They need the extra ``testing``. They draw only values that paygate itself accepts: if a
property fails for one of them, the fault is in your code.

    >>> from hypothesis import given
    >>> from paygate.testing import strategies
    >>> @given(strategies.money("USD"))
    ... def test_nothing_is_lost(amount):
    ...     assert sum(part.minor for part in amount.split([1, 1, 1])) == amount.minor
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

from paygate.domain.action import Redirect
from paygate.domain.currency import SCALES
from paygate.domain.customer import Customer, PostalAddress
from paygate.domain.money import Money
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    DeclineCode,
    Declined,
    Ended,
    Ending,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.gateway import Callback

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from paygate.domain.outcome import Outcome

MINOR_MAX: Final = 10_000_000_00
"""The largest amount that is drawn by default, in minor units: ten million dollars."""

_COMMON: Final = ("USD", "EUR", "JPY", "KWD")
_DAYS: Final = st.dates(date(2000, 1, 1), date(2099, 12, 31))
_INSTANTS: Final = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001  (`timezones` adds the zone)
    datetime(2099, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)
# Every store accepts these names: they have no control characters and no lone surrogates.
_NAMES: Final = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40)
_IDS: Final = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,30}", fullmatch=True)
_ZONES: Final = ("", "UTC", "America/New_York", "Europe/Prague", "Asia/Kathmandu")


def currencies() -> SearchStrategy[str]:
    """Draw a currency code: often one of a few with different scales, else any known one."""
    return st.one_of(st.sampled_from(_COMMON), st.sampled_from(sorted(SCALES)))


def money(
    currency: str | None = None, *, minor_min: int = 1, minor_max: int = MINOR_MAX
) -> SearchStrategy[Money]:
    """Draw an amount above zero, in *currency* or in any currency."""
    codes = st.just(currency) if currency else currencies()
    return st.builds(Money, codes, st.integers(minor_min, minor_max))


def addresses() -> SearchStrategy[PostalAddress]:
    """Draw an address; any of its parts may be missing."""
    some = st.one_of(st.just(""), _NAMES)
    return st.builds(
        PostalAddress,
        line1=some,
        line2=some,
        city=some,
        region=some,
        postal_code=some,
        country=st.sampled_from(("", "US", "CZ", "JP", "NP")),
    )


def customers() -> SearchStrategy[Customer]:
    """Draw a customer; everything except the id may be missing."""
    some = st.one_of(st.just(""), _NAMES)
    return st.builds(
        Customer,
        id=_IDS,
        name=some,
        email=st.one_of(st.just(""), st.emails().filter(lambda each: len(each) < 100)),
        phone=st.one_of(st.just(""), st.from_regex(r"\+[1-9][0-9]{6,13}", fullmatch=True)),
        address=addresses(),
        zone=st.sampled_from(_ZONES),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The facts of an invoice to issue: ``cashier.issue(**draft.facts)``."""

    number: str
    customer: Customer
    total: Money
    due: date

    @property
    def facts(self) -> dict[str, object]:
        """The facts, by the names of the arguments of `issue`."""
        return {
            "number": self.number,
            "customer": self.customer,
            "total": self.total,
            "due": self.due,
        }


def invoices(
    *, currency: str | None = None, customer: Customer | None = None
) -> SearchStrategy[Draft]:
    """Draw the facts of an invoice."""
    return st.builds(
        Draft,
        number=_IDS,
        customer=customers() if customer is None else st.just(customer),
        total=money(currency),
        due=_DAYS,
    )


def movements(
    amount: Money | None = None, kind: MovementKind = MovementKind.CHARGE
) -> SearchStrategy[Movement]:
    """Draw a movement of *amount*, or of any amount."""
    return st.builds(
        Movement,
        movement_id=_IDS,
        amount=money() if amount is None else st.just(amount),
        kind=st.just(kind),
        effective=st.one_of(st.none(), _DAYS, _INSTANTS),
    )


def outcomes(amount: Money | None = None) -> SearchStrategy[Outcome]:
    """
    Draw what a processor may decide about a charge of *amount*, or of any amount.

    An approval moves the amount in one movement; every other outcome moves nothing.
    """
    amounts = money() if amount is None else st.just(amount)
    approved = amounts.flatmap(
        lambda each: st.builds(Approved, reference=_IDS, movements=st.tuples(movements(each)))
    )
    return st.one_of(
        approved,
        st.builds(Authorized, amount=amounts, reference=_IDS),
        st.builds(
            Declined,
            code=st.sampled_from(DeclineCode),
            raw_code=_IDS,
            retryable=st.booleans(),
            reference=_IDS,
        ),
        st.builds(
            Rejected, cause=st.sampled_from(RejectCause), retryable=st.booleans(), raw_code=_IDS
        ),
        st.builds(Pending, reference=_IDS, expected_at=st.one_of(st.none(), _INSTANTS)),
        st.builds(
            ActionRequired,
            action=_IDS.map(lambda each: Redirect(url=f"https://pay.example/{each}")),
            reference=_IDS,
        ),
        st.builds(Ended, how=st.sampled_from(Ending), reference=_IDS),
        st.builds(Unknown, reason=_NAMES, reference=_IDS),
    )


def callbacks(*, path: str = "/callbacks/card") -> SearchStrategy[Callback]:
    """
    Draw a callback as anybody may send it to a host's callback address.

    None is signed with a key that you know, so each of them must be refused.
    """
    names = st.one_of(
        st.sampled_from(("content-type", "x-signature", "stripe-signature", "authorization")),
        st.from_regex(r"x-[a-z]{1,20}", fullmatch=True),
    )
    return st.builds(
        Callback,
        method=st.sampled_from(("POST", "GET")),
        path=st.just(path),
        headers=st.dictionaries(names, st.text(max_size=80), max_size=5),
        body=st.binary(max_size=300),
        query=st.one_of(st.just(""), _IDS.map(lambda each: f"id={each}")),
        received_at=_INSTANTS,
    )
