"""Mandates: the payers' authorizations to charge their stored methods without them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from paygate.domain.mandate import Mandate, MandateChannel, MandateScope
from paygate.errors import InvalidValue
from paygate.ledger import checksums
from paygate.ledger.codec import (
    read_instant,
    read_instant_or_none,
    read_money_or_none,
    write_instant,
)

if TYPE_CHECKING:
    from paygate.domain.money import Money
    from paygate.ledger.tx import Tx

_INSERT = """
INSERT INTO paygate_mandate (
  id, tenant, customer, text_version, text_digest, language, accepted_at, scope, pending, reference,
  ip, user_agent, authenticated, channel, actor, basis, ceiling_currency, ceiling_minor,
  notice_days, checksum)
VALUES (
  :id, :tenant, :customer, :text_version, :text_digest, :language, :accepted_at, :scope, :pending,
  :reference, :ip, :user_agent, :authenticated, :channel, :actor, :basis, :ceiling_currency,
  :ceiling_minor, :notice_days, :checksum)
"""
_BY_ID = "SELECT * FROM paygate_mandate WHERE tenant = :tenant AND id = :id"
_OPEN = """
SELECT number FROM paygate_item
WHERE tenant = :tenant AND customer = :customer AND kind = 'invoice' AND status = 'open'
  AND total_minor - allocated_minor - written_off_minor > 0
ORDER BY due, id LIMIT 1000
"""
_SET_FIRST = """
UPDATE paygate_mandate SET network_transaction_id = :network_transaction_id,
  first_currency = :currency, first_minor = :minor
WHERE id = :id AND network_transaction_id = '' AND first_minor IS NULL
"""
_END = """
UPDATE paygate_mandate SET ended_at = :at, ended_by = :by, ended_for = :why
WHERE id = :id AND ended_at IS NULL
"""
_LIVE = """
SELECT id FROM paygate_mandate
WHERE tenant = :tenant AND customer = :customer AND ended_at IS NULL ORDER BY id
"""


def insert(tx: Tx, customer: str, mandate: Mandate) -> str:
    """
    Store a mandate and return its id.

    If the payer agreed to open invoices that are not named, those open now are stored. Raise
    `InvalidValue` if it was accepted in the future.
    """
    if mandate.accepted_at > tx.now + timedelta(days=1):
        raise InvalidValue(
            f"the mandate was accepted at {mandate.accepted_at:%Y-%m-%d %H:%M}, which is in the "
            f"future; it is now {tx.now:%Y-%m-%d %H:%M} UTC",
            argument="mandate",
        )
    id_ = tx.new_id("man")
    pending = list(mandate.pending)
    if mandate.scope is MandateScope.FUTURE_AND_PENDING and not pending:
        rows = tx.all(_OPEN, {"tenant": tx.tenant, "customer": customer})
        pending = [str(row["number"]) for row in rows]
    ceiling = mandate.ceiling
    params = {
        "id": id_,
        "tenant": tx.tenant,
        "customer": customer,
        "text_version": mandate.text_version,
        "text_digest": mandate.text_digest,
        "language": mandate.language,
        "accepted_at": write_instant(mandate.accepted_at),
        "scope": mandate.scope.value,
        "pending": json.dumps(pending),
        "reference": mandate.reference,
        "ip": mandate.ip,
        "user_agent": mandate.user_agent,
        "authenticated": mandate.authenticated,
        "channel": mandate.channel.value,
        "actor": mandate.actor or tx.actor,
        "basis": mandate.basis,
        "ceiling_currency": None if ceiling is None else ceiling.currency,
        "ceiling_minor": None if ceiling is None else ceiling.minor,
        "notice_days": mandate.notice_days,
        "network_transaction_id": "",
        "first_currency": None,
        "first_minor": None,
        "ended_at": None,
        "ended_by": "",
        "ended_for": "",
    }
    tx.execute(_INSERT, checksums.signed(checksums.MANDATE, params))
    return id_


def by_id(tx: Tx, id_: str) -> Mandate | None:
    """Return the mandate with this id, or None."""
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    if row is None:
        return None
    found = Mandate(
        id=row["id"],
        text_version=row["text_version"],
        text_digest=row["text_digest"],
        language=row["language"],
        accepted_at=read_instant(row["accepted_at"]),
        scope=MandateScope(row["scope"]),
        pending=json.loads(row["pending"]),
        reference=row["reference"],
        ip=row["ip"],
        user_agent=row["user_agent"],
        authenticated=row["authenticated"],
        channel=MandateChannel(row["channel"]),
        actor=row["actor"],
        basis=row["basis"],
        ceiling=read_money_or_none(row["ceiling_currency"], row["ceiling_minor"]),
        notice_days=row["notice_days"],
    )
    return replace(
        found,
        network_transaction_id=row["network_transaction_id"],
        first_amount=read_money_or_none(row["first_currency"], row["first_minor"]),
        ended_at=read_instant_or_none(row["ended_at"]),
        ended_by=row["ended_by"],
        ended_for=row["ended_for"],
    )


def set_first(tx: Tx, id_: str, network_transaction_id: str, amount: Money | None) -> None:
    """Store the network's id and the amount of the first transaction, unless they are known."""
    params = {
        "id": id_,
        "network_transaction_id": network_transaction_id,
        "currency": None if amount is None else amount.currency,
        "minor": None if amount is None else amount.minor,
    }
    if tx.run(_SET_FIRST, params):
        checksums.renew(tx, checksums.MANDATE, id_)


def end(tx: Tx, id_: str, *, by: str, why: str) -> bool:
    """End a mandate; return False if it has ended already."""
    ended = bool(tx.run(_END, {"id": id_, "at": tx.at, "by": by, "why": why}))
    if ended:
        checksums.renew(tx, checksums.MANDATE, id_)
    return ended


def end_all(tx: Tx, customer: str, *, by: str, why: str) -> None:
    """End all mandates of a customer."""
    for row in tx.all(_LIVE, {"tenant": tx.tenant, "customer": customer}):
        end(tx, row["id"], by=by, why=why)
