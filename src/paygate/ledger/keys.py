"""Idempotency keys: the call that used each key, and its result."""

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


# Created once, because json.dumps with options creates an encoder for every call.
_write = json.JSONEncoder(sort_keys=True, default=str).encode


def fingerprint(**facts: Any) -> str:
    """Return a digest of the facts of a call, which must contain no secret."""
    return hashlib.sha256(_write(facts).encode()).hexdigest()


def take(tx: Tx, operation: str, key: str, print_: str, result: str) -> str | None:
    """
    Take *key* for *operation*; if the same call took it before, return the result of that call.

    Raise `KeyReused` if a call with other facts took it.
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
    assert row is not None, "keys are never deleted"
    if row["fingerprint"] != print_:
        raise KeyReused(
            f"the key {shown(key)} was used for another {operation} "
            f"(see {_findable(tx, row['result'])}); "
            "use a new key for a new payment, and the same arguments with the same key",
            key=key,
            operation=operation,
            result=row["result"],
        )
    return str(row["result"])


def _findable(tx: Tx, result: str) -> str:
    """Return the name of *result* that a clerk can look up: of an attempt, its payment."""
    row = tx.one(_PAYMENT_OF, {"id": result})
    return result if row is None else f"payment {row['payment']}"


def result_of(tx: Tx, operation: str, key: str) -> str | None:
    """Return what the call of *operation* with *key* made, or None if none used it."""
    row = tx.one(_SELECT, {"tenant": tx.tenant, "operation": operation, "key": key})
    return None if row is None else str(row["result"])


def print_of(tx: Tx, operation: str, key: str) -> str | None:
    """Return the fingerprint of the call that took *key* for *operation*, or None."""
    row = tx.one(_SELECT, {"tenant": tx.tenant, "operation": operation, "key": key})
    return None if row is None else str(row["fingerprint"])


def used(tx: Tx, operation: str, key: str) -> bool:
    """Return whether *key* was taken for *operation*."""
    params = {"tenant": tx.tenant, "operation": operation, "key": key}
    return tx.one(_SELECT, params) is not None


def next_number(tx: Tx, name: str) -> int:
    """Return the next number of the sequence *name*, without gaps: a rollback undoes the count."""
    row = tx.one(_SEQUENCE, {"tenant": tx.tenant, "name": name})
    assert row is not None, "an upsert with RETURNING returns a row"
    return int(row["value"])
