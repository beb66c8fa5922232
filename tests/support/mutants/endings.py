"""Bugs of the end: what has ended badly, turns again, or is held for nothing."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.attempt import AttemptState
from paygate.domain.decide import Changes
from paygate.domain.job import JobKind
from paygate.domain.kind import Kind
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import Declined, RejectCause, Rejected
from paygate.gateway import InquiryBy
from paygate.testing.simulation.bias import Bias
from paygate.testing.simulation.faults import PlannedFault
from tests.support.mutants.mutant import NO_AUTOPAY, Mutant, Patch, without

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from paygate.ledger.tx import Tx

    Begin = Callable[..., Generator[Any, Any, Any]]

_ALL_ACCOUNTS = "SELECT DISTINCT account FROM {} WHERE tenant = :tenant ORDER BY account"
_QUIET: Final = {PlannedFault.BUSY: 0.001}


def _nothing(original: Any) -> Any:
    def do_nothing(*_: Any, **__: Any) -> None:
        pass

    del original
    return do_nothing


def _never(original: Any) -> Any:
    def no(*_: Any, **__: Any) -> bool:
        return False

    del original
    return no


def _one_taking(original: Any) -> Any:
    def decide(facts: Any, answer: Any, source: Any) -> Any:
        changes = original(facts, answer, source)
        first = [
            each
            for each in changes.book
            if each.kind is not MovementKind.CHARGEBACK or "#" not in each.movement_id
        ]
        return replace(changes, book=tuple(first))

    return decide


def _void_is_open(original: Any) -> Any:
    del original
    return SimpleNamespace(VOID="no such status")


def _every_decline_is_a_try(original: Any) -> Any:
    def decide(facts: Any, answer: Any, source: Any) -> Any:
        if isinstance(answer, Declined):
            answer = replace(answer, final=False)
        return original(facts, answer, source)

    return decide


def _refusal_says_nothing(original: Any) -> Any:
    def decide(facts: Any, answer: Any, source: Any) -> Any:
        if isinstance(answer, Rejected) and facts.state is AttemptState.PENDING:
            return Changes(reference=answer.reference)
        return original(facts, answer, source)

    return decide


def _used_key_is_refusal(original: Any) -> Any:
    def decide(facts: Any, answer: Any, source: Any) -> Any:
        if isinstance(answer, Rejected) and answer.cause is RejectCause.KEY_MISMATCH:
            answer = replace(answer, cause=RejectCause.VALIDATION)
        return original(facts, answer, source)

    return decide


def _of_every_account(table: str, of: JobKind) -> Any:
    def make(original: Any) -> Any:
        def due(tx: Tx, kind: JobKind, account: str, limit: int, *, free: bool) -> Any:
            if kind is not of:
                return original(tx, kind, account, limit, free=free)
            rows = tx.all(_ALL_ACCOUNTS.format(table), {"tenant": tx.tenant})
            found: list[Any] = []
            for row in rows:
                found += original(tx, kind, row["account"], limit, free=free)
            return found

        return due

    return make


def _whatever_it_lacks(of: JobKind) -> Any:
    """Plant that a process does jobs of a kind without asking whether it has their account."""

    def make(original: Any) -> Any:
        kinds = vars(import_module("paygate.service.agenda"))["KINDS"]

        def do(job: Any, access: Any) -> Generator[Any, Any, Any]:
            blindly = job.kind is of and access.lacks(job)
            work: Begin = kinds[job.kind].work if blindly else original
            return (yield from work(job, access))

        return do

    return make


def _stay_hard(original: Any) -> Any:
    claiming = import_module("paygate.service.claiming")

    def pass_on(*args: Any) -> Any:
        soften = vars(claiming)["soften"]
        vars(claiming)["soften"] = _nothing(soften)
        try:
            return original(*args)
        finally:
            vars(claiming)["soften"] = soften

    return pass_on


def _any_amount(original: Any) -> Any:
    def is_money(value: object, low: int) -> bool:
        del low
        found: bool = original(value, -(10**12))
        return found

    return is_money


_DISPUTES: Final = {"saga": 12, "pay": 3}
MUTANTS: Final = (
    Mutant(
        name="second-taking-is-dropped",
        plants="money that the bank takes again in a dispute that was won is not booked",
        breaks="a chargeback can turn more than once; each taking is a movement of its own",
        shows="a dispute is won, and lost after all",
        patches=(Patch("service.merge", "decide", _one_taking),),
        bias=Bias(faults=_QUIET, actions=_DISPUTES, kinds=frozenset({Kind.CARD})),
    ),
    Mutant(
        name="win-opens-a-void-invoice",
        plants="the amount that a lost dispute wrote off is restored on an invoice that is void",
        breaks="money that comes back becomes the customer's credit if the invoice is void by then",
        shows="a dispute is lost, the invoice is voided, and the dispute is won after all",
        patches=(Patch("service.dispute", "InvoiceStatus", _void_is_open),),
        bias=Bias(faults=_QUIET, actions=_DISPUTES, kinds=frozenset({Kind.CARD})),
    ),
    Mutant(
        name="early-return-is-dropped",
        plants="a return that is reported before its money is not kept",
        breaks="a return that is reported before its charge is kept, and nets against the charge",
        shows="an e-check is returned, and its money is reported days later",
        patches=(Patch("ledger.early_returns", "keep", _nothing),),
        bias=Bias(
            faults=_QUIET,
            actions={"return early": 20, "pay": 3, "poller": 3, "time passes": 2},
            kinds=frozenset({Kind.E_CHECK}),
        ),
    ),
    Mutant(
        name="last-decline-is-a-try",
        plants="a page that was declined for good waits for another try",
        breaks="a decline that the processor calls final ends the payment as declined",
        shows="the processor accepts no other try on a page",
        patches=(Patch("service.merge", "decide", _every_decline_is_a_try),),
        bias=Bias(faults=_QUIET, actions={"page": 10, "pay": 3}, kinds=frozenset({Kind.REDIRECT})),
    ),
    Mutant(
        name="refused-while-it-waited-waits-on",
        plants="an operation that was accepted and is refused later stays pending",
        breaks="a pending capture, void or refund that is rejected has ended",
        shows="a refund is accepted, and refused a day later",
        patches=(Patch("service.merge", "decide", _refusal_says_nothing),),
        bias=Bias(
            faults=_QUIET,
            actions={"pay": 3, "refund": 12, "capture": 6, "hold": 3, "cancel": 4},
            kinds=frozenset({Kind.CARD}),
            slow=True,
        ),
    ),
    Mutant(
        name="used-key-is-refusal",
        plants="a key that the processor knows with other data counts as a plain refusal",
        breaks="if a key is refused as used with other data, the outcome is unknown",
        shows="an older version of us has sent the same request",
        patches=(Patch("service.merge", "decide", _used_key_is_refusal),),
        bias=Bias(
            faults={PlannedFault.KEY_SEEN: 0.4},
            actions={"pay": 4},
            kinds=frozenset({Kind.CARD}),
            rules=frozenset({"keyed", "keyed_without_errors"}),
        ),
    ),
    Mutant(
        name="stranger-follows-up",
        plants="a host makes inquiries for accounts that it does not have",
        breaks="an inquiry of a process without the account changes nothing",
        shows="two hosts share a ledger, and one of them lacks an account",
        patches=(
            Patch("ledger.jobs", "due", _of_every_account("paygate_attempt", JobKind.INQUIRE)),
            Patch("service.agenda", "_work", _whatever_it_lacks(JobKind.INQUIRE)),
        ),
        bias=Bias(faults={PlannedFault.RESPONSE_LOST: 0.4}, actions={"poller": 6, "pay": 2}),
    ),
    Mutant(
        name="stranger-applies-callbacks",
        plants="a host applies callbacks of accounts that it does not have",
        breaks="only an inquiry that was sent and answered counts",
        shows="two hosts share a ledger, and one of them lacks an account",
        patches=(
            Patch("ledger.jobs", "due", _of_every_account("paygate_inbox", JobKind.APPLY)),
            Patch("service.agenda", "_work", _whatever_it_lacks(JobKind.APPLY)),
        ),
        bias=Bias(faults=_QUIET, actions={"poller": 6, "callbacks arrive": 3, "pay": 2}),
    ),
    Mutant(
        name="unpaid-page-holds-on",
        plants="a page that its payer left unpaid keeps the invoice after the payer came back",
        breaks="a completion that finds the page unpaid holds nothing",
        shows="a payer comes back without having paid",
        patches=(Patch("service.merge", "_pass_on", _stay_hard),),
        bias=Bias(
            faults=_QUIET,
            actions={"come back": 10, "pay": 3},
            kinds=frozenset({Kind.REDIRECT, Kind.CARD}),
        ),
    ),
    Mutant(
        name="half-read-feed-counts",
        plants="a feed that was not read to its end counts as read",
        breaks="after a restore nothing is sent before the reports are read",
        shows="a reading dies halfway, and somebody resumes sending",
        patches=(
            Patch(
                "ledger.feeds",
                "_END",
                without(":at_end = 1 AND since_stop = 'reading'", "since_stop = 'reading'"),
            ),
        ),
        bias=Bias(
            faults={PlannedFault.CONNECT: 0.5, PlannedFault.REQUEST_LOST: 0.2},
            actions={
                "stop sending": 40,
                "feeds": 16,
                "dispute": 4,
                "page": 3,
                "time passes": 4,
                **dict.fromkeys(("kill", "restart", "clock", "saga", "record refund"), 0),
                **dict.fromkeys(("finish review", "issue", "relay", "poller"), 0),
            },
            feed=True,
        ),
    ),
    Mutant(
        name="conflict-outlives-its-money",
        plants="a payment stays conflicted when the other money has gone back",
        breaks="if that money goes back, the conflict ends and the claims are released",
        shows="other money arrived than was requested, and a clerk sends it back",
        patches=(Patch("service.booking", "end_conflict", _never),),
        bias=Bias(
            faults=_QUIET,
            actions={
                **NO_AUTOPAY,
                "saga": 3,
                "give back other": 24,
                "pay": 8,
                "assign": 0,
                "time passes": 0,
            },
            kinds=frozenset({Kind.CARD}),
        ),
    ),
    Mutant(
        name="foreign-amounts-are-believed",
        plants="a zero or negative amount is accepted from a driver",
        breaks="each due attempt is handled alone, and a driver's results are checked first",
        shows="a driver reports that money moved, without an amount",
        patches=(Patch("service.fitting", "_is_money", _any_amount),),
        bias=Bias(
            faults={PlannedFault.DRIVER_NONSENSE: 0.5},
            actions={"pay": 4},
            kinds=frozenset({Kind.CARD}),
        ),
    ),
    Mutant(
        name="withdrawn-debit-goes-on",
        plants="a debit that was withdrawn still waits for its money",
        breaks="a debit that is still processing can be canceled",
        shows="a clerk cancels a debit, and no inquiry about it is possible",
        patches=(Patch("service.merge", "_end_debit", _nothing),),
        bias=Bias(
            faults=_QUIET,
            actions={"cancel": 16, "pay": 4, "time passes": 0},
            kinds=frozenset({Kind.E_CHECK}),
        ),
    ),
    Mutant(
        name="withdrawn-debit-comes-back",
        plants="a late report that a withdrawn debit is pending holds the invoice again",
        breaks="reports in any order, and twice, give the same final state",
        shows="a clerk cancels a debit before the callback about it arrives",
        patches=(Patch("service.merge", "_was_withdrawn", _never),),
        bias=Bias(
            faults=_QUIET,
            actions={"cancel": 16, "pay": 4, "time passes": 0, "saga": 4},
            kinds=frozenset({Kind.E_CHECK}),
            inquiries=frozenset({InquiryBy.NONE}),
        ),
    ),
    Mutant(
        name="failed-capture-is-still-on-its-way",
        plants="the amount of a capture without effect stays reserved",
        breaks="the amount of a failed capture is free again",
        shows="a capture is refused",
        patches=(Patch("ledger.under_way", "end_capture", _nothing),),
        bias=Bias(
            faults={PlannedFault.CONNECT: 0.3},
            actions={"hold": 6, "capture": 8},
            kinds=frozenset({Kind.CARD}),
        ),
    ),
    Mutant(
        name="failed-refund-is-still-on-its-way",
        plants="the amount of a refund without effect stays reserved",
        breaks="the amount of a failed refund is free again",
        shows="a refund is refused",
        patches=(Patch("ledger.under_way", "end_refund", _nothing),),
        bias=Bias(
            faults={PlannedFault.CONNECT: 0.3},
            actions={"refund": 12, "pay": 3},
            kinds=frozenset({Kind.CARD}),
        ),
    ),
    Mutant(
        name="interrupted-write-stays-open",
        plants="a write that a signal interrupted is not rolled back",
        breaks="no transaction stays open; each is committed or rolled back",
        shows="a signal handler raises inside a write, and the process continues",
        patches=(Patch("ledger.sqlite", "_holds", _never),),
        bias=Bias(faults={PlannedFault.SIGNAL: 0.1}),
    ),
)
