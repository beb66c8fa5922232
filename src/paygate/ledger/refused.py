"""Refused callbacks: the number for each reason, and type and event id of the last one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from paygate.domain.callback import Refusal, RefusedCallbacks
from paygate.ledger.codec import read_instant, write_instant

if TYPE_CHECKING:
    from paygate.ledger.tx import Tx

_COUNT = """
INSERT INTO paygate_refused_callback (
  tenant, account, why, times, first_at, last_at, type, event_id)
VALUES (:tenant, :account, :why, :times, :first_at, :last_at, :type, :event_id)
ON CONFLICT (tenant, account, why) DO UPDATE SET
  times = paygate_refused_callback.times + :times,
  last_at = max(paygate_refused_callback.last_at, :last_at),
  type = CASE WHEN :event_id = '' AND :type = '' THEN paygate_refused_callback.type
              ELSE :type END,
  event_id = CASE WHEN :event_id = '' AND :type = '' THEN paygate_refused_callback.event_id
                  ELSE :event_id END
"""
_ALL = """
SELECT * FROM paygate_refused_callback WHERE tenant = :tenant ORDER BY account, last_at DESC
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedBatch:
    """Callbacks that were refused for the same reason, between two instants."""

    why: Refusal
    times: int
    first_at: datetime
    last_at: datetime
    type: str = ""
    event_id: str = ""


def count(tx: Tx, account: str, batch: RefusedBatch) -> None:
    """Add *batch* to the counts of an account."""
    params = {
        "tenant": tx.tenant,
        "account": account,
        "why": batch.why.value,
        "times": batch.times,
        "first_at": write_instant(batch.first_at),
        "last_at": write_instant(batch.last_at),
        "type": batch.type,
        "event_id": batch.event_id,
    }
    tx.execute(_COUNT, params)


def counted(tx: Tx) -> list[RefusedCallbacks]:
    """Return the counts, by account, latest reason first."""
    return [
        RefusedCallbacks(
            account=row["account"],
            why=Refusal(row["why"]),
            times=row["times"],
            first_at=read_instant(row["first_at"]),
            last_at=read_instant(row["last_at"]),
            type=row["type"],
            event_id=row["event_id"],
        )
        for row in tx.all(_ALL, {"tenant": tx.tenant})
    ]
