"""Assignment: the money of a prepayment moves to the invoice with its key.

A customer pays before the invoice exists. The *assignment key* of the prepayment (an order number,
a contract) is also given to the invoice, and the two find each other, whichever comes first: when
the invoice is issued, it takes the money that waits with its key; when money arrives on a
prepayment, an open invoice with the key takes it in the same transaction. Both do nothing if there
is nothing to move, so they may run at any time.

The rule: an invoice takes as much as is open on it and not held. The money keeps its receipt, its
payment and its credit lot; only the item changes. So a return, a refund or a reversal later takes
it off the invoice, which is open again. Then the payments that are still under way move: what they
claim of the prepayment becomes a claim on the invoice, so that nobody else can pay the invoice
meanwhile. From then on the invoice has *replaced* the prepayment: the unpaid rest is closed, and
the prepayment can no longer be claimed. Money that exceeds the invoice waits for the next invoice
with the key, or becomes credit, as the host has chosen.

What stays true: a key belongs to one customer, in one currency, permanently; money is on the
prepayment or on an invoice, never on both; and what has moved does not reopen the prepayment. If
the invoice is voided, its money returns to the prepayment, which can be paid again if no other
invoice has taken from it.
"""

from __future__ import annotations

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
    from collections.abc import Iterable
    from datetime import date

    from paygate.domain.allocation import Allocation
    from paygate.ledger.tx import Tx

_LIVE: Final = ("hard", "soft")


def own_key(tx: Tx, currency: str, key: str, customer: str) -> None:
    """Give *key* to *customer*; raise `AssignmentConflict` if it belongs to another customer."""
    owner = prepayments.own_key(tx, currency, key, customer)
    if owner != customer:
        raise conflict(key, customer, owner)


def conflict(key: str, customer: str, owner: str) -> AssignmentConflict:
    """Return the error that *key* belongs to *owner*, and not to *customer*."""
    return AssignmentConflict(
        f"the assignment key {shown(key)} belongs to customer {shown(owner)}, not to "
        f"{shown(customer)}; a key is never used for another customer, so use another key",
        argument="assignment_key",
        key=key,
        customer=customer,
        owner=owner,
        prepayment="",
    )


def emit_conflict(tx: Tx, error: AssignmentConflict, currency: str) -> None:
    """Emit that a key was refused, which two systems of the host may have to settle."""
    facts = {
        "customer": error.customer,
        "owner": error.owner,
        "assignment_key": error.key,
        "currency": currency,
    }
    outbox.emit(tx, "assignment.conflict", f"customer:{error.customer}", facts)


# --- The two events ------------------------------------------------------------------------


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


def on_arrival(tx: Tx, touched: Iterable[str]) -> list[str]:
    """
    Move money that has just arrived on prepayments among the items *touched*.

    Return the invoices that took some of it.
    """
    found: list[str] = []
    for item in dict.fromkeys(touched):
        if items.account_of(tx, item) is LedgerAccount.PREPAYMENT:
            prepayment = _read(tx, item)
            paid = not prepayment.open.minor
            _emit(tx, "prepayment.paid" if paid else "prepayment.partially_paid", prepayment)
            found += _move_on(tx, prepayment)
    return found


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
    currency, key = prepayment.amount.currency, prepayment.assignment_key
    for invoice in prepayments.invoices_of_key(tx, currency, key):
        room = _invoice(tx, invoice).room.minor
        found.append((invoice, max(0, room - waiting)))
        waiting = max(0, waiting - room)
    return found


def _move_on(tx: Tx, prepayment: Prepayment) -> list[str]:
    """Move the money of *prepayment* to the open invoices with its key, and return these."""
    currency, key = prepayment.amount.currency, prepayment.assignment_key
    found = [
        invoice
        for invoice in prepayments.invoices_of_key(tx, currency, key)
        if _assign(tx, _read(tx, prepayment.id), invoice)
    ]
    _settle_rest(tx, prepayment.id, moved=bool(found))
    return found


def _assign(tx: Tx, prepayment: Prepayment, invoice: str, *, issued: bool = False) -> int:
    """Move money and claims of *prepayment* to *invoice*; return how much money moved."""
    moved = 0
    for standing in allocations.standing_of_item(tx, prepayment.id):
        minor = min(standing.amount.minor, _invoice(tx, invoice).room.minor)
        if minor > 0:
            _move(tx, prepayment, standing, minor, invoice)
            moved += minor
    if moved and not issued:
        _supersede_pages(tx, invoice)
    live = _move_claims(tx, prepayment, invoice) if moved or issued else False
    replaces = issued and not prepayment.is_replaced
    if not (moved or live or replaces):
        return 0
    prepayments.replace(tx, prepayment.id, invoice)
    now = _read(tx, prepayment.id)
    if moved:
        number = _invoice(tx, invoice).number
        _emit(tx, "prepayment.assigned", now, invoice=number, amount_minor=moved)
    if prepayment.open.minor:
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
            claims.redirect(tx, payment, claim, invoice, take)
            minor -= take


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
        claims.redirect(tx, payment, claim, invoice, minor)
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


def after_void(tx: Tx, invoice: Invoice, returned: Iterable[str]) -> list[str]:
    """
    Reopen the prepayments that a voided *invoice* had replaced, and move *returned* money on.

    Return the other invoices that took it.
    """
    found: list[str] = []
    for id_ in dict.fromkeys([*returned, *prepayments.replaced_by(tx, invoice.id)]):
        prepayment = _read(tx, id_)
        if prepayment.status is PrepaymentStatus.CLOSED:
            continue
        others = prepayments.with_key(tx, prepayment.amount.currency, prepayment.assignment_key)
        in_use = any(each.id != id_ and in_the_way(each) for each in others)
        if prepayment.assigned.minor:
            prepayments.replace(tx, id_, prepayments.taken_by(tx, id_) or invoice.id)
        elif not in_use:
            prepayments.replace(tx, id_, None)
        emit_reopened(tx, _read(tx, id_))
        found += _move_on(tx, _read(tx, id_))
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
