"""Bugs of money: counted too little, given away twice, or left where it was."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.attempt import AttemptState
from paygate.domain.chargeback import DisputeState
from paygate.domain.decide import Source
from paygate.domain.kind import Kind, Operation
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import Declined, Pending
from paygate.domain.settlement import NOTHING_SETTLED, Settlement
from paygate.gateway import CallbackStyle
from paygate.service.flow import Write, transact
from paygate.testing.simulation.bias import Bias
from paygate.testing.simulation.faults import PlannedFault
from tests.support.mutants.mutant import Mutant, Patch, rewritten, without

if TYPE_CHECKING:
    from paygate.ledger.tx import Tx
    from paygate.service.flow import Flow


def _last_word_wins(original: Any) -> Any:
    def decide(facts: Any, answer: Any, source: Any) -> Any:
        changes = original(facts, answer, source)
        if source is Source.CALLBACK and facts.state is AttemptState.SUCCEEDED:
            if isinstance(answer, Pending):
                return replace(changes, state=AttemptState.PENDING)
            if isinstance(answer, Declined):
                return replace(changes, state=AttemptState.DECLINED, review="")
        return changes

    return decide


def _first_money_only(original: Any) -> Any:
    def decide(facts: Any, answer: Any, source: Any) -> Any:
        changes = original(facts, answer, source)
        if facts.state is AttemptState.SUCCEEDED and facts.booked:
            book = [each for each in changes.book if each.kind is not MovementKind.CHARGE]
            return replace(changes, book=tuple(book))
        return changes

    return decide


def _forget_used_credit(original: Any) -> Any:
    allocation = import_module("paygate.service.allocation")

    def nothing(*_: Any, **__: Any) -> Any:
        return [], []

    def document(tx: Tx, *args: Any, **more: Any) -> Any:
        if "gateway" not in args:
            return original(tx, *args, **more)
        give_back = allocation.give_back_credit
        vars(allocation)["give_back_credit"] = nothing
        try:
            return original(tx, *args, **more)
        finally:
            vars(allocation)["give_back_credit"] = give_back

    return document


def _approval_overrules(original: Any) -> Any:
    tasks = import_module("paygate.service.tasks")

    def complete(row: Any, payment: Any, accounts: Any, timing: Any) -> Flow[Any]:
        def leniently(step: Write) -> Flow[Any]:
            def work(tx: Tx) -> Any:
                check = vars(tasks)["check_page"]

                def see_no_other(tx: Tx, payment: Any, task: Any, rail: Any) -> Any:
                    return check(tx, replace(payment, superseded=False), task, rail)

                vars(tasks)["check_page"] = see_no_other
                try:
                    return step.work(tx)
                finally:
                    vars(tasks)["check_page"] = check

            return (yield Write(work))

        return (yield from rewritten(original(row, payment, accounts, timing), leniently))

    return complete


def _keep_the_hold(original: Any) -> Any:
    def nothing(*_: Any) -> None:
        pass

    def end(tx: Tx, row: Any, payment: Any, changes: Any) -> None:
        if row.attempt.operation is Operation.REFUND and changes.state is AttemptState.FAILED:
            lots = import_module("paygate.ledger.lots")
            release = lots.release
            vars(lots)["release"] = nothing
            try:
                original(tx, row, payment, changes)
            finally:
                vars(lots)["release"] = release
            return
        original(tx, row, payment, changes)

    return end


def _whole_again(original: Any) -> Any:
    def known(receipt: Any) -> Settlement:
        del receipt
        return NOTHING_SETTLED

    del original
    return known


def _lost_is_won(original: Any) -> Any:
    def told(tx: Tx, payment: Any, dispute: Any) -> None:
        if dispute.state is DisputeState.LOST:
            dispute = replace(dispute, state=DisputeState.WON)
        original(tx, payment, dispute)

    return told


_SET_FEE = "UPDATE paygate_reversal SET fee_item = :fee WHERE id = :id"


def _fee_apart(original: Any) -> Any:
    service = import_module("paygate.service.reverse")
    effects = import_module("paygate.service.opposite")

    def reverse(wish: Any) -> Flow[Any]:
        later: list[Any] = []

        def put_off(_: Tx, *what: Any) -> None:
            later.append(what)

        def opposite(tx: Tx) -> Any:
            issue_fee = vars(effects)["_issue_fee"]
            later.clear()
            vars(effects)["_issue_fee"] = put_off
            try:
                return service.reverse_in(tx, wish)
            finally:
                vars(effects)["_issue_fee"] = issue_fee

        def fee(tx: Tx) -> Any:
            [what] = later
            item = vars(effects)["_issue_fee"](tx, *what)
            tx.run(_SET_FEE, {"fee": item, "id": found.id})
            return service.reversals.of_payment(tx, wish.payment)[0]

        found = yield from transact(opposite)
        return (yield from transact(fee)) if later and wish.fee is not None else found

    del original
    return reverse


_ELSEWHERE: Final = ("record", "use credit", "reverse", "cancel", "hold")
"""What makes payments that are not refunded, or refunds that do not meet."""

MUTANTS: Final = (
    Mutant(
        name="late-event-overwrites",
        plants="a callback that says pending or declined reverts a success",
        breaks="a fact of lower rank changes nothing",
        shows="callbacks overtake each other",
        patches=(Patch("service.merge", "decide", _last_word_wins),),
        bias=Bias(
            faults={PlannedFault.REORDERED: 0.7, PlannedFault.DUPLICATED: 0.4},
            actions={"callbacks arrive": 8, "pay": 3, "time passes": 3, "page": 3},
            callbacks=frozenset({CallbackStyle.ACKNOWLEDGED}),
        ),
    ),
    Mutant(
        name="second-receipt-is-dropped",
        plants="a payment that succeeded books no other money",
        breaks="a new movement is always booked",
        shows="a page is paid twice",
        patches=(Patch("service.merge", "decide", _first_money_only),),
        bias=Bias(
            faults={PlannedFault.BUSY: 0.001},
            actions={"page": 12, "pay": 3},
            kinds=frozenset({Kind.REDIRECT, Kind.VOUCHER}),
            late=True,
        ),
    ),
    Mutant(
        name="refund-on-its-way-is-not-counted",
        plants="a refund counts only when it has succeeded",
        breaks="open and completed refunds together never exceed the money that came in",
        shows="the outcome of a refund is unknown, and somebody clicks again",
        patches=(
            Patch(
                "ledger.under_way",
                "_BEGIN_REFUND",
                without("returned_minor + refunding_minor + :amount", "returned_minor + :amount"),
            ),
        ),
        bias=Bias(
            faults={PlannedFault.RESPONSE_SLOW: 0.6},
            actions={"pay": 2, "refund": 20, **dict.fromkeys(_ELSEWHERE, 0)},
            kinds=frozenset({Kind.CARD}),
        ),
    ),
    Mutant(
        name="capture-on-its-way-is-not-counted",
        plants="a capture counts only when it has succeeded",
        breaks="open and completed captures together never exceed the authorized amount",
        shows="the outcome of a capture is unknown, and somebody captures again",
        patches=(
            Patch(
                "ledger.under_way",
                "_BEGIN_CAPTURE",
                without("collected_minor + capturing_minor + :amount", "collected_minor + :amount"),
            ),
        ),
    ),
    Mutant(
        name="captures-while-it-is-voided",
        plants="a void that may be under way does not prevent a capture",
        breaks="an open void excludes captures",
        shows="the outcome of a void is unknown, and somebody captures",
        patches=(Patch("ledger.under_way", "_BEGIN_CAPTURE", without("AND voiding = 0")),),
        bias=Bias(
            faults={PlannedFault.RESPONSE_SLOW: 0.5, PlannedFault.RESPONSE_LOST: 0.2},
            actions={"hold": 6, "capture": 6, "cancel": 8},
            kinds=frozenset({Kind.CARD}),
        ),
    ),
    Mutant(
        name="reversal-forgets-used-credit",
        plants="a return reported by the gateway does not restore the credit that the payment used",
        breaks="credit lots that the payment used are given back",
        shows="an e-check that was combined with credit is returned",
        patches=(Patch("service.opposite", "document", _forget_used_credit),),
        bias=Bias(
            actions={"pay": 2, "top up": 3, "return check": 8},
            kinds=frozenset({Kind.E_CHECK}),
        ),
    ),
    Mutant(
        name="superseded-page-is-completed",
        plants="a callback of the payer's approval completes a page that was superseded",
        breaks="a superseded page is never completed",
        shows="the payer approves an old page after a new payment began",
        patches=(Patch("service.apply", "_complete", _approval_overrules),),
        bias=Bias(
            faults={PlannedFault.REQUEST_LOST: 0.35},
            actions={"saga": 4, "page": 10, "pay": 8, "callbacks arrive": 6, "come back": 0},
            kinds=frozenset({Kind.REDIRECT}),
            callbacks=frozenset({CallbackStyle.ACKNOWLEDGED}),
        ),
    ),
    Mutant(
        name="failed-refund-keeps-its-hold",
        plants="credit that a refund held stays held when the refund failed",
        breaks="reserved credit is the sum of the holds on it",
        shows="a refund from credit never leaves, or is lost",
        patches=(Patch("service.booking", "_end", _keep_the_hold),),
        bias=Bias(
            faults={PlannedFault.CONNECT: 0.2, PlannedFault.TOO_MANY: 0.2},
            actions={"top up": 10, "refund": 6},
        ),
    ),
    Mutant(
        name="fee-in-its-own-transaction",
        plants="a reversal is committed before its fee invoice",
        breaks="reversal and fee are in one transaction",
        shows="a process dies between the two",
        patches=(Patch("service.reverse", "reverse", _fee_apart),),
        bias=Bias(
            faults={PlannedFault.CRASH: 0.1, PlannedFault.CRASH_AFTER_COMMIT: 0.2},
            actions={"record": 3, "reverse": 6},
        ),
    ),
    Mutant(
        name="settlement-counted-whole-again",
        plants="each report of a settlement is posted in full, even if a part was posted before",
        breaks="settled money is posted once",
        shows="a processor pays out in parts, or reports an earlier partial payout late",
        patches=(Patch("service.settle", "_known", _whole_again),),
        bias=Bias(actions={"pay": 2, "pay out": 6}),
    ),
    Mutant(
        name="lost-dispute-is-won",
        plants="a dispute that is lost is booked as won, and the invoice stays open",
        breaks="a chargeback has the state that the bank decided",
        shows="a dispute is lost",
        patches=(Patch("service.dispute", "report", _lost_is_won),),
        bias=Bias(
            actions={"pay": 2, "dispute": 4, "lose dispute": 4}, kinds=frozenset({Kind.CARD})
        ),
    ),
    Mutant(
        name="writes-off-what-is-being-paid",
        plants="a write-off ignores the amount that an open payment holds",
        breaks="paid, written-off and held amounts together never exceed the total",
        shows="a clerk writes off while the outcome of a payment is unknown",
        patches=(
            Patch(
                "ledger.items",
                "_WRITE_OFF",
                without(" - claimed_minor"),
            ),
        ),
        bias=Bias(actions={"write off": 8}),
    ),
)
