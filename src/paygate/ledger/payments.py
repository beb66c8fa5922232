"""Payments, the attempts under them, and what they claim."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, get_args

from paygate import logs
from paygate.domain.action import Action, PayToAddress, secret_of, with_secret
from paygate.domain.attempt import Attempt, AttemptState
from paygate.domain.card_checks import CardCheck, CardChecks, CheckResult
from paygate.domain.kind import Kind, Operation
from paygate.domain.method import MethodFacts
from paygate.domain.money import Money
from paygate.domain.movement import Sighting
from paygate.domain.payment import ForeignMoney, Payment, PaymentItem, PaymentStatus
from paygate.domain.review import Review
from paygate.domain.settlement import CreditOn
from paygate.domain.status import Unattended
from paygate.domain.under_review import FlaggedAttempt, reviews_of
from paygate.errors import SendingStopped, TokenUnreadable, UnknownMethod, UnknownPayment
from paygate.ledger import checksums, paging, sending
from paygate.ledger.elapsed import Lease, read_mark
from paygate.ledger.methods import vault_of
from paygate.ledger.tx import in_turns, instant, read_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from paygate.domain.secret import Secret
    from paygate.ledger.elapsed import Mark
    from paygate.ledger.paging import Page
    from paygate.ledger.tx import Row, Tx

_INSERT = """
INSERT INTO paygate_payment (
  id, tenant, customer, payer, account, kind, currency, amount_minor, credit_on,
  refundable_after, settles_within_s, status, reference, method, mandate, key, payer_number,
  created_at, actor, checksum)
VALUES (
  :id, :tenant, :customer, :payer, :account, :kind, :currency, :amount, :credit_on,
  :refundable_after, :settles_within_s, :status, :reference, :method, :mandate, :key,
  :payer_number, :at, :actor, :checksum)
"""
# Both look at the rows that decide, however many receipts there are.
_SETTLED = """
(EXISTS (
  SELECT 1 FROM paygate_receipt r WHERE r.payment = p.id AND r.kind IN ('charge', 'capture'))
AND NOT EXISTS (
  SELECT 1 FROM paygate_receipt r
  WHERE r.payment = p.id AND r.kind IN ('charge', 'capture') AND r.in_transit_minor <> 0))
"""
# The attempt that was to bring the money tells reference, codes and action of its payment. An
# invoice is named once, in the order of the claims; one that was chosen later comes last.
_SELECT = f"""
SELECT p.*, a.reference AS attempt_reference, a.code, a.raw_code, a.reason, a.retryable, a.action,
  a.expires_at, a.method_facts, a.verified, a.place, a.offers,
  (SELECT json_group_array(
     json_array(sighting, currency, quantity_minor, confirmations, needed)) FROM (
     SELECT * FROM paygate_arrival s WHERE s.attempt = a.id AND s.state = 'seen' LIMIT 20))
    AS sightings,
  (SELECT coalesce(sum(amount_minor - closed_minor), 0) FROM paygate_credit c
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
      SELECT currency, 0, amount_minor - closed_minor, 0, 0 FROM paygate_credit c
      WHERE c.payment = p.id AND c.reason <> 'invoice_voided' AND c.currency <> p.currency)
    GROUP BY currency)) AS foreign_money,
  (SELECT json_group_array(json_array(w.id, w.operation, w.state, w.late_pending))
   FROM paygate_attempt w WHERE w.payment = p.id AND w.needs_review = 1) AS flagged,
  (SELECT json_group_array(v.cause) FROM paygate_review v
   WHERE v.payment = p.id AND v.ended_at IS NULL) AS causes,
  {_SETTLED} AS settled,
  (SELECT coalesce(sum(amount_minor), 0) FROM paygate_allocation l
   WHERE l.payment = p.id AND l.credit IS NOT NULL) AS from_credit_minor,
  (SELECT json_group_array(json_array(number, currency, wanted, claimed, paid)) FROM (
    SELECT i.number AS number, i.currency AS currency, sum(x.wanted) AS wanted,
      sum(x.claimed) AS claimed,
      sum(x.paid) AS paid
    FROM (
      SELECT item, position, amount_minor AS wanted,
        CASE state WHEN 'hard' THEN amount_minor ELSE 0 END AS claimed, 0 AS paid
      FROM paygate_claim WHERE payment = p.id
      UNION ALL
      SELECT item, 1000000, 0, 0, sum(amount_minor) FROM paygate_allocation
      WHERE payment = p.id GROUP BY item) x
    JOIN paygate_item i ON i.id = x.item
    GROUP BY x.item ORDER BY min(x.position))) AS items
FROM paygate_payment p
LEFT JOIN paygate_attempt a ON a.payment = p.id AND a.operation IN ('charge', 'authorize')
"""
_BY_ID = f"{_SELECT} WHERE p.tenant = :tenant AND p.id = :id"
_FOR_ITEM = """
SELECT payment FROM paygate_claim WHERE item = :item
UNION ALL SELECT payment FROM paygate_allocation WHERE item = :item AND payment IS NOT NULL
"""
# A key of a payment names it; one of a capture or a refund names the attempt.
_BY_KEY = """
SELECT coalesce(p.id, a.payment) AS payment FROM paygate_key k
LEFT JOIN paygate_payment p ON p.id = k.result
LEFT JOIN paygate_attempt a ON a.id = k.result
WHERE k.tenant = :tenant AND k.operation = :operation AND k.key = :key
  AND coalesce(p.id, a.payment) IS NOT NULL
"""
_MORE = """
  (:customer IS NULL OR p.customer = :customer) AND (:account IS NULL OR p.account = :account)
  AND (:status IS NULL OR p.status = :status)
  AND (:needs_review IS NULL OR p.needs_review = :needs_review)
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
        "": f"+p.tenant = :tenant AND p.id IN ({_FOR_ITEM})",  # few are for one invoice
    },
    rest=_MORE,
    noun="payment",
    missing=UnknownPayment,
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
# The first money that came must have settled first.
_EXPECT_SETTLEMENT = """
UPDATE paygate_payment SET settle_check_at = min(coalesce(settle_check_at, :by), :by) WHERE id = :id
"""
_SET_SETTLE_CHECK = "UPDATE paygate_payment SET settle_check_at = :by WHERE id = :id"
_UNSETTLED = """
SELECT id FROM paygate_payment
WHERE tenant = :tenant AND account = :account AND settle_check_at <= :at
ORDER BY settle_check_at, id LIMIT :limit
"""
_SET_REVERSAL = "UPDATE paygate_payment SET reversal = :reversal WHERE id = :id"
_SET_SEEN = "UPDATE paygate_payment SET seen_minor = :seen WHERE id = :id"
_SET_CUSTOMER = "UPDATE paygate_payment SET customer = :customer, payer = :customer WHERE id = :id"
_SET_METHOD = "UPDATE paygate_payment SET method = :method WHERE id = :id"
_SET_ATTEMPT_METHOD = "UPDATE paygate_attempt SET method = :method WHERE id = :id"
_SET_SUPERSEDED = "UPDATE paygate_payment SET superseded = 1 WHERE id = :id"
_CLEAR_ATTEMPT_REVIEW = """
UPDATE paygate_attempt SET needs_review = 0, version = version + 1 WHERE id = :id
"""
# Whether other money came than was asked for is another question, and `assign` answers it; so is
# each cause of its own. While another attempt waits for a person, so does the payment.
_NO_CAUSE = """
NOT EXISTS (SELECT 1 FROM paygate_review r WHERE r.payment = :id AND r.ended_at IS NULL)
"""
# What else a person must look at stays: other money than was asked for, more that went back.
_SETTLE_DOUBT = f"""
UPDATE paygate_payment SET needs_review = 0
WHERE id = :id AND conflicted = 0 AND {_NO_CAUSE} AND NOT EXISTS (
  SELECT 1 FROM paygate_attempt a WHERE a.payment = :id AND a.needs_review = 1)
"""
# Money that came is decided about; what a refund sent back is a question of its own.
_SETTLE_ATTEMPTS = """
UPDATE paygate_attempt SET needs_review = 0, version = version + 1
WHERE payment = :id AND needs_review = 1 AND state NOT IN ('sending', 'unknown')
  AND operation <> 'refund'
"""
_SETTLE_CONFLICT = "UPDATE paygate_payment SET conflicted = 0 WHERE id = :id"

_MARK_DISPUTED = """
UPDATE paygate_payment SET disputed = EXISTS (
  SELECT 1 FROM paygate_chargeback k WHERE k.payment = paygate_payment.id AND k.state <> 'won')
WHERE id = :id
"""
_AUTHORIZE = "UPDATE paygate_payment SET authorized_minor = :amount WHERE id = :id"
# Never more captured, or on its way, than was authorised; and nothing while it is being voided.
_BEGIN_CAPTURE = """
UPDATE paygate_payment SET capturing_minor = capturing_minor + :amount
WHERE id = :id AND voiding = 0
  AND collected_minor + capturing_minor + :amount <= authorized_minor
"""
_END_CAPTURE = (
    "UPDATE paygate_payment SET capturing_minor = capturing_minor - :amount WHERE id = :id"
)
# Never more sent back, or on its way back, than came and stayed.
_BEGIN_REFUND = """
UPDATE paygate_payment SET refunding_minor = refunding_minor + :amount
WHERE id = :id AND voiding = 0
  AND returned_minor + refunding_minor + :amount <= received_minor
"""
_END_REFUND = (
    "UPDATE paygate_payment SET refunding_minor = refunding_minor - :amount WHERE id = :id"
)
# A charge is voided whole, or not at all; of an authorisation, what was not captured.
_BEGIN_VOID = """
UPDATE paygate_payment SET voiding = 1
WHERE id = :id AND voiding = 0 AND capturing_minor = 0 AND refunding_minor = 0
  AND (returned_minor = 0 OR status = 'authorized')
"""
_END_VOID = "UPDATE paygate_payment SET voiding = 0 WHERE id = :id"
_HOLD_OVER = "UPDATE paygate_payment SET hold_over = 1 WHERE id = :id"
_UNDER_WAY = """
SELECT currency, received_minor, returned_minor, authorized_minor, collected_minor,
  capturing_minor, refunding_minor, voiding, hold_over
FROM paygate_payment WHERE id = :id
"""
_PEOPLE = "SELECT customer, payer FROM paygate_payment WHERE tenant = :tenant AND id = :id"
_IS_SETTLED = f"SELECT {_SETTLED} AS settled FROM paygate_payment p WHERE p.id = :id"
_SET_CLAIM_AMOUNT = """
UPDATE paygate_claim SET amount_minor = :amount, checksum = :checksum
WHERE payment = :payment AND position = :position
"""
_INSERT_HOLD = """
INSERT INTO paygate_hold (attempt, credit, amount_minor, state, checksum)
VALUES (:attempt, :credit, :amount, :state, :checksum)
"""
_INSERT_REFUND_ITEM = """
INSERT INTO paygate_refund_item (attempt, position, item, amount_minor, checksum)
VALUES (:attempt, :position, :item, :amount, :checksum)
"""
_REFUND_ITEMS = """
SELECT item, amount_minor FROM paygate_refund_item WHERE attempt = :attempt ORDER BY position
"""
_GOING_OFF = """
SELECT r.item, r.amount_minor FROM paygate_attempt a JOIN paygate_refund_item r ON r.attempt = a.id
WHERE a.payment = :payment AND a.operation = 'refund'
  AND a.state IN ('sending', 'unknown', 'pending', 'requires_action')
"""
_RESERVED = """
SELECT coalesce(sum(amount_minor), 0) AS minor FROM paygate_claim
WHERE credit = :credit AND state = 'hard'
"""
_HOLDS = """
SELECT credit, amount_minor FROM paygate_hold WHERE attempt = :attempt AND state = 'held'
"""
_END_HOLDS = "UPDATE paygate_hold SET state = :state WHERE attempt = :attempt AND state = 'held'"

# An operation that follows from another by rule; recovery sends it.
_INSERT_FOLLOWING = """
INSERT INTO paygate_attempt (
  id, tenant, payment, operation, account, kind, driver, driver_version, livemode,
  merchant_account, gateway_key, currency, amount_minor, about, state, sends, sent_at,
  lease_until, next_check_at, created_at, created_mark, actor, checksum, answer_checksum)
SELECT :id, tenant, payment, :operation, account, kind, driver, driver_version, livemode,
  merchant_account, :gateway_key, currency, amount_minor, :about, 'sending', 0, :at,
  :at, :at, :at, :mark, :actor, 0, 0
FROM paygate_attempt WHERE id = :after
ON CONFLICT (tenant, account, operation, gateway_key) DO NOTHING
"""
_INSERT_ATTEMPT = """
INSERT INTO paygate_attempt (
  id, tenant, payment, method, operation, account, kind, driver, driver_version, livemode,
  merchant_account, gateway_key, key, currency, amount_minor, final, movement, about, then_do,
  state, sends, sent_at, sent_mark, lease_until, next_check_at, created_at, created_mark, actor,
  offers, method_facts, place, checksum, answer_checksum)
SELECT
  :id, :tenant, :payment, :method, :operation, :account, :kind, :driver, :driver_version, :livemode,
  :merchant_account, :gateway_key, :key, :currency, :amount, :final, :movement, :about, :then_do,
  'sending', :sends, :at, :mark, :lease_until, :lease_until, :at, :mark, :actor, :offers,
  :method_facts, :place, :checksum, :answer_checksum
WHERE :sends = 0 AND :reported OR
  NOT EXISTS (SELECT 1 FROM paygate_meta WHERE name = 'sending_stopped')
"""
_ATTEMPT = "SELECT * FROM paygate_attempt WHERE tenant = :tenant AND id = :id"
_ATTEMPTS = """
SELECT * FROM paygate_attempt
WHERE tenant = :tenant AND payment = :payment ORDER BY created_at, id
"""
_MAIN_ATTEMPT = """
SELECT * FROM paygate_attempt
WHERE payment = :payment AND operation IN ('charge', 'authorize')
"""
# A completion has the name of the charge that it completed; the charge was there first.
_BY_REFERENCE = """
SELECT * FROM paygate_attempt
WHERE tenant = :tenant AND account = :account AND reference = :reference AND reference <> ''
ORDER BY created_at, id LIMIT 1
"""
_IS_UNASKED = "SELECT 1 AS one FROM paygate_payment WHERE id = :id AND payer_number <> ''"
_ALIKE = """
SELECT payment FROM paygate_attempt
WHERE tenant = :tenant AND account = :account AND reference = :reference AND reference <> ''
  AND payment <> :payment
LIMIT 1
"""
_IN_DOUBT = """
SELECT id FROM paygate_attempt WHERE payment = :payment AND state IN ('sending', 'unknown')
"""
# The amount was held, and is not any more: nothing is to be asked about it.
_END_AUTHORIZATION = """
UPDATE paygate_attempt SET state = 'succeeded', next_check_at = NULL, version = version + 1
WHERE payment = :payment AND operation = 'authorize' AND state = 'authorized'
"""
_IDS_OF_PAYMENT = "SELECT id FROM paygate_attempt WHERE payment = :payment"
_DUE = """
SELECT id FROM paygate_attempt
WHERE tenant = :tenant AND account = :account AND next_check_at <= :at
ORDER BY next_check_at, id LIMIT :limit
"""
_UNATTENDED = """
SELECT account, count(*) AS attempts, min(next_check_at) AS since FROM paygate_attempt
WHERE tenant = :tenant AND next_check_at <= :before GROUP BY account ORDER BY account
"""
# Nothing more is asked about what has ended.
_PUT_BACK = """
UPDATE paygate_attempt SET next_check_at = :at, needs_review = 1, reason = :reason,
  version = version + 1
WHERE id = :id AND state NOT IN ('succeeded', 'declined', 'failed', 'canceled', 'expired')
"""
_UPDATE_ATTEMPT = """
UPDATE paygate_attempt SET
  state = :state, reference = :reference, code = :code, raw_code = :raw_code, reason = :reason,
  retryable = :retryable, action = :action, expires_at = :expires_at,
  action_secret_encrypted = CASE WHEN :action_secret IS NULL AND action = :action
                                 THEN action_secret_encrypted ELSE :action_secret END,
  next_check_at = :next_check_at, absences = :absences, checks = :checks,
  needs_review = :needs_review, network_transaction_id = :network_transaction_id,
  late_pending = :late_pending, overdue_at = :overdue_at, answer_checksum = :answer_checksum,
  method_facts = :method_facts, verified = :verified,
  request_id = CASE WHEN :request_id = '' THEN request_id ELSE :request_id END,
  version = version + 1
WHERE id = :id AND version = :version
"""
_SEALED_ACTION = "SELECT action_secret_encrypted FROM paygate_attempt WHERE id = :id"
_SEALED_ACTIONS = """
SELECT id, action_secret_encrypted FROM paygate_attempt
WHERE tenant = :tenant AND id > :after AND action_secret_encrypted IS NOT NULL
ORDER BY id LIMIT :limit
"""
_RESEAL_ACTION = "UPDATE paygate_attempt SET action_secret_encrypted = :secret WHERE id = :id"
_NOTE = """
UPDATE paygate_attempt SET reference = :reference, version = version + 1,
  next_check_at = CASE WHEN state = 'unknown' THEN coalesce(next_check_at, :at)
                       ELSE next_check_at END
WHERE id = :id AND reference <> :reference
"""
_SEND_AGAIN = """
UPDATE paygate_attempt SET sends = sends + 1, sent_at = :at, sent_mark = :mark,
  lease_until = :lease_until, next_check_at = :lease_until, absences = 0, version = version + 1
WHERE id = :id AND version = :version AND state IN ('sending', 'unknown')
  AND NOT EXISTS (SELECT 1 FROM paygate_meta WHERE name = 'sending_stopped')
"""
_OF_METHOD = """
SELECT * FROM paygate_attempt
WHERE tenant = :tenant AND +payment IS NULL AND method = :method ORDER BY created_at, id
"""
_CHANGES = paging.listing(
    "SELECT a.id FROM paygate_attempt a",
    table="paygate_attempt",
    alias="a",
    at="created_at",
    where={
        "paygate_attempt_of_methods": (
            "a.tenant = :tenant AND a.payment IS NULL AND a.method IS NOT NULL"
        ),
        "paygate_attempt_of_methods_to_review": (
            "a.tenant = :tenant AND a.payment IS NULL AND a.method IS NOT NULL"
            " AND a.needs_review = 1"
        ),
    },
    rest="""
      :needs_review IS NULL OR :needs_review = (a.needs_review = 1
        AND a.state NOT IN ('succeeded', 'declined', 'failed', 'canceled', 'expired'))
    """,
    noun="change of a method",
    missing=UnknownMethod,
)
_CHANGES_TO_REVIEW = """
SELECT id FROM paygate_attempt
WHERE tenant = :tenant AND payment IS NULL AND method IS NOT NULL AND needs_review = 1
  AND state NOT IN ('succeeded', 'declined', 'failed', 'canceled', 'expired')
ORDER BY created_at, id LIMIT :limit
"""
_INSERT_REQUEST = """
INSERT INTO paygate_attempt_request (attempt, tenant, customer, body)
VALUES (:id, :tenant, :customer, :body)
"""
_REQUEST = "SELECT body FROM paygate_attempt_request WHERE attempt = :id"
_DELETE_REQUEST = "DELETE FROM paygate_attempt_request WHERE attempt = :id"

_NOTE_TRY = """
INSERT INTO paygate_attempt_try (attempt, reference, raw_code)
VALUES (:id, :reference, :raw_code) ON CONFLICT DO NOTHING
"""
_TRIES = "SELECT reference, raw_code FROM paygate_attempt_try WHERE attempt = :id"

_INSERT_CLAIM = """
INSERT INTO paygate_claim (payment, position, item, amount_minor, credit, state, checksum)
VALUES (:payment, :position, :item, :amount, :credit, :state, :checksum)
"""
_CLAIMS = """
SELECT position, item, amount_minor, credit, state FROM paygate_claim
WHERE payment = :payment ORDER BY position
"""
_SET_CLAIM = """
UPDATE paygate_claim SET state = :state, checksum = :checksum
WHERE payment = :payment AND position = :position
"""
_SOFT_ON = """
SELECT payment FROM paygate_claim WHERE item = :item AND state = 'soft'
"""
# Also what another payment took over: it can be paid until it has ended at its processor.
_PAGES_ON = """
SELECT DISTINCT c.payment FROM paygate_claim c JOIN paygate_payment p ON p.id = c.payment
WHERE c.item = :item AND c.state IN ('soft', 'superseded') AND p.status = 'requires_action'
ORDER BY c.payment
"""
_RESERVING = """
SELECT payment FROM paygate_claim WHERE credit = :credit AND state = 'hard'
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A part of an item that a payment is for; from a credit lot where `credit` names one."""

    position: int
    item: str
    minor: int
    credit: str | None
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """An attempt with what the merge needs beside the public facts."""

    attempt: Attempt
    kind: Kind
    gateway_key: str
    sends: int
    sent_at: datetime
    sent_mark: Mark | None
    lease_until: datetime
    absences: int
    action: Action | None
    expires_at: datetime | None
    network_transaction_id: str
    final: bool
    movement: str
    about: str
    then: str
    created_mark: Mark | None
    version: int
    offers: frozenset[str] = frozenset()
    late_pending: bool = False
    overdue_at: datetime | None = None
    method_facts: MethodFacts | None = None
    checks: CardChecks | None = None

    @property
    def in_log(self) -> logs.About:
        """What a line of the log about this attempt names."""
        one = self.attempt
        return logs.About(
            account=one.account,
            payment=one.payment,
            attempt=one.id,
            operation=one.operation.value,
            request_id=one.request_id,
        )

    def offers_to(self, operation: Operation) -> bool:
        """Return whether the account could do *operation* when this was stored."""
        return operation.value in self.offers

    def lease(self, length: timedelta) -> Lease:
        """Tell the lease, of *length*, under which it was last sent."""
        return Lease(self.lease_until, length, self.sent_mark)


_AT_FIRST: Final = {
    "settle_check_at": None,
    "authorized_minor": 0,
    "voiding": 0,
    "hold_over": 0,
    "superseded": 0,
    "seen_minor": 0,
    "reversal": None,
}
"""What a new payment says before anything has come of it."""


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
) -> Payment:
    """Write a new payment, for which no money has moved yet, and tell it."""
    params = {
        "id": id_,
        "tenant": tx.tenant,
        "customer": customer,
        "payer": payer,
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
        "at": tx.at,
        "actor": tx.actor,
        **_AT_FIRST,
    }
    tx.run(_INSERT, checksums.signed(checksums.PAYMENT, params))
    nothing = Money.zero(amount.currency)
    return Payment(
        id=id_,
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
        created_at=read_instant(tx.at),
    )


def by_id(tx: Tx, id_: str) -> Payment | None:
    """Read a payment."""
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    return None if row is None else payment_of(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which payments are listed; None for all."""

    customer: str | None = None
    account: str | None = None
    status: PaymentStatus | None = None
    needs_review: bool | None = None
    item: str | None = None


def page(tx: Tx, wanted: Wanted, which: Page) -> list[Payment]:
    """Read a page of the payments that are *wanted*, the newest first unless it says otherwise."""
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


def _index_for(wanted: Wanted) -> str:
    """Return the index that leaves the fewest rows to look at; empty for those of an invoice."""
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
    """Find other money of the same payer, kind and reference that stands in the books."""
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
    """Read the payment that a call with *key* made or was about, as one of *operations*."""
    for operation in operations:
        params = {"tenant": tx.tenant, "operation": operation, "key": key}
        row = tx.one(_BY_KEY, params)
        if row is not None:
            return by_id(tx, row["payment"])
    return None


def holding(tx: Tx, item: str) -> list[Payment]:
    """Read the live payments that hold a part of *item*."""
    return [payment_of(row) for row in tx.all(_OF_ITEM, {"item": item})]


def set_status(
    tx: Tx,
    payment: str,
    status: PaymentStatus,
    *,
    needs_review: bool = False,
    conflicted: bool = False,
) -> None:
    """Write where a payment stands; flags are only ever raised here."""
    params = {
        "id": payment,
        "status": status.value,
        "needs_review": int(needs_review),
        "conflicted": int(conflicted),
    }
    tx.run(_SET_STATUS, params)


def clear_review(tx: Tx, payment: str, attempt: str) -> None:
    """Note that a person has looked at one attempt of a payment."""
    clear_attempt_review(tx, attempt)
    settle_doubt(tx, payment)


def settle_doubt(tx: Tx, payment: str) -> None:
    """Note that we were told what a person was to find out."""
    tx.run(_SETTLE_DOUBT, {"id": payment})


def clear_attempt_review(tx: Tx, attempt: str) -> None:
    """Note that a person has looked at an attempt."""
    tx.run(_CLEAR_ATTEMPT_REVIEW, {"id": attempt})
    checksums.renew(tx, checksums.ANSWER, attempt)


def settle_conflict(tx: Tx, payment: str) -> None:
    """Note that a person has decided about money that was not what was asked for."""
    tx.run(_SETTLE_CONFLICT, {"id": payment})
    tx.run(_SETTLE_ATTEMPTS, {"id": payment})
    renew_answers(tx, payment)
    settle_doubt(tx, payment)


def add_moved(
    tx: Tx, payment: str, *, received: int = 0, returned: int = 0, collected: int = 0
) -> None:
    """Count money that came in or went out, and how much of it the payer brought."""
    params = {"id": payment, "received": received, "returned": returned, "collected": collected}
    tx.run(_ADD_RECEIVED, params)


def expect_settlement(tx: Tx, payment: str, by: datetime | None = None) -> None:
    """
    Write by when money that moved must have settled, if its rail says how long it takes.

    Without *by* it is as long from now.
    """
    within = settles_within(tx, payment)
    if within is not None:
        tx.run(_EXPECT_SETTLEMENT, {"id": payment, "by": instant(by or tx.now + within)})
        checksums.renew(tx, checksums.PAYMENT, payment)


def settles_within(tx: Tx, payment: str) -> timedelta | None:
    """Return how long the money of *payment* may take to settle; None if nobody waits for it."""
    row = tx.one(_SETTLES_WITHIN, {"id": payment})
    seconds: int | None = None if row is None else row["settles_within_s"]
    return None if seconds is None else timedelta(seconds=seconds)


def set_settle_check(tx: Tx, payment: str, by: datetime | None) -> None:
    """Write when to look again whether the money of *payment* has settled; None for never."""
    tx.run(_SET_SETTLE_CHECK, {"id": payment, "by": None if by is None else instant(by)})
    checksums.renew(tx, checksums.PAYMENT, payment)


def unsettled(tx: Tx, accounts: Sequence[str], limit: int) -> list[tuple[str, str]]:
    """Return payments of *accounts* whose money must have settled by now; in turns."""
    queues = [
        [
            (account, row["id"])
            for row in tx.all(
                _UNSETTLED, {"tenant": tx.tenant, "account": account, "at": tx.at, "limit": limit}
            )
        ]
        for account in accounts
    ]
    return in_turns(queues)[:limit]


def set_reversal(tx: Tx, payment: str, reversal: str | None) -> None:
    """Name the reversal of a payment; None if it has been undone."""
    tx.run(_SET_REVERSAL, {"id": payment, "reversal": reversal})
    checksums.renew(tx, checksums.PAYMENT, payment)


def set_customer(tx: Tx, payment: str, customer: str) -> None:
    """Write whose a payment is that was nobody's."""
    tx.run(_SET_CUSTOMER, {"id": payment, "customer": customer})
    checksums.renew(tx, checksums.PAYMENT, payment)


def set_method(tx: Tx, payment: str, method: str) -> None:
    """Name the method that a payment stored on the way."""
    tx.run(_SET_METHOD, {"id": payment, "method": method})
    checksums.renew(tx, checksums.PAYMENT, payment)


def set_attempt_method(tx: Tx, attempt: str, method: str) -> None:
    """Name the method that an attempt has stored, if that was there before."""
    tx.run(_SET_ATTEMPT_METHOD, {"id": attempt, "method": method})
    checksums.renew(tx, checksums.ATTEMPT, attempt)


def set_seen(tx: Tx, payment: str, minor: int) -> None:
    """Write how much of a payment is seen on its way."""
    tx.run(_SET_SEEN, {"id": payment, "seen": minor})
    checksums.renew(tx, checksums.PAYMENT, payment)


def set_superseded(tx: Tx, payment: str) -> None:
    """Remember that another payment took over."""
    tx.run(_SET_SUPERSEDED, {"id": payment})
    checksums.renew(tx, checksums.PAYMENT, payment)


def mark_disputed(tx: Tx, payment: str) -> None:
    """Write whether the payer's bank disputes a payment still, or has its money for good."""
    tx.run(_MARK_DISPUTED, {"id": payment})


def people_of(tx: Tx, payment: str) -> set[str]:
    """Return whose invoices a payment is for, and who pays; nobody if it is not found."""
    row = tx.one(_PEOPLE, {"tenant": tx.tenant, "id": payment})
    return set() if row is None else {row["customer"], row["payer"]}


def is_settled(tx: Tx, payment: str) -> bool:
    """Return whether all that a payment brought has reached us."""
    row = tx.one(_IS_SETTLED, {"id": payment})
    return row is not None and bool(row["settled"])


@dataclass(frozen=True, slots=True)
class UnderWay:
    """How much moved of a payment and is authorised, and what is being done to it right now."""

    received: Money
    returned: Money
    authorized: int
    collected: int
    capturing: int
    refunding: int
    voiding: bool
    hold_over: bool


def under_way(tx: Tx, payment: str) -> UnderWay:
    """Tell what is being done to a payment right now."""
    row = tx.one(_UNDER_WAY, {"id": payment})
    assert row is not None, f"payment {payment} was just read"
    currency: str = row["currency"]
    return UnderWay(
        Money(currency, row["received_minor"]),
        Money(currency, row["returned_minor"]),
        row["authorized_minor"],
        row["collected_minor"],
        row["capturing_minor"],
        row["refunding_minor"],
        bool(row["voiding"]),
        bool(row["hold_over"]),
    )


def set_authorized(tx: Tx, payment: str, minor: int) -> None:
    """Write how much is held for us."""
    tx.run(_AUTHORIZE, {"id": payment, "amount": minor})
    checksums.renew(tx, checksums.PAYMENT, payment)


def note_hold_over(tx: Tx, payment: str) -> None:
    """Write that nothing more is held for us, though a capture of it is still in doubt."""
    tx.run(_HOLD_OVER, {"id": payment})
    checksums.renew(tx, checksums.PAYMENT, payment)


def begin_capture(tx: Tx, payment: str, minor: int) -> bool:
    """Count *minor* as being captured, if that much is authorised and not captured yet."""
    return bool(tx.run(_BEGIN_CAPTURE, {"id": payment, "amount": minor}))


def end_capture(tx: Tx, payment: str, minor: int) -> None:
    """Count *minor* as being captured no more."""
    tx.run(_END_CAPTURE, {"id": payment, "amount": minor})


def begin_refund(tx: Tx, payment: str, minor: int) -> bool:
    """Count *minor* as being refunded, if that much was received and did not go back yet."""
    return bool(tx.run(_BEGIN_REFUND, {"id": payment, "amount": minor}))


def end_refund(tx: Tx, payment: str, minor: int) -> None:
    """Count *minor* as being refunded no more."""
    tx.run(_END_REFUND, {"id": payment, "amount": minor})


def begin_void(tx: Tx, payment: str) -> bool:
    """Mark a payment as being voided, if nothing else is being done to it."""
    begun = bool(tx.run(_BEGIN_VOID, {"id": payment}))
    if begun:
        checksums.renew(tx, checksums.PAYMENT, payment)
    return begun


def end_void(tx: Tx, payment: str) -> None:
    """Mark a payment as being voided no more."""
    tx.run(_END_VOID, {"id": payment})
    checksums.renew(tx, checksums.PAYMENT, payment)


def hold_credit(tx: Tx, attempt_id: str, credit: str, minor: int) -> None:
    """Write that a refund is to pay back *minor* of a credit lot."""
    params = {"attempt": attempt_id, "credit": credit, "amount": minor, "state": "held"}
    tx.run(_INSERT_HOLD, checksums.signed(checksums.HOLD, params))


def holds_of(tx: Tx, attempt_id: str) -> list[tuple[str, int]]:
    """Tell which credit a refund holds, and how much of each lot."""
    rows = tx.all(_HOLDS, {"attempt": attempt_id})
    return [(row["credit"], row["amount_minor"]) for row in rows]


def name_items(tx: Tx, attempt_id: str, wanted: Sequence[tuple[str, int]]) -> None:
    """Write which invoices a refund is for, and how much of each."""
    tx.many(
        _INSERT_REFUND_ITEM,
        [
            checksums.signed(
                checksums.REFUND_ITEM,
                {"attempt": attempt_id, "position": position, "item": item, "amount": minor},
            )
            for position, (item, minor) in enumerate(wanted)
        ],
    )


def items_of_refund(tx: Tx, attempt_id: str) -> list[tuple[str, int]]:
    """Return which invoices a refund is for, if that was said, in order."""
    rows = tx.all(_REFUND_ITEMS, {"attempt": attempt_id})
    return [(row["item"], row["amount_minor"]) for row in rows]


def going_off(tx: Tx, payment: str) -> list[tuple[str, int]]:
    """Return what refunds under way will take off which invoice."""
    rows = tx.all(_GOING_OFF, {"payment": payment})
    return [(row["item"], row["amount_minor"]) for row in rows]


def reserved_of(tx: Tx, credit: str) -> int:
    """Return how much of a credit lot live payments have reserved."""
    row = tx.one(_RESERVED, {"credit": credit})
    assert row is not None, "an aggregate query gives a row"
    return int(row["minor"])


def end_holds(tx: Tx, attempt_id: str, state: str) -> None:
    """Let the credit go that a refund held, or count it as paid back."""
    held = holds_of(tx, attempt_id)
    tx.run(_END_HOLDS, {"attempt": attempt_id, "state": state})
    for credit, _ in held:
        checksums.renew(tx, checksums.HOLD, attempt_id, credit)


# --- Attempts ------------------------------------------------------------------------


def insert_attempt(
    tx: Tx,
    *,
    id_: str,
    payment: str | None,
    operation: Operation,
    account: str,
    kind: Kind,
    driver: str,
    driver_version: str,
    livemode: bool,
    merchant_account: str,
    gateway_key: str,
    amount: Money,
    lease: Lease,
    key: str = "",
    request: str | None = None,
    person: str = "",
    final: bool = True,
    movement: str = "",
    about: str = "",
    then: str = "",
    sends: int = 1,
    method: str | None = None,
    offers: Collection[Operation] = (),
    method_facts: MethodFacts | None = None,
    place: int | None = None,
    reported: bool = False,
) -> None:
    """
    Write the intent to ask *account* for *operation*, before anything is sent.

    *about* is the processor's name of what a later operation is about, *movement*
    that of the money a refund sends back, and *then* what a refund does to the
    invoices. An intent with no *sends* yet is sent by recovery. *method* is the stored
    method that it is about, or is to make; one about a method alone has no *payment*.
    *request* is what is needed to send it again, and *person* whose facts are in that. One
    that a gateway *reported* was never to be sent: its money came by itself. *place* is the
    number of the place to pay to, if it has one.

    Raises `SendingStopped` while nothing is sent from this ledger.
    """
    params = {
        "id": id_,
        "tenant": tx.tenant,
        "payment": payment,
        "method": method,
        "operation": operation.value,
        "account": account,
        "kind": kind.value,
        "driver": driver,
        "driver_version": driver_version,
        "livemode": int(livemode),
        "merchant_account": merchant_account,
        "gateway_key": gateway_key,
        "key": key,
        "currency": amount.currency,
        "amount": amount.minor,
        "at": tx.at,
        "mark": _written(lease.taken),
        "lease_until": instant(lease.until),
        "final": int(final),
        "movement": movement,
        "about": about,
        "then_do": then,
        "sends": sends,
        "actor": tx.actor,
        "offers": " ".join(sorted(offers)),
        "method_facts": write_method_facts(method_facts),
        "place": place,
        "reported": reported,
    }
    signed = checksums.signed(checksums.ATTEMPT, params | _not_answered(params))
    if not tx.run(_INSERT_ATTEMPT, signed):
        found = sending.stopped(tx)
        assert found is not None, "nothing else keeps an attempt from being written"
        raise SendingStopped(
            f"nothing is sent since {found.since:%Y-%m-%d %H:%M} UTC ({found.reason}); "
            "recover until the ledger has caught up, and resume sending",
            since=found.since,
            reason=found.reason,
        )
    if request is not None:
        about_whom = {"tenant": tx.tenant, "customer": person, "body": request}
        tx.run(_INSERT_REQUEST, {"id": id_, **about_whom})


def insert_following(
    tx: Tx, after: AttemptRow, operation: Operation, *, gateway_key: str, about: str
) -> None:
    """Write the intent of an operation that follows from *after*, once; recovery sends it."""
    params = {
        "id": tx.new_id("att"),
        "operation": operation.value,
        "gateway_key": gateway_key,
        "about": about,
        "after": after.attempt.id,
        "at": tx.at,
        "mark": _written(tx.mark),
        "actor": tx.actor,
    }
    if tx.run(_INSERT_FOLLOWING, params):
        checksums.renew(tx, checksums.ATTEMPT, params["id"])
        checksums.renew(tx, checksums.ANSWER, params["id"])


def _not_answered(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the checksum of what is known of an attempt that was just stored: nothing yet."""
    known = {
        "id": params["id"],
        "state": AttemptState.SENDING.value,
        "retryable": 0,
        "action": None,
        "expires_at": None,
        "sends": params["sends"],
        "sent_at": params["at"],
        "lease_until": params["lease_until"],
        "next_check_at": params["lease_until"],
        "overdue_at": None,
        "method_facts": params["method_facts"],
        "verified": None,
        **dict.fromkeys(("reference", "code", "raw_code", "reason", "network_transaction_id"), ""),
        **dict.fromkeys(("checks", "absences", "needs_review", "late_pending"), 0),
    }
    return {"answer_checksum": checksums.signed(checksums.ANSWER, known)["answer_checksum"]}


def _written(mark: Mark | None) -> str | None:
    return None if mark is None else str(mark)


def attempt(tx: Tx, id_: str) -> AttemptRow | None:
    """Read an attempt."""
    row = tx.one(_ATTEMPT, {"tenant": tx.tenant, "id": id_})
    return None if row is None else attempt_of(row)


def attempt_named(tx: Tx, account: str, *, our_ref: str, reference: str) -> AttemptRow | None:
    """Find what *account* calls by our id or by the processor's, never another account's."""
    found = attempt(tx, our_ref) if our_ref else None
    if found is not None and found.attempt.account == account:
        return found
    row = tx.one(_BY_REFERENCE, {"tenant": tx.tenant, "account": account, "reference": reference})
    return None if row is None else attempt_of(row)


def is_name_shared(tx: Tx, account: str, *, reference: str, payment: str) -> bool:
    """Return whether *account* calls another payment than *payment* by *reference*, too."""
    params = {
        "tenant": tx.tenant,
        "account": account,
        "reference": reference,
        "payment": payment,
    }
    return tx.one(_ALIKE, params) is not None


def is_unasked(tx: Tx, payment: str) -> bool:
    """Return whether *payment* is money for a payer's number, without a request of ours."""
    return tx.one(_IS_UNASKED, {"id": payment}) is not None


def main_attempt(tx: Tx, payment: str) -> AttemptRow:
    """Read the attempt that was to bring the money of a payment."""
    [row] = tx.all(_MAIN_ATTEMPT, {"payment": payment})
    return attempt_of(row)


def attempts_of(tx: Tx, payment: str) -> list[AttemptRow]:
    """Read the attempts of a payment, the oldest first."""
    params = {"tenant": tx.tenant, "payment": payment}
    return [attempt_of(row) for row in tx.all(_ATTEMPTS, params)]


def attempts_of_method(tx: Tx, method: str) -> list[AttemptRow]:
    """Read the attempts to store or delete a method, the oldest first."""
    rows = tx.all(_OF_METHOD, {"tenant": tx.tenant, "method": method})
    return [attempt_of(row) for row in rows]


def changes_page(tx: Tx, *, needs_review: bool | None, which: Page) -> list[str]:
    """Return the ids of a page of the attempts that are about a method alone."""
    index = "paygate_attempt_of_methods" + ("_to_review" if needs_review else "")
    flag = None if needs_review is None else int(needs_review)
    return [row["id"] for row in _CHANGES.read(tx, index, which, needs_review=flag)]


def in_doubt(tx: Tx, payment: str) -> bool:
    """Tell whether an attempt of *payment* may have moved money without our knowing."""
    return bool(tx.all(_IN_DOUBT, {"payment": payment}))


def end_authorization(tx: Tx, payment: str) -> None:
    """Write that nothing is held any more for *payment*: all was captured, or the rest let go."""
    if tx.run(_END_AUTHORIZATION, {"payment": payment}):
        renew_answers(tx, payment)


def renew_answers(tx: Tx, payment: str) -> None:
    """Write the checksums of the attempts of *payment* anew, after what they say has changed."""
    for row in tx.all(_IDS_OF_PAYMENT, {"payment": payment}):
        checksums.renew(tx, checksums.ANSWER, row["id"])


def due_attempts(tx: Tx, accounts: Sequence[str], limit: int) -> list[tuple[str, str]]:
    """Return the attempts of *accounts* that want an inquiry now; the accounts take turns."""
    queues = [
        [
            (account, row["id"])
            for row in tx.all(
                _DUE, {"tenant": tx.tenant, "account": account, "at": tx.at, "limit": limit}
            )
        ]
        for account in accounts
    ]
    return in_turns(queues)[:limit]


def unattended(
    tx: Tx, callbacks: Mapping[str, tuple[int, datetime]], before: datetime
) -> list[Unattended]:
    """
    Return the accounts with attempts that wanted an inquiry *before* an instant.

    *callbacks* are those that wait as long: how many by account, and the first instant.
    """
    attempts = {
        row["account"]: (int(row["attempts"]), datetime.fromisoformat(row["since"]))
        for row in tx.all(_UNATTENDED, {"tenant": tx.tenant, "before": instant(before)})
    }
    never = 0, before
    return [
        Unattended(
            account=account,
            attempts=attempts.get(account, never)[0],
            callbacks=callbacks.get(account, never)[0],
            since=min(attempts.get(account, never)[1], callbacks.get(account, never)[1]),
        )
        for account in sorted(attempts.keys() | callbacks.keys())
    ]


def put_back(tx: Tx, attempt_id: str, again: datetime, reason: str) -> None:
    """Flag an attempt whose news could not be written, and ask about it at the instant *again*."""
    tx.run(_PUT_BACK, {"id": attempt_id, "at": instant(again), "reason": reason})
    checksums.renew(tx, checksums.ANSWER, attempt_id)


def update_attempt(
    tx: Tx,
    before: AttemptRow,
    *,
    state: AttemptState,
    reference: str,
    code: str,
    raw_code: str,
    reason: str,
    retryable: bool,
    action: Action | None,
    expires_at: datetime | None,
    next_check_at: datetime | None,
    checks: int,
    absences: int,
    needs_review: bool,
    network_transaction_id: str,
    late_pending: bool = False,
    overdue_at: datetime | None = None,
    method_facts: MethodFacts | None = None,
    checks_: CardChecks | None = None,
    request_id: str = "",
) -> bool:
    """Write what is known now, if nobody else wrote since *before* was read."""
    params = {
        "id": before.attempt.id,
        "version": before.version,
        "state": state.value,
        "reference": reference,
        "code": code,
        "raw_code": raw_code,
        "reason": reason,
        "retryable": int(retryable),
        "action": None if action is None else write_action(action),
        "action_secret": None if action is None else _sealed(tx, action, before.attempt.id),
        "expires_at": None if expires_at is None else instant(expires_at),
        "next_check_at": None if next_check_at is None else instant(next_check_at),
        "checks": checks,
        "absences": absences,
        "needs_review": int(needs_review),
        "network_transaction_id": network_transaction_id,
        "late_pending": int(late_pending),
        "overdue_at": None if overdue_at is None else instant(overdue_at),
        "method_facts": write_method_facts(method_facts),
        "verified": write_checks(checks_),
        "request_id": request_id,
        "sends": before.sends,
        "sent_at": instant(before.sent_at),
        "lease_until": instant(before.lease_until),
    }
    return bool(tx.run(_UPDATE_ATTEMPT, checksums.signed(checksums.ANSWER, params)))


def changes_to_review(tx: Tx, limit: int) -> list[str]:
    """Return the oldest attempts to store or delete a method that are flagged for review."""
    params = {"tenant": tx.tenant, "limit": limit}
    return [row["id"] for row in tx.all(_CHANGES_TO_REVIEW, params)]


def action_with_secret(tx: Tx, row: AttemptRow) -> Action | None:
    """
    Return what the payer is to do for an attempt, with the secret if it was kept.

    It was not if there was no key to keep it under; one that none of the keys opens
    is as good as not kept.
    """
    found = tx.one(_SEALED_ACTION, {"id": row.attempt.id})
    sealed = None if found is None else found["action_secret_encrypted"]
    if row.action is None or sealed is None or tx.vault is None:
        return row.action
    try:
        return with_secret(row.action, tx.vault.open(sealed, of=_owner(row.attempt.id)))
    except TokenUnreadable:
        return row.action


def reseal_page(tx: Tx, after: str, limit: int) -> tuple[str, int, int]:
    """
    Put secrets of actions, of attempts after id *after*, under the first key, at most *limit*.

    Returns what `methods.reseal_page` does. A secret that none of the keys opens stays
    as it is: it is good for as long as a page is, and the page can be closed.
    """
    vault = vault_of(tx)
    rows = tx.all(_SEALED_ACTIONS, {"tenant": tx.tenant, "after": after, "limit": limit})
    changed = 0
    for row in rows:
        try:
            secret = vault.reseal(row["action_secret_encrypted"], of=_owner(row["id"]))
        except TokenUnreadable:
            continue
        if secret is not None:
            changed += tx.run(_RESEAL_ACTION, {"id": row["id"], "secret": secret})
    return (rows[-1]["id"] if rows else after, len(rows), changed)


def _sealed(tx: Tx, action: Action, attempt_id: str) -> bytes | None:
    """Encrypt the secret of *action*; None if it has none, or there is no key."""
    secret: Secret[str] | None = secret_of(action)
    if tx.vault is None or secret is None:
        return None
    return tx.vault.seal(secret, of=_owner(attempt_id))


def _owner(attempt_id: str) -> str:
    """Return the name that the secret of an attempt's action is sealed in with."""
    return f"action of {attempt_id}"


def note(tx: Tx, attempt_id: str, reference: str) -> None:
    """Write down the name that the processor gave to its object; by that it may be asked now."""
    if tx.run(_NOTE, {"id": attempt_id, "reference": reference, "at": tx.at}):
        checksums.renew(tx, checksums.ANSWER, attempt_id)


def send_again(tx: Tx, row: AttemptRow, lease: Lease) -> bool:
    """Take the lease to send the same request once more, if nobody else did."""
    params = {
        "id": row.attempt.id,
        "version": row.version,
        "at": tx.at,
        "mark": _written(lease.taken),
        "lease_until": instant(lease.until),
    }
    ours = bool(tx.run(_SEND_AGAIN, params))
    if ours:
        checksums.renew(tx, checksums.ANSWER, row.attempt.id)
    return ours


def request_of(tx: Tx, attempt_id: str) -> str | None:
    """Read what is needed to send the request again, if it can be; empty if that was erased."""
    row = tx.one(_REQUEST, {"id": attempt_id})
    return None if row is None else str(row["body"])


def forget_request(tx: Tx, attempt_id: str) -> None:
    """Delete what was needed to send the request again."""
    tx.run(_DELETE_REQUEST, {"id": attempt_id})


def note_try(tx: Tx, attempt_id: str, reference: str, raw_code: str) -> None:
    """Store that a payer's try on a page was declined."""
    tx.run(_NOTE_TRY, {"id": attempt_id, "reference": reference, "raw_code": raw_code})


def tries_of(tx: Tx, attempt_id: str) -> frozenset[tuple[str, str]]:
    """Return the declined tries on a page that were noted, by reference and raw code."""
    rows = tx.all(_TRIES, {"id": attempt_id})
    return frozenset((row["reference"], row["raw_code"]) for row in rows)


# --- Claims ----------------------------------------------------------------------------


def insert_claims(tx: Tx, payment: str, claims: Sequence[Claim]) -> None:
    """Write what a payment is for."""
    tx.many(
        _INSERT_CLAIM,
        [_claim_params(payment, claim) for claim in claims],
    )


def _claim_params(payment: str, claim: Claim) -> dict[str, Any]:
    params = {
        "payment": payment,
        "position": claim.position,
        "item": claim.item,
        "amount": claim.minor,
        "credit": claim.credit,
        "state": claim.state,
    }
    return checksums.signed(checksums.CLAIM, params)


def claims_of(tx: Tx, payment: str) -> list[Claim]:
    """Read what a payment is for, in the order it fills."""
    return [
        Claim(row["position"], row["item"], row["amount_minor"], row["credit"], row["state"])
        for row in tx.all(_CLAIMS, {"payment": payment})
    ]


def set_claim(tx: Tx, payment: str, claim: Claim, state: str) -> None:
    """Change the state of one claim."""
    tx.run(_SET_CLAIM, _claim_params(payment, replace(claim, state=state)))


def split_claim(tx: Tx, payment: str, claim: Claim, minor: int, state: str = "used") -> None:
    """
    Count *minor* of a claim as used (or as in *state*), and keep the rest of it.

    It joins what is in that state already, so that money in a thousand parts makes no thousand
    claims.
    """
    part = Claim(0, claim.item, minor, claim.credit, state)
    tx.run(_SET_CLAIM_AMOUNT, _claim_params(payment, replace(claim, minor=claim.minor - minor)))
    claims = claims_of(tx, payment)
    for each in claims:
        if replace(each, position=0, minor=minor) == part:
            joined = replace(each, minor=each.minor + minor)
            tx.run(_SET_CLAIM_AMOUNT, _claim_params(payment, joined))
            return
    last = max(each.position for each in claims)
    insert_claims(tx, payment, [replace(part, position=last + 1)])


def soft_on(tx: Tx, item: str) -> list[str]:
    """Tell the payments that hold a soft claim on *item*."""
    # One payment may hold several parts of an item. SQLite would build a table for DISTINCT.
    return list(dict.fromkeys(row["payment"] for row in tx.all(_SOFT_ON, {"item": item})))


def pages_on(tx: Tx, item: str) -> list[str]:
    """Return the payments whose page, slip or address is open and was for *item*."""
    return [row["payment"] for row in tx.all(_PAGES_ON, {"item": item})]


def reserving(tx: Tx, credit: str) -> list[str]:
    """Tell the live payments that reserved part of a credit lot."""
    return list(dict.fromkeys(row["payment"] for row in tx.all(_RESERVING, {"credit": credit})))


# --- Reading rows -------------------------------------------------------------------------


def payment_of(row: Row) -> Payment:
    """Read a payment from its row."""
    currency: str = row["currency"]
    foreign = tuple(
        ForeignMoney(
            received=Money(other, came),
            returned=Money(other, went),
            credited=Money(other, credited),
            unallocated=Money(other, waits),
        )
        for other, came, went, credited, waits in json.loads(row["foreign_money"])
    )
    return Payment(
        id=row["id"],
        customer=row["customer"],
        payer=row["payer"],
        account=row["account"],
        kind=Kind(row["kind"]),
        amount=Money(currency, row["amount_minor"]),
        status=PaymentStatus(row["status"]),
        received=Money(currency, row["received_minor"]),
        returned=Money(currency, row["returned_minor"]),
        credited=Money(currency, row["credited_minor"]),
        unallocated=Money(currency, row["unallocated_minor"]),
        from_credit=Money(currency, row["from_credit_minor"]),
        awaiting=Money(currency, row["awaiting_minor"]),
        capturing=Money(currency, row["capturing_minor"]),
        refunding=Money(currency, row["refunding_minor"]),
        credit_on=CreditOn(row["credit_on"]),
        refundable_after=row["refundable_after"],
        settled=bool(row["settled"]),
        reference=row["attempt_reference"] or row["reference"],
        code=row["code"] or "",
        raw_code=row["raw_code"] or "",
        reason=row["reason"] or "",
        retryable=bool(row["retryable"]),
        action=read_action(row["action"]),
        expires_at=read_instant(row["expires_at"]),
        needs_review=bool(row["needs_review"]),
        conflicted=bool(row["conflicted"]),
        superseded=bool(row["superseded"]),
        seen=Money(currency, row["seen_minor"]),
        sightings=_read_sightings(row["sightings"]),
        place=row["place"],
        disputed=bool(row["disputed"]),
        authorized=Money(currency, row["authorized_minor"]),
        reversal=row["reversal"],
        method=row["method"],
        mandate=row["mandate"],
        method_facts=read_method_facts(row["method_facts"]),
        checks=read_checks(row["verified"]),
        key=row["key"],
        payer_number=row["payer_number"],
        items=tuple(
            PaymentItem(
                invoice=number,
                amount=Money(of_item, wanted),
                claimed=Money(of_item, claimed),
                paid=Money(of_item, paid),
            )
            for number, of_item, wanted, claimed, paid in json.loads(row["items"])
        ),
        foreign=foreign,
        reviews=_reviews_of(row, foreign),
        created_at=datetime.fromisoformat(row["created_at"]),
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
            for id_, operation, state, late in json.loads(row["flagged"])
        ],
        causes=json.loads(row["causes"]),
    )


def _read_sightings(text: str) -> tuple[Sighting, ...]:
    return tuple(
        Sighting(
            name=name,
            quantity=Money(currency, minor),
            confirmations=confirmations,
            needed=needed,
        )
        for name, currency, minor, confirmations, needed in json.loads(text)
    )


def attempt_of(row: Row) -> AttemptRow:
    """Read an attempt from its row."""
    return AttemptRow(
        attempt=Attempt(
            id=row["id"],
            payment=row["payment"] or "",
            operation=Operation(row["operation"]),
            account=row["account"],
            state=AttemptState(row["state"]),
            amount=Money(row["currency"], row["amount_minor"]),
            reference=row["reference"],
            code=row["code"],
            raw_code=row["raw_code"],
            reason=row["reason"],
            created_at=datetime.fromisoformat(row["created_at"]),
            next_check_at=read_instant(row["next_check_at"]),
            checks=row["checks"],
            needs_review=bool(row["needs_review"]),
            retryable=bool(row["retryable"]),
            method=row["method"] or "",
            request_id=row["request_id"],
            key=row["key"],
        ),
        kind=Kind(row["kind"]),
        gateway_key=row["gateway_key"],
        sends=row["sends"],
        sent_at=datetime.fromisoformat(row["sent_at"]),
        sent_mark=read_mark(row["sent_mark"]),
        lease_until=datetime.fromisoformat(row["lease_until"]),
        absences=row["absences"],
        action=read_action(row["action"]),
        expires_at=read_instant(row["expires_at"]),
        network_transaction_id=row["network_transaction_id"],
        final=bool(row["final"]),
        movement=row["movement"],
        about=row["about"],
        then=row["then_do"],
        created_mark=read_mark(row["created_mark"]),
        version=row["version"],
        offers=frozenset(row["offers"].split()),
        late_pending=bool(row["late_pending"]),
        overdue_at=read_instant(row["overdue_at"]),
        method_facts=read_method_facts(row["method_facts"]),
        checks=read_checks(row["verified"]),
    )


def write_method_facts(facts: MethodFacts | None) -> str | None:
    """Write what may be printed of a card or account as text; None if nothing is known."""
    known = {} if facts is None else {name: each for name, each in asdict(facts).items() if each}
    return json.dumps(known) if known else None


def read_method_facts(text: str | None) -> MethodFacts | None:
    """Read what `write_method_facts` wrote."""
    return None if text is None else MethodFacts(**json.loads(text))


def write_checks(found: CardChecks | None) -> str | None:
    """Write the results of checks as text; None if nothing was checked."""
    known = {
        each.name: [check.result.value, check.raw_code]
        for each in (() if found is None else fields(found))
        if (check := getattr(found, each.name)) != CardCheck()
    }
    return json.dumps(known) if known else None


def read_checks(text: str | None) -> CardChecks | None:
    """Read what `write_checks` wrote."""
    if text is None:
        return None
    told: dict[str, list[str]] = json.loads(text)
    return CardChecks(**{name: CardCheck(CheckResult(of), raw) for name, (of, raw) in told.items()})


_ACTIONS: dict[str, Callable[..., Action]] = {each.__name__: each for each in get_args(Action)}


def write_action(action: Action) -> str:
    """Write an action as text, without its secret."""
    return json.dumps({"action": type(action).__name__, **asdict(with_secret(action, None))})


def read_action(text: str | None) -> Action | None:
    """Read an action from its text; if it has a secret, that is not in it."""
    if text is None:
        return None
    facts: dict[str, Any] = json.loads(text)
    name = facts.pop("action")
    if name == "PayToAddress":
        amount: dict[str, Any] = facts.pop("amount")
        enough: dict[str, Any] | None = facts.pop("enough")
        return PayToAddress(
            **facts,
            amount=Money(**amount),
            enough=None if enough is None else Money(**enough),
        )
    return _ACTIONS[name](**facts)
