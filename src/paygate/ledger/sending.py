"""The stop of sending, while a ledger that was restored or copied catches up."""

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
    """Why sending is stopped, since when, and by whom."""

    since: datetime
    reason: str
    actor: str


def stop(tx: Tx, reason: str) -> bool:
    """Stop sending; return False if it was stopped before."""
    value = json.dumps({"since": tx.at, "reason": reason, "actor": tx.actor})
    return bool(tx.run(_STOP, {"value": value}))


def stopped(tx: Tx) -> Stopped | None:
    """Return why sending is stopped; None if it is not."""
    row = tx.one(_STOPPED, {})
    if row is None:
        return None
    facts: dict[str, str] = json.loads(row["value"])
    return Stopped(since=read_instant(facts["since"]), reason=facts["reason"], actor=facts["actor"])


def resume(tx: Tx) -> None:
    """Resume sending."""
    tx.execute(_RESUME, {})


def attempts_due(tx: Tx) -> dict[str, int]:
    """Return the number of attempts that are due for an inquiry, by tenant."""
    return _count(tx, _ATTEMPTS_DUE)


def callbacks_due(tx: Tx) -> dict[str, int]:
    """Return the number of callbacks that are due in the inbox, by tenant."""
    return _count(tx, _CALLBACKS_DUE)


def _count(tx: Tx, statement: str) -> dict[str, int]:
    return {row["tenant"]: int(row["waiting"]) for row in tx.all(statement, {"at": tx.at})}
