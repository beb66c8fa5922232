"""Payments: their purpose, their state, and the money that moved."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Final

from paygate.domain import short_reference
from paygate.domain.advice import Advice
from paygate.domain.attempt import AttemptState
from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.domain.movement import Sighting
from paygate.domain.payment import ForeignMoney, Payment, PaymentItem, PaymentStatus
from paygate.domain.review import Review
from paygate.domain.settlement import CreditOn
from paygate.domain.under_review import FlaggedAttempt, reviews_of
from paygate.errors import PaymentNotFound
from paygate.ledger import (
    actions,
    attempts,
    checksums,
    claims,
    codec,
    customers,
    early_returns,
    paging,
    reviews,
)
from paygate.ledger.claims import Claim
from paygate.ledger.codec import read_instant, read_instant_or_none, write_instant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.ledger.paging import Page
    from paygate.ledger.tx import Row, Tx

_INSERT = """
INSERT INTO paygate_payment (
  id, tenant, customer, payer, short_reference, account, kind, currency, amount_minor, credit_on,
  refundable_after, settles_within_s, status, reference, method, mandate, key, payer_number,
  link, created_at, actor, checksum)
VALUES (
  :id, :tenant, :customer, :payer, :short_reference, :account, :kind, :currency, :amount,
  :credit_on, :refundable_after, :settles_within_s, :status, :reference, :method, :mandate, :key,
  :payer_number, :link, :at, :actor, :checksum)
"""
_BY_SHORT_REFERENCE = """
SELECT id FROM paygate_payment WHERE tenant = :tenant AND short_reference = :reference
"""
# Both subqueries stop at the first row that decides, however many receipts there are.
_SETTLED = """
(EXISTS (
  SELECT 1 FROM paygate_receipt r WHERE r.payment = p.id AND r.kind IN ('charge', 'capture'))
AND NOT EXISTS (
  SELECT 1 FROM paygate_receipt r
  WHERE r.payment = p.id AND r.kind IN ('charge', 'capture') AND r.in_transit_minor <> 0))
"""
# The payment's reference, codes and action are those of its charge or authorization. Each invoice
# is listed once, in the order of the claims; one that was chosen later comes last.
_SELECT = f"""
SELECT p.*, a.reference AS attempt_reference, a.code, a.raw_code, a.reason, a.retryable, a.advice,
  a.action, a.expires_at, a.method_facts, a.verified, a.address_index, a.offers,
  (SELECT json_group_array(
     json_array(sighting, currency, quantity_minor, confirmations, needed)) FROM (
     SELECT * FROM paygate_arrival s WHERE s.attempt = a.id AND s.state = 'seen' LIMIT 20) AS seen)
    AS sightings,
  (SELECT coalesce(sum(amount_minor - canceled_minor), 0) FROM paygate_credit c
   WHERE c.payment = p.id AND c.reason <> 'invoice_voided' AND c.currency = p.currency)
    AS credited_minor,
  (SELECT coalesce(sum(unallocated_minor), 0) FROM paygate_receipt r
   WHERE r.payment = p.id AND r.unallocated_minor <> 0 AND r.currency = p.currency)
    AS unallocated_minor,
  (SELECT coalesce(sum(awaiting_minor), 0) FROM paygate_receipt r
   WHERE r.payment = p.id AND r.awaiting_minor > 0 AND r.currency = p.currency)
    AS awaiting_minor,
  (SELECT json_group_array(json_array(currency, came, went, credited, waits)) FROM (
    SELECT currency, sum(came) AS came, sum(went) AS went, sum(credited) AS credited,
      sum(waits) AS waits
    FROM (
      SELECT currency, unallocated_minor AS waits, 0 AS credited,
        CASE WHEN inward = 1 AND kind <> 'undone' THEN amount_minor ELSE 0 END AS came,
        CASE WHEN inward = 0 THEN amount_minor WHEN kind = 'undone' THEN -amount_minor ELSE 0 END
          AS went
      FROM paygate_receipt r WHERE r.payment = p.id AND r.currency <> p.currency
      UNION ALL
      SELECT currency, 0, amount_minor - canceled_minor, 0, 0 FROM paygate_credit c
      WHERE c.payment = p.id AND c.reason <> 'invoice_voided' AND c.currency <> p.currency) AS moves
    GROUP BY currency) AS sums) AS foreign_money,
  (SELECT json_group_array(json_array(w.id, w.operation, w.state, w.late_pending))
   FROM paygate_attempt w WHERE w.payment = p.id AND w.needs_review = 1) AS flagged,
  (SELECT json_group_array(v.cause) FROM paygate_review v
   WHERE v.payment = p.id AND v.ended_at IS NULL) AS causes,
  {_SETTLED} AS settled,
  (SELECT coalesce(sum(amount_minor), 0) FROM paygate_allocation l
   WHERE l.payment = p.id AND l.credit IS NOT NULL) AS from_credit_minor,
  (SELECT json_group_array(
     json_array(c.position, c.item, c.amount_minor, c.credit, c.state, c.prepayment,
       i.number, i.currency))
   FROM paygate_claim c JOIN paygate_item i ON i.id = c.item WHERE c.payment = p.id) AS claims,
  (SELECT json_group_array(json_array(x.item, x.paid, i.number, i.currency)) FROM (
     SELECT item, sum(amount_minor) AS paid FROM paygate_allocation
     WHERE payment = p.id GROUP BY item) x
   JOIN paygate_item i ON i.id = x.item) AS paid
FROM paygate_payment p
LEFT JOIN paygate_attempt a ON a.payment = p.id AND a.operation IN ('charge', 'authorize')
"""
# With what handling the money of one payment needs.
_BY_ID = (
    _SELECT.replace(
        " AS paid\n",
        """ AS paid,
  EXISTS (SELECT 1 FROM paygate_early_return e WHERE e.payment = p.id) AS early,
  (SELECT zone FROM paygate_customer z WHERE z.tenant = p.tenant AND z.id = p.customer) AS zone
""",
    )
    + "WHERE p.tenant = :tenant AND p.id = :id"
)
_FOR_ITEM = """
SELECT payment FROM paygate_claim WHERE item = :item
UNION ALL SELECT payment FROM paygate_allocation WHERE item = :item AND payment IS NOT NULL
"""
# The key of a payment names the payment; that of a capture or refund names the attempt.
_BY_KEY = """
SELECT coalesce(p.id, a.payment) AS payment FROM paygate_key k
LEFT JOIN paygate_payment p ON p.id = k.result
LEFT JOIN paygate_attempt a ON a.id = k.result
WHERE k.tenant = :tenant AND k.operation = :operation AND k.key = :key
  AND coalesce(p.id, a.payment) IS NOT NULL
"""
_MORE = """
  p.customer = coalesce(:customer, p.customer) AND p.account = coalesce(:account, p.account)
  AND p.status = coalesce(:status, p.status)
  AND p.needs_review = coalesce(:needs_review, p.needs_review)
"""
_LISTING = paging.listing(
    _SELECT,
    table="paygate_payment",
    alias="p",
    at="created_at",
    where={
        "paygate_payment_listed": "p.tenant = :tenant",
        "paygate_payment_by_customer": "p.tenant = :tenant AND p.customer = :customer",
        "paygate_payment_by_account": "p.tenant = :tenant AND p.account = :account",
        "paygate_payment_by_status": "p.tenant = :tenant AND p.status = :status",
        "paygate_payment_by_account_and_status": (
            "p.tenant = :tenant AND p.account = :account AND p.status = :status"
        ),
        "paygate_payment_to_review": "p.tenant = :tenant AND p.needs_review = 1",
        "": f"+p.tenant = :tenant AND p.id IN ({_FOR_ITEM})",  # an invoice has few payments
    },
    rest=_MORE,
    noun="payment",
    missing=PaymentNotFound,
)
_OF_ITEM = f"""
{_SELECT}
WHERE p.id IN (SELECT payment FROM paygate_claim WHERE item = :item AND state = 'hard')
ORDER BY p.id
"""
_SAME_REFERENCE = """
SELECT id FROM paygate_payment
WHERE tenant = :tenant AND customer = :customer AND payer = :payer AND account = :account
  AND kind = :kind AND reference = :reference AND reference <> '' AND id <> :id
  AND returned_minor < received_minor
ORDER BY id
"""
_SET_STATUS = """
UPDATE paygate_payment SET status = :status,
  needs_review = max(needs_review, :needs_review), conflicted = max(conflicted, :conflicted)
WHERE id = :id
"""
_ADD_RECEIVED = """
UPDATE paygate_payment
SET received_minor = received_minor + :received, returned_minor = returned_minor + :returned,
  collected_minor = collected_minor + :collected
WHERE id = :id
"""
_SETTLES_WITHIN = "SELECT settles_within_s FROM paygate_payment WHERE id = :id"
# The earliest deadline counts.
_EXPECT_SETTLEMENT = """
UPDATE paygate_payment SET settle_check_at = min(coalesce(settle_check_at, :by), :by) WHERE id = :id
"""
_SET_SETTLE_CHECK = "UPDATE paygate_payment SET settle_check_at = :by WHERE id = :id"
_SET_REVERSAL = "UPDATE paygate_payment SET reversal = :reversal WHERE id = :id"
_SET_SEEN = "UPDATE paygate_payment SET seen_minor = :seen WHERE id = :id"
_SET_CUSTOMER = "UPDATE paygate_payment SET customer = :customer, payer = :customer WHERE id = :id"
_SET_METHOD = "UPDATE paygate_payment SET method = :method WHERE id = :id"
_SET_SUPERSEDED = "UPDATE paygate_payment SET superseded = 1 WHERE id = :id"

_NO_CAUSE = """
NOT EXISTS (SELECT 1 FROM paygate_review r WHERE r.payment = :id AND r.ended_at IS NULL)
"""
# The flag stays while another attempt is flagged, a cause is open, or money in an unexpected amount
# or currency is unassigned, which `assign` clears.
_SETTLE_DOUBT = f"""
UPDATE paygate_payment SET needs_review = 0
WHERE id = :id AND conflicted = 0 AND {_NO_CAUSE} AND NOT EXISTS (
  SELECT 1 FROM paygate_attempt a WHERE a.payment = :id AND a.needs_review = 1)
"""
_SETTLE_CONFLICT = "UPDATE paygate_payment SET conflicted = 0 WHERE id = :id"
_MARK_DISPUTED = """
UPDATE paygate_payment SET disputed = CASE WHEN EXISTS (
  SELECT 1 FROM paygate_chargeback k WHERE k.payment = paygate_payment.id AND k.state <> 'won')
  THEN 1 ELSE 0 END
WHERE id = :id
"""
_PEOPLE = "SELECT customer, payer FROM paygate_payment WHERE tenant = :tenant AND id = :id"
_IS_SETTLED = f"SELECT {_SETTLED} AS settled FROM paygate_payment p WHERE p.id = :id"
_IS_UNSOLICITED = "SELECT 1 AS one FROM paygate_payment WHERE id = :id AND payer_number <> ''"
_AT_FIRST: Final = {
    "settle_check_at": None,
    "authorized_minor": 0,
    "voiding": 0,
    "hold_over": 0,
    "superseded": 0,
    "seen_minor": 0,
    "reversal": None,
}
"""The columns of a new payment whose values come from the schema's defaults."""


def _short_reference(tx: Tx, id_: str) -> str:
    """
    Return a reference that no other payment has.

    There are 10^12 of them, so a million payments come upon one that is taken every other time.
    PostgreSQL refuses it, and the unit runs again with another id; SQLite is asked before.
    """
    found = short_reference.derived(id_)
    attempt = 0
    while not tx.runs_again and by_short_reference(tx, found) is not None:
        attempt += 1
        found = short_reference.derived(id_, attempt)
    return found


def by_short_reference(tx: Tx, reference: str) -> str | None:
    """Return the id of the payment with a short reference, or None."""
    row = tx.one(_BY_SHORT_REFERENCE, {"tenant": tx.tenant, "reference": reference})
    return None if row is None else str(row["id"])


def insert(
    tx: Tx,
    *,
    id_: str,
    customer: str,
    payer: str,
    account: str,
    kind: Kind,
    amount: Money,
    status: PaymentStatus,
    reference: str = "",
    method: str | None = None,
    mandate: str | None = None,
    credit_on: CreditOn = CreditOn.ACCEPTED,
    refundable_after: int = 0,
    settles_within: timedelta | None = None,
    key: str = "",
    payer_number: str = "",
    link: str | None = None,
) -> Payment:
    """Store a new payment, for which no money has moved yet, and return it."""
    short = _short_reference(tx, id_)
    params = {
        "id": id_,
        "tenant": tx.tenant,
        "customer": customer,
        "payer": payer,
        "short_reference": short,
        "account": account,
        "kind": kind.value,
        "currency": amount.currency,
        "amount": amount.minor,
        "credit_on": credit_on.value,
        "refundable_after": refundable_after,
        "settles_within_s": None if settles_within is None else int(settles_within.total_seconds()),
        "status": status.value,
        "reference": reference,
        "method": method,
        "mandate": mandate,
        "key": key,
        "payer_number": payer_number,
        "link": link,
        "at": tx.at,
        "actor": tx.actor,
        **_AT_FIRST,
    }
    tx.execute(_INSERT, checksums.signed(checksums.PAYMENT, params))
    nothing = Money.zero(amount.currency)
    return Payment(
        id=id_,
        short_reference=short,
        customer=customer,
        payer=payer,
        account=account,
        kind=kind,
        amount=amount,
        status=status,
        received=nothing,
        returned=nothing,
        credited=nothing,
        unallocated=nothing,
        from_credit=nothing,
        awaiting=nothing,
        capturing=nothing,
        refunding=nothing,
        credit_on=credit_on,
        refundable_after=refundable_after,
        reference=reference,
        method=method,
        mandate=mandate,
        key=key,
        payer_number=payer_number,
        link=link or "",
        created_at=read_instant_or_none(tx.at),
    )


def by_id(tx: Tx, id_: str) -> Payment | None:
    """Return the payment with this id, or None."""
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    if row is None:
        return None
    its_claims = [Claim(*each[:6]) for each in _list(row["claims"])]
    claims.cache(tx, id_, sorted(its_claims, key=_position))
    reviews.cache(tx, id_, _list(row["causes"]))
    early_returns.cache(tx, id_, any_=bool(row["early"]))
    customers.cache_zone(tx, row["customer"], row["zone"])
    tx.known["settles within", id_] = row["settles_within_s"]
    return payment_of(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFilter:
    """The conditions of a list of payments; None matches all."""

    customer: str | None = None
    account: str | None = None
    status: PaymentStatus | None = None
    needs_review: bool | None = None
    item: str | None = None


def page(tx: Tx, wanted: PaymentFilter, which: Page) -> list[Payment]:
    """Return one page of the *wanted* payments, newest first unless *which* says otherwise."""
    rows = _LISTING.read(
        tx,
        _index_for(wanted),
        which,
        customer=wanted.customer,
        account=wanted.account,
        status=None if wanted.status is None else wanted.status.value,
        needs_review=None if wanted.needs_review is None else int(wanted.needs_review),
        item=wanted.item,
    )
    return [payment_of(row) for row in rows]


def _index_for(wanted: PaymentFilter) -> str:
    """Return the most selective index; empty for the payments of an invoice."""
    if wanted.item is not None:
        return ""
    if wanted.needs_review:
        return "paygate_payment_to_review"
    if wanted.customer is not None:
        return "paygate_payment_by_customer"
    match wanted.account, wanted.status:
        case None, None:
            return "paygate_payment_listed"
        case None, _:
            return "paygate_payment_by_status"
        case _, None:
            return "paygate_payment_by_account"
        case _:
            return "paygate_payment_by_account_and_status"


def same_reference(tx: Tx, payment: Payment) -> list[str]:
    """Return the ids of other payments with the same payer, kind and reference."""
    params = {
        "tenant": tx.tenant,
        "id": payment.id,
        "customer": payment.customer,
        "payer": payment.payer,
        "account": payment.account,
        "kind": payment.kind.value,
        "reference": payment.reference,
    }
    return [row["id"] for row in tx.all(_SAME_REFERENCE, params)]


def by_key(tx: Tx, operations: Sequence[str], key: str) -> Payment | None:
    """Return the payment that a call of one of *operations* with *key* made or concerned."""
    for operation in operations:
        params = {"tenant": tx.tenant, "operation": operation, "key": key}
        row = tx.one(_BY_KEY, params)
        if row is not None:
            return by_id(tx, row["payment"])
    return None


def holding(tx: Tx, item: str) -> list[Payment]:
    """Return the live payments that have a hard claim on *item*."""
    return [payment_of(row) for row in tx.all(_OF_ITEM, {"item": item})]


def set_status(
    tx: Tx,
    payment: str,
    status: PaymentStatus,
    *,
    needs_review: bool = False,
    conflicted: bool = False,
) -> None:
    """Store the status of a payment; flags are only set here, never cleared."""
    params = {
        "id": payment,
        "status": status.value,
        "needs_review": int(needs_review),
        "conflicted": int(conflicted),
    }
    tx.execute(_SET_STATUS, params)


def clear_review(tx: Tx, payment: str, attempt: str) -> None:
    """Clear the review flag of one attempt, and of the payment if no other cause is left."""
    attempts.clear_review(tx, attempt)
    clear_doubt(tx, payment)


def clear_doubt(tx: Tx, payment: str) -> None:
    """Clear the review flag of a payment if no cause is left."""
    tx.execute(_SETTLE_DOUBT, {"id": payment})


def clear_conflict(tx: Tx, payment: str) -> None:
    """Clear the conflict of a payment, after its unexpected money was assigned or went back."""
    tx.execute(_SETTLE_CONFLICT, {"id": payment})
    attempts.clear_reviews_of(tx, payment)
    clear_doubt(tx, payment)


def add_moved(
    tx: Tx, payment: Payment, *, received: int = 0, returned: int = 0, collected: int = 0
) -> None:
    """Add to the money received and returned, and to the part that was collected from the payer."""
    if payment.link:
        tx.links[payment.link] = None
    params = {"id": payment.id, "received": received, "returned": returned, "collected": collected}
    tx.execute(_ADD_RECEIVED, params)


def expect_settlement(tx: Tx, payment: str, by: datetime | None = None) -> None:
    """
    Store the time by which money must have settled, if its rail has a time limit.

    Without *by*, the time limit starts now.
    """
    within = settles_within(tx, payment)
    if within is not None:
        tx.execute(_EXPECT_SETTLEMENT, {"id": payment, "by": write_instant(by or tx.now + within)})
        checksums.renew(tx, checksums.PAYMENT, payment)


def settles_within(tx: Tx, payment: str) -> timedelta | None:
    """Return how long the money of *payment* may take to settle; None if there is no limit."""
    if ("settles within", payment) not in tx.known:
        row = tx.one(_SETTLES_WITHIN, {"id": payment})
        tx.known["settles within", payment] = None if row is None else row["settles_within_s"]
    seconds: int | None = tx.known["settles within", payment]
    return None if seconds is None else timedelta(seconds=seconds)


def set_settle_check(tx: Tx, payment: str, by: datetime | None) -> None:
    """Store when to check again whether the money of *payment* has settled; None for never."""
    tx.execute(_SET_SETTLE_CHECK, {"id": payment, "by": write_instant(by)})
    checksums.renew(tx, checksums.PAYMENT, payment)


def set_reversal(tx: Tx, payment: str, reversal: str | None) -> None:
    """Set the reversal of a payment; None if it was undone."""
    tx.execute(_SET_REVERSAL, {"id": payment, "reversal": reversal})
    checksums.renew(tx, checksums.PAYMENT, payment)


def set_customer(tx: Tx, payment: str, customer: str) -> None:
    """Set the customer of a payment that had none."""
    tx.execute(_SET_CUSTOMER, {"id": payment, "customer": customer})
    checksums.renew(tx, checksums.PAYMENT, payment)


def set_method(tx: Tx, payment: str, method: str) -> None:
    """Set the method that a payment stored."""
    tx.execute(_SET_METHOD, {"id": payment, "method": method})
    checksums.renew(tx, checksums.PAYMENT, payment)


def set_seen(tx: Tx, payment: str, minor: int) -> None:
    """Store how much of a payment has been seen but not confirmed."""
    tx.execute(_SET_SEEN, {"id": payment, "seen": minor})
    checksums.renew(tx, checksums.PAYMENT, payment)


def set_superseded(tx: Tx, payment: str) -> None:
    """Mark a payment as superseded by another one."""
    tx.execute(_SET_SUPERSEDED, {"id": payment})
    checksums.renew(tx, checksums.PAYMENT, payment)


def mark_disputed(tx: Tx, payment: str) -> None:
    """Store whether a payment has a chargeback that is open or lost."""
    tx.execute(_MARK_DISPUTED, {"id": payment})


def people_of(tx: Tx, payment: str) -> set[str]:
    """Return the customer and the payer of a payment; empty if it is not found."""
    row = tx.one(_PEOPLE, {"tenant": tx.tenant, "id": payment})
    return set() if row is None else {row["customer"], row["payer"]}


def is_settled(tx: Tx, payment: str) -> bool:
    """Return whether all the money that a payment collected has settled."""
    row = tx.one(_IS_SETTLED, {"id": payment})
    return row is not None and bool(row["settled"])


def is_unsolicited(tx: Tx, payment: str) -> bool:
    """Return whether *payment* came for a payer's number, without a request of ours."""
    return tx.one(_IS_UNSOLICITED, {"id": payment}) is not None


def payment_of(row: Row) -> Payment:
    """Return the payment of a row."""
    currency: str = row["currency"]
    nothing = Money(currency, 0)

    def money(column: str) -> Money:
        # Most amounts of a payment are zero, and share one object.
        minor: int = row[column]
        return Money(currency, minor) if minor else nothing

    foreign = tuple(
        ForeignMoney(
            received=Money(other, came),
            returned=Money(other, went),
            credited=Money(other, credited),
            unallocated=Money(other, waits),
        )
        for other, came, went, credited, waits in _list(row["foreign_money"])
    )
    return Payment(
        id=row["id"],
        short_reference=row["short_reference"],
        customer=row["customer"],
        payer=row["payer"],
        account=row["account"],
        kind=Kind(row["kind"]),
        amount=money("amount_minor"),
        status=PaymentStatus(row["status"]),
        received=money("received_minor"),
        returned=money("returned_minor"),
        credited=money("credited_minor"),
        unallocated=money("unallocated_minor"),
        from_credit=money("from_credit_minor"),
        awaiting=money("awaiting_minor"),
        capturing=money("capturing_minor"),
        refunding=money("refunding_minor"),
        credit_on=CreditOn(row["credit_on"]),
        refundable_after=row["refundable_after"],
        settled=bool(row["settled"]),
        reference=row["attempt_reference"] or row["reference"],
        code=row["code"] or "",
        raw_code=row["raw_code"] or "",
        reason=row["reason"] or "",
        retryable=bool(row["retryable"]),
        advice=Advice(row["advice"]) if row["advice"] else None,
        action=actions.read(row["action"]),
        expires_at=read_instant_or_none(row["expires_at"]),
        needs_review=bool(row["needs_review"]),
        conflicted=bool(row["conflicted"]),
        superseded=bool(row["superseded"]),
        seen=money("seen_minor"),
        sightings=_read_sightings(row["sightings"]),
        address_index=row["address_index"],
        disputed=bool(row["disputed"]),
        authorized=money("authorized_minor"),
        reversal=row["reversal"],
        method=row["method"],
        mandate=row["mandate"],
        method_facts=codec.read_method_facts(row["method_facts"]),
        checks=codec.read_checks(row["verified"]),
        key=row["key"],
        payer_number=row["payer_number"],
        link=row["link"] or "",
        items=_items_of(row),
        foreign=foreign,
        reviews=_reviews_of(row, foreign),
        created_at=read_instant(row["created_at"]),
    )


def _reviews_of(row: Row, foreign: Sequence[ForeignMoney]) -> tuple[Review, ...]:
    return reviews_of(
        status=PaymentStatus(row["status"]),
        conflicted=bool(row["conflicted"]),
        waits=row["unallocated_minor"] > 0,
        waits_foreign=any(each.unallocated.minor > 0 for each in foreign),
        can_void=Operation.VOID.value in (row["offers"] or "").split(),
        flagged=[
            FlaggedAttempt(id_, Operation(operation), AttemptState(state), bool(late))
            for id_, operation, state, late in _list(row["flagged"])
        ],
        causes=_list(row["causes"]),
    )


def _items_of(row: Row) -> tuple[PaymentItem, ...]:
    """Return each invoice once, with the amounts wanted, claimed and paid."""
    found: dict[str, tuple[str, str, int, int, int]] = {}
    for _, item, minor, _, state, _, number, currency in sorted(_list(row["claims"]), key=_first):
        _, _, wanted, held, _ = found.get(item, (number, currency, 0, 0, 0))
        held += minor if state == "hard" else 0
        found[item] = number, currency, wanted + minor, held, 0
    for item, paid, number, currency in _list(row["paid"]):
        if not paid and item not in found:
            continue  # its money has moved from a prepayment to an invoice
        _, _, wanted, held, _ = found.get(item, (number, currency, 0, 0, 0))
        found[item] = number, currency, wanted, held, paid
    return tuple(
        PaymentItem(
            invoice=number,
            amount=Money(currency, wanted),
            claimed=Money(currency, held),
            paid=Money(currency, paid),
        )
        for number, currency, wanted, held, paid in found.values()
    )


_first: Final = itemgetter(0)
_position: Final = attrgetter("position")


def _list(text: str) -> list[Any]:
    """Parse a list that SQL wrote as JSON; most are empty."""
    found: list[Any] = [] if text == "[]" else json.loads(text)
    return found


def _read_sightings(text: str) -> tuple[Sighting, ...]:
    return tuple(
        Sighting(
            name=name,
            quantity=Money(currency, minor),
            confirmations=confirmations,
            needed=needed,
        )
        for name, currency, minor, confirmations, needed in _list(text)
    )
