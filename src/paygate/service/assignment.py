"""Assignment: the money of a prepayment moves to the invoice with its key.

A customer pays before the invoice exists. The *assignment key* of the prepayment (an order number,
a contract) is also given to the invoice, and the two find each other, whichever comes first: when
the invoice is issued, it takes the money that waits with its key; when money arrives on a
prepayment, an open invoice with the key takes it in the same transaction; and an invoice that is
open again looks for such money (see `freed`). All of them do nothing if there is nothing to move,
so they may run at any time.

The rule: an invoice takes as much as is open on it and not held. The money keeps its receipt, its
payment and its credit lot; only the item changes. So a return, a refund or a reversal later takes
it off the invoice, which is open again. Then the payments that are still under way move: what they
claim of the prepayment becomes a claim on the invoice, so that nobody else can pay the invoice
meanwhile. Such a claim remembers its prepayment, and its money is booked as if it had arrived
before the invoice: on the prepayment, and from there on the invoice. So it makes no difference
whether a payment ends before the invoice is issued or after. From then on the invoice has
*replaced* the prepayment: the unpaid rest is closed, and the prepayment can no longer be claimed.
A prepayment that is made while an invoice with its key is open is replaced at once, for the same
reason: one purpose is paid once. Money that exceeds the invoice waits for the next invoice with the
key, or becomes credit, as the host has chosen.

Money that has moved to an invoice may leave it again: a return, a refund, a reversal. That opens
the invoice, and not the prepayment, for which the money still counts as assigned. If it comes back,
the invoice takes it as before, and what the invoice cannot take waits on the prepayment.

If the invoice is voided, everything goes back as if it had never been issued: its money and its
claims return to the prepayment, which can be paid again unless another invoice with the key is
open; money that left the invoice is booked as if it had left the prepayment.

What stays true: a key belongs to one customer, in one currency, permanently; money is on the
prepayment or on an invoice, never on both; and no money waits while an invoice with its key has
room for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.credit import CreditReason
from paygate.domain.invoice import Invoice, InvoiceStatus
from paygate.domain.money import Money
from paygate.domain.prepayment import OnRest, Prepayment, PrepaymentStatus
from paygate.errors import AssignmentConflict
from paygate.ledger import allocations, claims, customers, items, lots, outbox, posting, prepayments
from paygate.ledger.posting import LedgerAccount, PostingLine
from paygate.printing import shown
from paygate.service import claiming, crediting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from paygate.domain.allocation import Allocation
    from paygate.ledger.tx import Tx

_LIVE: Final = ("hard", "soft")


def own_key(tx: Tx, currency: str, key: str, customer: str) -> None:
    """Give *key* to *customer*; raise `AssignmentConflict` if it belongs to another customer."""
    owner = prepayments.own_key(tx, currency, key, customer)
    if owner != customer:
        raise conflict(currency, key, customer, owner)


def conflict(currency: str, key: str, customer: str, owner: str) -> AssignmentConflict:
    """Return the error that *key* belongs to *owner*, and not to *customer*."""
    return AssignmentConflict(
        f"the assignment key {shown(key)} belongs to customer {shown(owner)}, not to "
        f"{shown(customer)}; a key is never used for another customer, so use another key",
        argument="assignment_key",
        key=key,
        currency=currency,
        customer=customer,
        owner=owner,
        prepayment="",
    )


def emit_conflict(tx: Tx, error: AssignmentConflict) -> None:
    """Emit that a key was refused, which two systems of the host may have to settle."""
    facts = {
        "customer": error.customer,
        "owner": error.owner,
        "assignment_key": error.key,
        "currency": error.currency,
    }
    outbox.emit(tx, "assignment.conflict", f"customer:{error.customer}", facts)


# --- The events ----------------------------------------------------------------------------


def awaits(tx: Tx, invoice: Invoice) -> bool:
    """Return whether there is a prepayment with the key of *invoice*."""
    key = invoice.assignment_key
    return key is not None and bool(prepayments.with_key(tx, invoice.total.currency, key))


def on_issue(tx: Tx, invoice: Invoice) -> bool:
    """Move what waits with the key of a new *invoice* to it; return whether money moved."""
    key = invoice.assignment_key
    if key is None:
        return False
    moved = False
    for prepayment in prepayments.with_key(tx, invoice.total.currency, key):
        if prepayment.customer == invoice.customer:
            took = bool(_assign(tx, prepayment, invoice.id, issued=True))
            _settle_rest(tx, prepayment.id, moved=took)
            moved |= took
    return moved


def on_prepay(tx: Tx, prepayment: Prepayment) -> None:
    """Let an open invoice with the key of a new *prepayment* replace it."""
    for invoice in _open_invoices(tx, prepayment)[:1]:
        _assign(tx, prepayment, invoice, issued=True)


def on_arrival(tx: Tx, touched: Iterable[str], passed: Sequence[Passed] = ()) -> list[str]:
    """
    Move money that has just arrived on prepayments among the items *touched*.

    *passed* is the money of claims that had moved to an invoice, and has filled that. Return the
    invoices that took some of the money.
    """
    found: list[str] = []
    for item in dict.fromkeys(touched):
        if items.account_of(tx, item) is LedgerAccount.PREPAYMENT:
            prepayment = _read(tx, item)
            paid = not prepayment.open.minor
            _emit(tx, "prepayment.paid" if paid else "prepayment.partially_paid", prepayment)
            through = [each for each in passed if each.prepayment == item]
            for each in through:
                _pass_on(tx, prepayment, each)
            found += _move_on(tx, _read(tx, item), moved=bool(through))
    return found


def on_freed(tx: Tx, invoice: Invoice) -> bool:
    """Move what waits with the key of *invoice*, which is open again; return whether any did."""
    key = invoice.assignment_key
    moved = False
    for prepayment in (
        prepayments.with_key(tx, invoice.total.currency, key)
        if key is not None and invoice.room.minor > 0
        else ()
    ):
        if prepayment.waiting.minor:
            took = bool(_assign(tx, prepayment, invoice.id))
            _settle_rest(tx, prepayment.id, moved=took)
            moved |= took
    return moved


def successors(tx: Tx, item: str) -> list[tuple[str, int]]:
    """
    Return the invoices that are paid in place of *item*, if that was replaced, and their rooms.

    Room that the money on the prepayment is about to take is left out.
    """
    if items.account_of(tx, item) is not LedgerAccount.PREPAYMENT:
        return []
    prepayment = _read(tx, item)
    if not prepayment.is_replaced:
        return []
    waiting = prepayment.waiting.minor
    found: list[tuple[str, int]] = []
    for invoice in _open_invoices(tx, prepayment):
        room = _invoice(tx, invoice).room.minor
        found.append((invoice, max(0, room - waiting)))
        waiting = max(0, waiting - room)
    return found


def _move_on(
    tx: Tx, prepayment: Prepayment, *, moved: bool = False, issued: bool = False
) -> list[str]:
    """
    Move the money of *prepayment* to the open invoices with its key, and return these.

    *moved* says that some has moved already. With *issued*, claims move although no money does.
    """
    found = [
        invoice
        for invoice in _open_invoices(tx, prepayment)
        if _assign(tx, _read(tx, prepayment.id), invoice, issued=issued)
    ]
    _settle_rest(tx, prepayment.id, moved=moved or bool(found))
    return found


def _open_invoices(tx: Tx, prepayment: Prepayment) -> list[str]:
    """Return the open invoices with the key of *prepayment*, oldest due date first."""
    currency, key = prepayment.amount.currency, prepayment.assignment_key
    return prepayments.invoices_of_key(tx, currency, key)


def _assign(tx: Tx, prepayment: Prepayment, invoice: str, *, issued: bool = False) -> int:
    """Move money and claims of *prepayment* to *invoice*; return how much money moved."""
    moved = 0
    for standing in allocations.standing_of_item(tx, prepayment.id):
        minor = min(standing.amount.minor, _invoice(tx, invoice).room.minor)
        if minor > 0:
            _move(tx, prepayment, standing, minor, invoice)
            moved += minor
    if moved:
        _supersede_pages(tx, invoice)
    live = _move_claims(tx, prepayment, invoice) if moved or issued else False
    replaces = issued and not _is_taken(tx, prepayment)
    if not (moved or live or replaces):
        return 0
    prepayments.replace(tx, prepayment.id, invoice)
    now = _read(tx, prepayment.id)
    if moved:
        number = _invoice(tx, invoice).number
        _emit(tx, "prepayment.assigned", now, invoice=number, amount_minor=moved)
    elsewhere = now.replaced_by != prepayment.replaced_by
    # If money moved, its event names the invoice already.
    if prepayment.open.minor or (elsewhere and not moved):
        _emit(tx, "prepayment.replaced", now, closed_minor=prepayment.open.minor)
    return moved


def _move(tx: Tx, prepayment: Prepayment, standing: Allocation, minor: int, invoice: str) -> None:
    """Move *minor* of one allocation from *prepayment* to *invoice*."""
    on = customers.today(tx, prepayment.customer)
    amount = Money(standing.amount.currency, minor)
    allocations.reduce(tx, standing, minor, on)
    prepayments.move(tx, prepayment.id, minor)
    filled = items.fill(tx, invoice, minor)
    assert filled, "an invoice takes no more than its room"
    allocation = allocations.insert(
        tx,
        item=invoice,
        amount=amount,
        payment=standing.payment,
        receipt=standing.receipt,
        credit=standing.credit,
        prepayment=prepayment.id,
        effective=on,
    )
    _post(
        tx,
        prepayment,
        [
            PostingLine(LedgerAccount.PREPAYMENT, minor, item=prepayment.id),
            PostingLine(LedgerAccount.RECEIVABLE, -minor, item=invoice),
        ],
        f"assigned:{allocation}",
        on,
        payment=standing.payment,
    )
    if standing.payment is not None:
        _move_used(tx, standing.payment, prepayment.id, invoice, standing.credit, minor)


def _move_used(
    tx: Tx, payment: str, prepayment: str, invoice: str, credit: str | None, minor: int
) -> None:
    """Let the claims that the moved money has used name the invoice."""
    for claim in claims.of_payment(tx, payment):
        used = claim.item == prepayment and claim.state == "used" and claim.credit == credit
        take = min(claim.minor, minor)
        if used and take > 0:
            claims.redirect(tx, payment, claim, invoice, take, prepayment=prepayment)
            minor -= take


# --- Money of claims that have moved ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Passed:
    """Money that filled an invoice through the prepayment that its claim was on before."""

    prepayment: str
    invoice: str
    minor: int
    allocation: str
    payment: str


@dataclass(frozen=True, slots=True)
class Part:
    """Money on an item, and the prepayment that it came through; *new* if it was not on that."""

    minor: int
    prepayment: str | None = None
    new: bool = False


def parts_of(tx: Tx, item: str, minor: int, prepayment: str | None) -> list[Part]:
    """
    Return through which prepayment *minor* came to *item*, whose claim was on *prepayment* before.

    Money that had moved and left the invoice returns as what it was. Other money is put on the
    prepayment first, as far as that has room.
    """
    if prepayment is None or items.account_of(tx, item) is LedgerAccount.PREPAYMENT:
        return [Part(minor)]
    back = min(minor, _gone(tx, prepayment))
    through = min(minor - back, _read(tx, prepayment).room.minor)
    if through > 0 and not items.fill(tx, prepayment, through):
        through = 0
    rest = minor - back - through
    found = (Part(back, prepayment), Part(through, prepayment, new=True), Part(rest))
    return [each for each in found if each.minor > 0]


def put_again(tx: Tx, prepayment: str | None, invoice: str, minor: int) -> int:
    """
    Put up to *minor* on *prepayment* again, which *invoice* had taken and cannot take back.

    Return that amount.
    """
    if prepayment is None:
        return 0
    now = _read(tx, prepayment)
    if now.status is PrepaymentStatus.CLOSED:
        return 0
    if _invoice(tx, invoice).status is not InvoiceStatus.VOID:
        _undo_move(tx, now, invoice, min(minor, _gone(tx, prepayment)))
    take = min(minor, _read(tx, prepayment).room.minor)
    return take if take > 0 and items.fill(tx, prepayment, take) else 0


def _gone(tx: Tx, prepayment: str) -> int:
    """Return how much money of *prepayment* moved to invoices and left them again."""
    # Money that this transaction is passing on has its allocations, and is counted as assigned
    # later; there is such money only after everything that was gone has come back.
    there = allocations.of_prepayment(tx, prepayment)
    return max(0, _read(tx, prepayment).assigned.minor - there)


def _pass_on(tx: Tx, prepayment: Prepayment, passed: Passed) -> None:
    """Post that money which was put on *prepayment* is on the invoice that it filled."""
    minor = passed.minor
    prepayments.move(tx, prepayment.id, minor)
    lines = [
        PostingLine(LedgerAccount.PREPAYMENT, minor, item=prepayment.id),
        PostingLine(LedgerAccount.RECEIVABLE, -minor, item=passed.invoice),
    ]
    on = customers.today(tx, prepayment.customer)
    entry = f"assigned:{passed.allocation}"
    _post(tx, prepayment, lines, entry, on, payment=passed.payment)
    number = _invoice(tx, passed.invoice).number
    now = _read(tx, prepayment.id)
    _emit(tx, "prepayment.assigned", now, invoice=number, amount_minor=minor)


def _undo_move(tx: Tx, prepayment: Prepayment, invoice: str, minor: int) -> None:
    """
    Book *minor*, which had moved to *invoice* and left it, as if it had left *prepayment*.

    No balance changes: the first entry moves the outgo, the second one undoes the assignment.
    """
    if minor <= 0:
        return
    on = customers.today(tx, prepayment.customer)
    out = [
        PostingLine(LedgerAccount.PREPAYMENT, minor, item=prepayment.id),
        PostingLine(LedgerAccount.RECEIVABLE, -minor, item=invoice),
    ]
    back = [
        PostingLine(LedgerAccount.RECEIVABLE, minor, item=invoice),
        PostingLine(LedgerAccount.PREPAYMENT, -minor, item=prepayment.id),
    ]
    # Money can come and leave many times, also at one instant: each time has entries of its own.
    move = tx.new_id("mov")
    _post(tx, prepayment, out, f"left:{move}", on, payment=None)
    _post(tx, prepayment, back, f"assigned:{move}:undone", on, payment=None)
    prepayments.unmove(tx, prepayment.id, minor)


# --- Claims ----------------------------------------------------------------------------------


def _supersede_pages(tx: Tx, invoice: str) -> None:
    """Supersede the page of *invoice* if it asks for more than is left after money arrived."""
    for page in claims.soft_on(tx, invoice):
        soft = (each for each in claims.of_payment(tx, page) if each.state == "soft")
        if sum(each.minor for each in soft if each.item == invoice) > (
            _invoice(tx, invoice).room.minor
        ):
            claiming.supersede(tx, page)


def _move_claims(tx: Tx, prepayment: Prepayment, invoice: str) -> bool:
    """
    Move the claims on *prepayment* to *invoice*, as far as it has room; return whether any is live.

    Hard claims come first, since their money is on its way. An invoice has one page at a time, so
    the page of the prepayment is superseded if the invoice has another. Claims of payments that
    ended move as well: if their money comes late, the invoice says whether it is still owed.
    """
    its_pages = claims.soft_on(tx, invoice)
    for page in claims.soft_on(tx, prepayment.id):
        if any(other != page for other in its_pages):
            claiming.supersede(tx, page)
    live = False
    soft = 0
    found = [each for each in claims.on_item(tx, prepayment.id) if each[1].state != "used"]
    for payment, claim in sorted(found, key=lambda each: _order(each[1].state)):
        now = _invoice(tx, invoice)
        left = now.room.minor - soft if claim.state in _LIVE else now.total.minor
        minor = min(claim.minor, left)
        if minor <= 0 or (claim.state not in _LIVE and prepayment.is_replaced):
            continue
        if claim.state == "hard":
            items.unclaim(tx, prepayment.id, minor)
            claimed = items.claim(tx, invoice, minor)
            assert claimed, "an invoice is claimed within its room"
        elif claim.state == "soft":
            soft += minor
        claims.redirect(tx, payment, claim, invoice, minor, prepayment=prepayment.id)
        live |= claim.state in _LIVE
    return live


def _order(state: str) -> int:
    return _LIVE.index(state) if state in _LIVE else len(_LIVE)


# --- What is left ------------------------------------------------------------------------------


def _settle_rest(tx: Tx, id_: str, *, moved: bool) -> None:
    """Turn the rest into credit if the host chose that, and emit that all money has its place."""
    prepayment = _read(tx, id_)
    if prepayment.on_rest is OnRest.CREDIT and _is_taken(tx, prepayment):
        moved |= _rest_to_credit(tx, prepayment)
        prepayment = _read(tx, id_)
    if moved and prepayment.status is PrepaymentStatus.BALANCED:
        _emit(tx, "prepayment.balanced", prepayment)


def _is_taken(tx: Tx, prepayment: Prepayment) -> bool:
    """Return whether an invoice that was not voided has replaced *prepayment*."""
    if prepayment.replaced_by is None:
        return False
    invoice = items.by_number(tx, prepayment.replaced_by)
    return invoice is not None and invoice.status is not InvoiceStatus.VOID


def _rest_to_credit(tx: Tx, prepayment: Prepayment) -> bool:
    """Turn the money that is left on *prepayment* into credit; return whether there was any."""
    on = customers.today(tx, prepayment.customer)
    found = allocations.standing_of_item(tx, prepayment.id)
    for standing in found:
        lines = _to_credit(tx, prepayment, standing, CreditReason.PREPAYMENT_REST, on)
        entry = f"assigned:{standing.id}:rest"
        _post(tx, prepayment, lines, entry, on, payment=standing.payment)
    return bool(found)


def _to_credit(
    tx: Tx, prepayment: Prepayment, standing: Allocation, reason: CreditReason, on: date
) -> list[PostingLine]:
    """Turn the money of one allocation into credit; credit that was used returns to its lot."""
    minor = standing.amount.minor
    allocations.cancel(tx, standing, on)
    prepayments.move(tx, prepayment.id, minor, to_credit=True)
    if standing.credit is not None:
        lots.give_back(tx, standing.credit, minor)
        line = PostingLine(LedgerAccount.CUSTOMER_CREDIT, -minor, credit=standing.credit)
    else:
        line = crediting.make_credit(
            tx,
            customer=prepayment.customer,
            amount=standing.amount,
            reason=reason,
            payment=standing.payment,
            receipt=standing.receipt,
            item=prepayment.id,
        )
    return [PostingLine(LedgerAccount.PREPAYMENT, minor, item=prepayment.id), line]


def close(tx: Tx, prepayment: Prepayment, reason: str) -> None:
    """Close *prepayment*, of which nothing is claimed: its money becomes credit."""
    for page in claims.soft_on(tx, prepayment.id):
        claiming.supersede(tx, page)
    on = customers.today(tx, prepayment.customer)
    lines: list[PostingLine] = []
    for standing in allocations.standing_of_item(tx, prepayment.id):
        lines += _to_credit(tx, prepayment, standing, CreditReason.PREPAYMENT_CLOSED, on)
    _post(tx, prepayment, lines, f"void:{prepayment.id}", on, payment=None)
    _emit(tx, "prepayment.closed", _read(tx, prepayment.id), reason=reason)


# --- When the invoice is voided ----------------------------------------------------------------


def goes_back(tx: Tx, standing: Allocation) -> bool:
    """Return whether money on an invoice returns to its prepayment if the invoice is voided."""
    if standing.prepayment is None:
        return False
    return _read(tx, standing.prepayment).status is not PrepaymentStatus.CLOSED


def put_back(tx: Tx, standing: Allocation, on: date) -> PostingLine:
    """Return the money of a canceled allocation to its prepayment; return the line."""
    assert standing.prepayment is not None, "it came from a prepayment"
    minor = standing.amount.minor
    prepayments.move(tx, standing.prepayment, -minor)
    allocations.insert(
        tx,
        item=standing.prepayment,
        amount=standing.amount,
        payment=standing.payment,
        receipt=standing.receipt,
        credit=standing.credit,
        effective=on,
    )
    return PostingLine(LedgerAccount.PREPAYMENT, -minor, item=standing.prepayment)


def before_void(tx: Tx, invoice: Invoice, its_money: Sequence[Allocation]) -> list[str]:
    """
    Prepare the prepayments of *invoice*, which is being voided, and return them.

    The claims that moved to it return, and money that has left it counts as money that left the
    prepayment. *its_money* is still on it.
    """
    its_claims = [
        (payment, claim, claim.prepayment)
        for payment, claim in claims.on_item(tx, invoice.id)
        if claim.prepayment is not None
    ]
    names = [
        *(each.prepayment for each in its_money if each.prepayment is not None),
        *(prepayment for _, _, prepayment in its_claims),
        *prepayments.replaced_by(tx, invoice.id),
    ]
    found = [
        each
        for each in (_read(tx, id_) for id_ in dict.fromkeys(names))
        if each.status is not PrepaymentStatus.CLOSED
    ]
    for prepayment in found:
        there = sum(each.amount.minor for each in its_money if each.prepayment == prepayment.id)
        left = min(_gone(tx, prepayment.id), invoice.total.minor - there)
        _undo_move(tx, prepayment, invoice.id, left)
    ids = [each.id for each in found]
    for payment, claim, back_to in its_claims:
        if back_to in ids:
            claims.redirect(tx, payment, claim, back_to, claim.minor, prepayment=None)
    return ids


def after_void(tx: Tx, returned: Iterable[str]) -> list[str]:
    """
    Reopen the prepayments *returned* by an invoice that was voided, and move their money on.

    Another invoice with the key replaces them. Return the invoices that took money.
    """
    found: list[str] = []
    for id_ in returned:
        prepayment = _read(tx, id_)
        others = prepayments.with_key(tx, prepayment.amount.currency, prepayment.assignment_key)
        in_use = any(each.id != id_ and in_the_way(each) for each in others)
        next_ = _open_invoices(tx, prepayment)
        successor = prepayments.taken_by(tx, id_) or next(iter(next_), None)
        if successor is not None or not in_use:
            prepayments.replace(tx, id_, successor)
        emit_reopened(tx, _read(tx, id_))
        found += _move_on(tx, _read(tx, id_), issued=successor is not None)
        if _read(tx, id_).is_replaced:
            for page in claims.soft_on(tx, id_):
                claiming.supersede(tx, page)
    return found


def in_the_way(prepayment: Prepayment) -> bool:
    """Return whether *prepayment* still uses its key: it can be paid, or its money waits."""
    return not prepayment.is_replaced or bool(prepayment.waiting.minor or prepayment.claimed.minor)


# --- Events -------------------------------------------------------------------------------------


def emit_reopened(tx: Tx, prepayment: Prepayment) -> None:
    """Emit that money was taken off *prepayment* again; it can be paid unless it was replaced."""
    _emit(tx, "prepayment.reopened", prepayment)


def emit_created(tx: Tx, prepayment: Prepayment) -> None:
    """Emit that *prepayment* was made."""
    _emit(tx, "prepayment.created", prepayment)


def _emit(tx: Tx, type_: str, prepayment: Prepayment, **more: object) -> None:
    outbox.emit(tx, type_, prepayment.id, facts_of(prepayment) | more)


def facts_of(prepayment: Prepayment) -> dict[str, Any]:
    """Return the facts of *prepayment* that its events carry."""
    return {
        "prepayment": prepayment.id,
        "customer": prepayment.customer,
        "assignment_key": prepayment.assignment_key,
        "status": prepayment.status.value,
        "currency": prepayment.amount.currency,
        "total_minor": prepayment.amount.minor,
        "paid_minor": prepayment.paid.minor,
        "assigned_minor": prepayment.assigned.minor,
        "open_minor": prepayment.open.minor,
        "replaced_by": prepayment.replaced_by,
        "data": dict(prepayment.data),
    }


# --- Reading and posting -------------------------------------------------------------------------


def _read(tx: Tx, id_: str) -> Prepayment:
    found = prepayments.by_id(tx, id_)
    assert found is not None, f"prepayment {id_} is never deleted"
    return found


def _invoice(tx: Tx, id_: str) -> Invoice:
    found = items.by_id(tx, id_)
    assert isinstance(found, Invoice), f"invoice {id_} is never deleted"
    return found


def _post(
    tx: Tx,
    prepayment: Prepayment,
    lines: list[PostingLine],
    entry: str,
    on: date,
    *,
    payment: str | None,
) -> None:
    posting.post(
        tx,
        lines,
        entry=entry,
        currency=prepayment.amount.currency,
        customer=prepayment.customer,
        payment=payment,
        effective=on,
    )
