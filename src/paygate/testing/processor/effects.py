"""The effects of each operation at the fake processor, at once or when they are due."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.chargeback import DisputeState
from paygate.domain.currency import scale_of
from paygate.domain.kind import Kind
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import DeclineCode, RejectCause
from paygate.testing.processor.checks import ProcessorRefusal
from paygate.testing.processor.magic import MAGIC, REJECTS, RETURNS, Plan, Verdict
from paygate.testing.processor.order import PAYABLE, Order, State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from paygate.testing.processor.checks import Admission
    from paygate.testing.processor.journal import Entry
    from paygate.testing.processor.order import Due
    from paygate.testing.processor.rails import Habits
    from paygate.testing.processor.truth import Truth

BITCOIN_PRICE: Final = 100_000
"""The fake's only exchange rate: one bitcoin costs this much of any currency."""

NO_PAGES: Final = "https://fake.invalid"
"""The address of the pages while no server has them (RFC 2606 reserves the name)."""

PUBLISHABLE_KEY: Final = "pk_fake"
"""The key that the payer's browser passes to the fake's script."""

_PREFIXES: Final[Mapping[str, str]] = {
    "charge": "ch",
    "authorize": "au",
    "complete": "co",
    "capture": "ca",
    "void": "vo",
    "refund": "re",
    "withdraw": "cl",
    "enroll": "en",
    "forget": "fo",
}


_ENTERED: Final = (Kind.CARD, Kind.E_CHECK)
"""Kinds whose card or bank account is a token, or is entered on the page."""

_LAST4: Final[Mapping[str, str]] = {"visa": "4242", "mastercard": "4444", "amex": "0005"}


def _shown_method(token: str, kind: str) -> dict[str, Any]:
    """Return what may be shown of a card or bank account; a card without a brand is a Visa."""
    if kind == Kind.E_CHECK:
        return {"last4": "6789"}
    brand = MAGIC[token].brand if token in MAGIC else ""
    brand = brand if brand in _LAST4 else "visa"
    return {
        "brand": brand,
        "last4": _LAST4[brand],
        "expires_month": 12,
        "expires_year": 2099,
    }


class Effects:
    """Everything that the processor does after its checks."""

    def __init__(self, truth: Truth, checks: Admission, habits: Habits) -> None:
        self._truth = truth
        self._checks = checks
        self._habits = habits
        self.pages = NO_PAGES
        self._approvals: dict[str, Callable[[Order, int, datetime], None]] = {
            "charge": self._charged,
            "authorize": self._held,
            "complete": self._completed,
            "capture": self._captured,
            "void": self._voided,
            "refund": self._refunded,
            "withdraw": self._closed,
            "enroll": self._enrolled,
            "forget": self._forgotten,
        }

    def open(self, operation: str, body: Mapping[str, Any], token: str, now: datetime) -> Order:
        """Return a new order, about which nothing is decided yet."""
        about = self._truth.orders.get(body.get("about", ""))
        return self._truth.open(
            Order(
                reference=self._truth.new_id(_PREFIXES[operation]),
                operation=operation,
                kind=about.kind if about else body.get("kind", ""),
                our_ref=body.get("our_ref", ""),
                payment=body.get("payment", ""),
                currency=body.get("currency", ""),
                minor=body.get("minor", 0),
                at=now,
                about=body.get("about", ""),
                movement=body.get("movement", ""),
                token=token,
                return_url=body.get("return_url") or "",
            )
        )

    def do(
        self, operation: str, body: Mapping[str, Any], token: str, plan: Plan, now: datetime
    ) -> dict[str, Any]:
        """Carry out a checked operation as *plan* says; return the order as it is shown."""
        if plan.verdict is Verdict.REJECT:
            raise ProcessorRefusal(
                RejectCause(plan.code), f"as planned: {plan.code}", plan.raw_code
            )
        if operation in ("charge", "authorize") and "about" in body:
            order = self._truth.orders[body["about"]]
        else:
            order = self.open(operation, body, token, now)
        order.plan = _kept(plan)
        if token and operation in ("charge", "authorize") and order.kind in _ENTERED:
            order.details["paid_with"] = _shown_method(token, order.kind)
        if plan.checks:
            names = ("address", "postal_code", "security_code")
            order.details["checks"] = dict.fromkeys(names, plan.checks)
        if operation == "forget":
            order.token = body["token"]
        if operation in ("complete", "capture"):
            order.details["final"] = body.get("final", True)
        if body.get("store_method"):
            order.details["method"] = self._store(order)
        self._decide(order, plan, now)
        return self._truth.tell(order.state, order, now)

    def _decide(self, order: Order, plan: Plan, now: datetime) -> None:
        collects = order.operation in ("charge", "authorize")
        if plan.verdict is Verdict.DECLINE:
            self._decline(order, plan)
        elif plan.verdict is Verdict.ASK_PAYER or (collects and order.kind in PAGES):
            self._ask_payer(order, now)
        elif collects and order.kind == Kind.E_CHECK:
            self._wait(order, now + self._habits.e_check_settles_after)
        elif plan.verdict is Verdict.WAIT:
            self._wait(order, now + self._habits.pending_for)
        elif (settles := self._loses_to(order)) is not None:
            self._wait(order, settles)
        else:
            self._approvals[order.operation](order, share(order.minor, plan.percent), now)

    def pay_on_page(self, order: Order, now: datetime) -> None:
        """Take the card or bank account that a payer entered on the page of *order*."""
        order.details["paid_with"] = _shown_method("", order.kind)
        if order.kind == Kind.E_CHECK:
            self._wait(order, now + self._habits.e_check_settles_after)
            self._truth.tell(order.state, order, now)
        else:
            self.approve(order, order.minor, now)

    def _wait(self, order: Order, until: datetime) -> None:
        self._truth.change(order, State.PENDING, expected_at=until.isoformat())
        self._truth.expect(order, until, "end")

    def _loses_to(self, order: Order) -> datetime | None:
        """Return when the debit settles that a void loses to; None if the void decides at once."""
        about = self._truth.orders.get(order.about)
        if order.operation != "void" or about is None or about.plan.get("void") != "loses":
            return None
        waits = [due.at for due in about.due if due.what == "end"]
        return waits[0] if about.state is State.PENDING and waits else None

    def _decline(self, order: Order, plan: Plan) -> None:
        self._truth.change(order, State.DECLINED, decline=_decline_of(plan))

    def _ask_payer(self, order: Order, now: datetime) -> None:
        until = now + self._patience(order)
        action = self._action(order)
        self._truth.change(order, State.ACTION, action=action, expires_at=until.isoformat())
        self._truth.expect(order, until, "expire")

    def _patience(self, order: Order) -> timedelta:
        match order.kind:
            case Kind.VOUCHER:
                return self._habits.voucher_expires_after
            case Kind.BITCOIN:
                return self._habits.quote_expires_after
            case _:
                return self._habits.page_expires_after

    def _action(self, order: Order) -> dict[str, Any]:
        secret = f"{order.reference}_secret_{_digest(order.reference)[:16]}"
        match order.plan.get("action"):
            case "script":
                url = "https://fake.invalid/script.js"
                return {"type": "script", "url": url, "key": PUBLISHABLE_KEY, "secret": secret}
            case "form":
                return {"type": "form", "url": "https://fake.invalid/form", "secret": secret}
            case _:
                pass
        match order.kind:
            case Kind.VOUCHER:
                number = f"9{order.reference.rpartition('_')[2]:0>9}"
                text = "Show this number at any counter."
                return {"type": "voucher", "number": number, "text": text}
            case Kind.QR:
                return {"type": "code", "payload": f"fake.invalid/qr/{order.reference}"}
            case Kind.PUSH:
                code = str(int(_digest(order.reference)[:8], 16) % 100).zfill(2)
                return {"type": "push", "where": "your phone", "code": code}
            case Kind.BITCOIN:
                address = f"bcrt1qfake{_digest(order.reference)[:32]}"
                satoshi = in_satoshi(order.currency, order.minor)
                return {"type": "address", "address": address, "satoshi": satoshi}
            case _:
                return {"type": "redirect", "url": f"{self.pages}/pay/{order.reference}"}

    # --- Approvals, by operation ------------------------------------------------------------

    def approve(self, order: Order, minor: int, now: datetime) -> None:
        """Approve *order* with *minor*, and record an event."""
        self._approvals[order.operation](order, minor, now)
        self._truth.tell(order.state, order, now)

    def _charged(self, order: Order, minor: int, now: datetime) -> None:
        other = order.plan.get("other_currency", False)
        currency = _other_than(order.currency) if other else order.currency
        self.receive(order, minor, currency, now)
        if order.kind == Kind.E_CHECK and order.plan.get("returns"):
            self._truth.expect(order, now + self._habits.e_check_returns_after, "return")

    def receive(self, order: Order, minor: int, currency: str, now: datetime) -> None:
        """Receive money for *order*, whatever its state and its requested amount."""
        self._truth.change(order, State.APPROVED)
        movement_id = ""
        if order.kind == Kind.BITCOIN:
            # As an outpoint: the transaction, and the index of its output.
            movement_id = f"{_digest(self._truth.new_id(order.reference))}:0"
        entry = self._truth.move(
            order, MovementKind.CHARGE, minor, now, currency=currency, movement_id=movement_id
        )
        self._expect_payout(order, entry, now)

    def receive_unasked(
        self, number: str, kind: str, minor: int, currency: str, now: datetime
    ) -> Order:
        """Receive money for a payer's number without a charge, and record an event."""
        order = self.open("charge", {"kind": kind, "currency": currency, "minor": minor}, "", now)
        order.details["payer_number"] = number
        self.receive(order, minor, currency, now)
        self._truth.tell(order.state, order, now)
        return order

    def _held(self, order: Order, minor: int, now: datetime) -> None:
        until = now + self._habits.hold_expires_after
        order.minor = minor
        self._truth.change(order, State.AUTHORIZED, expires_at=until.isoformat())
        self._truth.expect(order, until, "expire")

    def _completed(self, order: Order, minor: int, now: datetime) -> None:
        about = self._truth.orders[order.about]
        self._truth.change(order, State.APPROVED)
        if about.state is State.READY:
            self.approve(about, minor, now)

    def _captured(self, order: Order, minor: int, now: datetime) -> None:
        about = self._truth.orders[order.about]
        captured = about.details.get("captured", 0) + minor
        done = order.details["final"] or captured >= about.minor
        state = State.APPROVED if done else State.AUTHORIZED
        self._truth.change(about, state, captured=captured)
        self._truth.change(order, State.APPROVED)
        entry = self._truth.move(order, MovementKind.CAPTURE, minor, now)
        self._expect_payout(order, entry, now)

    def _voided(self, order: Order, _: int, now: datetime) -> None:
        about = self._truth.orders[order.about]
        unsettled = self._checks.unsettled(about, now)
        if not unsettled and about.state not in (State.AUTHORIZED, State.PENDING):
            # The void waited, and the money has settled in the meantime.
            self._truth.change(order, State.REJECTED, error=_error_of(_TOO_LATE))
            return
        self._truth.change(order, State.APPROVED)
        for entry in unsettled:
            self._truth.move(
                order,
                MovementKind.VOID,
                entry.minor,
                now,
                currency=entry.currency,
                undoes=entry.movement_id,
            )
        if about.state is State.AUTHORIZED and about.details.get("captured"):
            self._truth.change(about, State.APPROVED)
        elif about.state in (State.AUTHORIZED, State.PENDING):
            self._truth.change(about, State.CANCELED)

    def _refunded(self, order: Order, minor: int, now: datetime) -> None:
        self._truth.change(order, State.APPROVED)
        self._truth.move(order, MovementKind.REFUND, minor, now, undoes=order.movement)

    def _closed(self, order: Order, _: int, now: datetime) -> None:
        about = self._truth.orders[order.about]
        self._truth.change(order, State.APPROVED)
        if about.state in PAYABLE:
            self._truth.change(about, State.CANCELED)
            self._truth.tell(about.state, about, now)

    def _enrolled(self, order: Order, _: int, __: datetime) -> None:
        self._truth.change(order, State.APPROVED, method=self._store(order))

    def _forgotten(self, order: Order, _: int, __: datetime) -> None:
        self._truth.keep_method(order.token, "")
        self._truth.change(order, State.APPROVED)

    def _store(self, order: Order) -> dict[str, str]:
        name = order.token.removeprefix("tok_")
        token = self._truth.new_id(f"pm_{name}")
        self._truth.keep_method(token, order.token)
        brand = MAGIC[order.token].brand
        return {"token": token, "kind": order.kind, "brand": brand, "last4": "4242"}

    # --- What time brings ----------------------------------------------------------------------

    def happen(self, order: Order, due: Due) -> None:
        """Carry out what is due for *order*."""
        match due.what:
            case "expire":
                # A page that was paid in time may have become a hold, which expires later.
                current = order.details.get("expires_at") == due.at.isoformat()
                if current and (order.state in PAYABLE or order.state is State.AUTHORIZED):
                    captured = order.details.get("captured")
                    self._truth.change(order, State.APPROVED if captured else State.EXPIRED)
                    self._truth.tell(order.state, order, due.at)
            case "end" if order.state is State.PENDING:
                self._end(order, due.at)
            case "confirm":
                self.approve(order, due.minor, due.at)
            case "bounce" if order.state is State.PENDING:
                self.decline(order, _BOUNCED, due.at)
            case "tell":
                came = [entry for entry in order.movements if entry.kind.inward]
                self._truth.tell_only(order.state, order, due.at, came, State.APPROVED)
            case "pay_out":
                self.pay_out(order, due.at)
            case "return":
                self.take_back(order, MovementKind.RETURN, due.at, code=order.plan["returns"])
            case _:
                pass

    def _end(self, order: Order, now: datetime) -> None:
        plan = Plan.from_json(order.plan)
        match plan.ends:
            case Verdict.DECLINE:
                self.decline(order, plan, now)
            case Verdict.REJECT:
                self._truth.change(order, State.REJECTED, error=_error_of(plan))
                self._truth.tell(order.state, order, now)
            case Verdict.WITHDRAW:
                self._truth.change(order, State.CANCELED)
                self._truth.tell(order.state, order, now)
                self._end_hold(order, now)
            case _:
                self.approve(order, share(order.minor, plan.percent), now)

    def _end_hold(self, order: Order, now: datetime) -> None:
        """End the hold of a withdrawn capture: nothing more than what was captured is taken."""
        hold = self._truth.orders.get(order.about)
        if order.operation != "capture" or hold is None or hold.state is not State.AUTHORIZED:
            return
        self._truth.change(hold, State.APPROVED if hold.details.get("captured") else State.CANCELED)
        self._truth.tell(hold.state, hold, now)

    def decline(self, order: Order, plan: Plan, now: datetime) -> None:
        """Decline *order* later, and record an event."""
        self._decline(order, plan)
        self._truth.tell(order.state, order, now)

    def _expect_payout(self, order: Order, entry: Entry, now: datetime) -> None:
        if self._habits.pays_out_after is not None:
            self._truth.expect(order, now + self._habits.pays_out_after, "pay_out", entry.minor)

    def pay_out(
        self, order: Order, now: datetime, *, percent: int = 100, fee_minor: int | None = None
    ) -> None:
        """
        Pay out the movements of *order*, or *percent* of them, and record an event.

        Voided movements are not paid out. An earlier payout keeps its date.
        """
        shown: list[dict[str, Any]] = []
        for entry in order.movements:
            if self._truth.is_void(entry):
                continue
            fee = share(entry.minor, self._habits.fee_percent) if self._habits.fee_percent else 0
            fee = fee if fee_minor is None else fee_minor
            # Money that went back is taken from a later payout, so the fee is added to it.
            whole = entry.minor - fee if entry.kind.inward else entry.minor + fee
            paid: dict[str, Any] = {
                "settled": {"currency": entry.currency, "minor": share(whole, percent)},
                "fee": {"currency": entry.currency, "minor": fee},
            }
            before = order.settled.get(entry.movement_id, {})
            if {**before, **paid} != before:
                paid["settled_on"] = now.date().isoformat()
                order.settled[entry.movement_id] = paid
            shown.append(order.show(entry))
        if not shown:
            return
        self._truth.change(order, order.state)
        self._truth.tell("settled", order, now, moved=shown)

    def dispute(self, order: Order, now: datetime, *, code: str, minor: int, days: int) -> None:
        """Open a dispute of each receipt of *order*; no money moves yet."""
        came = [entry for entry in order.movements if entry.kind.inward and not entry.undoes]
        until = now + timedelta(days=days)
        for entry in came:
            reference = self._truth.new_id("dp")
            order.disputes[reference] = {
                "reference": reference,
                "state": DisputeState.OPENED,
                "currency": entry.currency,
                "minor": minor or entry.minor,
                "reason": code,
                "respond_by": until.isoformat(),
                "takes": entry.movement_id,
            }
        self._truth.change(order, order.state)
        self._truth.tell("disputed", order, now, disputes=order.show_disputes())

    def end_disputes(self, order: Order, state: DisputeState, now: datetime) -> None:
        """Decide the open disputes of *order*, including those that only took money so far."""
        for entry in order.movements:
            if entry.kind is MovementKind.CHARGEBACK and self._truth.rest(entry):
                reference, turn, _ = entry.movement_id.partition("#")
                first: dict[str, Any] = {
                    "reference": reference,
                    "state": DisputeState.OPENED,
                    "currency": entry.currency,
                    "minor": entry.minor,
                    "reason": entry.code,
                    "takes": entry.undoes,
                }
                told = order.disputes.setdefault(reference, first)
                if turn and told["state"] == DisputeState.OPENED:
                    told["state"] = DisputeState.LOST  # it had been won before
        for told in order.disputes.values():
            if told["state"] == DisputeState.OPENED or state is DisputeState.WON:
                told["state"] = state
        self._truth.change(order, order.state)
        self._truth.tell(f"dispute_{state}", order, now, disputes=order.show_disputes())

    def take_back(
        self, order: Order, kind: MovementKind, now: datetime, *, code: str, minor: int = 0
    ) -> None:
        """Take back the remaining money of *order*, or *minor* of it, as a bank does."""
        came_in = [entry for entry in order.movements if entry.kind.inward and not entry.undoes]
        self._undo(order, came_in, kind, now, code=code, minor=minor)

    def return_early(self, order: Order, now: datetime, *, code: str, days: int) -> None:
        """Return a pending e-check: report the return now, and its settlement after *days*."""
        self._truth.change(order, State.APPROVED)
        entry = self._truth.move(order, MovementKind.CHARGE, order.minor, now)
        back = self._truth.move(
            order, MovementKind.RETURN, order.minor, now, undoes=entry.movement_id, code=code
        )
        self._truth.tell_only(MovementKind.RETURN, order, now, [back], State.PENDING)
        self._truth.expect(order, now + timedelta(days=days), "tell")

    def give_back(
        self, order: Order, taken: MovementKind, kind: MovementKind, now: datetime
    ) -> None:
        """Give back the movements of the kind *taken*."""
        went_out = [entry for entry in order.movements if entry.kind is taken]
        self._undo(order, went_out, kind, now)

    def _turn(self, order: Order, entry: Entry) -> str:
        """
        Return the movement id for taking back *entry*: its dispute, with a number after the first.

        A dispute that was won and is lost in the end is the same dispute, unless another one
        was opened since. An empty id stands for a new dispute.
        """
        told = [each for each in order.disputes.values() if each["takes"] == entry.movement_id]
        before = [
            each
            for each in order.movements
            if each.kind is MovementKind.CHARGEBACK and each.undoes == entry.movement_id
        ]
        if not before:
            return told[0]["reference"] if told else ""
        if any(self._truth.rest(each) for each in before):
            return ""
        taken = [each.movement_id.partition("#")[0] for each in before]
        for each in told:
            if each["reference"] not in taken and each["state"] != DisputeState.WON:
                return str(each["reference"])
        reference = taken[-1]
        for each in told:
            if each["reference"] == reference:
                each["state"] = DisputeState.LOST
        return f"{reference}#{taken.count(reference) + 1}"

    def _undo(
        self,
        order: Order,
        entries: list[Entry],
        kind: MovementKind,
        now: datetime,
        *,
        code: str = "",
        minor: int = 0,
    ) -> None:
        for entry in entries:
            rest = self._truth.rest(entry)
            if rest > 0:
                taking = kind is MovementKind.CHARGEBACK
                self._truth.move(
                    order,
                    kind,
                    min(rest, minor or rest),
                    now,
                    movement_id=self._turn(order, entry) if taking else "",
                    currency=entry.currency,
                    undoes=entry.movement_id,
                    code=code,
                )
        self._truth.tell(kind, order, now)


PAGES: Final = frozenset({Kind.REDIRECT, Kind.VOUCHER, Kind.QR, Kind.PUSH, Kind.BITCOIN})
"""Kinds that the payer pays elsewhere, and could pay more than once."""


def share(minor: int, percent: int) -> int:
    """Return *percent* of an amount, but at least one minor unit of an amount above zero."""
    return minor if percent == 100 else max(1, minor * percent // 100) if minor else 0


def in_satoshi(currency: str, minor: int) -> int:
    """Return an amount in satoshi at the fake's rate, rounded up."""
    if currency == "BTC":
        return minor
    return -(-minor * 10**8 // (BITCOIN_PRICE * scale_factor(currency)))


def from_satoshi(currency: str, satoshi: int) -> int:
    """Return the value of *satoshi* in *currency* at the fake's rate, rounded down."""
    if currency == "BTC":
        return satoshi
    return satoshi * BITCOIN_PRICE * scale_factor(currency) // 10**8


def scale_factor(currency: str) -> int:
    """Return how many minor units make up one major unit."""
    return int(10 ** scale_of(currency))


def _kept(plan: Plan) -> dict[str, Any]:
    return plan.as_json() if plan != _PLAIN else {}


_PLAIN = Plan()
_TOO_LATE = Plan(code=RejectCause.STATE)
_BOUNCED = Plan(code=DeclineCode.INSUFFICIENT_FUNDS, raw_code="51", retryable=True)


def _decline_of(plan: Plan) -> dict[str, Any]:
    code = plan.code or str(RETURNS.get(plan.raw_code, DeclineCode.GENERIC))
    decline = {"code": code, "raw_code": plan.raw_code, "retryable": plan.retryable}
    return decline | ({"advice": plan.advice} if plan.advice else {})


def _error_of(plan: Plan) -> dict[str, Any]:
    cause = RejectCause(plan.code)
    return {
        "cause": cause,
        "raw_code": plan.raw_code or f"fake_{cause}",
        "retryable": REJECTS[cause],
        "message": f"it was refused while it was pending: {cause}",
    }


def _other_than(currency: str) -> str:
    return "USD" if currency == "EUR" else "EUR"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
