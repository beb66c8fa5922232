"""What two calls at once may do wrong, each as a round of eight calls and a judgement of it."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, ClassVar, Final

import psycopg

from paygate import Cashier, Kind, Money, Payment
from paygate.errors import PaygateError, Refused
from paygate.ledger import addresses, items, lots, roots, under_way
from paygate.ledger.roots import Owned, Root
from paygate.ledger.tx import Tx
from paygate.testing import FakeGateway, Habits
from tests.support.holding import CheckedPostgresSession

WRITERS: Final = 8
DUE: Final = "2026-12-01"
TOTAL: Final = Money.of("USD", "30.00")
BACK: Final = "https://shop.example/back"
KEY: Final = base64.urlsafe_b64encode(b"k" * 32).decode()

Act = Callable[[], object]


class Office:
    """Cashiers with connections of their own, as in several processes, and one processor."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.card = FakeGateway(Kind.CARD)
        self.page = FakeGateway(Kind.REDIRECT, habits=Habits(needs_complete=True))
        gateways = {"card": self.card, "page": self.page}
        self.cashiers = [
            Cashier.open(url, gateways=gateways, token_keys=[KEY], page_keys=[KEY])
            for _ in range(WRITERS)
        ]
        self.first = self.cashiers[0]
        self._numbers = count(1)

    def close(self) -> None:
        for each in self.cashiers:
            each.close()

    def invoice(self, customer: str = "C-1") -> str:
        number = f"A-{next(self._numbers)}"
        self.first.issue(number=number, customer=customer, total=TOTAL, due=DUE)
        return number

    def rows(self, sql: str, **params: Any) -> list[Any]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql.encode(), params).fetchall()

    def attempts(self, payment: Payment, *operations: str) -> int:
        return sum(each.operation in operations for each in self.first.attempts(payment))

    def acts(self, *makers: Callable[[Cashier, int], object]) -> list[Act]:
        """Return a call for each cashier, by the *makers* in turn."""
        return [
            partial(makers[number % len(makers)], cashier, number)
            for number, cashier in enumerate(self.cashiers)
        ]


@dataclass(frozen=True, slots=True)
class Round:
    """Calls to be made at once, and what is wrong after them: nothing if it is empty."""

    acts: Sequence[Act]
    wrong: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Race:
    """
    A race: how a round of it is made, and what else guards it beside the locks.

    The locks alone are not to be seen where a constraint or the condition of an update stands
    behind them. So to show that the judgement can fail, those are taken out, too: *constraints*
    are statements, *conditions* name the text of a statement and its replacement.
    """

    begin: Callable[[Office], Round]
    constraints: Sequence[str] = ()
    conditions: Sequence[tuple[Any, str, str, str]] = ()


# --- Without locks --------------------------------------------------------------------------


class Unlocked(CheckedPostgresSession):
    """
    A session that locks no root; calls at once have all read before any of them writes.

    They wait for each other before their first write, and before they write events.
    """

    __slots__ = ("_met",)

    meeting: ClassVar[threading.Barrier | None] = None

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._met: set[bool] = set()

    def lock(self, _roots: Sequence[Root], /) -> None:
        pass

    def lock_owner(self, _noun: Owned, _params: Mapping[str, Any], /) -> Sequence[Any]:
        return ()

    def _enter(self, sql: str) -> bytes:
        text = super()._enter(sql)
        written = roots.table_written(sql)
        meeting = self.meeting
        of_events = written == "paygate_outbox"
        meets = of_events or written in roots.ROOTS or written == "paygate_address"
        if meets and meeting is not None and of_events not in self._met:
            self._met.add(of_events)
            meet(meeting)
        return text


def meet(meeting: threading.Barrier) -> None:
    """Wait for the others a little; who was refused does not come."""
    with suppress(threading.BrokenBarrierError):
        meeting.wait(1)


# --- The races ------------------------------------------------------------------------------


def _one_attempt(office: Office, payment: Payment, *operations: str) -> Callable[[], str]:
    def wrong() -> str:
        made = office.attempts(payment, *operations)
        return "" if made == 1 else f"{made} of {operations} were sent"

    return wrong


def two_refunds(office: Office) -> Round:
    paid = office.first.collect(office.invoice(), via="card", method="tok_visa", key=new_key())
    # The first is not known to have ended, so a second one could send the money again.
    office.card.script("unknown_executed", operation="refund")
    acts = office.acts(lambda cashier, _: cashier.refund(paid, amount=TOTAL, key=new_key()))
    return Round(acts, _one_attempt(office, paid, "refund"))


def refund_and_reversal(office: Office) -> Round:
    number = office.invoice()
    check = office.first.record(number, by="check", key=new_key())

    def refund(cashier: Cashier, _: int) -> object:
        return cashier.record_refund(
            check, amount=TOTAL, by="cash", reference="till", key=new_key(), to="reopen"
        )

    def reverse(cashier: Cashier, _: int) -> object:
        return cashier.reverse(check, reason="bounced")

    def wrong() -> str:
        refunds = [each for each in office.first.receipts(check) if each.kind == "refund"]
        reversed_ = office.first.payment(check).reversal is not None
        opened = office.first.invoice(number).open
        right = len(refunds) + reversed_ == 1 and opened == TOTAL
        return "" if right else f"{len(refunds)} refunds, reversed: {reversed_}, {opened} open"

    return Round(office.acts(refund, reverse), wrong)


def two_captures(office: Office) -> Round:
    held = office.first.authorize(office.invoice(), via="card", method="tok_visa", key=new_key())
    office.card.script("unknown_executed", operation="capture")
    acts = office.acts(lambda cashier, _: cashier.capture(held, amount=TOTAL, key=new_key()))
    return Round(acts, _one_attempt(office, held, "capture"))


def capture_and_void(office: Office) -> Round:
    held = office.first.authorize(office.invoice(), via="card", method="tok_visa", key=new_key())
    office.card.script("unknown_executed", operation="capture")
    office.card.script("unknown_executed", operation="void")
    acts = office.acts(
        lambda cashier, _: cashier.capture(held, amount=TOTAL, key=new_key()),
        lambda cashier, _: cashier.cancel(held, key=new_key()),
    )
    return Round(acts, _one_attempt(office, held, "capture", "void"))


def two_default_methods(office: Office) -> Round:
    customer = new_key()
    stored = [
        office.first.enroll(customer, via="card", method=token, key=new_key()).method
        for token in ("tok_visa", "tok_mastercard", "tok_amex")
    ]
    _, *others = (each for each in stored if each is not None)

    def choose(cashier: Cashier, number: int) -> object:
        return cashier.set_default_method(others[number % len(others)])

    def wrong() -> str:
        found = sum(each.is_default for each in office.first.methods(customer))
        return "" if found == 1 else f"{found} methods are the default"

    return Round(office.acts(choose), wrong)


def two_soft_claims(office: Office) -> Round:
    number = office.invoice()
    acts = office.acts(
        lambda cashier, _: cashier.collect(number, via="page", key=new_key(), return_url=BACK)
    )

    def wrong() -> str:
        [[soft]] = office.rows(
            """
            SELECT count(*) FROM paygate_claim c JOIN paygate_item i ON i.id = c.item
            WHERE i.number = %(number)s AND c.state = 'soft'
            """,
            number=number,
        )
        return "" if soft == 1 else f"{soft} pages wait for the same money"

    return Round(acts, wrong)


def two_credits_spent(office: Office) -> Round:
    customer = new_key()
    office.first.record([], customer=customer, amount=TOTAL, by="cash", key=new_key())
    numbers = [office.invoice(customer) for _ in office.cashiers]
    acts = office.acts(lambda cashier, k: cashier.pay_from_credit(numbers[k], key=new_key()))

    def wrong() -> str:
        paid = sum(not office.first.invoice(each).open.minor for each in numbers)
        return "" if paid == 1 else f"{paid} invoices are paid from credit for one"

    return Round(acts, wrong)


def two_numbers_of_an_address(office: Office) -> Round:
    source = new_key()

    def allot(cashier: Cashier, number: int) -> object:
        def work(tx: Tx) -> int:
            return addresses.allot(tx, source, "btc", f"payer:{number // 2}").number

        return cashier._store.write(cashier._context, work)

    allot(office.first, WRITERS)

    def wrong() -> str:
        rows = office.rows(
            "SELECT owner, number FROM paygate_address WHERE source = %(source)s", source=source
        )
        given = sorted(number for _, number in rows)
        right = given == list(range(WRITERS // 2 + 1))
        return "" if right else f"{given} were given to {WRITERS // 2 + 1} payers"

    return Round(office.acts(allot), wrong)


def two_first_events(office: Office) -> Round:
    customer = new_key()

    def assign(cashier: Cashier, number: int) -> object:
        return cashier.assign_payer_number(customer, f"{customer}-{number}", via="card")

    def wrong() -> str:
        rows = office.rows(
            "SELECT seq FROM paygate_outbox WHERE aggregate = %(aggregate)s",
            aggregate=f"customer:{customer}",
        )
        found = sorted(seq for (seq,) in rows)
        return "" if found == list(range(1, WRITERS + 1)) else f"events are numbered {found}"

    return Round(office.acts(assign), wrong)


def sending_stopped(office: Office) -> Round:
    numbers = [office.invoice() for _ in office.cashiers]
    office.first.resume_sending(evidence="the last round is over", force=True)

    def collect(cashier: Cashier, number: int) -> object:
        return cashier.collect(numbers[number], via="card", method="tok_visa", key=new_key())

    def stop(cashier: Cashier, number: int) -> object:
        return cashier.stop_sending(reason="restored") if number == 1 else None

    def wrong() -> str:
        # An event gets its number at the end of the transaction that stores what it tells.
        late = office.rows("""
            SELECT aggregate FROM paygate_outbox WHERE type = 'payment.started' AND number > (
              SELECT max(number) FROM paygate_outbox WHERE type = 'ledger.sending_stopped')
        """)
        office.first.resume_sending(evidence="this round is over", force=True)
        return f"{len(late)} payments were begun after the stop" if late else ""

    return Round(office.acts(collect, stop), wrong)


def two_completes(office: Office) -> Round:
    page = office.first.collect(office.invoice(), via="page", key=new_key(), return_url=BACK)
    office.page.pay(page.reference)
    acts = office.acts(lambda cashier, _: cashier.complete(page))
    return Round(acts, _one_attempt(office, page, "complete"))


def paid_and_invoiced(office: Office) -> Round:
    """The invoice finds the money, or the money finds the invoice, whichever comes first."""
    purpose = new_key()
    made = office.first.prepay("C-1", TOTAL, assignment_key=purpose, key=new_key())

    def pay(cashier: Cashier, number: int) -> object:
        if number:
            return None
        return cashier.record(made, by="cash", amount=TOTAL, key=purpose)

    def issue(cashier: Cashier, _: int) -> object:
        return cashier.issue(
            number=purpose, customer="C-1", total=TOTAL, due=DUE, assignment_key=purpose
        )

    def wrong() -> str:
        left = office.first.invoice(purpose).open
        waiting = office.first.prepayment(made).waiting
        return f"{left} is open, and {waiting} waits" if left or waiting else ""

    return Round(office.acts(pay, issue), wrong)


_KEYS: Final = count(1)


def new_key() -> str:
    return f"k{next(_KEYS)}"


_SOFT_CLAIM: Final = (
    ["ALTER TABLE paygate_item DROP CONSTRAINT paygate_item_check"],
    [(items, "_CLAIM", ">= :amount", "IS NOT NULL")],
)
_SENT_ONCE: Final = "paygate_attempt_tenant_account_operation_gateway_key_key"

RACES: Final = {
    race.__name__.replace("_", " "): Race(race, constraints, conditions)
    for race, constraints, conditions in [
        (
            two_refunds,
            (),
            [
                (
                    under_way,
                    "_BEGIN_REFUND",
                    " + refunding_minor + :amount <= received_minor",
                    " >= 0",
                )
            ],
        ),
        (refund_and_reversal, (), ()),
        (
            two_captures,
            (),
            [(under_way, "_BEGIN_CAPTURE", " + :amount <= authorized_minor", " >= 0")],
        ),
        (
            capture_and_void,
            (),
            [
                (under_way, "_BEGIN_CAPTURE", "AND voiding = 0", ""),
                (under_way, "_BEGIN_CAPTURE", " + :amount <= authorized_minor", " >= 0"),
                (under_way, "_BEGIN_VOID", "AND capturing_minor = 0", ""),
            ],
        ),
        (two_default_methods, ["DROP INDEX paygate_method_default"], ()),
        (
            two_soft_claims,
            *_SOFT_CLAIM,
        ),
        (
            two_credits_spent,
            ["ALTER TABLE paygate_credit DROP CONSTRAINT paygate_credit_check"],
            [(lots, "_RESERVE", " - canceled_minor >= :amount", " IS NOT NULL")],
        ),
        (
            two_numbers_of_an_address,
            ["ALTER TABLE paygate_address DROP CONSTRAINT paygate_address_pkey"],
            # Numbers that are read, and not counted.
            [
                (addresses, "_COUNT_UP", "WHERE", "WHERE FALSE AND"),
                (
                    addresses,
                    "_COUNT",
                    "allotted,",
                    "(SELECT count(*) + 1 FROM paygate_address WHERE source = :source) allotted,",
                ),
            ],
        ),
        (
            two_first_events,
            ["ALTER TABLE paygate_outbox DROP CONSTRAINT paygate_outbox_tenant_aggregate_seq_key"],
            (),
        ),
        (sending_stopped, (), ()),
        (paid_and_invoiced, (), ()),
        (
            two_completes,
            [
                *_SOFT_CLAIM[0],
                "ALTER TABLE paygate_key DROP CONSTRAINT paygate_key_pkey",
                f"ALTER TABLE paygate_attempt DROP CONSTRAINT {_SENT_ONCE}",
            ],
            _SOFT_CLAIM[1],
        ),
    ]
}
"""The races, by name."""


@dataclass(slots=True)
class Played:
    """What came of calls at once: how many were refused, and the errors of the others."""

    refused: int = 0
    errors: list[str] = field(default_factory=list[str])


def play(acts: Sequence[Act]) -> Played:
    """Make all calls at the same moment."""
    barrier, played = threading.Barrier(len(acts)), Played()

    def one(act: Act) -> None:
        barrier.wait(60)
        try:
            act()
        except Refused:
            played.refused += 1
        except PaygateError as error:
            played.errors.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=one, args=(act,)) for act in acts]
    for each in threads:
        each.start()
    for each in threads:
        each.join(120)
    return played
