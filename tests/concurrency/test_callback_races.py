"""What comes at the same moment from two sides: an answer and a callback, a payer and a clerk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from paygate import Cashier, Payment, PaymentStatus
from paygate.domain.movement import MovementKind
from paygate.testing import LoopbackGateway, read_journal
from tests.concurrency.actors import (
    PATIENCE_S,
    ProcessorProcess,
    context,
    do_at_once,
    hear_and_apply,
    hear_and_let_go,
    open_cashier,
    pay_and_hold,
    processor,
)
from tests.reading import every_event
from tests.service.world import BACK, PAYER, assert_sound, usd

ROUNDS = 5
Actor = tuple[Callable[..., None], tuple[Any, ...]]


def run(ledger: Path, url: str, *actors: Actor) -> list[Any]:
    """Run each actor in a process of its own, and collect what each tells."""
    processes = context()
    pipes = [processes.Pipe(duplex=False) for _ in actors]
    children = [
        processes.Process(target=does, args=(ledger, url, *more, tells))
        for (does, more), (_, tells) in zip(actors, pipes, strict=True)
    ]
    for child in children:
        child.start()
    for _, tells in pipes:
        tells.close()
    told = [heard(hears) for hears, _ in pipes]
    for child in children:
        child.join(PATIENCE_S)
        assert child.exitcode == 0
    return told


def heard(hears: Connection) -> Any:
    with hears:
        return hears.recv()


# --- The callback against the answer -------------------------------------------------------


def standing(cashier: Cashier, payment: Payment) -> dict[str, Any]:
    """How a payment ended, without ids and times."""
    receipts = cashier.receipts(payment)
    invoice = cashier.invoice(payment.customer)
    return {
        "payment": (payment.status, payment.received, payment.code, payment.needs_review),
        "attempts": [(each.operation, each.state) for each in cashier.attempts(payment)],
        "receipts": [(each.kind, each.amount, each.allocated) for each in receipts],
        "invoice": (invoice.open, invoice.claimed, invoice.status),
        "credits": cashier.credits(payment.customer),
        "events": Counter(
            event.type
            for event in every_event(cashier)
            if event.aggregate in (payment.id, invoice.id)
        ),
    }


ENDS = {
    "tok_visa": PaymentStatus.SUCCEEDED,
    "tok_partial": PaymentStatus.SUCCEEDED,
    "tok_declined": PaymentStatus.DECLINED,
}


@pytest.mark.parametrize("token", ENDS)
def test_a_callback_and_the_answer_end_alike_whoever_comes_first(
    token: str, ledger: Path, running: ProcessorProcess
) -> None:
    ends: list[dict[str, Any]] = []
    with open_cashier(ledger, running.url) as cashier:

        def invoice(number: str) -> str:
            cashier.issue(number=number, customer=number, total=usd("30.00"), due="2026-02-01")
            return number

        def ended(number: str) -> None:
            [payment] = cashier.payments(customer=number)
            cashier.recover()
            payment = cashier.payment(payment)
            assert payment.status is ENDS[token]
            moved = [
                (entry.movement_id, entry.minor)
                for entry in read_journal(running.journal)
                if entry.payment == payment.id
            ]
            receipts = cashier.receipts(payment)
            assert [(each.movement_id, each.amount.minor) for each in receipts] == moved
            assert len(moved) == (payment.status is PaymentStatus.SUCCEEDED)
            ends.append(standing(cashier, payment))

        alone = context().Barrier(1)
        number = invoice("answer-first")
        run(ledger, running.url, (pay_and_hold, (number, token, alone)))
        run(ledger, running.url, (hear_and_apply, (number, alone)))
        ended(number)

        number = invoice("callback-first")
        holds, hears = context().Barrier(2), context().Barrier(1)
        run(
            ledger,
            running.url,
            (pay_and_hold, (number, token, holds)),
            (hear_and_let_go, (number, hears, holds)),
        )
        ended(number)

        for round_ in range(ROUNDS):
            number = invoice(f"together-{round_}")
            together = context().Barrier(2)
            run(
                ledger,
                running.url,
                (pay_and_hold, (number, token, together)),
                (hear_and_apply, (number, together)),
            )
            ended(number)

        assert ends == [ends[0]] * (ROUNDS + 2)
        assert_sound(cashier)


# --- The payer comes back while somebody else pays ------------------------------------------


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[ProcessorProcess]:
    """A processor at which a payer's approval moves nothing before we complete it."""
    with processor(tmp_path / "journal.jsonl", "--needs-complete") as running:
        yield running


@pytest.mark.parametrize("approved", [True, False])
@pytest.mark.parametrize("via", ["page", "card"])
def test_a_completion_and_a_card_never_both_charge_one_invoice(
    via: str, approved: bool, ledger: Path, waiting: ProcessorProcess
) -> None:
    """By a hosted page, or by a card that the payer had to prove at the bank."""
    with open_cashier(ledger, waiting.url) as cashier:
        for number in (f"INV-{round_}" for round_ in range(ROUNDS)):
            cashier.issue(number=number, customer=PAYER, total=usd("30.00"), due="2026-02-01")
            how: dict[str, Any] = (
                {"return_url": BACK} if via == "page" else {"method": "tok_action"}
            )
            first = cashier.collect(number, via=via, key=number, payer=PAYER, **how)
            assert first.status is PaymentStatus.REQUIRES_ACTION
            if approved:
                LoopbackGateway(url=waiting.url).pay(first.reference)

            before = len(read_journal(waiting.journal))
            together = context().Barrier(2)
            card = {"via": "card", "method": "tok_visa", "key": f"{number}-card"}
            completion = {"key": f"{number}-complete"}
            told = run(
                ledger,
                waiting.url,
                (do_at_once, (("complete", first.id, completion), together)),
                (do_at_once, (("collect", number, card), together)),
            )

            assert_sound(cashier)
            assert "done" in told
            moved = read_journal(waiting.journal)[before:]
            assert len(moved) == 1 or (not approved and not moved), told
            if not moved:  # what is not approved is not paid, and the card came at that moment
                assert cashier.invoice(number).claimed.minor == 0
                cashier.collect(number, via="card", method="tok_visa", key=f"{number}-again")
                moved = read_journal(waiting.journal)[before:]
            [one] = moved
            assert (one.kind, one.minor) == (MovementKind.CHARGE, 3000)
            assert approved or one.payment != first.id
            assert cashier.payment(one.payment).received == usd("30.00")
            assert cashier.invoice(number).open.minor == 0
