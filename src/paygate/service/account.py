"""Gateway accounts: a driver with settings, under a name of the host's choosing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.domain.secret import OneTimeToken
from paygate.domain.settlement import CreditOn
from paygate.errors import (
    AccountDisabled,
    AmountOutsideLimits,
    InvalidSettings,
    InvalidValue,
    MissingPayerField,
    Unsupported,
)
from paygate.gateway import (
    CAPABILITIES,
    Asks,
    AsksForRest,
    CallbackStyle,
    CarriesProcessor,
    DedupWindow,
    Feeds,
    HasPublicSettings,
    InquiryBy,
    Keyed,
    LooksUp,
    Prices,
    SignsIn,
    Verifies,
    Watches,
    foreign_version,
)
from paygate.printing import shown, shown_value
from paygate.service.gathering import Refusals
from paygate.service.hiding import Hidden
from paygate.service.secrets import secrets_in
from paygate.service.terms import Terms, read_terms

if TYPE_CHECKING:
    from paygate.domain.charging import ChargeFact
    from paygate.domain.customer import Customer
    from paygate.gateway import Gateway, Method, Rail, Traits


_BANKING_DAYS_MAX: Final = 400
_SETTLE_DAYS_MAX: Final = 366

_INSTEAD: Final = {
    Operation.REFUND: "; send the money back another way, and record that with record_refund",
    Operation.WITHDRAW: "; it stays payable, and money that comes too late becomes credit",
}
"""What can be done if a gateway does not offer an operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long we wait, and when we ask again.

    - `deadline_s`: how long we wait for one response.
    - `lease`: how long a process may take from storing an intent to sending its request; longer
      than `deadline_s`.
    - `plan`: the pauses between inquiries about an attempt of unknown outcome. After the last, the
      payment is flagged for manual review.
    - `waiting`: the pause between inquiries while the payer or the bank takes time.
    - `page_life`: when a page or slip expires whose processor names no expiry.
    - `page_watch`: how long after its expiry a page or slip is still inquired about, before it is
      flagged for review.
    - `pending_watch`: how long an accepted attempt may stay undecided, counted from its acceptance
      or from its expected end, before it is flagged for review.
    - `callback_age_max`: how far the signed time of a callback may be from its arrival. An older
      callback is refused as a replay.
    - `feed_pause`: how long `recover` waits before it reads a feed again. With None it reads no
      feed, and the host calls `read_feeds`.
    """

    deadline_s: float = 30.0
    lease: timedelta = timedelta(seconds=90)
    plan: tuple[timedelta, ...] = (
        timedelta(seconds=30),
        timedelta(minutes=2),
        timedelta(minutes=5),
        timedelta(minutes=15),
        timedelta(hours=1),
        timedelta(hours=6),
        timedelta(hours=24),
        *([timedelta(days=1)] * 6),
    )
    waiting: timedelta = timedelta(hours=6)
    page_life: timedelta = timedelta(days=30)
    page_watch: timedelta = timedelta(days=7)
    pending_watch: timedelta = timedelta(days=30)
    callback_age_max: timedelta = timedelta(seconds=300)
    feed_pause: timedelta | None = timedelta(minutes=5)

    def __post_init__(self) -> None:
        if self.lease.total_seconds() <= self.deadline_s:
            raise InvalidValue("the lease to send must be longer than the deadline of a request")

    @property
    def plan_length(self) -> timedelta:
        """Return how long the whole plan takes; an unknown outcome is then flagged for review."""
        return sum(self.plan, timedelta())

    def pause(self, step: int, waited: timedelta) -> timedelta:
        """
        Return the pause before the next inquiry to a gateway that does not answer.

        That is after *step* of the plan, or the step that corresponds to *waited*, if that is
        later. The pauses grow, but the inquiries do not stop.
        """
        ends = accumulate(self.plan)
        step = max(step, sum(end <= waited for end in ends))
        return (*self.plan, self.waiting)[min(step, max(0, len(self.plan) - 1))]


@dataclass(frozen=True, slots=True)
class GatewayAccount:
    """
    A gateway under the host's name for it; its traits and capabilities are read once.

    `traits` are those that a page may offer: those of the driver (`driver_traits`), narrowed by the
    host's terms.

    Capabilities that the gateway does not have are None:

    - `inquirer`: it can be asked about the outcome of an operation.
    - `processor`: it answers its own requests, as the fake in memory does.
    - `signs_in`: its requests need an access token.
    - `feed`, `watch`: it has a feed to read.
    - `prices`: it quotes in a currency of its own.
    - `rests`: it can ask for the rest of a payment that is paid in parts.
    - `verifier`: it receives callbacks.
    - `asker`: its network asks before it takes money.

    By rail, `credit_on` says when accepted money counts for the customer, `refundable_after` how
    many banking days after settlement it may be sent back, and `settles_within` how long
    settlement may take. `public` are the settings that a payer's browser may see, `hidden` the
    account's secrets, and `refusals` the refused callbacks that are not logged yet.
    """

    name: str
    gateway: Gateway
    traits: Traits
    driver_traits: Traits
    terms: Terms
    operations: frozenset[Operation]
    inquirer: LooksUp | None
    processor: CarriesProcessor | None
    signs_in: SignsIn | None
    feed: Feeds | None
    watch: Watches | None
    prices: Prices | None
    rests: AsksForRest | None
    verifier: Verifies | None
    asker: Asks | None
    credit_on: Mapping[Kind, CreditOn]
    refundable_after: Mapping[Kind, int]
    settles_within: Mapping[Kind, timedelta]
    hidden: Hidden
    public: Mapping[str, str]
    refusals: Refusals

    @property
    def is_polled(self) -> bool:
        """Return whether nothing but an inquiry shows what became of a page."""
        silent = self.traits.callbacks is CallbackStyle.NONE and not self.has_feed
        return silent and self.inquirer is not None

    @property
    def has_feed(self) -> bool:
        """Return whether the processor reports something only in a feed that must be read."""
        return self.feed is not None or self.watch is not None

    @classmethod
    def of(
        cls,
        name: str,
        gateway: Gateway,
        credit_on: Mapping[str, Any] | str | None = None,
        refundable_after: Mapping[str, Any] | int | None = None,
        settles_within: Mapping[str, Any] | int | None = None,
        *,
        enabled: object = True,
        by_currency: object = None,
        brands: object = None,
    ) -> GatewayAccount:
        """
        Return *gateway* as account *name*, with these terms for all rails, or by rail.

        *credit_on* is when accepted money counts. *refundable_after* is how many banking days after
        settlement money is sent back at the earliest; without it, the rail's own value applies.
        *settles_within* is in how many days accepted money must have settled; 0 means never
        checked. *enabled*, *by_currency* and *brands* narrow what it takes; see `terms`.

        Raises `Unsupported` for a foreign protocol version, and `InvalidSettings` for a rail that
        could never credit, or for a secret that the driver would make public.
        """
        traits = gateway.traits
        foreign = foreign_version(traits.protocol_version)
        if foreign:
            raise Unsupported(
                f"the driver {gateway.name} of account {name!r} can't be used: {foreign}",
                account=name,
            )
        hidden = Hidden(secrets_in(gateway))
        terms = read_terms(name, traits, enabled, by_currency, brands)
        # Checking an object against a protocol is slow, so it is done once.
        return cls(
            name=name,
            gateway=gateway,
            traits=terms.narrow(traits),
            driver_traits=traits,
            terms=terms,
            operations=frozenset(
                operation
                for operation, capability in CAPABILITIES.items()
                if isinstance(gateway, capability)
            ),
            inquirer=gateway
            if isinstance(gateway, LooksUp) and traits.inquiry is not InquiryBy.NONE
            else None,
            processor=gateway if isinstance(gateway, CarriesProcessor) else None,
            signs_in=gateway if isinstance(gateway, SignsIn) else None,
            feed=gateway if isinstance(gateway, Feeds) else None,
            watch=gateway if isinstance(gateway, Watches) else None,
            prices=gateway if isinstance(gateway, Prices) else None,
            rests=gateway if isinstance(gateway, AsksForRest) else None,
            verifier=gateway
            if isinstance(gateway, Verifies) and traits.callbacks is not CallbackStyle.NONE
            else None,
            asker=gateway
            if isinstance(gateway, Asks) and traits.callbacks is not CallbackStyle.NONE
            else None,
            credit_on=_read_credit_on(name, traits, credit_on),
            refundable_after=_read_refundable_after(name, traits, refundable_after),
            settles_within=_read_settles_within(name, traits, settles_within),
            hidden=hidden,
            public=_read_public(name, gateway, hidden),
            refusals=Refusals(),
        )

    def repeatable_for(self, operation: Operation) -> timedelta:
        """Return how long a repeated request for *operation* is not executed again."""
        match self.traits.idempotency_for(operation):
            case Keyed(ttl=ttl):
                return ttl
            case DedupWindow(window=window, returns_original=True):
                return window
            case _:
                return timedelta(0)

    @property
    def can_be_asked(self) -> bool:
        """Return whether a lost response can be determined, by inquiry or by repetition."""
        return self.inquirer is not None or any(map(self.repeatable_for, self.operations))

    def looks_up(self, *references: str) -> LooksUp | None:
        """Return the inquirer, if it can find an operation by these references or its parent's."""
        if self.traits.inquiry is InquiryBy.GATEWAY_REF and not any(references):
            return None
        return self.inquirer

    def default_kind(self, method: Method | None) -> Kind:
        """Return the only kind of payment that *method* fits, or raise `InvalidValue`."""
        rails = self.traits.rails
        fitting = [
            kind
            for kind, rail in rails.items()
            if (type(method) in rail.methods if method is not None else not rail.methods)
        ]
        if len(rails) == 1 or len(fitting) == 1:
            return next(iter(fitting or rails))
        kinds = ", ".join(self.traits.rails)
        raise InvalidValue(f"the account {self.name!r} takes {kinds}: say which with kind=")

    def rail(self, kind: Kind, operation: Operation) -> Rail:
        """Return the rail of *kind* if it offers *operation*, or raise `Unsupported`."""
        if not self.offers(kind, operation):
            raise Unsupported(
                f"the account {self.name!r} ({self.gateway.name}) cannot {operation} for {kind}"
                f"{_INSTEAD.get(operation, '')}",
                account=self.name,
                operation=str(operation),
                kind=str(kind),
            )
        return self.traits.rails[kind]

    def offers(self, kind: Kind, operation: Operation) -> bool:
        """Return whether its driver can do *operation* to payments of *kind*."""
        return operation in self.operations and self.driver_traits.offers(kind, operation)

    def offered(self, kind: Kind) -> frozenset[Operation]:
        """Return the operations of payments of *kind*; not every rail lets pages be withdrawn."""
        rail = self.driver_traits.rails[kind]
        offered = self.operations & rail.operations
        return offered if rail.withdrawable else offered - {Operation.WITHDRAW}

    def check(
        self,
        rail: Rail,
        amount: Money,
        method: Method | None,
        payer: Customer | None,
        return_url: str,
    ) -> None:
        """Raise if this rail would refuse the request, before anything is stored or sent."""
        currency = amount.currency
        self.check_enabled(currency)
        if rail.currencies is not None and currency not in rail.currencies:
            raise Unsupported(
                f"the account {self.name!r} does not take {currency}", account=self.name
            )
        self._check_limits(rail, amount)
        self.check_payer(rail, payer)
        self.check_method(rail, method)
        if rail.needs_return_url and not return_url:
            raise InvalidValue(
                f"the account {self.name!r} redirects the payer: pass the address to return to as "
                "return_url=",
                argument="return_url",
            )

    def check_enabled(self, currency: str = "") -> None:
        """Raise `AccountDisabled` if the host takes nothing new here, or not in *currency*."""
        if not self.terms.enabled:
            raise AccountDisabled(
                f"the account {self.name!r} is disabled: it takes no new payments and stores no "
                "methods; payments that it has are still captured, refunded and inquired about",
                account=self.name,
                currency="",
            )
        if currency in self.terms.disabled:
            raise AccountDisabled(
                f"{currency} is disabled at the account {self.name!r}",
                account=self.name,
                currency=currency,
            )

    def check_payer(self, rail: Rail, payer: Customer | None) -> None:
        """Raise `MissingPayerField` if *payer* lacks a field that this rail needs."""
        missing = sorted(field for field in rail.payer_fields if not field.given_by(payer))
        if missing:
            raise MissingPayerField(
                f"the account {self.name!r} needs the payer's {', '.join(missing)}; "
                "pass payer=Customer(…) with it",
                fields=[str(field) for field in missing],
            )

    def check_method(self, rail: Rail, method: Method | None) -> None:
        """Raise `Unsupported` for a method that this rail does not take, or for a missing one."""
        wallet = method.wallet if isinstance(method, OneTimeToken) else ""
        if wallet and wallet not in rail.wallets:
            raise Unsupported(
                f"the account {self.name!r} does not take the payment data of {wallet}; use a "
                "token of the processor's own",
                account=self.name,
            )
        if rail.methods and type(method) not in rail.methods:
            accepted = ", ".join(sorted(kind.__name__ for kind in rail.methods - {type(None)}))
            given = "none was given" if method is None else f"not {type(method).__name__}"
            raise Unsupported(
                f"the account {self.name!r} needs a method ({accepted}), {given}",
                account=self.name,
            )
        if method is not None and not rail.methods:
            raise Unsupported(
                f"the payer chooses the method on the page of account {self.name!r}; leave it out",
                account=self.name,
            )

    def check_facts(self, rail: Rail, given: Mapping[ChargeFact, object]) -> None:
        """Raise `Unsupported` for a fact about a charge that this rail has no field for."""
        for fact, value in given.items():
            if value and fact not in rail.takes:
                raise Unsupported(
                    f"the account {self.name!r} ({self.gateway.name}) has no field for {fact}; "
                    "leave it out here",
                    account=self.name,
                )

    def _check_limits(self, rail: Rail, amount: Money) -> None:
        limits = rail.limits.get(amount.currency)
        if limits is None:
            return
        low, high = limits.minimum_minor, limits.maximum_minor
        if (low is not None and amount.minor < low) or (high is not None and amount.minor > high):
            bounds = " to ".join(
                "any" if bound is None else str(Money(amount.currency, bound))
                for bound in (low, high)
            )
            raise AmountOutsideLimits(
                f"{amount} is outside what the account {self.name!r} takes ({bounds})",
                account=self.name,
                minimum=low,
                maximum=high,
            )


def _read_public(name: str, gateway: Gateway, hidden: Hidden) -> Mapping[str, str]:
    """Return the public settings; raise if one of them would reveal a secret."""
    if not isinstance(gateway, HasPublicSettings):
        return {}
    found = dict(gateway.public_settings())
    for setting, value in found.items():
        if type(value) is not str or hidden.blot(value) != value:
            raise InvalidSettings(
                f"the driver {gateway.name} would make {setting} of account {name!r} public, which "
                "is not text or contains a secret of the account; the account is not opened"
            )
    return found


def _read_refundable_after(
    name: str, traits: Traits, given: Mapping[str, Any] | int | None
) -> Mapping[Kind, int]:
    """Read ``5`` for all rails, or ``{"e_check": 5}`` for some of them."""
    by_kind = {
        kind: kind.returnable_for if rail.refundable_after is None else rail.refundable_after
        for kind, rail in traits.rails.items()
    }
    wanted: Mapping[Any, Any]
    wanted = given if isinstance(given, Mapping) else dict.fromkeys(traits.rails, given)
    for kind, days in wanted.items() if given is not None else ():
        if kind not in traits.rails:
            raise InvalidSettings(
                f"refundable_after of the account {name!r} names {shown(kind)}; it takes "
                f"{', '.join(traits.rails)}"
            )
        if type(days) is not int or not 0 <= days <= _BANKING_DAYS_MAX:
            raise InvalidSettings(
                f"refundable_after of the account {name!r} is a number of banking days from 0 to "
                f"{_BANKING_DAYS_MAX}"
            )
        by_kind[Kind(kind)] = days
    return by_kind


def _read_settles_within(
    name: str, traits: Traits, given: Mapping[str, Any] | int | None
) -> Mapping[Kind, timedelta]:
    """Read ``5`` for the rails that report settlement, or ``{"e_check": 12}`` for some of them."""
    reporting = [kind for kind, rail in traits.rails.items() if rail.reports_settlement]
    by_kind = {
        kind: within
        for kind in reporting
        if (within := traits.rails[kind].settles_within) is not None
    }
    wanted: Mapping[Any, Any]
    wanted = given if isinstance(given, Mapping) else dict.fromkeys(reporting, given)
    for kind, days in wanted.items() if given is not None else ():
        if kind not in reporting:
            raise InvalidSettings(
                f"settles_within of the account {name!r} names {shown(kind)}; its driver reports "
                f"settlement for {', '.join(reporting) or 'none'}"
            )
        if type(days) is not int or not 0 <= days <= _SETTLE_DAYS_MAX:
            raise InvalidSettings(
                f"settles_within of the account {name!r} is a number of days from 1 to "
                f"{_SETTLE_DAYS_MAX}, or 0 to not check it"
            )
        by_kind.pop(Kind(kind), None)
        if days:
            by_kind[Kind(kind)] = timedelta(days=days)
    return by_kind


def _read_credit_on(
    name: str, traits: Traits, given: Mapping[str, Any] | str | None
) -> Mapping[Kind, CreditOn]:
    """Read ``"settled"`` for all rails, or ``{"e_check": "settled"}`` for some of them."""
    by_kind = dict.fromkeys(traits.rails, CreditOn.ACCEPTED)
    if given is None:
        return by_kind
    wanted = dict.fromkeys(traits.rails, given) if isinstance(given, str) else given
    for kind, when in wanted.items():
        if kind not in traits.rails:
            raise InvalidSettings(
                f"credit_on of the account {name!r} names {shown(kind)}; it takes "
                f"{', '.join(traits.rails)}"
            )
        if when not in tuple(CreditOn):
            raise InvalidSettings(
                f"credit_on of the account {name!r} is 'accepted' or 'settled', "
                f"not {shown_value(when)}"
            )
        rail = traits.rails[Kind(kind)]
        if when == CreditOn.SETTLED and not rail.reports_settlement:
            raise InvalidSettings(
                f"the account {name!r} cannot credit {kind} on settlement: its driver does not "
                "report settlement; leave credit_on at 'accepted'"
            )
        by_kind[Kind(kind)] = CreditOn(when)
    return by_kind
