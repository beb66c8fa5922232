"""What the fake offers for each kind, as traits, and its behavior beyond the traits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypedDict

from paygate.domain.charging import ChargeFact
from paygate.domain.kind import Kind, Operation
from paygate.domain.secret import OneTimeToken, RawBankAccount, RawCard
from paygate.errors import InvalidValue
from paygate.gateway import CallbackStyle, InquiryBy, Keyed, Rail, StoredToken, Traits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from paygate.domain.customer import PayerField
    from paygate.gateway import Idempotency, Limits

DRIVER_VERSION: Final = "1"


class Overrides(TypedDict, total=False):
    """The traits that a test can set by name; the others keep the fake's defaults."""

    idempotency: Idempotency
    idempotency_of: Mapping[Operation, Idempotency]
    inquiry: InquiryBy
    not_found_is_final_after: timedelta | None
    max_in_flight: timedelta
    callbacks: CallbackStyle
    merchant_account: str
    page_origins: frozenset[str]
    framable: bool
    operations: frozenset[Operation]
    currencies: frozenset[str] | None
    limits: Mapping[str, Limits]
    payer_fields: frozenset[PayerField]
    methods: frozenset[type]
    wallets: frozenset[str]
    brands: frozenset[str] | None
    takes: frozenset[ChargeFact]
    needs_return_url: bool
    immediate: bool
    payer_present: bool
    variable_amount: bool
    withdrawable: bool
    partial_capture: bool
    multiple_capture: bool
    partial_refund: bool
    refund_window: timedelta | None
    reports_settlement: bool
    refundable_after: int | None
    settles_within: timedelta | None
    return_lag: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """The processor's behavior beyond its traits: mostly, how long things take.

    With `needs_complete` a payer's approval moves no money until `complete` does. Money that
    a payer paid on a page or slip is pending for `page_clears_after`; with None it arrives at
    once. `inquiry_lag` is how long an operation stays invisible to inquiries; a page of a
    list or feed contains `page_size` rows. Received money is paid out after `pays_out_after`,
    minus `fee_percent` of it; with None it is paid out only when the test calls `pay_out`.
    """

    needs_complete: bool = False
    page_clears_after: timedelta | None = None
    inquiry_lag: timedelta = timedelta()
    late_after: timedelta = timedelta(minutes=1)
    pending_for: timedelta = timedelta(days=1)
    voidable_for: timedelta = timedelta(days=1)
    hold_expires_after: timedelta = timedelta(days=7)
    e_check_settles_after: timedelta = timedelta(days=3)
    e_check_returns_after: timedelta = timedelta(days=2)
    page_expires_after: timedelta = timedelta(minutes=30)
    voucher_expires_after: timedelta = timedelta(days=7)
    quote_expires_after: timedelta = timedelta(hours=1)
    bitcoin_confirms_after: timedelta = timedelta(minutes=30)
    page_size: int = 100
    pays_out_after: timedelta | None = None
    fee_percent: int = 0


_MONEY_BACK = {Operation.VOID, Operation.REFUND}
_STORING = {Operation.ENROLL, Operation.FORGET}
_TOKENS = frozenset({OneTimeToken, StoredToken})

RAILS: Final[Mapping[Kind, Rail]] = {
    Kind.CARD: Rail(
        operations=frozenset(
            {Operation.CHARGE, Operation.AUTHORIZE, Operation.CAPTURE, Operation.COMPLETE}
            | {Operation.WITHDRAW}
            | _MONEY_BACK
            | _STORING
        ),
        methods=_TOKENS | {RawCard},
        partial_capture=True,
        multiple_capture=True,
    ),
    Kind.E_CHECK: Rail(
        operations=frozenset({Operation.CHARGE} | _MONEY_BACK | _STORING),
        methods=_TOKENS | {RawBankAccount},
        immediate=False,
        withdrawable=False,
    ),
    Kind.REDIRECT: Rail(
        operations=frozenset(
            {Operation.CHARGE, Operation.COMPLETE, Operation.WITHDRAW, Operation.REFUND}
        ),
        needs_return_url=True,
        immediate=False,
        payer_present=True,
    ),
    Kind.VOUCHER: Rail(
        operations=frozenset({Operation.CHARGE, Operation.WITHDRAW}),
        immediate=False,
        payer_present=True,
        variable_amount=True,
    ),
    Kind.QR: Rail(
        operations=frozenset({Operation.CHARGE, Operation.WITHDRAW, Operation.REFUND}),
        immediate=False,
        payer_present=True,
    ),
    Kind.PUSH: Rail(
        operations=frozenset({Operation.CHARGE, Operation.WITHDRAW, Operation.REFUND}),
        immediate=False,
        payer_present=True,
    ),
    Kind.BITCOIN: Rail(
        operations=frozenset({Operation.CHARGE, Operation.WITHDRAW}),
        immediate=False,
        payer_present=True,
        variable_amount=True,
    ),
}
"""What each kind can do by default."""

_ALSO: Final[Mapping[str, object]] = {
    "reports_settlement": True,
    "takes": frozenset(ChargeFact),
}
"""What each kind can do besides: the fake keeps every fact about a charge."""

_OF_ACCOUNT = frozenset(Traits.__dataclass_fields__)


def fake_traits(kinds: Iterable[Kind] = RAILS, overrides: Overrides | None = None) -> Traits:
    """Return the traits of a fake account that serves *kinds*, with *overrides* for each."""
    given: dict[str, Any] = dict(overrides or {})
    known = Overrides.__optional_keys__
    if not given.keys() <= known:
        wrong = ", ".join(sorted(given.keys() - known))
        raise InvalidValue(f"the fake has no trait {wrong}; known are {', '.join(sorted(known))}")
    of_account = {name: value for name, value in given.items() if name in _OF_ACCOUNT}
    of_rail = {name: value for name, value in given.items() if name not in _OF_ACCOUNT}
    default = Traits(
        live=False,
        merchant_account="fake-merchant",
        driver_version=DRIVER_VERSION,
        rails={kind: replace(_rail(kind), **{**_ALSO, **of_rail}) for kind in kinds},
        idempotency=Keyed(ttl=timedelta(hours=24)),
        inquiry=InquiryBy.OUR_REF,
        not_found_is_final_after=timedelta(minutes=5),
        max_in_flight=timedelta(minutes=2),
        callbacks=CallbackStyle.ACKNOWLEDGED,
    )
    return replace(default, **of_account)


def page_traits(kinds: Iterable[Kind] = RAILS) -> Traits:
    """
    Return the traits of a fake account whose payers enter cards and accounts on its page.

    What they store there can be charged without them.
    """
    traits = fake_traits(kinds)
    methods = frozenset({type(None), StoredToken})
    on_page = {
        kind: replace(traits.rails[kind], methods=methods)
        for kind in (Kind.CARD, Kind.E_CHECK)
        if kind in traits.rails
    }
    return replace(traits, rails={**traits.rails, **on_page})


def _rail(kind: Kind) -> Rail:
    if kind not in RAILS:
        served = ", ".join(RAILS)
        raise InvalidValue(f"the fake has no {kind} rail; it serves {served}")
    return RAILS[kind]
