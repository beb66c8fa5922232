"""Open items: invoices and prepayments, and the amounts that are paid, written off, or claimed."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.invoice import Invoice, InvoiceStatus
from paygate.domain.money import Money
from paygate.errors import InvoiceNotFound
from paygate.ledger import checksums, claims, paging, prepayments
from paygate.ledger.codec import read_date, read_instant, write_date
from paygate.ledger.posting import LedgerAccount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.domain.payable import OpenItem
    from paygate.ledger.paging import Page
    from paygate.ledger.tx import Row, Tx

PREPAYMENT: Final = "prepayment"
"""The kind of an item that is a prepayment."""

_INSERT = """
INSERT INTO paygate_item (
  id, tenant, kind, number, customer, currency, total_minor, due, status, assignment_key,
  reversal, effective, issued_at, actor, checksum)
VALUES (
  :id, :tenant, 'invoice', :number, :customer, :currency, :total, :due, :status, :assignment_key,
  :reversal, :effective, :at, :actor, :checksum)
ON CONFLICT (tenant, kind, number) DO NOTHING
"""
_COLUMNS = f"i.*, {claims.HOLDERS}"
# The columns that `invoice_of` reads: a page has many rows, and each column takes its time.
_COLUMNS_OF_INVOICE = f"""
i.id, i.number, i.customer, i.currency, i.total_minor, i.allocated_minor, i.written_off_minor,
i.claimed_minor, i.credited_minor, i.due, i.standing, i.issued_at, i.assignment_key, i.reversal,
i.disputed, {claims.HOLDERS}
"""
# Reading one invoice often precedes paying it, so whether a page can pay it is read with it.
_SELECT_ONE = f"""
SELECT {_COLUMNS}, EXISTS (
  SELECT 1 FROM paygate_claim s WHERE s.item = i.id AND s.state IN ('soft', 'superseded')) AS paged
FROM paygate_item i
"""
_BY_NUMBER = f"{_SELECT_ONE} WHERE i.tenant = :tenant AND i.kind = 'invoice' AND i.number = :number"
_BY_ID = f"{_SELECT_ONE} WHERE i.tenant = :tenant AND i.id = :id"
# The room of an item is the amount that is neither paid, written off, nor claimed. A prepayment
# that an invoice has replaced cannot be claimed, but takes money that arrives on an old page.
_ROOM = "total_minor - allocated_minor - written_off_minor - claimed_minor - moved_minor"
_CLAIM = f"""
UPDATE paygate_item SET claimed_minor = claimed_minor + :amount
WHERE id = :id AND status = 'open' AND {_ROOM} >= :amount
"""
_UNCLAIM = "UPDATE paygate_item SET claimed_minor = claimed_minor - :amount WHERE id = :id"
_FILL_CLAIM = """
UPDATE paygate_item
SET claimed_minor = claimed_minor - :claimed, allocated_minor = allocated_minor + :amount
WHERE id = :id
RETURNING *, NULL AS claimed_by
"""
_FILL = f"""
UPDATE paygate_item SET allocated_minor = allocated_minor + :amount
WHERE id = :id AND status IN ('open', 'replaced') AND {_ROOM} >= :amount
"""
_EMPTY = "UPDATE paygate_item SET allocated_minor = allocated_minor - :amount WHERE id = :id"
_WRITE_OFF = f"""
UPDATE paygate_item SET written_off_minor = written_off_minor + :amount
WHERE id = :id AND status = 'open' AND {_ROOM} >= :amount
"""
_UNDO_WRITE_OFF = """
UPDATE paygate_item SET written_off_minor = written_off_minor - :amount WHERE id = :id
"""
_VOID = """
UPDATE paygate_item SET status = 'void', credited_minor = allocated_minor - :back
WHERE id = :id AND status = 'open' AND claimed_minor = 0
"""
_VOID_DRAFT = "UPDATE paygate_item SET status = 'void' WHERE id = :id AND status = 'draft'"
_CHANGE_DRAFT = """
UPDATE paygate_item SET total_minor = :total, due = :due, assignment_key = :assignment_key
WHERE id = :id AND status = 'draft'
"""
_FINALIZE = """
UPDATE paygate_item
SET status = 'open', number = :number, due = :due, effective = :effective, issued_at = :at,
  actor = :actor
WHERE id = :id AND status = 'draft'
"""
_MARK_DISPUTED = """
UPDATE paygate_item SET disputed = CASE WHEN EXISTS (
  SELECT 1 FROM paygate_chargeback_item c JOIN paygate_chargeback k ON k.id = c.chargeback
  WHERE c.item = paygate_item.id AND k.state <> 'won') THEN 1 ELSE 0 END
WHERE id = :id
"""
_SET_AUTOPAY = "UPDATE paygate_item SET autopay = :on, method = :method WHERE id = :id"
_EFFECTIVE = "SELECT effective FROM paygate_item WHERE id = :id"
_KIND = "SELECT kind FROM paygate_item WHERE id = :id"
_LISTING = paging.listing(
    f"SELECT {_COLUMNS_OF_INVOICE} FROM paygate_item i",
    table="paygate_item",
    alias="i",
    at="issued_at",
    where={
        "paygate_item_listed": "i.tenant = :tenant AND i.kind = 'invoice'",
        "paygate_item_by_customer": (
            "i.tenant = :tenant AND i.kind = 'invoice' AND i.customer = :customer"
        ),
        "paygate_item_by_standing": (
            "i.tenant = :tenant AND i.kind = 'invoice' AND i.standing = :standing"
        ),
    },
    rest="i.customer = coalesce(:customer, i.customer)"
    " AND i.standing = coalesce(:standing, i.standing)",
    noun="invoice",
    missing=InvoiceNotFound,
)
_IS_OWED = """
i.tenant = :tenant AND i.kind = 'invoice' AND i.status = 'open'
AND i.total_minor - i.allocated_minor - i.written_off_minor > 0
"""
_OWED = paging.listing(
    f"SELECT {_COLUMNS_OF_INVOICE} FROM paygate_item i",
    table="paygate_item",
    alias="i",
    at="due",
    where={
        "paygate_item_owed": _IS_OWED,
        "paygate_item_owed_by_customer": f"{_IS_OWED} AND i.customer = :customer",
    },
    noun="invoice",
    missing=InvoiceNotFound,
)


def insert(
    tx: Tx,
    *,
    id_: str,
    number: str,
    customer: str,
    total: Money,
    due: date,
    effective: date,
    assignment_key: str | None = None,
    reversal: str | None = None,
    draft: bool = False,
) -> Invoice | None:
    """Store a new invoice and return it; None if the number is taken."""
    params = {
        "id": id_,
        "tenant": tx.tenant,
        "number": number,
        "customer": customer,
        "currency": total.currency,
        "total": total.minor,
        "due": write_date(due),
        "status": "draft" if draft else "open",
        "kind": "invoice",
        "assignment_key": assignment_key,
        "reversal": reversal,
        "credited_minor": 0,
        "autopay": 1,
        "overdue": None,
        "method": None,
        "effective": write_date(effective),
        "at": tx.at,
        "actor": tx.actor,
    }
    if not tx.run(_INSERT, checksums.signed(checksums.ITEM, params)):
        return None
    claims.cache_no_pages(tx, id_)
    tx.known["overdue", id_] = False
    nothing = _zero(total.currency)
    return Invoice(
        id=id_,
        number=number,
        customer=customer,
        total=total,
        allocated=nothing,
        written_off=nothing,
        claimed=nothing,
        credited=nothing,
        due=due,
        status=InvoiceStatus.DRAFT if draft else InvoiceStatus.OPEN,
        issued_at=read_instant(tx.at),
        assignment_key=assignment_key,
        reversal=reversal,
    )


def change_draft(tx: Tx, id_: str, *, total: Money, due: date, assignment_key: str | None) -> None:
    """Change the facts of a draft."""
    params = {
        "id": id_,
        "total": total.minor,
        "due": write_date(due),
        "assignment_key": assignment_key,
    }
    _change(tx, _CHANGE_DRAFT, params)
    checksums.renew(tx, checksums.ITEM, id_)


def finalize(tx: Tx, id_: str, *, number: str, due: date, effective: date) -> None:
    """
    Make a draft an invoice with a number.

    The caller has checked that the number is free. If another transaction takes it meanwhile, the
    database refuses this one, and it runs again.
    """
    params = {
        "id": id_,
        "number": number,
        "due": write_date(due),
        "effective": write_date(effective),
        "at": tx.at,
        "actor": tx.actor,
    }
    _change_open(tx, _FINALIZE, params)
    checksums.renew(tx, checksums.ITEM, id_)


def void_draft(tx: Tx, id_: str) -> None:
    """Void a draft, which nothing can be paid on."""
    _change(tx, _VOID_DRAFT, {"id": id_})
    checksums.renew(tx, checksums.ITEM, id_)


def by_number(tx: Tx, number: str) -> Invoice | None:
    """Return the invoice with this number, or None."""
    row = tx.one(_BY_NUMBER, {"tenant": tx.tenant, "number": number})
    return None if row is None else _one(tx, row)


def by_id(tx: Tx, id_: str) -> OpenItem | None:
    """Return the invoice or prepayment with this id, or None."""
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    if row is None:
        return None
    tx.known["kind", id_] = row["kind"]
    tx.known["linked", id_] = row["linked"]
    tx.known["overdue", id_] = row["overdue"] is not None
    return prepayments.by_id(tx, id_) if row["kind"] == PREPAYMENT else _one(tx, row)


def issued_on(tx: Tx, id_: str) -> date:
    """Return the date of issue of an invoice, in the zone of its customer."""
    row = tx.one(_EFFECTIVE, {"id": id_})
    assert row is not None, "items are never deleted"
    return read_date(row["effective"])


def account_of(tx: Tx, id_: str) -> LedgerAccount:
    """Return the ledger account that money on an item is posted to."""
    kind: str | None = tx.known.get(("kind", id_))
    if kind is None:
        row = tx.one(_KIND, {"id": id_})
        kind = tx.known["kind", id_] = "" if row is None else str(row["kind"])
    return LedgerAccount.PREPAYMENT if kind == PREPAYMENT else LedgerAccount.RECEIVABLE


def _one(tx: Tx, row: Row) -> Invoice:
    if not row["paged"]:
        claims.cache_no_pages(tx, row["id"])
    tx.known["overdue", row["id"]] = row["overdue"] is not None
    return invoice_of(row)


def may_be_overdue(tx: Tx, id_: str) -> bool:
    """Return whether an item may have been announced as overdue, as far as was read of it."""
    return bool(tx.known.get(("overdue", id_), True))


def may_be_linked(tx: Tx, id_: str) -> bool:
    """Return whether a payment link may be for an item, as far as this transaction has read it."""
    return bool(tx.known.get(("linked", id_), True))


def amounts_of(tx: Tx, id_: str) -> OpenItem | None:
    """Return an item as `by_id` does, but possibly without the payments that claim it."""
    found: OpenItem | None = tx.known.get(("item", id_))
    return by_id(tx, id_) if found is None else found


def page(
    tx: Tx, which: Page, *, customer: str | None, standing: InvoiceStatus | None
) -> list[Invoice]:
    """Return one page of the invoices, by time issued; None for all."""
    index = "paygate_item_listed"
    if customer is not None:
        index = "paygate_item_by_customer"
    elif standing is not None:
        index = "paygate_item_by_standing"
    status = None if standing is None else standing.value
    rows = _LISTING.read(tx, index, which, customer=customer, standing=status)
    return [invoice_of(row) for row in rows]


def owed_page(tx: Tx, which: Page, *, customer: str | None) -> list[Invoice]:
    """Return one page of the invoices with an open amount, by due date."""
    index = "paygate_item_owed" + ("" if customer is None else "_by_customer")
    return [invoice_of(row) for row in _OWED.read(tx, index, which, customer=customer)]


def _change(tx: Tx, sql: str, params: Mapping[str, Any]) -> int:
    """Execute a statement that changes one item, and drop its cached row."""
    tx.known.pop(("item", params["id"]), None)
    return tx.run(sql, params)


def _change_open(tx: Tx, sql: str, params: Mapping[str, Any]) -> int:
    """Execute a statement that changes what is open on an item."""
    tx.linked[params["id"]] = None
    tx.late[params["id"]] = None
    return _change(tx, sql, params)


def claim(tx: Tx, item: str, minor: int) -> bool:
    """Claim *minor* of *item*; return False if that much is not free."""
    return bool(_change(tx, _CLAIM, {"id": item, "amount": minor}))


def unclaim(tx: Tx, item: str, minor: int) -> None:
    """Release *minor* of the claimed amount."""
    tx.freed[item] = None
    tx.late[item] = None
    _change(tx, _UNCLAIM, {"id": item, "amount": minor})


def fill_claim(tx: Tx, item: str, *, claimed: int, minor: int) -> None:
    """Allocate *minor* to *item*, and release the *claimed* amount."""
    if claimed > minor:
        tx.freed[item] = None
    row = tx.one(_FILL_CLAIM, {"id": item, "claimed": claimed, "amount": minor})
    assert row is not None, "items are never deleted"
    tx.known["kind", item] = row["kind"]
    tx.known["linked", item] = row["linked"]
    if row["linked"]:
        tx.linked[item] = None
    if row["overdue"] is not None:
        tx.late[item] = None
    if row["kind"] == PREPAYMENT:
        tx.known.pop(("item", item), None)
    else:
        tx.known["item", item] = invoice_of(row)


def fill(tx: Tx, item: str, minor: int) -> bool:
    """Allocate *minor* to *item*; return False if that much is not free."""
    return bool(_change_open(tx, _FILL, {"id": item, "amount": minor}))


def empty(tx: Tx, item: str, minor: int) -> None:
    """Remove *minor* of the allocated amount from *item*."""
    tx.freed[item] = None
    _change_open(tx, _EMPTY, {"id": item, "amount": minor})


def write_off(tx: Tx, item: str, minor: int) -> bool:
    """Write off *minor* of *item*; return False if that much is not free."""
    return bool(_change_open(tx, _WRITE_OFF, {"id": item, "amount": minor}))


def undo_write_off(tx: Tx, item: str, minor: int) -> None:
    """Reopen *minor* of the written-off amount."""
    tx.freed[item] = None
    _change_open(tx, _UNDO_WRITE_OFF, {"id": item, "amount": minor})


def mark_disputed(tx: Tx, item: str) -> None:
    """Store whether *item* has a chargeback that was not won."""
    tx.late[item] = None
    _change(tx, _MARK_DISPUTED, {"id": item})


def set_autopay(tx: Tx, item: str, *, on: bool, method: str | None) -> None:
    """Store whether *item* is charged automatically, and by which method."""
    _change(tx, _SET_AUTOPAY, {"id": item, "on": int(on), "method": method})
    checksums.renew(tx, checksums.ITEM, item)


def void(tx: Tx, item: str, *, back: int) -> bool:
    """
    Void *item*; return False if part of it is claimed.

    Its money becomes credit, except *back*, which returns to prepayments.
    """
    done = bool(_change_open(tx, _VOID, {"id": item, "back": back}))
    if done:
        checksums.renew(tx, checksums.ITEM, item)
    return done


# Most amounts of an invoice are zero, and a page has a thousand invoices.
_zero: Final = cache(Money.zero)
_STANDINGS: Final = {each.value: each for each in InvoiceStatus}


def invoice_of(row: Row) -> Invoice:
    """Return the invoice of a row."""
    currency: str = row["currency"]
    nothing = _zero(currency)

    def money(column: str) -> Money:
        minor: int = row[column]
        return Money(currency, minor) if minor else nothing

    return Invoice(
        id=row["id"],
        number=row["number"],
        customer=row["customer"],
        total=money("total_minor"),
        allocated=money("allocated_minor"),
        written_off=money("written_off_minor"),
        claimed=money("claimed_minor"),
        credited=money("credited_minor"),
        due=read_date(row["due"]),
        status=_STANDINGS[row["standing"]],
        issued_at=read_instant(row["issued_at"]),
        assignment_key=row["assignment_key"],
        reversal=row["reversal"],
        disputed=bool(row["disputed"]),
        claimed_by=claims.holders(row["claimed_by"]),
    )
