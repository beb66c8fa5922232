"""Stored methods and mandates; tokens are stored encrypted, through the vault only."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from paygate.domain.kind import Kind
from paygate.domain.method import PaymentMethod
from paygate.errors import MethodNotFound, TokenKeysMissing, TokenUnreadable
from paygate.ledger import checksums, paging
from paygate.ledger.codec import (
    read_date_or_none,
    read_instant,
    read_instant_or_none,
    write_date,
    write_instant,
)

if TYPE_CHECKING:
    from paygate.domain.method import MethodNews, StoredMethod
    from paygate.domain.secret import Secret
    from paygate.ledger.paging import Page
    from paygate.ledger.tx import Row, Tx
    from paygate.ledger.vault import Vault

_INSERT = """
INSERT INTO paygate_method (
  id, tenant, customer, account, kind, token_encrypted, brand, last4, expires, holder, fingerprint,
  network_transaction_id, reference, mandate, is_default, reported_at, created_at, checksum)
VALUES (
  :id, :tenant, :customer, :account, :kind, :token, :brand, :last_four, :expires, :holder,
  :fingerprint, :network_transaction_id, :reference, :mandate,
  CASE WHEN EXISTS (
    SELECT 1 FROM paygate_method
    WHERE tenant = :tenant AND customer = :customer AND is_default = 1 AND forgotten_at IS NULL)
    THEN 0 ELSE 1 END,
  :at, :at, 0)
ON CONFLICT (id) DO NOTHING
"""
_BY_ID = "SELECT * FROM paygate_method WHERE tenant = :tenant AND id = :id"
_EXPIRING = """
SELECT m.* FROM paygate_method m JOIN paygate_mandate a ON a.id = m.mandate
WHERE m.tenant = :tenant AND m.forgotten_at IS NULL AND m.expires >= :first AND m.expires <= :last
  AND (m.expires, m.id) > (:after_day, :after) AND a.ended_at IS NULL
ORDER BY m.expires, m.id LIMIT :limit
"""
_LISTING = paging.listing(
    "SELECT m.* FROM paygate_method m",
    table="paygate_method",
    alias="m",
    at="created_at",
    where={
        "paygate_method_by_customer": (
            "m.tenant = :tenant AND m.customer = :customer AND m.forgotten_at IS NULL"
        ),
    },
    noun="stored method",
    missing=MethodNotFound,
)
_SAME = """
SELECT id, fingerprint, token_encrypted FROM paygate_method
WHERE tenant = :tenant AND customer = :customer AND account = :account AND kind = :kind
AND forgotten_at IS NULL ORDER BY created_at, id
"""
_RENEW = """
UPDATE paygate_method SET token_encrypted = :token, brand = :brand, last4 = :last_four,
  expires = :expires, holder = :holder, fingerprint = :fingerprint,
  network_transaction_id = CASE :network_transaction_id
    WHEN '' THEN network_transaction_id ELSE :network_transaction_id END,
  reference = :reference, mandate = coalesce(:mandate, mandate), reported_at = :reported_at,
  blocked_at = NULL, blocked_for = '', rests_until = NULL
WHERE id = :id
"""
_NAMED = """
SELECT * FROM paygate_method
WHERE tenant = :tenant AND account = :account AND reference = :reference AND reference <> ''
AND forgotten_at IS NULL ORDER BY id
"""
_CHANGE = """
UPDATE paygate_method
SET brand = :brand, last4 = :last_four, expires = :expires, reported_at = :reported_at
WHERE id = :id AND reported_at <= :reported_at
"""
# A customer never has two default methods, so the old one is unset first.
_UNSET_DEFAULT = """
UPDATE paygate_method SET is_default = 0
WHERE tenant = :tenant AND customer = :customer AND is_default = 1
"""
_SET_DEFAULT = "UPDATE paygate_method SET is_default = 1 WHERE id = :id"
_IDS_OF_CUSTOMER = """
SELECT id FROM paygate_method WHERE tenant = :tenant AND customer = :customer
"""
_FORGET = """
UPDATE paygate_method SET forgotten_at = :at, is_default = 0
WHERE id = :id AND forgotten_at IS NULL
"""
_WIPE = "UPDATE paygate_method SET token_encrypted = x'', holder = '' WHERE id = :id"
_SEALED = """
SELECT id, token_encrypted FROM paygate_method
WHERE tenant = :tenant AND id > :after AND token_encrypted <> x'' ORDER BY id LIMIT :limit
"""
_RESEAL = "UPDATE paygate_method SET token_encrypted = :token WHERE id = :id"

_BLOCK = """
UPDATE paygate_method SET blocked_at = :at, blocked_for = :code
WHERE id = :id AND blocked_at IS NULL AND forgotten_at IS NULL
"""
_UNBLOCK = "UPDATE paygate_method SET blocked_at = NULL, blocked_for = '' WHERE id = :id"
_REST = """
UPDATE paygate_method SET rests_until = :until
WHERE id = :id AND (rests_until IS NULL OR rests_until < :until)
"""
_MOVE_PINS = """
UPDATE paygate_item SET method = :new
WHERE tenant = :tenant AND method IS NOT NULL AND method = :old
"""
_PINNED = """
SELECT id FROM paygate_item WHERE tenant = :tenant AND method IS NOT NULL AND method = :old
"""
_SET_MANDATE = "UPDATE paygate_method SET mandate = :mandate WHERE id = :id"


def vault_of(tx: Tx) -> Vault:
    """Return the vault, or raise `TokenKeysMissing`."""
    if tx.vault is None:
        raise TokenKeysMissing(
            "tokens of stored methods are encrypted, but no key is set; open the cashier with "
            "token_keys=[…], or set PAYGATE_TOKEN_KEYS for the command paygate"
        )
    return tx.vault


# --- Methods ---------------------------------------------------------------------------


def insert(
    tx: Tx,
    stored: StoredMethod,
    *,
    id_: str,
    customer: str,
    account: str,
    mandate: str | None,
    network_transaction_id: str = "",
) -> bool:
    """
    Store a method that a gateway has stored for us; return False if it is stored already.

    The first method of a customer becomes the default.
    """
    params = {
        "tenant": tx.tenant,
        "customer": customer,
        "account": account,
        "kind": stored.kind.value,
        "at": tx.at,
        **_facts(tx, id_, stored, mandate, network_transaction_id),
    }
    new = bool(tx.run(_INSERT, params))
    if new:
        checksums.renew(tx, checksums.METHOD, id_)
    return new


def same_as(tx: Tx, stored: StoredMethod, *, customer: str, account: str) -> str | None:
    """
    Return the id of the customer's method that is the same at the gateway, or None.

    It has the same token, or the same fingerprint of the card or account number.
    """
    params = {
        "tenant": tx.tenant,
        "customer": customer,
        "account": account,
        "kind": stored.kind.value,
    }
    for row in tx.all(_SAME, params):
        if stored.fingerprint and row["fingerprint"] == stored.fingerprint:
            return str(row["id"])
        try:
            token = vault_of(tx).open(row["token_encrypted"], of=row["id"])
        except TokenUnreadable:  # encrypted under a key that is not configured
            continue
        if token.reveal() == stored.token.reveal():
            return str(row["id"])
    return None


def renew(
    tx: Tx, id_: str, stored: StoredMethod, mandate: str | None, network_transaction_id: str
) -> None:
    """Store the gateway's current facts of a method; without a new mandate, keep the old one."""
    tx.execute(_RENEW, _facts(tx, id_, stored, mandate, network_transaction_id))
    checksums.renew(tx, checksums.METHOD, id_)


def _facts(
    tx: Tx, id_: str, stored: StoredMethod, mandate: str | None, network_transaction_id: str
) -> dict[str, Any]:
    expires = _last_day(stored.expires_year, stored.expires_month)
    return {
        "id": id_,
        "token": vault_of(tx).seal(stored.token, of=id_),
        "brand": stored.brand,
        "last_four": stored.last4,
        "expires": write_date(expires),
        "holder": stored.holder,
        "fingerprint": stored.fingerprint,
        "network_transaction_id": stored.network_transaction_id or network_transaction_id,
        "reference": stored.reference,
        "reported_at": tx.at,
        "mandate": mandate,
    }


def named(tx: Tx, account: str, reference: str) -> list[PaymentMethod]:
    """Return the methods of *account* with the gateway's *reference*, except forgotten ones."""
    rows = tx.all(_NAMED, {"tenant": tx.tenant, "account": account, "reference": reference})
    return [method_of(row) for row in rows]


def change(tx: Tx, method: PaymentMethod, news: MethodNews, at: datetime | None) -> bool:
    """Store changed facts of *method*; return False if known already, or older than the last."""
    reported = news.facts
    expires = _last_day(reported.expires_year, reported.expires_month) or method.expires
    facts = {
        "brand": reported.brand or method.brand,
        "last_four": reported.last4 or method.last4,
        "expires": write_date(expires),
    }
    reported_at = tx.at if at is None else write_instant(at)
    known = (method.brand, method.last4) == (facts["brand"], facts["last_four"])
    if not tx.run(_CHANGE, {"id": method.id, "reported_at": reported_at, **facts}):
        return False
    changed = not known or expires != method.expires
    if changed and method.blocked_for:
        tx.execute(_UNBLOCK, {"id": method.id})  # a new number or expiry may be what was missing
    checksums.renew(tx, checksums.METHOD, method.id)
    return changed


def by_id(tx: Tx, id_: str) -> PaymentMethod | None:
    """Return the method with this id, or None; forgotten methods are included."""
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    return None if row is None else method_of(row)


def page(tx: Tx, which: Page, *, customer: str) -> list[PaymentMethod]:
    """Return one page of the methods of a customer, except forgotten ones."""
    rows = _LISTING.read(tx, "paygate_method_by_customer", which, customer=customer)
    return [method_of(row) for row in rows]


def token_of(tx: Tx, id_: str) -> tuple[Secret[str], str]:
    """
    Return the token for one request, and the network's id of the first transaction.

    Raise `TokenKeysMissing` or `TokenUnreadable`.
    """
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    assert row is not None, f"method {id_} was just read"
    token = vault_of(tx).open(row["token_encrypted"], of=id_)
    return token, str(row["network_transaction_id"])


def expiring(
    tx: Tx, first: date, last: date, *, after: PaymentMethod | None, limit: int
) -> list[PaymentMethod]:
    """Return methods with a live mandate that expire from *first* to *last*, by expiry."""
    params = {
        "tenant": tx.tenant,
        "first": write_date(first),
        "last": write_date(last),
        "after_day": "" if after is None else write_date(after.expires),
        "after": "" if after is None else after.id,
        "limit": limit,
    }
    return [method_of(row) for row in tx.all(_EXPIRING, params)]


def set_default(tx: Tx, method: PaymentMethod) -> None:
    """Make *method* the default of its customer."""
    params = {"tenant": tx.tenant, "customer": method.customer, "id": method.id}
    tx.execute(_UNSET_DEFAULT, params)
    tx.execute(_SET_DEFAULT, params)
    for row in tx.all(_IDS_OF_CUSTOMER, params):
        checksums.renew(tx, checksums.METHOD, row["id"])


def forget(tx: Tx, id_: str) -> bool:
    """Store that a method must not be charged any more; return False if it was stored before."""
    news = bool(tx.run(_FORGET, {"id": id_, "at": tx.at}))
    checksums.renew(tx, checksums.METHOD, id_)
    return news


def wipe(tx: Tx, id_: str) -> None:
    """Delete the token of a method that the gateway has deleted."""
    tx.execute(_WIPE, {"id": id_})


def move_pins(tx: Tx, old: PaymentMethod, new: PaymentMethod) -> None:
    """Let invoices that are to be charged by *old* be charged by *new*."""
    params = {"tenant": tx.tenant, "old": old.id, "new": new.id}
    pinned = [row["id"] for row in tx.all(_PINNED, params)]
    tx.execute(_MOVE_PINS, params)
    for item in pinned:
        tx.known.pop(("item", item), None)
        checksums.renew(tx, checksums.ITEM, item)


def reseal_page(tx: Tx, after: str, limit: int) -> tuple[str, int, int]:
    """
    Encrypt tokens of methods after id *after* under the first key, at most *limit*.

    Return the last id, the number of tokens read, and the number that were under another key.
    """
    vault = vault_of(tx)
    rows = tx.all(_SEALED, {"tenant": tx.tenant, "after": after, "limit": limit})
    changed = 0
    for row in rows:
        token = vault.reseal(row["token_encrypted"], of=row["id"])
        if token is not None:
            changed += tx.run(_RESEAL, {"id": row["id"], "token": token})
    return (rows[-1]["id"] if rows else "", len(rows), changed)


def block(tx: Tx, id_: str, code: str) -> bool:
    """Block a method after a failure; return False if it is blocked already, or forgotten."""
    news = bool(tx.run(_BLOCK, {"id": id_, "at": tx.at, "code": code}))
    if news:
        checksums.renew(tx, checksums.METHOD, id_)
    return news


def rest(tx: Tx, id_: str, until: date) -> None:
    """Store the day until which a method is not charged automatically."""
    tx.execute(_REST, {"id": id_, "until": write_date(until)})
    checksums.renew(tx, checksums.METHOD, id_)


def set_mandate(tx: Tx, id_: str, mandate: str) -> None:
    """Store the payer's authorization to charge a method without them."""
    tx.execute(_SET_MANDATE, {"id": id_, "mandate": mandate})
    checksums.renew(tx, checksums.METHOD, id_)


# --- Reading rows -------------------------------------------------------------------------


def method_of(row: Row) -> PaymentMethod:
    """Return the method of a row, without its token."""
    return PaymentMethod(
        id=row["id"],
        customer=row["customer"],
        account=row["account"],
        kind=Kind(row["kind"]),
        brand=row["brand"],
        last4=row["last4"],
        expires=read_date_or_none(row["expires"]),
        blocked_for=row["blocked_for"],
        rests_until=read_date_or_none(row["rests_until"]),
        is_default=bool(row["is_default"]),
        mandate=row["mandate"],
        created_at=read_instant(row["created_at"]),
        forgotten_at=read_instant_or_none(row["forgotten_at"]),
    )


def _last_day(year: int | None, month: int | None) -> date | None:
    """Return the last day of the month in which a card expires."""
    if year is None or month is None:
        return None
    following = date(year + month // 12, month % 12 + 1, 1)
    return following - timedelta(days=1)
