"""Reconciling a bank account: what the rules are certain of is done, and the rest is proposed.

A line is posted from *unexplained* against what explains it, so a line that is explained leaves
nothing there. What explains it is booked by the rules of any other verb: new money is a payment, a
returned check is a reversal. So undoing an explanation is undoing that, and the line is open again.

Each line that a rule is certain of is decided once more in the transaction that books it. The lines
of a group are booked together; if one of them is refused, each is booked alone, and the one that is
refused stays open.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from paygate.domain.bank_line import (
    LineClass,
    LineState,
    MatchedBy,
    MatchKind,
    MatchRule,
)
from paygate.domain.bank_statement import EntryMeaning
from paygate.domain.kind import Kind
from paygate.domain.money import Money
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.settlement import Settlement
from paygate.errors import (
    InvalidValue,
    PaygateError,
    RecordNotFound,
    Refused,
)
from paygate.ledger import (
    bank_candidates,
    bank_lines,
    bank_matches,
    holding,
    outbox,
    posting,
    receipts,
    reversals,
    transit,
)
from paygate.ledger.paging import Page
from paygate.ledger.posting import LedgerAccount, PostingLine
from paygate.printing import shown
from paygate.service import (
    allocation,
    bank_import,
    bank_matching,
    finding,
    opposite,
    record,
    reverse,
    settle,
    undo_reversal,
)
from paygate.service.bank_matching import FEE_WITHIN, decide
from paygate.service.flow import Flow, look, repeatable, transact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from paygate.domain.bank_account import BankAccount
    from paygate.domain.bank_line import BankLine, BankMatch, Proposal
    from paygate.domain.customer import Customer
    from paygate.domain.payable import Payable
    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.ledger.tx import Tx

PAGE: Final = 200
GROUP: Final = 25
"""How many lines are explained in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """
    What a run found: lines that it explained, and those that stay open.

    *proposed* of the open ones have candidates, and *unexplained* have none. *classes* counts all
    lines of the run by class.
    """

    account: str
    lines: int = 0
    explained: int = 0
    proposed: int = 0
    unexplained: int = 0
    classes: Mapping[str, int] = field(default_factory=dict[str, int])


# --- The run --------------------------------------------------------------------------------


def run(name: str, progress: Callable[[Reconciled], object] | None) -> Flow[Reconciled]:
    """Explain the open lines of a bank account that the rules are certain of."""
    yield from look(lambda tx: bank_import.settings_of(tx, name))
    after, counts, classes = "", Counter[str](), Counter[str]()
    while True:
        lines = yield from look(partial(_open_page, name, after))
        if not lines:
            return _reconciled(name, counts, classes)
        after = lines[-1].id
        for start in range(0, len(lines), GROUP):
            some = [each.id for each in lines[start : start + GROUP]]
            done = yield from _group(name, some)
            for each in done:
                counts[each.outcome] += 1
                classes[each.line_class.value] += 1
        if progress is not None:
            progress(_reconciled(name, counts, classes))


def _reconciled(name: str, counts: Counter[str], classes: Counter[str]) -> Reconciled:
    return Reconciled(
        account=name,
        lines=sum(counts.values()),
        explained=counts["explained"],
        proposed=counts["proposed"],
        unexplained=counts["unexplained"],
        classes=dict(sorted(classes.items())),
    )


def _open_page(name: str, after: str, tx: Tx) -> list[BankLine]:
    which = Page(after=after, limit=PAGE, oldest_first=True)
    return bank_lines.page(tx, which, account=name, state=LineState.OPEN, matches=False)


@dataclass(frozen=True, slots=True)
class _Done:
    outcome: str
    line_class: LineClass


def _group(name: str, lines: Sequence[str]) -> Flow[list[_Done]]:
    try:
        return (yield from repeatable(partial(_explain_in, name, lines)))
    except PaygateError:
        if len(lines) == 1:
            return (yield from repeatable(partial(_leave_in, name, lines[0])))
    done: list[_Done] = []
    for each in lines:
        done += yield from _group(name, [each])
    return done


def _explain_in(name: str, lines: Sequence[str], tx: Tx) -> list[_Done]:
    holding.hold_bank(tx, name)
    account = bank_import.settings_of(tx, name)
    done: list[_Done] = []
    for id_ in lines:
        line = line_in(tx, id_)
        if line.state is not LineState.OPEN:  # explained with another one, as a charge is
            done.append(_Done("explained", line.line_class))
            continue
        found = decide(tx, line, account)
        if found.certain is not None:
            _apply(tx, account, line, found.certain, MatchedBy.AUTOMATIC)
            done.append(_Done("explained", found.line_class))
            continue
        bank_lines.classify(tx, line, found.line_class)
        done.append(_Done("proposed" if found.proposals else "unexplained", found.line_class))
    return done


def _leave_in(name: str, id_: str, tx: Tx) -> list[_Done]:
    """Leave a line open whose certain explanation was refused."""
    holding.hold_bank(tx, name)
    line = line_in(tx, id_)
    found = decide(tx, line, bank_import.settings_of(tx, name))
    bank_lines.classify(tx, line, found.line_class)
    return [_Done("proposed", found.line_class)]


# --- What a clerk does ----------------------------------------------------------------------


def proposals(id_: str) -> Flow[list[Proposal]]:
    """Return what a line may be, the most likely first."""
    return (yield from look(partial(proposals_in, id_=id_)))


def proposals_in(tx: Tx, id_: str) -> list[Proposal]:
    """Return what a line may be, in this transaction."""
    line = line_in(tx, id_)
    if line.state is not LineState.OPEN:
        return []
    return list(decide(tx, line, bank_import.settings_of(tx, line.account)).proposals)


def accept(id_: str, wanted: str) -> Flow[BankLine]:
    """Accept a proposal for a line; *wanted* is its id, or empty if there is only one."""
    return (yield from transact(partial(accept_in, id_=id_, wanted=wanted)))


def accept_in(tx: Tx, id_: str, wanted: str) -> BankLine:
    """Accept a proposal for a line in this transaction."""
    line = _held(tx, id_)
    account = bank_import.settings_of(tx, line.account)
    if line.state is not LineState.OPEN:
        return _again(line, "accept")
    found = decide(tx, line, account).proposals
    fitting = [each for each in found if wanted in ("", each.id)]
    if len(fitting) != 1:
        known = ", ".join(f"{each.id} ({each.why})" for each in found) or "none"
        raise InvalidValue(
            f"line {line.id} has no proposal {shown(wanted)}; there are: {known}"
            if wanted
            else f"line {line.id} has {len(found)} proposals; name one of them: {known}",
            argument="proposal",
        )
    _apply(tx, account, line, fitting[0], MatchedBy.ACCEPTED)
    if fitting[0].kind is MatchKind.PAYMENT:
        digest = bank_lines.party_digest(tx, line.id)
        bank_candidates.know_payer(tx, digest, fitting[0].customer)
    return line_in(tx, id_)


def assign(
    id_: str,
    items: Sequence[Payable],
    *,
    customer: Customer | str | None,
    payment: str | None,
    reason: str,
) -> Flow[BankLine]:
    """Say what a line is: money for *items* or for *customer*, or *payment* that came back."""
    return (yield from transact(partial(assign_in, id_, items, customer, payment, reason)))


def assign_in(
    id_: str,
    items: Sequence[Payable],
    customer: Customer | str | None,
    payment: str | None,
    reason: str,
    tx: Tx,
) -> BankLine:
    """Say what a line is, in this transaction."""
    line = _held(tx, id_)
    account = bank_import.settings_of(tx, line.account)
    _check_reason(reason)
    if line.state is not LineState.OPEN:
        return _again(line, "assign")
    if line.amount.minor < 0:
        if payment is None or items or customer is not None:
            raise InvalidValue(
                f"line {line.id} is money that went out; pass payment=, the check that came back, "
                "or accept or ignore it",
                argument="payment",
            )
        _reverse(tx, account, line, payment, MatchedBy.ASSIGNED, MatchRule.CLERK, reason)
        return line_in(tx, id_)
    if payment is not None:
        raise InvalidValue(
            f"line {line.id} is money that came in; pass items= or customer=", argument="payment"
        )
    if decide(tx, line, account).line_class in (LineClass.PAYOUT, LineClass.PAYOUT_UNMATCHED):
        raise Refused(
            f"line {line.id} is a payout of a processor, whose money is in the ledger already; "
            "accept a payout, or ignore it"
        )
    if not items and customer is None:
        raise InvalidValue("name the items that it pays, or the customer", argument="items")
    _bring(tx, line, items, customer, MatchedBy.ASSIGNED, MatchRule.CLERK, reason)
    _close(tx, line, LineClass.MISSING_IN_LEDGER)
    done = line_in(tx, id_)
    brought = finding.payment(tx, done.matches[-1].payment or "")
    bank_candidates.know_payer(tx, bank_lines.party_digest(tx, line.id), brought.customer)
    return done


def ignore(id_: str, *, reason: str) -> Flow[BankLine]:
    """Decide that a line concerns no customer; its money stays unexplained."""
    return (yield from transact(partial(ignore_in, id_=id_, reason=reason)))


def ignore_in(tx: Tx, id_: str, *, reason: str) -> BankLine:
    """Decide that a line concerns no customer, in this transaction."""
    line = _held(tx, id_)
    _check_reason(reason)
    if line.state is LineState.EXPLAINED:
        return _again(line, "ignore")
    if line.state is LineState.OPEN:
        bank_lines.change(tx, line, to=LineState.IGNORED, line_class=line.line_class, note=reason)
        _emit(tx, "bank_line.ignored", line, reason=reason)
    return line_in(tx, id_)


def reopen(id_: str, *, reason: str) -> Flow[BankLine]:
    """Undo what explains a line, or that it is ignored; it is open again."""
    return (yield from transact(partial(reopen_in, id_=id_, reason=reason)))


def reopen_in(tx: Tx, id_: str, *, reason: str) -> BankLine:
    """Undo what explains a line, in this transaction."""
    line = _held(tx, id_)
    _check_reason(reason)
    if line.state is LineState.OPEN:
        return line
    for match in line.matches:
        if match.undone_at is None:
            _undo(tx, line, match, reason)
    bank_lines.change(tx, line, to=LineState.OPEN, line_class=line.line_class)
    _emit(tx, "bank_line.reopened", line, reason=reason)
    return line_in(tx, id_)


def late(name: str, *, days: int, limit: int) -> Flow[list[Receipt]]:
    """Return money recorded by hand that no statement has after some days, the oldest first."""
    return (yield from look(partial(late_in, name=name, days=days, limit=limit)))


def late_in(tx: Tx, name: str, *, days: int, limit: int) -> list[Receipt]:
    """Return money recorded by hand that no statement has, in this transaction."""
    account = bank_import.settings_of(tx, name)
    before = tx.now.date() - timedelta(days=days)
    found = bank_candidates.not_on_statement(
        tx, account.currency, since=account.opening_on or before, before=before, limit=limit
    )
    return [finding.receipt(tx, each.receipt) for each in found]


def _held(tx: Tx, id_: str) -> BankLine:
    """Lock the bank account of a line, and return the line."""
    line = line_in(tx, id_)
    holding.hold_bank(tx, line.account)
    return line_in(tx, id_)


def line_in(tx: Tx, id_: str) -> BankLine:
    """Return a line, or raise `RecordNotFound`."""
    found = bank_lines.by_id(tx, id_)
    if found is None:
        raise RecordNotFound(f"there is no bank line {shown(id_)} in this ledger", argument="line")
    return found


def _again(line: BankLine, what: str) -> BankLine:
    raise Refused(f"line {line.id} is {line.state} already; reopen it to {what} it")


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise InvalidValue("give the reason: reason='the owner paid in capital'", argument="reason")


# --- Explaining a line ----------------------------------------------------------------------


def _apply(
    tx: Tx, account: BankAccount, line: BankLine, proposal: Proposal, how: MatchedBy
) -> None:
    """Book what *proposal* says, and close the line."""
    match proposal.kind:
        case MatchKind.RECEIPT:
            _settle_all(tx, line, proposal.subjects, how, proposal.rule)
        case MatchKind.PAYMENT if not proposal.subjects and not proposal.customer:
            raise Refused(f"line {line.id}: {proposal.why}")
        case MatchKind.PAYMENT if proposal.line_class is LineClass.CURRENCY_MISMATCH:
            raise Refused(f"line {line.id}: {proposal.why}; assign it to the customer as credit")
        case MatchKind.PAYMENT:
            _bring(tx, line, proposal.subjects, proposal.customer, how, proposal.rule, "")
        case MatchKind.REVERSAL:
            _reverse(tx, account, line, proposal.subjects[0], how, proposal.rule, "")
            return
        case MatchKind.PAYOUT:
            _pay_out(tx, line, proposal.subjects, how)
        case MatchKind.FEE | MatchKind.CHARGE:
            _match(tx, line, MatchKind.FEE, line.id, LedgerAccount.BANK_CHARGE, how, proposal.rule)
    _close(tx, line, proposal.line_class)


def _close(tx: Tx, line: BankLine, line_class: LineClass) -> None:
    bank_lines.change(tx, line, to=LineState.EXPLAINED, line_class=line_class)
    _emit(tx, "bank_line.explained", line, **{"class": line_class.value})


def _match(
    tx: Tx,
    line: BankLine,
    kind: MatchKind,
    subject: str,
    contra: LedgerAccount,
    how: MatchedBy,
    rule: MatchRule,
    *,
    minor: int | None = None,
    payment: str | None = None,
    reason: str = "",
) -> None:
    bank_matches.insert(
        tx,
        line,
        kind,
        subject,
        minor=line.amount.minor if minor is None else minor,
        contra=contra,
        how=how,
        rule=rule,
        payment=payment,
        reason=reason,
    )


def _settle_all(
    tx: Tx, line: BankLine, subjects: Sequence[str], how: MatchedBy, rule: MatchRule
) -> None:
    """Settle receipts that the ledger has: the line is their money."""
    holding.hold(tx, payments=[finding.receipt(tx, each).payment or "" for each in subjects])
    for each in subjects:
        receipt = finding.receipt(tx, each)
        payment = finding.payment(tx, receipt.payment or "")
        _settle(tx, payment, receipt, line.booked)
        sign = 1 if receipt.kind.inward else -1
        _match(
            tx,
            line,
            MatchKind.RECEIPT,
            receipt.id,
            LedgerAccount.SETTLED,
            how,
            rule,
            minor=sign * receipt.amount.minor,
            payment=payment.id,
        )


def _settle(tx: Tx, payment: Payment, receipt: Receipt, on: date) -> None:
    """Store that a receipt is on a statement; money of checks moves from transit to settled."""
    if receipt.in_transit.minor:
        movement = Movement(
            kind=receipt.kind,
            movement_id=receipt.movement_id,
            amount=receipt.amount,
            effective=receipt.effective,
            settled=receipt.amount,
            settled_on=on,
        )
        settle.book(tx, payment, movement)
    elif receipt.kind is not MovementKind.REVERSAL:
        transit.settle(tx, receipt.id, Settlement(settled=receipt.amount, on=on), 0)


def _unsettle(tx: Tx, payment: Payment, receipt: Receipt, entry: str, on: date) -> None:
    """Undo `_settle`."""
    if receipt.settled is None:
        return
    minor = 0
    if allocation.cash_account(payment) is LedgerAccount.IN_TRANSIT:
        minor = receipt.amount.minor if receipt.kind.inward else -receipt.amount.minor
        lines = [
            PostingLine(LedgerAccount.IN_TRANSIT, minor, receipt=receipt.id),
            PostingLine(LedgerAccount.SETTLED, -minor, receipt=receipt.id),
        ]
        posting.post(
            tx,
            lines,
            entry=entry,
            currency=receipt.amount.currency,
            customer=payment.customer,
            payment=payment.id,
            effective=on,
        )
    transit.settle(tx, receipt.id, Settlement(), minor)


def _bring(
    tx: Tx,
    line: BankLine,
    items: Sequence[Payable],
    customer: Customer | str | None,
    how: MatchedBy,
    rule: MatchRule,
    reason: str,
) -> None:
    """Record the money that a line brought, and settle it."""
    undone = sum(1 for each in line.matches if each.kind is MatchKind.PAYMENT)
    slip = record.Slip(
        items=items,
        kind=Kind.CHECK if line.meaning is EntryMeaning.CHECK_IN else Kind.TRANSFER,
        key=f"{line.id}/{undone}" if undone else line.id,
        amount=line.amount,
        reference=line.check or line.end_to_end or line.bank_reference,
        on=line.booked,
        customer=None if items else customer,
    )
    payment = record.record_in(tx, slip)
    [receipt] = receipts.of_payment(tx, payment.id)
    _settle(tx, payment, receipt, line.booked)
    _match(
        tx,
        line,
        MatchKind.PAYMENT,
        payment.id,
        LedgerAccount.SETTLED,
        how,
        rule,
        payment=payment.id,
        reason=reason,
    )


def _reverse(
    tx: Tx,
    account: BankAccount,
    line: BankLine,
    which: str,
    how: MatchedBy,
    rule: MatchRule,
    reason: str,
) -> None:
    """Reverse a check that was returned, with the bank's charge for it, and close its lines."""
    holding.hold_payment(tx, which)
    payment = finding.payment(tx, which)
    inside = -line.amount.minor - payment.amount.minor
    if inside < 0 or line.amount.currency != payment.amount.currency:
        raise InvalidValue(
            f"line {line.id} took {-line.amount}, but payment {payment.id} brought "
            f"{payment.amount}",
            argument="payment",
        )
    charges = [each for each in _charges(tx, account, line) if not inside]
    charge = inside or sum(-each.amount.minor for each in charges)
    why = "check returned by the bank"
    order = opposite.ReverseOrder(
        payment=payment.id,
        reason=f"{why}: {line.reason}" if line.reason else reason or why,
        on=max([line.booked, *(each.effective for each in receipts.of_payment(tx, payment.id))]),
        fee=account.policy.check_fee,
        bank_charge=Money(line.amount.currency, charge) if charge else None,
    )
    reversal = reverse.reverse_in(tx, order)
    for receipt in receipts.of_payment(tx, payment.id):
        if receipt.movement_id.startswith(f"{reversal.id}:"):
            _settle(tx, finding.payment(tx, payment.id), receipt, line.booked)
    _match(
        tx,
        line,
        MatchKind.REVERSAL,
        reversal.id,
        LedgerAccount.SETTLED,
        how,
        rule,
        minor=-payment.amount.minor,
        payment=payment.id,
        reason=reason,
    )
    if inside:
        _charge_line(tx, line, reversal.id, -inside, how, payment.id)
    _close(tx, line, LineClass.RETURNED)
    for each in charges:
        _charge_line(tx, each, reversal.id, each.amount.minor, how, payment.id)
        _close(tx, each, LineClass.FEE)


def _charge_line(
    tx: Tx, line: BankLine, reversal: str, minor: int, how: MatchedBy, payment: str
) -> None:
    """Match the bank's charge for a reversal, which the reversal has posted."""
    _match(
        tx,
        line,
        MatchKind.CHARGE,
        f"{reversal}:{line.id}",
        LedgerAccount.SETTLED,
        how,
        MatchRule.BANK_CODE,
        minor=minor,
        payment=payment,
    )


def _charges(tx: Tx, account: BankAccount, line: BankLine) -> list[BankLine]:
    """Return the one open charge that is for a returned check, or nothing."""
    since, until = line.booked - FEE_WITHIN, line.booked + FEE_WITHIN
    found = [
        each
        for each in bank_lines.open_between(tx, account.name, EntryMeaning.FEE, since, until)
        if bank_matching.is_charge_for(each, line)
    ]
    naming = [each for each in found if each.check or (line.check and line.check in each.text)]
    chosen = naming or found
    return chosen if len(chosen) == 1 else []


def _pay_out(tx: Tx, line: BankLine, names: Sequence[str], how: MatchedBy) -> None:
    """Match a line with what a processor settled on some days."""
    account, _, first = names[0].rpartition(":")
    last = names[-1].rpartition(":")[2]
    days = {
        each.name: each.minor
        for each in bank_candidates.paid_out(
            tx,
            account,
            line.amount.currency,
            since=type(line.booked).fromisoformat(first),
            until=type(line.booked).fromisoformat(last),
        )
    }
    for name in names:
        _match(
            tx,
            line,
            MatchKind.PAYOUT,
            name,
            LedgerAccount.SETTLED,
            how,
            MatchRule.PAYOUT,
            minor=days[name],
        )


# --- Undoing --------------------------------------------------------------------------------


def _undo(tx: Tx, line: BankLine, match: BankMatch, reason: str) -> None:
    """Undo what explains a line, and what was booked for it."""
    if match.payment is not None:
        holding.hold_payment(tx, match.payment)
    bank_matches.undo(tx, line, match, reason)
    match match.kind:
        case MatchKind.RECEIPT:
            receipt = finding.receipt(tx, match.subject)
            payment = finding.payment(tx, receipt.payment or "")
            _unsettle(tx, payment, receipt, f"{match.id}:unsettled", line.booked)
        case MatchKind.PAYMENT:
            _take_back(tx, match.subject, line, reason)
        case MatchKind.REVERSAL:
            _undo_reversal(tx, match, line, reason)
        case MatchKind.CHARGE | MatchKind.FEE | MatchKind.PAYOUT:
            pass


def _take_back(tx: Tx, which: str, line: BankLine, reason: str) -> None:
    """Reverse the payment that a line brought; it is on no statement any more."""
    payment = finding.payment(tx, which)
    if reversals.of_payment(tx, payment.id) is not None:
        return
    for receipt in receipts.of_payment(tx, payment.id):
        _unsettle(tx, payment, receipt, f"{receipt.id}:unsettled", line.booked)
    reverse.reverse_in(tx, opposite.ReverseOrder(payment=payment.id, reason=reason))


def _undo_reversal(tx: Tx, match: BankMatch, line: BankLine, reason: str) -> None:
    payment = finding.payment(tx, match.payment or "")
    for receipt in receipts.of_payment(tx, payment.id):
        if receipt.movement_id.startswith(f"{match.subject}:"):
            _unsettle(tx, payment, receipt, f"{match.id}:unsettled", line.booked)
    if reversals.of_payment(tx, payment.id) is not None:
        undo_reversal.undo_in(tx, payment.id, reason=reason)


def _emit(tx: Tx, type_: str, line: BankLine, **more: object) -> None:
    facts: dict[str, object] = {
        "line": line.id,
        "account": line.account,
        "booked": line.booked.isoformat(),
        "amount_minor": line.amount.minor,
        "currency": line.amount.currency,
    }
    outbox.emit(tx, type_, f"bank:{line.account}", facts | more)
