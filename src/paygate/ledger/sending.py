"""Whether anything may be sent: not while a ledger catches up that came from a backup."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from paygate.ledger.codec import read_instant

if TYPE_CHECKING:
    from paygate.ledger.tx import Tx

_STOP = """
INSERT INTO paygate_meta (name, value) VALUES ('sending_stopped', :value) ON CONFLICT DO NOTHING
"""
_STOPPED = "SELECT value FROM paygate_meta WHERE name = 'sending_stopped'"
_RESUME = "DELETE FROM paygate_meta WHERE name = 'sending_stopped'"
_ATTEMPTS_DUE = """
SELECT tenant, count(*) AS waiting FROM paygate_attempt INDEXED BY paygate_attempt_due
WHERE next_check_at IS NOT NULL AND next_check_at <= :at GROUP BY tenant ORDER BY tenant
"""
_CALLBACKS_DUE = """
SELECT tenant, count(*) AS waiting FROM paygate_inbox INDEXED BY paygate_inbox_due
WHERE next_try_at IS NOT NULL AND next_try_at <= :at GROUP BY tenant ORDER BY tenant
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """Nothing is sent from this ledger: since when, why, and who said so."""

    since: datetime
    reason: str
    actor: str


def stop(tx: Tx, reason: str) -> bool:
    """Let nothing be sent; false where that was so before."""
    value = json.dumps({"since": tx.at, "reason": reason, "actor": tx.actor})
    return bool(tx.run(_STOP, {"value": value}))


def stopped(tx: Tx) -> Stopped | None:
    """Tell why nothing is sent; None where it may be."""
    row = tx.one(_STOPPED, {})
    if row is None:
        return None
    told: dict[str, str] = json.loads(row["value"])
    return Stopped(since=read_instant(told["since"]), reason=told["reason"], actor=told["actor"])


def resume(tx: Tx) -> None:
    """Let things be sent again."""
    tx.run(_RESUME, {})


def attempts_due(tx: Tx) -> dict[str, int]:
    """Return how many attempts each tenant is to inquire about now."""
    return _count(tx, _ATTEMPTS_DUE)


def callbacks_due(tx: Tx) -> dict[str, int]:
    """Return how many callbacks wait in the inbox of each tenant now."""
    return _count(tx, _CALLBACKS_DUE)


def _count(tx: Tx, statement: str) -> dict[str, int]:
    return {row["tenant"]: int(row["waiting"]) for row in tx.all(statement, {"at": tx.at})}
