"""Profiles: the processors of a schedule, each with its traits, habits and own truth.

A profile is drawn from everything that traits can declare. The processor never
contradicts them: a "not found" that is declared final is final, and a request is not in
flight for longer than declared. So every violation is a bug of the engine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.kind import Kind
from paygate.domain.settlement import CreditOn
from paygate.gateway import (
    CallbackProof,
    CallbackStyle,
    DedupWindow,
    InquiryBy,
    Keyed,
    NotIdempotent,
)
from paygate.testing.processor import FakeProcessor
from paygate.testing.processor.rails import Habits, fake_traits
from paygate.testing.simulation.dice import weighted
from paygate.testing.simulation.mischief import Bungler, Hinter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paygate.gateway import Idempotency, Traits
    from paygate.testing.clock import ProcessorClock
    from paygate.testing.simulation.dice import Dice

_KINDS: Final = {
    Kind.CARD: 9,
    Kind.E_CHECK: 4,
    Kind.REDIRECT: 4,
    Kind.VOUCHER: 2,
    Kind.BITCOIN: 1,
}
DEADLINE: Final = timedelta(seconds=30)
"""How long a host waits for a response."""

_HINTS: Final = 0.25
"""The probability that callbacks are only hints."""
_CHARGED: Final = frozenset({Kind.CARD, Kind.E_CHECK})
_MINUTE: Final = timedelta(minutes=1)
_IDEMPOTENCY: Final[dict[str, Idempotency]] = {
    "keyed": Keyed(ttl=timedelta(hours=24)),
    "keyed_without_errors": Keyed(ttl=timedelta(hours=24), replays_errors=False),
    "keyed_briefly": Keyed(ttl=10 * _MINUTE),
    "window_of_originals": DedupWindow(window=30 * _MINUTE, returns_original=True),
    "window_of_refusals": DedupWindow(window=30 * _MINUTE),
    "not_idempotent": NotIdempotent(),
}
_FINAL_AFTER: Final[dict[timedelta | None, int]] = {
    timedelta(0): 2,
    5 * _MINUTE: 5,
    60 * _MINUTE: 2,
    None: 2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedAccount:
    """One gateway account: its traits, and the behavior of its processor beyond them."""

    name: str
    kind: Kind
    rule: str
    traits: Traits
    habits: Habits
    feed: bool
    odd: bool
    late: bool
    pays_out: bool
    credit_on: CreditOn
    slow: bool = False
    hints: bool = False

    def tells(self) -> bool:
        """Return whether the processor reports what happens after a payment has ended."""
        return self.feed or self.traits.callbacks is not CallbackStyle.NONE

    def reports_settlement(self) -> bool:
        """Return whether the processor reports each settlement by itself."""
        return self.pays_out and self.tells()

    def marks(self) -> Iterator[str]:
        """Yield what this profile exercises, for the count of what was covered."""
        traits = self.traits
        yield f"kind:{self.kind}"
        yield f"idempotency:{self.rule}"
        yield f"inquiry:{traits.inquiry}"
        yield f"callbacks:{traits.callbacks}"
        yield "feed" if self.feed else "no feed"
        if traits.not_found_is_final_after is None:
            yield "not found is never final"
        if self.habits.inquiry_lag:
            yield "eventually consistent inquiry"
        if self.habits.needs_complete:
            yield "needs complete"
        if self.hints:
            yield "hints without proof"
        yield f"credit on:{self.credit_on}"
        reported = "are reported" if self.reports_settlement() else "are not reported"
        yield f"settlements {reported}"


def draw(rolls: Dice, name: str, traits: Traits | None = None) -> SimulatedAccount:
    """Return a drawn account; *traits* are those of a driver to draw it from."""
    kind = weighted(rolls, _KINDS)
    rules = list(_IDEMPOTENCY)
    if kind not in _CHARGED:  # a window compares charges, and pages look alike
        rules = [each for each in rules if not each.startswith("window")]
    rule = rolls.choice(rules)
    final_after = weighted(rolls, _FINAL_AFTER)
    own = fake_traits(
        [kind],
        {
            "idempotency": _IDEMPOTENCY[rule],
            "inquiry": weighted(rolls, _INQUIRIES),
            "not_found_is_final_after": final_after,
            "max_in_flight": rolls.choice((_MINUTE, 2 * _MINUTE, 10 * _MINUTE)),
            "callbacks": weighted(rolls, _CALLBACKS),
            "merchant_account": name,
        },
    )
    if traits is not None:
        # Each account has a processor of its own: two of one merchant would report one money.
        rule, own = "as declared", replace(_narrowed(traits, rolls), merchant_account=name)
        final_after = own.not_found_is_final_after
    [kind] = own.rails
    lags = rolls.random() < 0.3
    # A request that arrives late and shows late shows before "not found" is declared final.
    room = (final_after or timedelta(0)) - own.max_in_flight - DEADLINE
    lag = max(room, timedelta(0)) * rolls.random()
    pays_out = rolls.random() < 0.6 and own.rails[kind].reports_settlement
    habits = Habits(
        needs_complete=rolls.random() < 0.4,
        inquiry_lag=lag if lags else timedelta(0),
        page_size=rolls.choice((1, 3, 100)),
        voidable_for=rolls.choice((timedelta(minutes=20), timedelta(days=1))),
        pays_out_after=rolls.choice(_PAYOUTS) if pays_out else None,
        fee_percent=rolls.choice((0, 3)),
        page_clears_after=rolls.choice(_CLEARS) if kind in _SLOW else None,
    )
    feed = rolls.random() < 0.5
    # An account whose settlements are not reported would wait for them indefinitely.
    waits = pays_out and (feed or own.callbacks is not CallbackStyle.NONE) and rolls.random() < 0.6
    odd, late = rolls.random() < 0.3, rolls.random() < 0.4
    hints = rolls.random() < _HINTS and _can_hint(own) and traits is None
    if hints:
        own = replace(own, callback_proof=CallbackProof.NONE)
    return SimulatedAccount(
        name=name,
        kind=kind,
        rule=rule,
        traits=own,
        habits=habits,
        feed=feed,
        odd=odd,
        late=late,
        slow=rolls.random() < 0.3,
        hints=hints,
        pays_out=pays_out,
        credit_on=CreditOn.SETTLED if waits else CreditOn.ACCEPTED,
    )


def open_gateway(profile: SimulatedAccount, clock: ProcessorClock) -> Bungler:
    """Return the gateway of *profile*, with a processor of its own."""
    processor = FakeProcessor(profile.traits, clock=clock, habits=profile.habits)
    face = _FACES[profile.hints, profile.feed]
    return face(profile.kind, processor=processor)


class _WithoutFeed(Bungler):
    """A driver whose processor has no feed, so the method is missing."""

    feed: Any = None


class _HintsWithoutFeed(Hinter):
    feed: Any = None


_FACES: Final[dict[tuple[bool, bool], type[Bungler]]] = {
    (False, True): Bungler,
    (False, False): _WithoutFeed,
    (True, True): Hinter,
    (True, False): _HintsWithoutFeed,
}

_PAYOUTS: Final = (None, timedelta(hours=1), timedelta(days=1), timedelta(days=2, hours=1))
"""How long after a receipt it is paid out; with None in batches, see `bank`."""
_SLOW: Final = frozenset({Kind.REDIRECT, Kind.VOUCHER})
_CLEARS: Final = (None, None, timedelta(minutes=20), timedelta(days=2))
"""How long money that was paid on a page is pending."""
_INQUIRIES: Final = {
    InquiryBy.OUR_REF: 6,
    InquiryBy.GATEWAY_REF: 2,
    InquiryBy.LIST_SCAN: 2,
    InquiryBy.NONE: 2,
}
_CALLBACKS: Final = {
    CallbackStyle.ACKNOWLEDGED: 6,
    CallbackStyle.ANSWERED: 2,
    CallbackStyle.NONE: 3,
}


def _can_hint(traits: Traits) -> bool:
    """Return whether the core can inquire after a callback that is only a hint."""
    able = traits.inquiry is not InquiryBy.NONE
    return able and traits.callbacks is CallbackStyle.ACKNOWLEDGED


def _narrowed(traits: Traits, rolls: Dice) -> Traits:
    """Return *traits* with one of their rails."""
    kind = rolls.choice(sorted(traits.rails))
    return replace(traits, rails={kind: traits.rails[kind]})
