"""Showing: a payment and what happened to it, as blocks of the desk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.domain.payment import PaymentStatus
from paygate.web.desk.views import Facts, Go, Moment, Several, Table, Tag, Timeline, english
from paygate.web.pages.names import in_groups, receipt_number
from paygate.web.pages.views import Fact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.domain.allocation import Allocation
    from paygate.domain.attempt import Attempt
    from paygate.domain.event import Event
    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.service.history import History
    from paygate.web.desk.views import Cell
    from paygate.web.desk.visit import DeskVisit
    from paygate.web.texts import Text, Value

_TONES: Final = {
    PaymentStatus.SUCCEEDED: "good",
    PaymentStatus.DECLINED: "bad",
    PaymentStatus.FAILED: "bad",
    PaymentStatus.UNKNOWN: "doubt",
}
_TOLD: Final = ("why", "reason", "evidence", "number", "reversal", "fee_invoice", "code")
"""The facts of an event that a clerk reads in the timeline."""

_ORDER: Final = ("attempt", "receipt", "allocation", "event")


def words(name: str) -> str:
    """Return a name of the engine as words."""
    return name.replace("_", " ").replace(".", " ")


def status_tag(payment: Payment) -> Tag:
    """Return the status of *payment*."""
    return Tag(english(words(payment.status.value)), _TONES.get(payment.status, ""))


def tags(payment: Payment) -> list[Tag]:
    """Return the status of *payment* and what is special about it."""
    found = [status_tag(payment)]
    if payment.needs_review:
        found.append(Tag(english("needs review"), "doubt"))
    if payment.reversal is not None:
        found.append(Tag(english("reversed"), "bad"))
    elif payment.returned.minor:
        found.append(Tag(english("money went back"), "bad"))
    if payment.disputed:
        found.append(Tag(english("disputed"), "bad"))
    if payment.settled:
        found.append(Tag(english("settled"), "good"))
    return found


def payments_table(visit: DeskVisit, title: Text, payments: Sequence[Payment]) -> Table:
    """Return a table of *payments*, each with a link to its page."""
    return Table(
        title=title,
        heads=[
            english(each)
            for each in ("Payment", "Customer", "Invoices", "Made", "Amount", "Status")
        ],
        rows=[_row(visit, each) for each in payments],
        empty=english("There is no payment."),
        numbers=frozenset({4}),
    )


def _row(visit: DeskVisit, payment: Payment) -> list[Cell]:
    made: Value = visit.web.local_date(payment.created_at) if payment.created_at else ""
    return [
        Go(in_groups(payment.short_reference), visit.at(f"/payments/{payment.id}")),
        payment.customer or payment.payer_number,
        ", ".join(each.invoice for each in payment.items),
        made,
        payment.amount,
        Several(tuple(tags(payment))),
    ]


def facts_of(payment: Payment, receipts: Sequence[Receipt]) -> Facts:
    """Return the facts of *payment*; amounts of zero are left out."""
    came = [each for each in receipts if each.kind.inward]
    optional: list[tuple[str, Value | None]] = [
        ("Customer", payment.customer or None),
        ("Came for the number", payment.payer_number or None),
        ("Received", payment.received if payment.received.minor else None),
        ("Went back", payment.returned if payment.returned.minor else None),
        ("Became credit", payment.credited if payment.credited.minor else None),
        ("Paid from credit", payment.from_credit if payment.from_credit.minor else None),
        ("Counts when settled", payment.awaiting if payment.awaiting.minor else None),
        ("Held", payment.authorized or None),
        ("Account", payment.account),
        ("Kind", words(payment.kind.value)),
        ("Reference of the processor", payment.reference or None),
        ("Receipt", receipt_number(came[0]) if came else None),
        ("Reversal", payment.reversal),
        ("Why", payment.reason or payment.code or None),
        ("Id", payment.id),
    ]
    rows = [Fact(english("Amount"), payment.amount)]
    rows += [Fact(english(label), value) for label, value in optional if value is not None]
    rows += [Fact(english("Waits for a decision"), each) for each in payment.undecided]
    return Facts(rows, tags(payment))


def items_table(visit: DeskVisit, payment: Payment) -> Table:
    """Return what *payment* is for."""
    return Table(
        title=english("Invoices"),
        heads=[english(each) for each in ("Invoice", "Asked", "Paid")],
        rows=[
            [Go(each.invoice, visit.at(f"/?q={each.invoice}")), each.amount, each.paid]
            for each in payment.items
        ],
        empty=english("It is for no invoice."),
        numbers=frozenset({1, 2}),
    )


def timeline_of(history: History) -> Timeline:
    """Return everything about a payment, in the order in which it was stored."""
    lines: list[tuple[str, Moment]] = [
        *(("attempt", _asked(each)) for each in history.attempts),
        *(("receipt", _moved(each)) for each in history.receipts),
        *(("allocation", _put(each, history.numbers)) for each in history.allocations),
        *(("event", _told(each)) for each in history.events if each.type != "receipt.booked"),
    ]
    lines.sort(key=lambda line: (line[1].at, _ORDER.index(line[0])))
    return Timeline(english("What happened"), [moment for _, moment in lines])


def _asked(attempt: Attempt) -> Moment:
    what = english(
        "{operation} of {amount}: {state}",
        operation=words(attempt.operation.value),
        amount=attempt.amount,
        state=english(words(attempt.state.value)),
    )
    failed = attempt.state.ended
    facts = _given(attempt.reason or attempt.code, attempt.reference)
    return Moment(attempt.created_at, what, facts, "bad" if failed else "")


def _moved(receipt: Receipt) -> Moment:
    sentence = "{amount} came in: {kind}" if receipt.kind.inward else "{amount} went out: {kind}"
    what = english(sentence, amount=receipt.amount, kind=english(words(receipt.kind.value)))
    facts: list[Value] = []
    if receipt.effective != receipt.booked_at.date():
        facts.append(english("counts on {date}", date=receipt.effective))
    if receipt.settled is not None:
        facts.append(english("settled {amount}", amount=receipt.settled))
    if receipt.fee is not None:
        facts.append(english("fee {amount}", amount=receipt.fee))
    facts += _given(receipt.movement_id)
    return Moment(receipt.booked_at, what, facts, "good" if receipt.kind.inward else "bad")


def _put(allocation: Allocation, numbers: Mapping[str, str]) -> Moment:
    number = numbers[allocation.invoice]
    off = allocation.amount.minor < 0
    what = english(
        "{amount} taken off {number}" if off else "{amount} put on {number}",
        amount=-allocation.amount if off else allocation.amount,
        number=number,
    )
    facts: list[Value] = [english("from credit")] if allocation.receipt is None else []
    return Moment(allocation.booked_at, what, facts)


def _told(event: Event) -> Moment:
    facts = _given(*(str(event.data.get(name) or "") for name in _TOLD))
    if event.actor not in ("", "host"):
        facts.append(english("by {actor}", actor=event.actor))
    return Moment(event.occurred_at, english(words(event.type)), facts)


def _given(*texts: str) -> list[Value]:
    return [each for each in texts if each]
