"""Laws of the engine, for any sequence of verbs: a machine plays them against a model of ten lines.

The model knows only sums: what is open on each invoice, what each payment put
where, and the customer's balance. It knows nothing of claims, lots, attempts
or postings, so both being wrong in the same way is unlikely.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from paygate import Cashier, Kind, Money, Payment, PaymentStatus
from paygate.domain.movement import MovementKind
from paygate.domain.words import RefundToWord
from paygate.errors import (
    AlreadyPaid,
    CreditConsumed,
    InvalidAmount,
    InvoiceIsVoid,
    ItemAlreadyBeingPaid,
    NotCapturable,
    NotEnoughCredit,
    NotEnoughOpen,
    NotRefundable,
    Refused,
)
from paygate.service.account import Timing
from paygate.service.flow import Read, Step
from paygate.testing import FakeClock, FakeGateway, Habits
from tests.reading import every
from tests.service.world import BACK, PAYER, PowerCut, on_its_way, receipts_of

amounts = st.integers(min_value=1, max_value=5_000)
tenths = st.integers(min_value=1, max_value=15)
choice = st.integers(min_value=0, max_value=1_000)


def usd(minor: int) -> Money:
    return Money("USD", minor)


@dataclass
class Known:
    """What the model knows of a payment: what it put where, from which pocket."""

    number: str = ""
    money: Counter[str] = field(default_factory=Counter[str])
    credit: Counter[str] = field(default_factory=Counter[str])
    made: int = 0
    asked: int = 0
    waiting: int = 0
    reserved: int = 0

    @property
    def brought(self) -> bool:
        return bool(self.money or self.made or self.waiting)


TOKENS = {
    "tok_visa": 100,
    "tok_partial": 50,
    "tok_other_amount": 200,
    "tok_declined": 0,
    "tok_rejected_rate_limit": 0,
    "tok_unsent": 0,
}
DOUBTFUL = {"tok_unknown_executed": 100, "tok_timeout_late": 100, "tok_unknown_lost": 0}
TO = [None, "reopen", "credit_note", "from_credit"]
CHECKS = {"tok_bank": 100, "tok_bank_unpaid_r01": 0}


class Mortal(Cashier):
    """A cashier whose process dies before a change."""

    left: int

    def _do(self, step: Step) -> Any:
        self.left -= not isinstance(step, Read)
        if not self.left:
            raise PowerCut
        return super()._do(step)


def mortal(cashier: Cashier, dies_at: int) -> Mortal:
    """Start another process on the same ledger; it dies before change number *dies_at*."""
    process = Mortal.__new__(Mortal)
    vars(process).update(vars(cashier), left=dies_at)
    return process


class Machine(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.clock = FakeClock()
        self.fakes = {
            kind.value: FakeGateway(kind, clock=self.clock)
            for kind in (Kind.CARD, Kind.E_CHECK, Kind.REDIRECT)
        }
        patient = Habits(needs_complete=True, page_expires_after=timedelta(days=9_000))
        self.fakes["page"] = FakeGateway(Kind.REDIRECT, clock=self.clock, habits=patient)
        # What may be returned is refunded as well: the machine is to meet the one after the other.
        accounts = {
            name: {"gateway": fake, "refundable_after": 0} for name, fake in self.fakes.items()
        }
        self.cashier = Cashier.in_memory(gateways=accounts, clock=self.clock)
        self.keys = 0
        self.open: dict[str, int] = {}
        self.claimed: Counter[str] = Counter()
        self.void: set[str] = set()
        self.balance = 0
        self.known: dict[str, Known] = {}
        self.doubtful: dict[str, int] = {}
        self.pages: dict[str, str] = {}
        self.approvals: list[str] = []
        self.held: dict[str, int] = {}
        self.write_offs: dict[str, tuple[str, int]] = {}

    def teardown(self) -> None:
        if hasattr(self, "cashier"):
            self.cashier.close()

    # --- The model ----------------------------------------------------------------------------

    def key(self) -> str:
        self.keys += 1
        return f"key-{self.keys}"

    def pick(self, which: int, of: Any) -> Any:
        return sorted(of)[which % len(of)]

    def has_page(self, number: str) -> bool:
        return any(
            payment.status is PaymentStatus.REQUIRES_ACTION
            for payment in every(self.cashier.payments)
            if payment.id in self.known and self.known[payment.id].number == number
        )

    def room(self, number: str) -> int:
        return 0 if number in self.void else self.open[number] - self.claimed[number]

    def arrives(self, id_: str, minor: int) -> None:
        """Money comes for a payment: on its invoice as far as there is room, the rest is credit."""
        known = self.known[id_]
        take = min(minor, known.asked, self.room(known.number))
        known.money[known.number] += take
        self.open[known.number] -= take
        known.made += minor - take
        self.balance += minor - take

    def use(self, id_: str, minor: int) -> None:
        if not minor:
            return
        known = self.known[id_]
        known.credit[known.number] += minor
        self.open[known.number] -= minor
        self.balance -= minor

    def give_back(self, id_: str) -> None:
        for number, minor in self.known[id_].credit.items():
            self.open[number] += minor
            self.balance += minor
        self.known[id_].credit.clear()

    def decide(self, id_: str) -> None:
        """A person decides about money that is not what was asked for; till then it holds."""
        known = self.known[id_]
        if known.waiting:
            self.claimed[known.number] -= known.asked + known.reserved
            self.balance += known.reserved
            known.waiting = known.reserved = 0

    def take_back(self, id_: str) -> None:
        known = self.known[id_]
        self.decide(id_)
        for number, minor in known.money.items():
            self.open[number] += minor
        known.money.clear()
        self.balance -= known.made
        known.made = 0
        self.give_back(id_)

    def goes_back(self, payment: Payment, minor: int, to: RefundToWord | None) -> None:
        """Money of a payment goes back, from where *to* says first."""
        known = self.known[payment.id]
        waited = min(minor, known.waiting)
        if waited and waited == known.waiting:
            self.decide(payment.id)  # nothing is left to decide about
        known.waiting = max(0, known.waiting - waited)
        minor -= waited
        on_invoice = 0 if to == "from_credit" else min(minor, known.money.total())
        for number in list(known.money) if on_invoice else []:
            known.money[number] -= on_invoice
            self.open[number] += 0 if to == "credit_note" else on_invoice
        known.money = +known.money
        known.made -= minor - on_invoice
        self.balance -= minor - on_invoice

    def free_of(self, payment: Payment) -> int:
        """Tell how much of what a payment made, or nobody has placed yet, can be paid out."""
        lots = [lot for lot in self.cashier.credits(PAYER.id) if lot.payment == payment.id]
        return self.known[payment.id].waiting + sum(max(0, lot.free.minor) for lot in lots)

    def spent_of(self, payment: Payment) -> int:
        """Return how much of what a payment made was used since, or is reserved."""
        lots = [lot for lot in self.cashier.credits(PAYER.id) if lot.payment == payment.id]
        return self.known[payment.id].made - sum(max(0, lot.free.minor) for lot in lots)

    def refundable(self) -> list[Payment]:
        """Payments through a gateway whose money is, as far as on invoices, on one."""
        return [
            payment
            for payment in self.cashier.payments(limit=1_000)
            if payment.account in self.fakes
            and payment.id in self.known
            and payment.received > payment.returned
            and len(self.known[payment.id].money) <= 1
        ]

    # --- What a host does ------------------------------------------------------------------------

    @rule(total=amounts)
    def issue(self, total: int) -> None:
        number = f"INV-{len(self.open)}"
        self.cashier.issue(number=number, customer=PAYER, total=usd(total), due="2026-02-01")
        self.open[number] = total

    @precondition(lambda self: self.open)
    @rule(
        which=choice,
        part=tenths,
        token=st.sampled_from(sorted(TOKENS | DOUBTFUL | CHECKS)),
        credit=tenths | st.none(),
    )
    def collect(self, which: int, part: int, token: str, credit: int | None) -> None:
        number = self.pick(which, self.open)
        amount = max(1, self.open[number] * part // 10)
        held = min(amount, self.open[number])
        use = 0 if credit is None else max(1, held * credit // 20)
        try:
            payment = self.cashier.collect(
                number,
                via="e_check" if token in CHECKS else "card",
                method=token,
                key=self.key(),
                amount=usd(amount),
                credit=usd(use) if use else None,
            )
        except InvoiceIsVoid:
            assert number in self.void
            return
        except AlreadyPaid:
            assert not self.open[number]
            return
        except ItemAlreadyBeingPaid:
            assert held > self.room(number)
            return
        except (NotEnoughCredit, NotEnoughOpen):
            assert use > min(self.free, held)
            return
        except InvalidAmount:
            assert use >= amount
            return
        known = Known(number, asked=held - use)
        self.known[payment.id] = known
        money = amount - use
        if token in TOKENS:
            percent = TOKENS[token]
            if percent > 100:
                assert payment.conflicted
                known.waiting = money * percent // 100
                known.reserved = use
                self.claimed[number] += held
                self.balance -= use
            elif percent:
                assert payment.status is PaymentStatus.SUCCEEDED
                self.use(payment.id, use)
                self.arrives(payment.id, max(1, money * percent // 100))
            else:
                assert payment.status in (PaymentStatus.DECLINED, PaymentStatus.FAILED)
            return
        assert on_its_way(payment)
        self.claimed[number] += held
        self.balance -= use
        known.reserved = use
        self.doubtful[payment.id] = (DOUBTFUL | CHECKS)[token] and money

    @property
    def free(self) -> int:
        """What can be used: what the customer owes us counts against it."""
        return max(0, sum(credit.free.minor for credit in self.cashier.credits(PAYER.id)))

    @precondition(lambda self: self.open)
    @rule(which=choice, part=tenths)
    def show_page(self, which: int, part: int) -> None:
        number = self.pick(which, self.open)
        amount = max(1, self.open[number] * part // 10)
        try:
            payment = self.cashier.collect(
                number,
                via="redirect",
                key=self.key(),
                amount=usd(amount),
                payer=PAYER,
                return_url=BACK,
            )
        except Refused:
            assert min(amount, self.open[number]) > self.room(number) or not self.room(number)
            return
        assert payment.status is PaymentStatus.REQUIRES_ACTION
        self.known[payment.id] = Known(number, asked=min(amount, self.open[number]))
        self.pages[payment.id] = payment.reference

    @precondition(lambda self: self.pages)
    @rule(which=choice)
    def payer_pays_page(self, which: int) -> None:
        id_ = self.pick(which, self.pages)
        payment = self.cashier.payment(id_)
        self.fakes["redirect"].pay(self.pages.pop(id_))
        told = self.cashier.inquire(payment)
        assert told.status is PaymentStatus.SUCCEEDED
        self.arrives(id_, payment.amount.minor)

    @precondition(lambda self: self.pages)
    @rule(which=choice, backwards=st.booleans(), again=st.booleans())
    def payer_pays_page_and_we_are_told(self, which: int, backwards: bool, again: bool) -> None:
        """Callbacks come in any order, and more than once; nobody asks."""
        id_ = self.pick(which, self.pages)
        self.fakes["redirect"].pay(self.pages.pop(id_))
        mail = self.fakes["redirect"].callbacks()
        for callback in (reversed(mail) if backwards else mail) if not again else [*mail, *mail]:
            self.cashier.receive("redirect", callback)
        self.cashier.apply_callbacks()
        payment = self.cashier.payment(id_)
        assert payment.status is PaymentStatus.SUCCEEDED
        self.arrives(id_, payment.amount.minor)

    @precondition(lambda self: self.open and not self.doubtful)
    @rule(which=choice, dies_at=st.integers(min_value=1, max_value=3))
    def collect_and_die(self, which: int, dies_at: int) -> None:
        """Die before the intent, the request or the merge; recover, and call again."""
        number = self.pick(which, self.open)
        amount = self.room(number)
        if not amount or self.has_page(number):  # to close one takes steps of its own
            return
        wanted: dict[str, Any] = {"via": "card", "method": "tok_visa", "amount": usd(amount)}
        key = self.key()
        with pytest.raises(PowerCut):
            mortal(self.cashier, dies_at).collect(number, key=key, **wanted)
        for pause in (Timing().lease, *Timing().plan[:6]):
            self.clock.advance(pause + timedelta(seconds=1))
            self.cashier.recover()
        payment = self.cashier.collect(number, key=key, **wanted)
        self.known[payment.id] = Known(number, asked=amount)
        if dies_at == 2:  # the request never left, and that is known by now
            assert payment.status is PaymentStatus.FAILED
        else:
            assert payment.status is PaymentStatus.SUCCEEDED
            self.arrives(payment.id, amount)
        self.holds_run_out()

    @precondition(lambda self: self.open)
    @rule(which=choice, part=tenths)
    def record(self, which: int, part: int) -> None:
        number = self.pick(which, self.open)
        amount = max(1, self.open[number] * part // 10)
        payment = self.cashier.record(number, by="check", key=self.key(), amount=usd(amount))
        self.known[payment.id] = Known(number, asked=min(amount, self.open[number]))
        self.arrives(payment.id, amount)

    @rule(amount=amounts)
    def top_up(self, amount: int) -> None:
        payment = self.cashier.top_up(
            PAYER, usd(amount), via="card", method="tok_visa", key=self.key()
        )
        self.known[payment.id] = Known(made=amount)
        self.balance += amount

    @precondition(lambda self: self.open)
    @rule(which=choice)
    def pay_from_credit(self, which: int) -> None:
        number = self.pick(which, self.open)
        expected = min(self.free, self.room(number))
        try:
            payment = self.cashier.pay_from_credit(number, key=self.key())
        except Refused:
            assert expected <= 0
            return
        assert payment.from_credit == usd(expected)
        self.known[payment.id] = Known(number)
        self.use(payment.id, expected)

    @precondition(lambda self: any(known.credit for known in self.known.values()))
    @rule(which=choice)
    def undo_credit_use(self, which: int) -> None:
        id_ = self.pick(which, [id_ for id_, known in self.known.items() if known.credit])
        self.cashier.undo_credit_use(id_)
        self.give_back(id_)

    @precondition(lambda self: self.open and any(known.waiting for known in self.known.values()))
    @rule(which=choice, where=choice, to_credit=st.booleans())
    def assign(self, which: int, where: int, to_credit: bool) -> None:
        id_ = self.pick(which, [id_ for id_, known in self.known.items() if known.waiting])
        known, number = self.known[id_], self.pick(where, self.open)
        try:
            self.cashier.assign(id_, () if to_credit else number, reason="as the payer said")
        except AlreadyPaid:
            assert not self.open[number]
            return
        waiting = known.waiting
        self.decide(id_)
        take = 0 if to_credit else min(waiting, self.room(number))
        known.money[number] += take
        self.open[number] -= take
        known.made += waiting - take
        self.balance += waiting - take

    @precondition(lambda self: any(known.brought for known in self.known.values()))
    @rule(which=choice, fee=amounts | st.none())
    def reverse(self, which: int, fee: int | None) -> None:
        brought = [id_ for id_, known in self.known.items() if known.brought]
        id_ = self.pick(which, brought)
        debits = self.debits()
        try:
            reversal = self.cashier.reverse(
                id_, reason="returned", fee=None if fee is None else usd(fee), force=True
            )
        except CreditConsumed:
            assert self.known[id_].made
            return
        except Refused:
            assert self.cashier.payment(id_).refunded
            return
        assert self.debits() == debits, "a clerk's reversal makes no customer owe us"
        self.take_back(id_)
        if reversal.fee_invoice is not None:
            assert fee is not None
            self.open[reversal.fee_invoice] = fee

    def debits(self) -> list[str]:
        return [lot.id for lot in self.cashier.credits(PAYER.id) if lot.amount.minor < 0]

    @precondition(lambda self: self.open)
    @rule(which=choice, part=tenths)
    def write_off(self, which: int, part: int) -> None:
        number = self.pick(which, self.open)
        amount = max(1, self.open[number] * part // 10)
        try:
            done = self.cashier.write_off(
                number, reason="goodwill", key=self.key(), amount=usd(amount)
            )
        except Refused:
            assert amount > self.room(number)
            return
        self.write_offs[done.id] = (number, amount)
        self.open[number] -= amount

    @precondition(lambda self: self.write_offs)
    @rule(which=choice)
    def undo_write_off(self, which: int) -> None:
        id_ = self.pick(which, self.write_offs)
        number, amount = self.write_offs.pop(id_)
        if number in self.void:
            with pytest.raises(InvoiceIsVoid):
                self.cashier.undo_write_off(id_)
            return
        self.cashier.undo_write_off(id_)
        self.open[number] += amount

    @precondition(lambda self: self.open)
    @rule(which=choice)
    def void_invoice(self, which: int) -> None:
        number = self.pick(which, self.open)
        try:
            self.cashier.void(number, reason="issued twice")
        except ItemAlreadyBeingPaid:
            assert self.claimed[number]
            return
        self.void.add(number)
        self.open[number] = 0
        for known in self.known.values():
            money, used = known.money.pop(number, 0), known.credit.pop(number, 0)
            known.made += money
            self.balance += money + used

    # --- What a host does later ----------------------------------------------------------------

    @precondition(lambda self: self.open)
    @rule(which=choice, part=tenths)
    def authorize(self, which: int, part: int) -> None:
        number = self.pick(which, self.open)
        amount = max(1, self.open[number] * min(part, 10) // 10)
        try:
            payment = self.cashier.authorize(
                number, via="card", method="tok_visa", key=self.key(), amount=usd(amount)
            )
        except Refused:
            assert amount > self.room(number)
            return
        assert payment.status is PaymentStatus.AUTHORIZED
        self.known[payment.id] = Known(number, asked=amount)
        self.held[payment.id] = amount
        self.claimed[number] += amount

    @precondition(lambda self: self.held)
    @rule(which=choice, part=tenths, final=st.booleans(), lost=st.booleans())
    def capture(self, which: int, part: int, final: bool, lost: bool) -> None:
        id_ = self.pick(which, self.held)
        left, number = self.held[id_], self.known[id_].number
        amount = max(1, left * part // 10)
        if lost and amount <= left:
            self.fakes["card"].script("unknown_executed", operation="capture")
        try:
            self.cashier.capture(id_, key=self.key(), amount=usd(amount), final=final)
        except NotCapturable:
            assert amount > left
            return
        payment = self.cashier.inquire(id_)
        over = final or amount == left
        assert (payment.status is PaymentStatus.SUCCEEDED) == over
        self.known[id_].money[number] += amount
        self.open[number] -= amount
        self.claimed[number] -= left if over else amount
        self.held[id_] -= amount
        if over:
            del self.held[id_]

    @precondition(lambda self: self.refundable())
    @rule(which=choice, part=tenths, to=st.sampled_from(TO), lost=st.booleans())
    def refund(self, which: int, part: int, to: RefundToWord | None, lost: bool) -> None:
        found = self.refundable()
        payment = found[which % len(found)]
        left = (payment.received - payment.returned).minor
        amount = max(1, left * part // 10)
        free = self.free_of(payment)
        if lost and amount <= left and (to != "from_credit" or free >= amount):
            self.fakes[payment.account].script("unknown_executed", operation="refund")
        spent = self.spent_of(payment)
        try:
            self.cashier.refund(payment, key=self.key(), amount=usd(amount), to=to)
        except CreditConsumed:
            assert to is None
            assert amount > left - spent
            return
        except NotRefundable:
            assert amount > left
            return
        except NotEnoughCredit:
            assert to == "from_credit"
            assert free < amount
            return
        told = self.cashier.inquire(payment)
        if told.returned == payment.returned:
            captures = [r for r in self.cashier.receipts(payment) if r.kind.inward]
            assert len(captures) > 1, "only what is more than each capture is refused"
            return
        assert (told.returned - payment.returned).minor == amount
        self.goes_back(payment, amount, to or ("from_credit" if free >= amount else "reopen"))

    @precondition(lambda self: self.held)
    @rule(which=choice, lost=st.booleans())
    def cancel_authorisation(self, which: int, lost: bool) -> None:
        id_ = self.pick(which, self.held)
        if lost:
            self.fakes["card"].script("unknown_executed", operation="void")
        payment = self.cashier.cancel(id_, key=self.key()).payment
        if lost:
            with pytest.raises(NotCapturable):
                self.cashier.capture(id_, key=self.key())
            payment = self.cashier.inquire(id_)
        expected = PaymentStatus.SUCCEEDED if payment.received.minor else PaymentStatus.CANCELED
        assert payment.status is expected
        self.claimed[self.known[id_].number] -= self.held.pop(id_)

    @precondition(lambda self: self.cancelable())
    @rule(which=choice)
    def cancel_charge(self, which: int) -> None:
        found = self.cancelable()
        payment = found[which % len(found)]
        free = self.free_of(payment)
        try:
            told = self.cashier.cancel(payment, key=self.key()).payment
        except CreditConsumed:
            assert self.spent_of(payment)
            return
        assert told.returned == payment.received
        whole = payment.received.minor
        refunded = self.cashier.receipts(payment)[-1].kind is MovementKind.REFUND
        self.goes_back(payment, whole, "from_credit" if refunded and free >= whole else "reopen")

    def cancelable(self) -> list[Payment]:
        return [
            payment
            for payment in self.refundable()
            if payment.status is PaymentStatus.SUCCEEDED
            and not payment.returned.minor
            and len(self.cashier.receipts(payment)) == 1
        ]

    @precondition(lambda self: self.open)
    @rule(which=choice, part=tenths)
    def show_page_to_complete(self, which: int, part: int) -> None:
        number = self.pick(which, self.open)
        amount = max(1, self.open[number] * part // 10)
        asked = min(amount, self.open[number])
        try:
            payment = self.cashier.collect(
                number,
                via="page",
                key=self.key(),
                amount=usd(amount),
                payer=PAYER,
                return_url=BACK,
            )
        except Refused:
            assert asked > self.room(number) or not self.room(number)
            return
        self.known[payment.id] = Known(number, asked=asked)
        self.approvals.append(payment.id)

    @precondition(lambda self: self.approvals)
    @rule(which=choice, approved=st.booleans())
    def complete(self, which: int, approved: bool) -> None:
        id_ = self.approvals[which % len(self.approvals)]
        payment, known = self.cashier.payment(id_), self.known[id_]
        if payment.status is PaymentStatus.CANCELED:  # closed when another payment was begun
            self.approvals.remove(id_)
            return
        if approved:
            self.fakes["page"].pay(payment.reference)
        try:
            told = self.cashier.complete(payment).payment
        except ItemAlreadyBeingPaid:
            assert payment.superseded or known.asked > self.room(known.number)
            if approved:
                self.approvals.remove(id_)
            return
        assert not payment.superseded
        assert (told.status is PaymentStatus.SUCCEEDED) == approved
        if approved:
            self.approvals.remove(id_)
            self.arrives(id_, payment.amount.minor)

    # --- What happens by itself ---------------------------------------------------------------

    @precondition(lambda self: self.doubtful)
    @rule()
    def time_passes(self) -> None:
        for pause in Timing().plan:
            self.clock.advance(pause + timedelta(seconds=1))
            self.cashier.recover()
        for id_, brings in self.doubtful.items():
            known = self.known[id_]
            payment = self.cashier.payment(id_)
            self.claimed[known.number] -= known.asked + known.reserved
            self.balance += known.reserved
            if brings:
                assert payment.status is PaymentStatus.SUCCEEDED
                self.use(id_, known.reserved)
                self.arrives(id_, brings)
            else:
                assert payment.status in (PaymentStatus.FAILED, PaymentStatus.DECLINED)
        self.doubtful.clear()
        self.holds_run_out()

    def holds_run_out(self) -> None:
        for id_ in list(self.held):
            if self.cashier.inquire(id_).status is not PaymentStatus.AUTHORIZED:
                self.claimed[self.known[id_].number] -= self.held.pop(id_)

    @precondition(lambda self: self.returnable())
    @rule(which=choice)
    def bank_returns_check(self, which: int) -> None:
        payment: Payment = self.pick_payment(which)
        self.fakes["e_check"].return_check(payment.reference)
        self.cashier.inquire(payment)
        if payment.reversed:
            self.balance -= payment.amount.minor
        else:
            self.take_back(payment.id)

    def returnable(self) -> list[Payment]:
        return [
            payment
            for payment in self.cashier.payments(limit=1_000)
            if payment.account == "e_check"
            and payment.status is PaymentStatus.SUCCEEDED
            and (payment.returned < payment.received or payment.reversed)
            and (payment.reversed or len(self.known[payment.id].money) <= 1)
            and payment.returned <= payment.received
            and not any(
                entry.kind is MovementKind.RETURN and entry.reference == payment.reference
                for entry in self.fakes["e_check"].processor.journal
            )
        ]

    def pick_payment(self, which: int) -> Payment:
        found = self.returnable()
        return found[which % len(found)]

    # --- What always holds -----------------------------------------------------------------------

    @invariant()
    def the_books_are_sound(self) -> None:
        if hasattr(self, "cashier"):
            assert self.cashier.fsck() == []

    @invariant()
    def the_model_agrees(self) -> None:
        if not hasattr(self, "cashier"):
            return
        for invoice in self.cashier.invoices(limit=1_000):
            assert invoice.open.minor == self.open[invoice.number], invoice
            assert invoice.claimed.minor == self.claimed[invoice.number], invoice
            held = invoice.allocated + invoice.written_off + invoice.claimed
            assert held <= invoice.total
        balance = self.cashier.balance(PAYER.id).get("USD", usd(0))
        assert balance.minor == self.balance

    @invariant()
    def the_processors_moved_what_we_booked(self) -> None:
        if not hasattr(self, "cashier") or self.doubtful:
            return
        moved = Counter(
            (name, entry.kind, entry.movement_id, entry.amount)
            for name, fake in self.fakes.items()
            for entry in fake.processor.journal
        )
        booked = Counter(
            (receipt.account, receipt.kind, receipt.movement_id, receipt.amount)
            for receipt in receipts_of(self.cashier)
            if receipt.account in self.fakes and receipt.kind is not MovementKind.REVERSAL
        )
        assert booked == moved


Machine.TestCase.settings = settings(
    deadline=None, stateful_step_count=25, max_examples=max(20, settings().max_examples // 2)
)
TestAnySequenceOfVerbs = Machine.TestCase


# --- Pay and reverse ------------------------------------------------------------------------------


def snapshot(cashier: Cashier) -> tuple[Any, ...]:
    return (
        [
            (invoice.number, invoice.open, invoice.claimed, invoice.status, invoice.due)
            for invoice in cashier.invoices()
        ],
        [(credit.id, credit.amount, credit.used) for credit in cashier.credits(PAYER.id)],
        cashier.balance(PAYER.id),
    )


@dataclass(frozen=True)
class Way:
    """A way to pay: so many tenths of all that is open, by what, and how much from credit."""

    tenths: int
    by: str
    from_credit: int = 0


ways = st.builds(
    Way, tenths=tenths, by=st.sampled_from(["tok_visa", "tok_partial", "check"]), from_credit=tenths
)
totals = st.lists(amounts, min_size=1, max_size=4)


def pay(cashier: Cashier, way: Way, key: str) -> Payment | None:
    invoices = cashier.open_invoices(PAYER.id)
    whole = sum(invoice.open.minor for invoice in invoices)
    if not whole:
        return None
    amount = max(1, whole * way.tenths // 10)
    if way.by == "check":
        return cashier.record(invoices, by="check", key=key, amount=usd(amount))
    free = cashier.balance(PAYER.id).get("USD", usd(0)).minor
    use = min(free, amount - 1, min(amount, whole) * way.from_credit // 15)
    return cashier.collect(
        invoices,
        via="card",
        method=way.by,
        key=key,
        amount=usd(amount),
        credit=usd(use) if use > 0 else None,
    )


def opened(totals: list[int], credit: int) -> Cashier:
    cashier = Cashier.in_memory(gateways={"card": FakeGateway(clock=FakeClock())})
    for number, total in enumerate(totals):
        cashier.issue(
            number=f"INV-{number}", customer=PAYER, total=usd(total), due=f"2026-02-{number + 1:02}"
        )
    cashier.record([], customer=PAYER, amount=usd(credit), by="cash", key="credit")
    return cashier


@settings(deadline=None)
@given(totals=totals, credit=amounts, way=ways)
def test_to_pay_and_to_reverse_is_nothing(totals: list[int], credit: int, way: Way) -> None:
    with opened(totals, credit) as cashier:
        before = snapshot(cashier)

        payment = pay(cashier, way, "k")
        assert payment is not None
        cashier.reverse(payment, reason="returned", force=True)

        assert snapshot(cashier) == before
        assert cashier.fsck() == []


@settings(deadline=None)
@given(
    totals=totals,
    credit=amounts,
    first=ways,
    others=st.lists(ways, max_size=4),
    data=st.data(),
)
def test_a_reversal_takes_back_only_its_own_payment(
    totals: list[int], credit: int, first: Way, others: list[Way], data: st.DataObject
) -> None:
    """What all other payments put on each invoice, and made of credit, stays as it is."""
    with opened(totals, credit) as cashier:
        made = [pay(cashier, way, f"k-{n}") for n, way in enumerate([first, *others])]
        brought = [payment for payment in made if payment is not None]
        chosen = data.draw(st.sampled_from(brought))
        before = standing(cashier)

        try:
            cashier.reverse(chosen, reason="returned", force=True)
        except CreditConsumed:
            assert standing(cashier) == before
            return

        after = standing(cashier)
        assert chosen.id not in after
        assert {id_: what for id_, what in before.items() if id_ != chosen.id} == after
        assert cashier.fsck() == []


def standing(cashier: Cashier) -> dict[str, dict[str, int]]:
    """Tell what each payment has on each invoice."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for invoice in cashier.invoices():
        for allocation in cashier.allocations(invoice):
            assert allocation.payment is not None
            found[allocation.payment][invoice.number] += allocation.amount.minor
    return {
        id_: {number: minor for number, minor in what.items() if minor}
        for id_, what in found.items()
        if any(what.values())
    }


@settings(deadline=None)
@given(totals=totals, credit=amounts, ways=st.lists(ways, min_size=1, max_size=5))
def test_to_reverse_everything_in_any_order_is_nothing(
    totals: list[int], credit: int, ways: list[Way]
) -> None:
    with opened(totals, credit) as cashier:
        before = snapshot(cashier)
        left = [p for n, way in enumerate(ways) if (p := pay(cashier, way, f"k-{n}")) is not None]

        # Who used the credit that another made goes first; some order always works.
        while left:
            for payment in left:
                try:
                    cashier.reverse(payment, reason="returned", force=True)
                except CreditConsumed:
                    continue
                left.remove(payment)
                break
            else:
                raise AssertionError("payments that block each other")

        assert snapshot(cashier) == before
        assert cashier.fsck() == []
