"""The parts that a test plays at the fake processor: the payer, the payer's bank, the clock."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from paygate.domain.chargeback import DisputeState
from paygate.domain.kind import Kind
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import DeclineCode
from paygate.errors import InvalidValue
from paygate.printing import shown
from paygate.testing.processor.callbacks import signed_events
from paygate.testing.processor.effects import PAGES, from_satoshi
from paygate.testing.processor.magic import DECLINES, RETURNS, Plan, declined, unpaid
from paygate.testing.processor.order import PAYABLE, State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from paygate.testing.clock import ProcessorClock
    from paygate.testing.processor.effects import Effects
    from paygate.testing.processor.order import Order
    from paygate.testing.processor.rails import Habits
    from paygate.testing.processor.script import Script
    from paygate.testing.processor.truth import Truth


class House(Protocol):
    """What the stage needs from its processor."""

    clock: ProcessorClock
    habits: Habits
    script: Script
    signing_key: str


class Stage:
    """Everything that happens at the processor without a request of ours."""

    def __init__(self, truth: Truth, effects: Effects, house: House) -> None:
        self._truth = truth
        self._effects = effects
        self._house = house
        self._verbs: dict[str, Callable[[Mapping[str, Any], datetime], dict[str, Any] | None]] = {
            "pay": self._pay,
            "pay_late": self._pay_late,
            "pay_number": self._pay_number,
            "decline_try": self._decline_try,
            "cancel": self._cancel,
            "return_check": self._return_check,
            "return_early": self._return_early,
            "elsewhere": self._elsewhere,
            "dispute": self._dispute,
            "open_dispute": self._open_dispute,
            "win_dispute": self._win_dispute,
            "lose_dispute": self._lose_dispute,
            "pay_out": self._pay_out,
            "fail_refund": self._fail_refund,
            "approve_late": self._approve_late,
            "script": self._script,
            "advance": self._advance,
            "callbacks": self._callbacks,
            "journal": self._journal,
        }

    def play(self, verb: str, what: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """Play *verb*, and return its result as plain JSON values."""
        if verb not in self._verbs:
            raise InvalidValue(
                f"the fake cannot play {shown(verb)}; it can {', '.join(self._verbs)}"
            )
        return self._verbs[verb](what, now) or {}

    def _order(self, what: Mapping[str, Any]) -> Order:
        reference = what["reference"]
        order = self._truth.orders.get(reference)
        if order is None:
            # A payer sees the slip's number or the address, not the order's reference.
            for each in self._truth.orders.values():
                if reference in each.details.get("action", {}).values():
                    return each
            raise InvalidValue(f"the fake processor has no order {shown(reference)}")
        return order

    # --- The payer ----------------------------------------------------------------------

    def _pay(self, what: Mapping[str, Any], now: datetime) -> None:
        order = self._order(what)
        minor, currency = what.get("minor") or order.minor, what.get("currency") or order.currency
        if order.kind == Kind.BITCOIN and currency != order.currency:
            if currency != "BTC":
                raise InvalidValue(f"bitcoin is paid in BTC or in {order.currency}")
            minor, currency = from_satoshi(order.currency, minor), order.currency
        if self._waits_for_us(order):
            self._truth.change(order, State.READY)
            self._truth.tell(order.state, order, now)
        elif order.kind in PAGES:
            self._pay_page(order, minor, currency, now)
        elif order.state in PAYABLE and not order.token and order.operation == "charge":
            self._effects.pay_on_page(order, now)
        elif order.state in PAYABLE or self._holds_late(order):
            self._effects.approve(order, order.minor, now)
        else:
            raise InvalidValue(f"{order.reference} is {order.state}: the payer has nothing to pay")

    def _pay_late(self, what: Mapping[str, Any], now: datetime) -> None:
        order = self._order(what)
        if order.state not in PAYABLE or order.operation == "enroll":
            raise InvalidValue(f"{order.reference} is {order.state}: the payer has nothing to pay")
        until = now + timedelta(seconds=what["seconds"])
        self._truth.expect(order, until, "confirm", order.minor)

    def _pay_number(self, what: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        order = self._effects.receive_unasked(
            what["number"], what["kind"], what["minor"], what["currency"], now
        )
        return {"reference": order.reference}

    def _waits_for_us(self, order: Order) -> bool:
        """Return whether the payer's approval only makes the charge ready for completion."""
        return (
            self._house.habits.needs_complete
            and order.operation == "charge"
            and order.kind in (Kind.CARD, Kind.REDIRECT)
            and order.state in PAYABLE
        )

    @staticmethod
    def _holds_late(order: Order) -> bool:
        """Return whether the bank can still hold an amount although the page has ended."""
        ended = order.state in (State.EXPIRED, State.CANCELED)
        return ended and order.operation == "authorize" and not order.details.get("captured")

    def _pay_page(self, order: Order, minor: int, currency: str, now: datetime) -> None:
        habits = self._house.habits
        clears = habits.page_clears_after
        if order.kind == Kind.BITCOIN:
            clears = habits.bitcoin_confirms_after
        if clears is not None and currency == order.currency:
            until = now + clears
            self._truth.expect(order, until, "confirm", minor)
            order.details["seen"] = order.details.get("seen", 0) + minor
            if order.state is not State.APPROVED:
                self._truth.change(order, State.PENDING, expected_at=until.isoformat())
        else:
            self._effects.receive(order, minor, currency, now)
        self._truth.tell(order.state, order, now)

    def _decline_try(self, what: Mapping[str, Any], now: datetime) -> None:
        order = self._order(what)
        if order.state not in PAYABLE:
            raise InvalidValue(f"{order.reference} is {order.state}: it cannot be paid any more")
        code = DeclineCode(what.get("code") or DeclineCode.GENERIC)
        if what.get("final"):
            self._effects.decline(order, declined(code), now)
            return
        raw_code, retryable = DECLINES[code]
        tried = {"code": code, "raw_code": raw_code, "retryable": retryable}
        self._truth.tell("try_declined", order, now, tried=tried)

    def _cancel(self, what: Mapping[str, Any], now: datetime) -> None:
        order = self._order(what)
        if order.state not in PAYABLE:
            raise InvalidValue(f"{order.reference} is {order.state}: too late to cancel it")
        self._truth.change(order, State.CANCELED)
        self._truth.tell(order.state, order, now)

    # --- The payer's bank ----------------------------------------------------------------

    def _return_check(self, what: Mapping[str, Any], now: datetime) -> None:
        order, code = self._order(what), what.get("code") or "R01"
        if order.kind != Kind.E_CHECK or code not in RETURNS:
            raise InvalidValue(f"an e-check is returned with one of {', '.join(RETURNS)}")
        if order.state is State.PENDING:
            self._effects.decline(order, unpaid(code), now)
        else:
            self._effects.take_back(order, MovementKind.RETURN, now, code=code)

    def _return_early(self, what: Mapping[str, Any], now: datetime) -> None:
        order, code = self._order(what), what.get("code") or "R01"
        if order.kind != Kind.E_CHECK or order.state is not State.PENDING:
            raise InvalidValue(
                f"{order.reference} is {order.state}: only a pending e-check can be returned early"
            )
        self._effects.return_early(order, now, code=code, days=what["days"])

    def _elsewhere(self, what: Mapping[str, Any], now: datetime) -> None:
        self._truth.tell_foreign(now, minor=what["minor"], readable=what["readable"])

    def _dispute(self, what: Mapping[str, Any], now: datetime) -> None:
        minor, code = what.get("minor") or 0, what.get("code") or "10.4"
        order = self._order(what)
        self._effects.take_back(order, MovementKind.CHARGEBACK, now, code=code, minor=minor)

    def _open_dispute(self, what: Mapping[str, Any], now: datetime) -> None:
        minor, code, days = what.get("minor") or 0, what.get("code") or "10.4", what["days"]
        self._effects.dispute(self._order(what), now, code=code, minor=minor, days=days)

    def _win_dispute(self, what: Mapping[str, Any], now: datetime) -> None:
        order = self._order(what)
        self._effects.give_back(order, MovementKind.CHARGEBACK, MovementKind.CHARGEBACK_WON, now)
        if order.disputes:
            self._effects.end_disputes(order, DisputeState.WON, now)

    def _lose_dispute(self, what: Mapping[str, Any], now: datetime) -> None:
        self._effects.end_disputes(self._order(what), DisputeState.LOST, now)

    def _pay_out(self, what: Mapping[str, Any], now: datetime) -> None:
        self._effects.pay_out(
            self._order(what), now, percent=what["percent"], fee_minor=what.get("fee_minor")
        )

    def _fail_refund(self, what: Mapping[str, Any], now: datetime) -> None:
        order = self._order(what)
        if order.state is State.PENDING:
            self._effects.decline(order, declined(DeclineCode.ACCOUNT_CLOSED), now)
        else:
            self._effects.give_back(order, MovementKind.REFUND, MovementKind.REFUND_FAILED, now)

    def _approve_late(self, what: Mapping[str, Any], now: datetime) -> None:
        order = self._order(what)
        if order.state is not State.DECLINED:
            raise InvalidValue(
                f"{order.reference} is {order.state}: only a declined charge can be approved late"
            )
        self._effects.approve(order, order.minor, now)

    # --- The test ---------------------------------------------------------------------------

    def _script(self, what: Mapping[str, Any], _: datetime) -> None:
        plans = [each if isinstance(each, str) else Plan.from_json(each) for each in what["plans"]]
        names = ("operation", "our_ref", "invoice", "matching")
        self._house.script.plan(*plans, **{n: what[n] for n in names if what.get(n)})

    def _advance(self, what: Mapping[str, Any], _: datetime) -> dict[str, Any]:
        advance = getattr(self._house.clock, "advance", None)
        if advance is None:
            raise InvalidValue("this clock cannot be moved; create the fake with a FakeClock")
        return {"now": advance(timedelta(seconds=what["seconds"])).isoformat()}

    def _callbacks(self, what: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        new = self._truth.events[int(what.get("after") or 0) :]
        events = self._truth.of_kind(new, what.get("kind", ""))
        written = signed_events(events, self._house.signing_key, now)
        return {"callbacks": written, "after": len(self._truth.events)}

    def _journal(self, _: Mapping[str, Any], __: datetime) -> dict[str, Any]:
        return {"moved": [entry.as_json() for entry in self._truth.journal]}
