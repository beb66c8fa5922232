"""Whether anything may be sent: not while a ledger catches up that came from a backup."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paygate.ledger.tx import Tx

_STOP = """
INSERT INTO paygate_meta (name, value) VALUES ('sending_stopped', :value) ON CONFLICT DO NOTHING
"""
_STOPPED = "SELECT value FROM paygate_meta WHERE name = 'sending_stopped'"
_RESUME = "DELETE FROM paygate_meta WHERE name = 'sending_stopped'"
_ATTEMPTS_DUE = """
SELECT count(*) AS waiting FROM paygate_attempt WHERE tenant = :tenant AND next_check_at <= :at
"""
_CALLBACKS_DUE = """
SELECT count(*) AS waiting FROM paygate_inbox WHERE tenant = :tenant AND next_try_at <= :at
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
    return Stopped(
        since=datetime.fromisoformat(told["since"]), reason=told["reason"], actor=told["actor"]
    )


def resume(tx: Tx) -> None:
    """Let things be sent again."""
    tx.run(_RESUME, {})


def attempts_due(tx: Tx) -> int:
    """Count what is to be inquired about now."""
    return _count(tx, _ATTEMPTS_DUE)


def callbacks_due(tx: Tx) -> int:
    """Count what waits in the inbox now."""
    return _count(tx, _CALLBACKS_DUE)


def _count(tx: Tx, statement: str) -> int:
    row = tx.one(statement, {"tenant": tx.tenant, "at": tx.at})
    assert row is not None, "a count has a row"
    return int(row["waiting"])
