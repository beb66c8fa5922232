"""Chargebacks, and what each took off which invoice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paygate.domain.chargeback import Chargeback, DisputeState
from paygate.domain.money import Money
from paygate.ledger import checksums, paging
from paygate.ledger.codec import (
    read_instant,
    read_instant_or_none,
    read_money_or_none,
    write_instant,
)

if TYPE_CHECKING:
    from paygate.domain.chargeback import Dispute
    from paygate.domain.payment import Payment
    from paygate.ledger.paging import Page
    from paygate.ledger.tx import Row, Tx

_INSERT = """
INSERT INTO paygate_chargeback (
  id, tenant, payment, account, reference, state, currency, amount_minor, reason, respond_by,
  opened_at, checksum)
VALUES (
  :id, :tenant, :payment, :account, :reference, 'opened', :currency, :amount, :reason, :respond_by,
  :at, 0)
ON CONFLICT (tenant, account, reference) DO NOTHING
"""
# The amounts come from the receipts of the payment that have the reference of the dispute. If a
# dispute turns more than once, its later movements have a number after ``#``; see `dispute_of`.
_SELECT = """
SELECT k.*,
  (SELECT coalesce(sum(CASE r.kind WHEN 'chargeback' THEN r.amount_minor ELSE -r.amount_minor END),
     0) {of_dispute} AND r.currency = k.currency) AS taken_minor,
  (SELECT count(*) {of_dispute} AND r.kind = 'chargeback') AS times_taken,
  (SELECT count(*) {of_dispute} AND r.kind = 'chargeback_won') AS times_given_back,
  (SELECT sum(r.fee_minor) {of_dispute}) AS fee_minor,
  (SELECT max(r.fee_currency) {of_dispute}) AS fee_currency,
  (SELECT coalesce(sum(w.amount_minor), 0)
   FROM paygate_chargeback_item c JOIN paygate_write_off w ON w.id = c.write_off
   WHERE c.chargeback = k.id AND w.undone_at IS NULL) AS lost_minor
FROM paygate_chargeback k
""".format(
    of_dispute="""
    FROM paygate_receipt r WHERE r.payment = k.payment AND r.account = k.account AND (
      CASE r.kind WHEN 'chargeback' THEN r.movement_id
                  WHEN 'chargeback_won' THEN coalesce(r.undoes, r.movement_id) END = k.reference
      OR substr(CASE r.kind WHEN 'chargeback' THEN r.movement_id
                  WHEN 'chargeback_won' THEN coalesce(r.undoes, r.movement_id) END,
                1, length(k.reference) + 1) = k.reference || '#')"""
)
_BY_REFERENCE = f"""
{_SELECT} WHERE k.tenant = :tenant AND k.account = :account AND k.reference = :reference
"""
_LISTING = paging.listing(
    _SELECT,
    table="paygate_chargeback",
    alias="k",
    at="opened_at",
    where={
        "paygate_chargeback_listed": "k.tenant = :tenant",
        "paygate_chargeback_by_payment": "k.tenant = :tenant AND k.payment = :payment",
        "paygate_chargeback_by_account": "k.tenant = :tenant AND k.account = :account",
        "paygate_chargeback_by_state": "k.tenant = :tenant AND k.state = :state",
        "paygate_chargeback_by_account_and_state": (
            "k.tenant = :tenant AND k.account = :account AND k.state = :state"
        ),
    },
    rest="k.account = coalesce(:account, k.account) AND k.state = coalesce(:state, k.state)",
    noun="chargeback",
)
_ON_ITEM = f"""
{_SELECT}
JOIN paygate_chargeback_item i ON i.chargeback = k.id AND i.item = :item
WHERE k.tenant = :tenant AND k.state <> 'won' ORDER BY k.id LIMIT 1
"""
_DESCRIBE = """
UPDATE paygate_chargeback SET
  reason = CASE reason WHEN '' THEN :reason ELSE reason END,
  respond_by = coalesce(:respond_by, respond_by)
WHERE id = :id
"""
_SET_STATE = """
UPDATE paygate_chargeback SET state = :state, ended_at = :at WHERE id = :id
"""
_TAKE = """
INSERT INTO paygate_chargeback_item (chargeback, item, amount_minor, checksum)
VALUES (:chargeback, :item, :amount, 0) ON CONFLICT (chargeback, item) DO UPDATE SET
  amount_minor = paygate_chargeback_item.amount_minor + :amount
"""
_PUT_BACK = """
UPDATE paygate_chargeback_item SET amount_minor = max(0, amount_minor - :amount)
WHERE chargeback = :chargeback AND item = :item
"""
_REPORT = """
UPDATE paygate_chargeback SET reported_lost = max(reported_lost, :lost),
  reported_won = max(reported_won, :won)
WHERE id = :id
"""
_KNOWN = f"""
SELECT times_taken, times_given_back, reported_lost, reported_won
FROM ({_SELECT} WHERE k.id = :id) AS found
"""
_ITEMS = """
SELECT item, amount_minor, write_off FROM paygate_chargeback_item
WHERE chargeback = :chargeback ORDER BY item
"""
_LOSE = """
UPDATE paygate_chargeback_item SET write_off = :write_off
WHERE chargeback = :chargeback AND item = :item
"""


@dataclass(frozen=True, slots=True)
class TakenByDispute:
    """The amount that a chargeback took off an invoice, and its write-off if it was lost."""

    item: str
    minor: int
    write_off: str | None


def open_(tx: Tx, payment: Payment, dispute: Dispute) -> bool:
    """Store a dispute of *payment*; return False if it is stored already."""
    params = {
        "id": tx.new_id("cbk"),
        "tenant": tx.tenant,
        "payment": payment.id,
        "account": payment.account,
        "reference": dispute.reference,
        "currency": dispute.amount.currency,
        "amount": dispute.amount.minor,
        "reason": dispute.reason,
        "respond_by": write_instant(dispute.respond_by),
        "at": tx.at,
    }
    new = bool(tx.run(_INSERT, params))
    if new:
        checksums.renew(tx, checksums.CHARGEBACK, params["id"])
    return new


def find(tx: Tx, account: str, reference: str) -> Chargeback | None:
    """Return the chargeback with the processor's *reference*, or None."""
    params = {"tenant": tx.tenant, "account": account, "reference": reference}
    row = tx.one(_BY_REFERENCE, params)
    return None if row is None else chargeback_of(row)


def on_item(tx: Tx, item: str) -> Chargeback | None:
    """Return the oldest chargeback on *item* that was not won, or None."""
    row = tx.one(_ON_ITEM, {"tenant": tx.tenant, "item": item})
    return None if row is None else chargeback_of(row)


def page(
    tx: Tx,
    which: Page,
    *,
    payment: str | None = None,
    account: str | None = None,
    state: DisputeState | None = None,
) -> list[Chargeback]:
    """Return one page of the chargebacks, by time opened; None for all."""
    wanted = None if state is None else state.value
    rows = _LISTING.read(
        tx,
        _index_for(payment, account, wanted),
        which,
        payment=payment,
        account=account,
        state=wanted,
    )
    return [chargeback_of(row) for row in rows]


def _index_for(payment: str | None, account: str | None, state: str | None) -> str:
    if payment is not None:
        return "paygate_chargeback_by_payment"
    match account, state:
        case None, None:
            return "paygate_chargeback_listed"
        case None, _:
            return "paygate_chargeback_by_state"
        case _, None:
            return "paygate_chargeback_by_account"
        case _:
            return "paygate_chargeback_by_account_and_state"


def describe(tx: Tx, chargeback: str, dispute: Dispute) -> None:
    """Store the reason and the deadline of a dispute, if they were not known before."""
    respond_by = write_instant(dispute.respond_by)
    tx.execute(_DESCRIBE, {"id": chargeback, "reason": dispute.reason, "respond_by": respond_by})
    checksums.renew(tx, checksums.CHARGEBACK, chargeback)


@dataclass(frozen=True, slots=True)
class KnownDispute:
    """How often the money of a dispute moved, and which results were reported."""

    taken: int
    given_back: int
    lost: bool
    won: bool


def report(tx: Tx, chargeback: str, state: DisputeState) -> None:
    """Store that the processor reported *state*; earlier reports are kept."""
    lost, won = state is DisputeState.LOST, state is DisputeState.WON
    tx.execute(_REPORT, {"id": chargeback, "lost": int(lost), "won": int(won)})
    checksums.renew(tx, checksums.CHARGEBACK, chargeback)


def known(tx: Tx, chargeback: str) -> KnownDispute:
    """Return the known facts of a dispute."""
    row = tx.one(_KNOWN, {"id": chargeback})
    assert row is not None, f"chargeback {chargeback} was just read"
    return KnownDispute(
        row["times_taken"],
        row["times_given_back"],
        bool(row["reported_lost"]),
        bool(row["reported_won"]),
    )


def set_state(tx: Tx, chargeback: str, state: DisputeState) -> None:
    """Store the state in which a dispute ended."""
    tx.execute(_SET_STATE, {"id": chargeback, "state": state.value, "at": tx.at})
    checksums.renew(tx, checksums.CHARGEBACK, chargeback)


def take(tx: Tx, chargeback: str, item: str, minor: int) -> None:
    """Store that a chargeback took *minor* off an invoice."""
    tx.execute(_TAKE, {"chargeback": chargeback, "item": item, "amount": minor})
    checksums.renew(tx, checksums.CHARGEBACK_ITEM, chargeback, item)


def put_back(tx: Tx, chargeback: str, item: str, minor: int) -> None:
    """Store that *minor* of what a chargeback took was returned to an invoice."""
    tx.execute(_PUT_BACK, {"chargeback": chargeback, "item": item, "amount": minor})
    checksums.renew(tx, checksums.CHARGEBACK_ITEM, chargeback, item)


def taken(tx: Tx, chargeback: str) -> list[TakenByDispute]:
    """Return the amounts that a chargeback took off invoices."""
    rows = tx.all(_ITEMS, {"chargeback": chargeback})
    return [TakenByDispute(row["item"], row["amount_minor"], row["write_off"]) for row in rows]


def lose(tx: Tx, chargeback: str, item: str, write_off: str | None) -> None:
    """Set the write-off of the amount lost on an invoice; None if it was returned."""
    tx.execute(_LOSE, {"chargeback": chargeback, "item": item, "write_off": write_off})
    checksums.renew(tx, checksums.CHARGEBACK_ITEM, chargeback, item)


def chargeback_of(row: Row) -> Chargeback:
    """Return the chargeback of a row."""
    currency: str = row["currency"]
    return Chargeback(
        id=row["id"],
        payment=row["payment"],
        account=row["account"],
        reference=row["reference"],
        state=DisputeState(row["state"]),
        amount=Money(currency, row["amount_minor"]),
        taken=Money(currency, row["taken_minor"]),
        lost=Money(currency, row["lost_minor"]),
        opened_at=read_instant(row["opened_at"]),
        ended_at=read_instant_or_none(row["ended_at"]),
        fee=read_money_or_none(row["fee_currency"], row["fee_minor"]),
        reason=row["reason"],
        respond_by=read_instant_or_none(row["respond_by"]),
    )
