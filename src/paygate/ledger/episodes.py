"""Episodes of campaigns, and the stages that each has passed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.campaign import CustomerState
from paygate.domain.episode import DoneStage, Episode
from paygate.ledger import checksums
from paygate.ledger.codec import read_date, read_date_or_none, write_date

if TYPE_CHECKING:
    from datetime import date

    from paygate.ledger.tx import Row, Tx

_INSERT: Final = """
INSERT INTO paygate_episode (
  id, tenant, customer, currency, campaign, anchor, anchor_due, began_on, turn, state, resumed_on,
  held_on, held, next_on, ended_on, final, began_at, checksum)
VALUES (
  :id, :tenant, :customer, :currency, :campaign, :anchor, :anchor_due, :began_on, :turn, :state,
  :resumed_on, :held_on, :held, :next_on, :ended_on, :final, :began_at, :checksum)
"""
_UPDATE: Final = """
UPDATE paygate_episode SET anchor = :anchor, anchor_due = :anchor_due, turn = :turn,
  state = :state, resumed_on = :resumed_on, held_on = :held_on, held = :held, next_on = :next_on,
  ended_on = :ended_on, final = :final
WHERE id = :id
"""
# The last episode in each currency, live or ended.
_LAST: Final = """
SELECT * FROM paygate_episode WHERE tenant = :tenant AND customer = :customer
ORDER BY currency, began_at, id
"""
_STAGES: Final = """
SELECT * FROM paygate_stage WHERE episode = :episode AND turn = :turn ORDER BY place
"""
_INSERT_STAGE: Final = """
INSERT INTO paygate_stage (
  episode, turn, place, name, state, done_on, silent, fee, done_at, checksum)
VALUES (
  :episode, :turn, :place, :name, :state, :done_on, :silent, :fee, :at, :checksum)
"""
_HAD_FEE: Final = """
SELECT 1 AS one FROM paygate_stage
WHERE episode = :episode AND name = :name AND fee IS NOT NULL LIMIT 1
"""
_DUE: Final = """
SELECT e.id, e.next_on, e.customer FROM paygate_episode e
WHERE e.tenant = :tenant AND e.next_on IS NOT NULL AND e.next_on <= :on
  AND (e.next_on, e.id) > (:next_on, :after)
ORDER BY e.next_on, e.id LIMIT :limit
"""


def last_of(tx: Tx, customer: str) -> dict[str, Episode]:
    """Return the last episode of a customer in each currency, even one that has ended."""
    rows = tx.all(_LAST, {"tenant": tx.tenant, "customer": customer})
    last = {row["currency"]: row for row in rows}
    return {currency: _episode_of(tx, row) for currency, row in last.items()}


def save(
    tx: Tx, before: Episode | None, after: Episode, next_on: date | None, fee: str | None = None
) -> Episode:
    """Store an episode and its new stages, of which the last has *fee*; return it with its id."""
    new = not after.id
    params: dict[str, Any] = {
        "id": after.id or tx.new_id("epi"),
        "tenant": tx.tenant,
        "customer": after.customer,
        "currency": after.currency,
        "campaign": after.campaign,
        "anchor": after.anchor,
        "anchor_due": write_date(after.anchor_due),
        "began_on": write_date(after.began_on),
        "turn": after.turn,
        "state": after.state.value,
        "resumed_on": write_date(after.resumed_on),
        "held_on": write_date(after.held_on),
        "held": int(after.held),
        "next_on": write_date(next_on),
        "ended_on": write_date(after.ended_on),
        "final": int(after.final),
        "began_at": tx.at,
    }
    if new:
        tx.execute(_INSERT, checksums.signed(checksums.EPISODE, params))
    else:
        tx.execute(_UPDATE, params)
        checksums.renew(tx, checksums.EPISODE, after.id)
    same = before is not None and not new and before.turn == after.turn
    known = len(before.done) if before is not None and same else 0
    for place, stage in enumerate(after.done, 1):
        if place > known:
            last = place == len(after.done)
            _insert_stage(tx, params["id"], after.turn, place, stage, fee if last else None)
    return replace(after, id=params["id"])


def had_fee(tx: Tx, episode: str, stage: str) -> bool:
    """Return whether an invoice was issued for a stage of an episode."""
    return tx.one(_HAD_FEE, {"episode": episode, "name": stage}) is not None


def due(tx: Tx, on: date, after: tuple[str, str], limit: int) -> list[tuple[str, str, str]]:
    """Return the day, id and customer of episodes to look at by *on*, later than *after*."""
    next_on, id_ = after
    params = {
        "tenant": tx.tenant,
        "on": write_date(on),
        "next_on": next_on,
        "after": id_,
        "limit": limit,
    }
    return [(row["next_on"], row["id"], row["customer"]) for row in tx.all(_DUE, params)]


def _insert_stage(
    tx: Tx, episode: str, turn: int, place: int, stage: DoneStage, fee: str | None
) -> None:
    params = {
        "episode": episode,
        "turn": turn,
        "place": place,
        "name": stage.name,
        "state": stage.state.value,
        "done_on": write_date(stage.on),
        "silent": int(stage.silent),
        "fee": fee,
        "at": tx.at,
    }
    tx.execute(_INSERT_STAGE, checksums.signed(checksums.STAGE, params))


def _episode_of(tx: Tx, row: Row) -> Episode:
    stages = tx.all(_STAGES, {"episode": row["id"], "turn": row["turn"]})
    return Episode(
        id=row["id"],
        customer=row["customer"],
        currency=row["currency"],
        campaign=row["campaign"],
        anchor=row["anchor"],
        anchor_due=read_date(row["anchor_due"]),
        began_on=read_date(row["began_on"]),
        turn=int(row["turn"]),
        done=tuple(
            DoneStage(
                name=each["name"],
                state=CustomerState(each["state"]),
                on=read_date(each["done_on"]),
                silent=bool(each["silent"]),
            )
            for each in stages
        ),
        resumed_on=read_date_or_none(row["resumed_on"]),
        held_on=read_date_or_none(row["held_on"]),
        held=bool(row["held"]),
        ended_on=read_date_or_none(row["ended_on"]),
        final=bool(row["final"]),
    )
