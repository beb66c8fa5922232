"""Payment links, what they are for, and the tokens in the addresses of payment pages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.link import LinkFor, LinkItem, LinkStatus, PaymentLink
from paygate.domain.money import Money
from paygate.errors import LinkNotFound
from paygate.ledger import checksums, paging
from paygate.ledger.codec import read_date, read_instant, read_instant_or_none, write_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from paygate.ledger.paging import Page
    from paygate.ledger.tx import Row, Tx

_INSERT = """
INSERT INTO paygate_link (
  id, tenant, customer, kind, currency, min_minor, max_minor, uses, expires_at, accounts,
  immediate_only, language, metadata, return_to, status, changed_at, end_at, reason,
  generation, key_id, created_at, actor, checksum)
VALUES (
  :id, :tenant, :customer, :kind, :currency, :min_minor, :max_minor, :uses, :expires_at, :accounts,
  :immediate_only, :language, :metadata, :return_to, :status, :at, :expires_at, :reason,
  :generation, :key_id, :at, :actor, :checksum)
"""
_INSERT_ITEM = """
INSERT INTO paygate_link_item (link, position, item, checksum)
VALUES (:link, :position, :item, :checksum)
"""
_LEADS_TO = "SELECT item FROM paygate_link_item WHERE link = :link"
_MARK_LINKED = "UPDATE paygate_item SET linked = 1 WHERE id = :id"
_OPEN: Final = """CASE i.status WHEN 'open'
  THEN i.total_minor - i.allocated_minor - i.written_off_minor - i.moved_minor ELSE 0 END"""
_ITEM: Final = f"""i.id, i.kind, i.number, i.assignment_key, i.total_minor, {_OPEN},
       i.claimed_minor, i.due"""
# A payment brought money that did not go back if more of it came than went. The currency is
# compared as an expression, so that SQLite searches by customer and not by currency. An invoice
# that has replaced a prepayment stands in its place; `lead_to` adds it to the rows.
_SELECT = f"""
SELECT l.*,
  CASE l.kind WHEN 'balance' THEN (
    SELECT json_group_array(json_array(i.due, {_ITEM})) FROM paygate_item i
    WHERE i.tenant = l.tenant AND i.kind = 'invoice' AND i.customer = l.customer
      AND i.currency || '' = l.currency AND i.status = 'open'
      AND i.total_minor - i.allocated_minor - i.written_off_minor > 0)
  ELSE (
    SELECT json_group_array(json_array(x.position, {_ITEM}))
    FROM paygate_link_item x JOIN paygate_item e ON e.id = x.item
      LEFT JOIN paygate_prepayment r ON r.item = e.id AND e.status = 'replaced'
      JOIN paygate_item i ON i.id = coalesce(r.replaced_by, e.id)
    WHERE x.link = l.id AND (l.kind <> 'prepayment' OR x.position = 0))
  END AS items,
  (SELECT count(*) FROM paygate_payment p
   WHERE p.link = l.id AND p.received_minor > p.returned_minor) AS paid,
  (SELECT max(p.id) FROM paygate_payment p
   WHERE p.link = l.id AND p.received_minor > p.returned_minor) AS paid_by
FROM paygate_link l
"""
_BY_ID = f"{_SELECT} WHERE l.tenant = :tenant AND l.id = :id"
_STATUS = "SELECT status FROM paygate_link WHERE id = :id"
_OF_ITEM = "SELECT link FROM paygate_link_item WHERE item = :item"
_CUSTOMER_OF = "SELECT customer FROM paygate_link WHERE tenant = :tenant AND id = :id"
_OPEN_PAGES: Final = """EXISTS (
    SELECT 1 FROM paygate_payment p
    WHERE p.link = paygate_link.id AND p.status = 'requires_action')"""
_SET_STATUS = f"""
UPDATE paygate_link
SET status = :status, changed_at = :at,
  end_at = CASE WHEN :status = 'active' THEN expires_at
    WHEN :status = 'used' AND {_OPEN_PAGES} THEN :at END
WHERE id = :id
"""
_REVOKE = f"""
UPDATE paygate_link
SET status = 'revoked', changed_at = :at, reason = :reason,
  end_at = CASE WHEN {_OPEN_PAGES} THEN :at END
WHERE id = :id
"""
_RENEW = """
UPDATE paygate_link
SET generation = generation + 1, key_id = :key_id, expires_at = :expires_at,
  end_at = CASE status WHEN 'active' THEN :expires_at ELSE end_at END
WHERE id = :id
"""
_PAGE_AFTER_END = """
UPDATE paygate_link SET end_at = :at WHERE id = :id AND status <> 'active' AND end_at IS NULL
"""
_TO_END = "SELECT 1 AS due FROM paygate_link WHERE id = :id AND end_at <= :at"
_ENDED = "UPDATE paygate_link SET end_at = NULL WHERE id = :id"
_PAGES = """
SELECT id FROM paygate_payment WHERE link = :link AND status = 'requires_action'
ORDER BY created_at, id
"""
_LIVE = """
SELECT id FROM paygate_payment
WHERE link = :link AND status IN ('processing', 'unknown', 'authorized') ORDER BY created_at, id
"""
_INSERT_DIGEST = """
INSERT INTO paygate_page_token (
  tenant, digest, kind, subject, generation, key_id, created_at, checksum)
VALUES (:tenant, :digest, :kind, :subject, :generation, :key_id, :at, :checksum)
ON CONFLICT DO NOTHING
"""
_BY_DIGEST = """
SELECT kind, subject, generation, key_id FROM paygate_page_token
WHERE tenant = :tenant AND digest = :digest
"""
_KEY_OF = """
SELECT key_id FROM paygate_page_token
WHERE tenant = :tenant AND kind = :kind AND subject = :subject AND generation = :generation
"""
_LISTING = paging.listing(
    _SELECT,
    table="paygate_link",
    alias="l",
    at="created_at",
    where={
        "paygate_link_listed": "l.tenant = :tenant",
        "paygate_link_by_customer": "l.tenant = :tenant AND l.customer = :customer",
        "paygate_link_by_status": "l.tenant = :tenant AND l.status = :status",
    },
    rest="l.customer = coalesce(:customer, l.customer) AND l.status = coalesce(:status, l.status)",
    noun="link",
    missing=LinkNotFound,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLink:
    """The facts of a link to be stored; *bounds* are set if the payer chooses the amount."""

    id: str
    customer: str
    of: LinkFor
    currency: str
    items: Sequence[str]
    bounds: tuple[int, int] | None
    uses: int | None
    expires_at: datetime | None
    accounts: Sequence[str]
    immediate_only: bool
    language: str
    metadata: Mapping[str, str]
    return_to: str
    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """What a token is for, which of the tokens of that it is, and the key it comes from."""

    kind: str
    subject: str
    generation: int
    key_id: str


def insert(tx: Tx, link: NewLink) -> None:
    """Store a new link."""
    low, high = link.bounds or (None, None)
    params = {
        "id": link.id,
        "tenant": tx.tenant,
        "customer": link.customer,
        "kind": link.of.value,
        "currency": link.currency,
        "min_minor": low,
        "max_minor": high,
        "uses": link.uses,
        "expires_at": None if link.expires_at is None else write_instant(link.expires_at),
        "accounts": json.dumps(list(link.accounts)),
        "immediate_only": int(link.immediate_only),
        "language": link.language,
        "metadata": json.dumps(dict(link.metadata), sort_keys=True),
        "return_to": link.return_to,
        "status": LinkStatus.ACTIVE.value,
        "reason": "",
        "generation": 1,
        "key_id": link.key_id,
        "at": tx.at,
        "actor": tx.actor,
    }
    tx.run(_INSERT, checksums.signed(checksums.LINK, params))
    for position, item in enumerate(link.items):
        _insert_item(tx, link.id, position, item)


def _insert_item(tx: Tx, link: str, position: int, item: str) -> None:
    facts = {"link": link, "position": position, "item": item}
    tx.run(_INSERT_ITEM, checksums.signed(checksums.LINK_ITEM, facts))
    tx.run(_MARK_LINKED, {"id": item})


def lead_to(tx: Tx, link: str, items: Iterable[str]) -> bool:
    """Store that a link leads to *items*; return False if all of that is stored already."""
    stored = [row["item"] for row in tx.all(_LEADS_TO, {"link": link})]
    new = [item for item in items if item not in stored]
    for position, item in enumerate(new, start=len(stored)):
        _insert_item(tx, link, position, item)
    return bool(new)


def customer_of(tx: Tx, id_: str) -> list[str]:
    """Return the customer of a link, to be locked first; nobody if it does not exist."""
    return [row["customer"] for row in tx.peek(_CUSTOMER_OF, {"tenant": tx.tenant, "id": id_})]


def by_id(tx: Tx, id_: str) -> PaymentLink | None:
    """Return the link with this id, without its token, or None."""
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    return None if row is None else link_of(tx, row)


def stored_status(tx: Tx, id_: str) -> LinkStatus:
    """Return the status of a link as it is stored: whatever time it is."""
    row = tx.one(_STATUS, {"id": id_})
    assert row is not None, "links are never deleted"
    return LinkStatus(row["status"])


def of_item(tx: Tx, item: str) -> list[str]:
    """Return the links that are for *item*."""
    return [row["link"] for row in tx.all(_OF_ITEM, {"item": item})]


def page(
    tx: Tx, which: Page, *, customer: str | None, status: LinkStatus | None
) -> list[PaymentLink]:
    """Return one page of the links, by time created; None for all."""
    index = "paygate_link_listed"
    if customer is not None:
        index = "paygate_link_by_customer"
    elif status is not None:
        index = "paygate_link_by_status"
    stored = None if status is None else status.value
    rows = _LISTING.read(tx, index, which, customer=customer, status=stored)
    return [link_of(tx, row) for row in rows]


def set_status(tx: Tx, id_: str, status: LinkStatus) -> None:
    """Store the status that follows from what a link is for."""
    tx.run(_SET_STATUS, {"id": id_, "status": status.value, "at": tx.at})
    checksums.renew(tx, checksums.LINK, id_)


def revoke(tx: Tx, id_: str, reason: str) -> None:
    """Store that a link was revoked, and why."""
    tx.run(_REVOKE, {"id": id_, "reason": reason, "at": tx.at})
    checksums.renew(tx, checksums.LINK, id_)


def renew(tx: Tx, id_: str, key_id: str, expires_at: datetime | None) -> None:
    """Store that a link has another token, of the key *key_id*, and until when it can be paid."""
    expires = None if expires_at is None else write_instant(expires_at)
    tx.run(_RENEW, {"id": id_, "key_id": key_id, "expires_at": expires})
    checksums.renew(tx, checksums.LINK, id_)


def is_to_end(tx: Tx, id_: str) -> bool:
    """Return whether the time of a link has passed, or pages of it are to be withdrawn."""
    return tx.one(_TO_END, {"id": id_, "at": tx.at}) is not None


def plan_withdrawal(tx: Tx, id_: str) -> None:
    """Store that a page has opened: if its link has ended by now, it is to be withdrawn."""
    if tx.run(_PAGE_AFTER_END, {"id": id_, "at": tx.at}):
        checksums.renew(tx, checksums.LINK, id_)


def set_ended(tx: Tx, id_: str) -> None:
    """Store that the pages of a link that has ended have been withdrawn, as far as that is done."""
    tx.run(_ENDED, {"id": id_})
    checksums.renew(tx, checksums.LINK, id_)


def pages_of(tx: Tx, link: str) -> list[str]:
    """Return the payments of a link whose page, slip or address is open."""
    return [row["id"] for row in tx.all(_PAGES, {"link": link})]


def live_of(tx: Tx, link: str) -> list[str]:
    """Return the payments of a link that may still bring money without the payer."""
    return [row["id"] for row in tx.all(_LIVE, {"link": link})]


# --- Tokens -----------------------------------------------------------------------------------


def insert_token(tx: Tx, digest: str, facts: TokenFacts) -> None:
    """Store the *digest* of a token; if it is stored already, do nothing."""
    params = {
        "tenant": tx.tenant,
        "digest": digest,
        "kind": facts.kind,
        "subject": facts.subject,
        "generation": facts.generation,
        "key_id": facts.key_id,
        "at": tx.at,
    }
    tx.run(_INSERT_DIGEST, checksums.signed(checksums.PAGE_TOKEN, params))


def token(tx: Tx, digest: str) -> TokenFacts | None:
    """Return what the token with this digest is for, or None."""
    row = tx.one(_BY_DIGEST, {"tenant": tx.tenant, "digest": digest})
    if row is None:
        return None
    return TokenFacts(
        kind=row["kind"],
        subject=row["subject"],
        generation=row["generation"],
        key_id=row["key_id"],
    )


def key_of_payment(tx: Tx, payment: str) -> str | None:
    """Return the id of the key from which the token of the page of *payment* comes, or None."""
    params = {"tenant": tx.tenant, "kind": "payment", "subject": payment, "generation": 1}
    row = tx.one(_KEY_OF, params)
    return None if row is None else str(row["key_id"])


# --- Reading ----------------------------------------------------------------------------------


def link_of(tx: Tx, row: Row) -> PaymentLink:
    """Return the link of a row, without its token; an active one may have expired by now."""
    currency: str = row["currency"]
    rows: list[list[Any]] = sorted(json.loads(row["items"]))
    of = LinkFor(row["kind"])
    if of is LinkFor.PREPAYMENT and all(kind == "invoice" for _, _, kind, *_ in rows):
        of = LinkFor.INVOICES
    items = tuple(_items(rows, currency))
    open_ = sum(each.open.minor for each in items)
    expires_at = read_instant_or_none(row["expires_at"])
    status = LinkStatus(row["status"])
    if status is LinkStatus.ACTIVE and expires_at is not None and expires_at <= tx.now:
        status = LinkStatus.EXPIRED
    bounds = (row["min_minor"], row["max_minor"])
    if bounds[0] is not None and of is not LinkFor.BALANCE:
        bounds = (min(bounds[0], open_), min(bounds[1], open_))
    low, high = (None if each is None else Money(currency, each) for each in bounds)
    return PaymentLink(
        id=row["id"],
        customer=row["customer"],
        of=of,
        status=status,
        currency=currency,
        items=items,
        open=Money(currency, open_),
        minimum=low,
        maximum=high,
        uses=row["uses"],
        paid=row["paid"],
        payment=row["paid_by"],
        expires_at=expires_at,
        accounts=tuple(json.loads(row["accounts"])),
        immediate_only=bool(row["immediate_only"]),
        language=row["language"],
        return_to=row["return_to"],
        metadata=json.loads(row["metadata"]),
        reason=row["reason"],
        generation=row["generation"],
        key_id=row["key_id"],
        created_at=read_instant(row["created_at"]),
        changed_at=read_instant(row["changed_at"]),
    )


def _items(rows: Iterable[list[Any]], currency: str) -> Iterable[LinkItem]:
    for _, id_, kind, number, key, total, open_, claimed, due in rows:
        yield LinkItem(
            id=id_,
            name=key if kind == "prepayment" else number,
            total=Money(currency, total),
            open=Money(currency, open_),
            claimed=Money(currency, claimed),
            due=read_date(due) if kind == "invoice" else None,
        )
