"""Promises of customers to pay by a day."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.standing import Promise, PromiseStatus
from paygate.ledger import checksums
from paygate.ledger.codec import read_date, read_date_or_none, read_instant, write_date

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from paygate.domain.episode import Episode
    from paygate.ledger.tx import Row, Tx

_INSERT: Final = """
INSERT INTO paygate_promise (
  id, tenant, customer, currency, episode, until_on, items, status, made_at, ended_on, actor,
  checksum)
VALUES (
  :id, :tenant, :customer, :currency, :episode, :until_on, :items, :status, :made_at, :ended_on,
  :actor, :checksum)
"""
_OF_EPISODE: Final = "SELECT * FROM paygate_promise WHERE episode = :episode ORDER BY made_at, id"
_BY_ID: Final = "SELECT * FROM paygate_promise WHERE id = :id"
_END: Final = "UPDATE paygate_promise SET status = :status, ended_on = :ended_on WHERE id = :id"
_PROMISED: Final = """
SELECT p.items FROM paygate_promise p
WHERE p.tenant = :tenant AND p.customer = :customer AND p.status = 'open'
  AND p.until_on >= :today
"""


def insert(tx: Tx, episode: Episode, until: date, items: Sequence[str]) -> Promise:
    """Store a promise about the invoices *items*, and return it."""
    params: dict[str, Any] = {
        "id": tx.new_id("pro"),
        "tenant": tx.tenant,
        "customer": episode.customer,
        "currency": episode.currency,
        "episode": episode.id,
        "until_on": write_date(until),
        "items": json.dumps(list(items)),
        "status": "open",
        "made_at": tx.at,
        "ended_on": None,
        "actor": tx.actor,
    }
    tx.execute(_INSERT, checksums.signed(checksums.PROMISE, params))
    row = tx.one(_BY_ID, params)
    assert row is not None, "it was just stored"
    return _promise_of(row)


def of_episode(tx: Tx, episode: str) -> list[Promise]:
    """Return the promises made in an episode, the oldest first."""
    return [_promise_of(row) for row in tx.all(_OF_EPISODE, {"episode": episode})]


def end(tx: Tx, promise: str, status: PromiseStatus, on: date) -> None:
    """Store that a promise was kept or broken."""
    params = {"id": promise, "status": status.value, "ended_on": write_date(on)}
    tx.execute(_END, params)
    checksums.renew(tx, checksums.PROMISE, promise)


def promised_items(tx: Tx, customer: str, today: date) -> set[str]:
    """Return the invoices that the customer has promised to pay by the day *today* or later."""
    params = {"tenant": tx.tenant, "customer": customer, "today": write_date(today)}
    rows = tx.all(_PROMISED, params)
    return {each for row in rows for each in json.loads(row["items"])}


def _promise_of(row: Row) -> Promise:
    return Promise(
        id=row["id"],
        customer=row["customer"],
        currency=row["currency"],
        until=read_date(row["until_on"]),
        invoices=tuple(json.loads(row["items"])),
        status=PromiseStatus(row["status"]),
        made_at=read_instant(row["made_at"]),
        ended_on=read_date_or_none(row["ended_on"]),
    )
