"""Stored methods and mandates; a token goes in and out through the vault only."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from paygate.domain.kind import Kind
from paygate.domain.method import Mandate, MandateScope, PaymentMethod
from paygate.errors import InvalidValue, MethodNotFound, TokenKeysMissing, TokenUnreadable
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
  network_transaction_id, reference, mandate, is_default, told_at, created_at, checksum)
VALUES (
  :id, :tenant, :customer, :account, :kind, :token, :brand, :last_four, :expires, :holder,
  :fingerprint, :network_transaction_id, :reference, :mandate,
  CASE WHEN EXISTS (
    SELECT 1 FROM paygate_method
    WHERE tenant = :tenant AND customer = :customer AND is_default = 1 AND forgotten_at IS NULL)
    THEN 0 ELSE 1 END,
  :at, :at, 0)
ON CONFLICT DO NOTHING
"""
_BY_ID = "SELECT * FROM paygate_method WHERE tenant = :tenant AND id = :id"
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
  reference = :reference, mandate = coalesce(:mandate, mandate), told_at = :told_at
WHERE id = :id
"""
_NAMED = """
SELECT * FROM paygate_method
WHERE tenant = :tenant AND account = :account AND reference = :reference AND reference <> ''
AND forgotten_at IS NULL ORDER BY id
"""
_CHANGE = """
UPDATE paygate_method
SET brand = :brand, last4 = :last_four, expires = :expires, told_at = :told_at
WHERE id = :id AND told_at <= :told_at
"""
_SET_DEFAULT = """
UPDATE paygate_method SET is_default = CASE id WHEN :id THEN 1 ELSE 0 END
WHERE tenant = :tenant AND customer = :customer
"""
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

_INSERT_MANDATE = """
INSERT INTO paygate_mandate (
  id, tenant, customer, text_version, accepted_at, scope, reference, ip, user_agent, checksum)
VALUES (
  :id, :tenant, :customer, :text_version, :accepted_at, :scope, :reference, :ip, :user_agent,
  :checksum)
"""
_MANDATE = """
SELECT * FROM paygate_mandate WHERE tenant = :tenant AND id = :id
"""


def vault_of(tx: Tx) -> Vault:
    """Find the vault, or raise `TokenKeysMissing`."""
    if tx.vault is None:
        raise TokenKeysMissing(
            "tokens of stored methods are kept encrypted, and there is no key; open the cashier "
            "with token_keys=[…], or set PAYGATE_TOKEN_KEYS for the command paygate"
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
    Write a method that a gateway keeps for us; false where it was written before.

    The first method of a customer is the default one.
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
    Return the id of the customer's method that is the same one at the gateway, if there is one.

    It has the same token, or the same fingerprint of the card's or account's number.
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
        except TokenUnreadable:  # it was stored under a key that is not here
            continue
        if token.reveal() == stored.token.reveal():
            return str(row["id"])
    return None


def renew(
    tx: Tx, id_: str, stored: StoredMethod, mandate: str | None, network_transaction_id: str
) -> None:
    """Write what the gateway now says of a method; without a new mandate the old one stays."""
    tx.run(_RENEW, _facts(tx, id_, stored, mandate, network_transaction_id))
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
        "told_at": tx.at,
        "mandate": mandate,
    }


def named(tx: Tx, account: str, reference: str) -> list[PaymentMethod]:
    """Read the methods that *account* calls *reference*, without those that were forgotten."""
    rows = tx.all(_NAMED, {"tenant": tx.tenant, "account": account, "reference": reference})
    return [method_of(row) for row in rows]


def change(tx: Tx, method: PaymentMethod, news: MethodNews, at: datetime | None) -> bool:
    """Write what has changed of *method*; false if that is known, or newer news came before."""
    said = news.facts
    expires = _last_day(said.expires_year, said.expires_month) or method.expires
    facts = {
        "brand": said.brand or method.brand,
        "last_four": said.last4 or method.last4,
        "expires": write_date(expires),
    }
    told_at = tx.at if at is None else write_instant(at)
    known = (method.brand, method.last4) == (facts["brand"], facts["last_four"])
    if not tx.run(_CHANGE, {"id": method.id, "told_at": told_at, **facts}):
        return False
    checksums.renew(tx, checksums.METHOD, method.id)
    return not known or expires != method.expires


def by_id(tx: Tx, id_: str) -> PaymentMethod | None:
    """Read a method, also one that was forgotten."""
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    return None if row is None else method_of(row)


def page(tx: Tx, which: Page, *, customer: str) -> list[PaymentMethod]:
    """Read a page of the methods of a customer, without those that were forgotten."""
    rows = _LISTING.read(tx, "paygate_method_by_customer", which, customer=customer)
    return [method_of(row) for row in rows]


def token_of(tx: Tx, id_: str) -> tuple[Secret[str], str]:
    """
    Take the token out for one request, with the network's id of the first transaction.

    Raises `TokenKeysMissing` or `TokenUnreadable`.
    """
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    assert row is not None, f"method {id_} was just read"
    token = vault_of(tx).open(row["token_encrypted"], of=id_)
    return token, str(row["network_transaction_id"])


def set_default(tx: Tx, method: PaymentMethod) -> None:
    """Make *method* the one default of its customer."""
    params = {"tenant": tx.tenant, "customer": method.customer, "id": method.id}
    tx.run(_SET_DEFAULT, params)
    for row in tx.all(_IDS_OF_CUSTOMER, params):
        checksums.renew(tx, checksums.METHOD, row["id"])


def forget(tx: Tx, id_: str) -> bool:
    """Write that a method is not charged any more; false where that is written already."""
    news = bool(tx.run(_FORGET, {"id": id_, "at": tx.at}))
    checksums.renew(tx, checksums.METHOD, id_)
    return news


def wipe(tx: Tx, id_: str) -> None:
    """Delete the token of a method that the gateway has deleted."""
    tx.run(_WIPE, {"id": id_})


def reseal_page(tx: Tx, after: str, limit: int) -> tuple[str, int, int]:
    """
    Put the tokens of the methods behind id *after* under the first key, at most *limit*.

    Tells the last id, how many there were, and how many were under another key.
    """
    vault = vault_of(tx)
    rows = tx.all(_SEALED, {"tenant": tx.tenant, "after": after, "limit": limit})
    changed = 0
    for row in rows:
        token = vault.reseal(row["token_encrypted"], of=row["id"])
        if token is not None:
            changed += tx.run(_RESEAL, {"id": row["id"], "token": token})
    return (rows[-1]["id"] if rows else "", len(rows), changed)


# --- Mandates --------------------------------------------------------------------------


def insert_mandate(tx: Tx, customer: str, mandate: Mandate) -> str:
    """Write what a payer allowed, and return its id; nobody has agreed in the future yet."""
    if mandate.accepted_at > tx.now + timedelta(days=1):
        raise InvalidValue(
            f"the payer agreed at {mandate.accepted_at:%Y-%m-%d %H:%M} says the mandate, and "
            f"it is {tx.now:%Y-%m-%d %H:%M} UTC",
            argument="mandate",
        )
    id_ = tx.new_id("man")
    params = {
        "id": id_,
        "tenant": tx.tenant,
        "customer": customer,
        "text_version": mandate.text_version,
        "accepted_at": write_instant(mandate.accepted_at),
        "scope": mandate.scope.value,
        "reference": mandate.reference,
        "ip": mandate.ip,
        "user_agent": mandate.user_agent,
        "revoked_at": None,
    }
    tx.run(_INSERT_MANDATE, checksums.signed(checksums.MANDATE, params))
    return id_


def mandate(tx: Tx, id_: str) -> Mandate | None:
    """Read what a payer allowed."""
    row = tx.one(_MANDATE, {"tenant": tx.tenant, "id": id_})
    if row is None:
        return None
    return Mandate(
        id=row["id"],
        text_version=row["text_version"],
        accepted_at=read_instant(row["accepted_at"]),
        scope=MandateScope(row["scope"]),
        reference=row["reference"],
        ip=row["ip"],
        user_agent=row["user_agent"],
    )


# --- Reading rows -------------------------------------------------------------------------


def method_of(row: Row) -> PaymentMethod:
    """Read a method from its row, without its token."""
    return PaymentMethod(
        id=row["id"],
        customer=row["customer"],
        account=row["account"],
        kind=Kind(row["kind"]),
        brand=row["brand"],
        last4=row["last4"],
        expires=read_date_or_none(row["expires"]),
        is_default=bool(row["is_default"]),
        mandate=row["mandate"],
        created_at=read_instant(row["created_at"]),
        forgotten_at=read_instant_or_none(row["forgotten_at"]),
    )


def _last_day(year: int | None, month: int | None) -> date | None:
    """Tell the last day on which a card is good: the last one of its month."""
    if year is None or month is None:
        return None
    following = date(year + month // 12, month % 12 + 1, 1)
    return following - timedelta(days=1)
