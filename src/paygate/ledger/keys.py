"""Idempotency keys: which call of ours used which key, and what came of it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from paygate.domain.text import identifier
from paygate.errors import KeyReused
from paygate.ledger import checksums
from paygate.printing import shown

if TYPE_CHECKING:
    from paygate.ledger.tx import Tx


_INSERT = """
INSERT INTO paygate_key (tenant, operation, key, fingerprint, result, checksum)
VALUES (:tenant, :operation, :key, :fingerprint, :result, :checksum)
ON CONFLICT DO NOTHING
"""
_SELECT = """
SELECT fingerprint, result FROM paygate_key
WHERE tenant = :tenant AND operation = :operation AND key = :key
"""
_PAYMENT_OF = "SELECT payment FROM paygate_attempt WHERE id = :id AND payment IS NOT NULL"
_SEQUENCE = """
INSERT INTO paygate_sequence (tenant, name, value) VALUES (:tenant, :name, 1)
ON CONFLICT (tenant, name) DO UPDATE SET value = paygate_sequence.value + 1
RETURNING value
"""


# Made once: with options of its own, json.dumps makes an encoder for every call.
_write = json.JSONEncoder(sort_keys=True, default=str).encode


def fingerprint(**facts: Any) -> str:
    """Digest the facts of a call, without anything secret, to see whether it is the same again."""
    return hashlib.sha256(_write(facts).encode()).hexdigest()


def take(tx: Tx, operation: str, key: str, print_: str, result: str) -> str | None:
    """
    Take *key* for *operation*; if it was taken before, tell the result of that call.

    Raises `KeyReused` if it was taken by a call with other facts.
    """
    key = identifier(key, "key")
    params = {
        "tenant": tx.tenant,
        "operation": operation,
        "key": key,
        "fingerprint": print_,
        "result": result,
    }
    if tx.run(_INSERT, checksums.signed(checksums.KEY, params)):
        return None
    row = tx.one(_SELECT, params)
    assert row is not None, "the row that was in the way is gone, though keys are never deleted"
    if row["fingerprint"] != print_:
        raise KeyReused(
            f"the key {shown(key)} was used for another {operation} "
            f"(see {_seen(tx, row['result'])}); "
            "use a new key for a new payment, and the same arguments with the same key",
            key=key,
            operation=operation,
            result=row["result"],
        )
    return str(row["result"])


def _seen(tx: Tx, result: str) -> str:
    """Return what a person can look up of the call before; nobody looks up an attempt."""
    row = tx.one(_PAYMENT_OF, {"id": result})
    return result if row is None else f"payment {row['payment']}"


def used(tx: Tx, operation: str, key: str) -> bool:
    """Tell whether *key* was taken for *operation*."""
    params = {"tenant": tx.tenant, "operation": operation, "key": key}
    return tx.one(_SELECT, params) is not None


def next_number(tx: Tx, name: str) -> int:
    """Count on in the sequence *name*; without gaps, because a rollback takes it back."""
    row = tx.one(_SEQUENCE, {"tenant": tx.tenant, "name": name})
    assert row is not None, "an upsert with RETURNING gives a row"
    return int(row["value"])
