"""Attempts: each request to a gateway, stored before it is sent, and its known outcome."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from paygate import logs
from paygate.domain.advice import Advice
from paygate.domain.attempt import Attempt, AttemptState
from paygate.domain.kind import Kind, Operation
from paygate.domain.method import MethodFacts
from paygate.domain.money import Money
from paygate.domain.status import Unattended
from paygate.errors import MethodNotFound, SendingStopped
from paygate.ledger import (
    accounts,
    actions,
    checksums,
    codec,
    paging,
    sending,
    stored_requests,
)
from paygate.ledger.codec import read_instant, read_instant_or_none, write_instant
from paygate.ledger.elapsed import Lease, read_mark

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from paygate.domain.action import Action
    from paygate.domain.card_checks import CardChecks
    from paygate.ledger.elapsed import Mark
    from paygate.ledger.paging import Page
    from paygate.ledger.tx import Row, Tx

# An operation that follows from another one; recovery sends it.
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
_INSERT = """
INSERT INTO paygate_attempt (
  id, tenant, payment, method, operation, account, kind, driver, driver_version, livemode,
  merchant_account, gateway_key, key, currency, amount_minor, final, movement, about, refund_to,
  method_plan, state, sends, sent_at, sent_mark, lease_until, next_check_at, created_at,
  created_mark, actor, offers, method_facts, address_index, checksum, answer_checksum)
SELECT
  :id, :tenant, :payment, :method, :operation, :account, :kind, :driver, :driver_version, :livemode,
  :merchant_account, :gateway_key, :key, :currency, :amount, :final, :movement, :about, :refund_to,
  :method_plan, 'sending', :sends, :at, :mark, :lease_until, :lease_until, :at,
  :mark, :actor, :offers, :method_facts, :address_index, :checksum, :answer_checksum
WHERE :exempt = 1 OR
  NOT EXISTS (SELECT 1 FROM paygate_meta WHERE name = 'sending_stopped')
"""
# With what merging its answer needs: the stored request, and whether its account is rejected.
_BY_ID = """
SELECT a.*, q.body AS request_body, k.rejected_since FROM paygate_attempt a
LEFT JOIN paygate_attempt_request q ON q.attempt = a.id
LEFT JOIN paygate_account k ON k.tenant = a.tenant AND k.name = a.account
WHERE a.tenant = :tenant AND a.id = :id
"""
_OF_PAYMENT = """
SELECT * FROM paygate_attempt
WHERE tenant = :tenant AND payment = :payment ORDER BY created_at, id
"""
_MAIN = """
SELECT * FROM paygate_attempt
WHERE payment = :payment AND operation IN ('charge', 'authorize')
"""
# A completion has the same reference as its charge; the charge was stored first.
_BY_REFERENCE = """
SELECT * FROM paygate_attempt
WHERE tenant = :tenant AND account = :account AND reference = :reference AND reference <> ''
ORDER BY created_at, id LIMIT 1
"""
_ALIKE = """
SELECT payment FROM paygate_attempt
WHERE tenant = :tenant AND account = :account AND reference = :reference AND reference <> ''
  AND payment <> :payment
LIMIT 1
"""
_IN_DOUBT = """
SELECT id FROM paygate_attempt WHERE payment = :payment AND state IN ('sending', 'unknown')
"""
# The amount is no longer held, so it needs no further inquiry.
_END_AUTHORIZATION = """
UPDATE paygate_attempt SET state = 'succeeded', next_check_at = NULL, version = version + 1
WHERE payment = :payment AND operation = 'authorize' AND state = 'authorized'
"""
_IDS_OF_PAYMENT = "SELECT id FROM paygate_attempt WHERE payment = :payment"
_UNATTENDED = """
SELECT account, count(*) AS attempts, min(next_check_at) AS since FROM paygate_attempt
WHERE tenant = :tenant AND next_check_at <= :before GROUP BY account ORDER BY account
"""
# An attempt that has ended needs no further inquiry.
_PUT_BACK = """
UPDATE paygate_attempt SET next_check_at = :at, needs_review = 1, reason = :reason,
  version = version + 1
WHERE id = :id AND state NOT IN ('succeeded', 'declined', 'failed', 'canceled', 'expired')
"""
_UPDATE = """
UPDATE paygate_attempt SET
  state = :state, reference = :reference, code = :code, raw_code = :raw_code, reason = :reason,
  retryable = :retryable, advice = :advice, action = :action, expires_at = :expires_at,
  action_secret_encrypted = coalesce(
    :action_secret, CASE WHEN action = :action THEN action_secret_encrypted END),
  next_check_at = :next_check_at, absences = :absences, checks = :checks,
  needs_review = :needs_review, network_transaction_id = :network_transaction_id,
  late_pending = :late_pending, overdue_at = :overdue_at, answer_checksum = :answer_checksum,
  method_facts = :method_facts, verified = :verified,
  request_id = CASE WHEN :request_id = '' THEN request_id ELSE :request_id END,
  version = version + 1
WHERE id = :id AND version = :version
"""
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
      coalesce(:needs_review, -1) IN (-1, CASE WHEN a.needs_review = 1
        AND a.state NOT IN ('succeeded', 'declined', 'failed', 'canceled', 'expired')
        THEN 1 ELSE 0 END)
    """,
    noun="change of a method",
    missing=MethodNotFound,
)
_CHANGES_TO_REVIEW = """
SELECT id FROM paygate_attempt
WHERE tenant = :tenant AND payment IS NULL AND method IS NOT NULL AND needs_review = 1
  AND state NOT IN ('succeeded', 'declined', 'failed', 'canceled', 'expired')
ORDER BY created_at, id LIMIT :limit
"""
_SET_METHOD = "UPDATE paygate_attempt SET method = :method WHERE id = :id"
_CLEAR_REVIEW = """
UPDATE paygate_attempt SET needs_review = 0, version = version + 1 WHERE id = :id
"""
# The outcome of a refund is reviewed separately.
_CLEAR_REVIEWS = """
UPDATE paygate_attempt SET needs_review = 0, version = version + 1
WHERE payment = :id AND needs_review = 1 AND state NOT IN ('sending', 'unknown')
  AND operation <> 'refund'
"""
_NOTE_TRY = """
INSERT INTO paygate_attempt_try (attempt, reference, raw_code)
VALUES (:id, :reference, :raw_code) ON CONFLICT DO NOTHING
"""
_TRIES = "SELECT reference, raw_code FROM paygate_attempt_try WHERE attempt = :id"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """An attempt, with the additional facts that merging an answer needs."""

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
    refund_to: str | None
    method_plan: str | None
    created_mark: Mark | None
    version: int
    offers: frozenset[str] = frozenset()
    late_pending: bool = False
    overdue_at: datetime | None = None
    method_facts: MethodFacts | None = None
    checks: CardChecks | None = None

    @property
    def in_log(self) -> logs.About:
        """The fields of a log line about this attempt."""
        one = self.attempt
        return logs.About(
            account=one.account,
            payment=one.payment,
            attempt=one.id,
            operation=one.operation.value,
            request_id=one.request_id,
        )

    def offers_to(self, operation: Operation) -> bool:
        """Return whether the account offered *operation* when this attempt was stored."""
        return operation.value in self.offers

    def lease(self, length: timedelta) -> Lease:
        """Return the lease, of *length*, under which this attempt was last sent."""
        return Lease(self.lease_until, length, self.sent_mark)


def insert(
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
    refund_to: str | None = None,
    method_plan: str | None = None,
    sends: int = 1,
    method: str | None = None,
    offers: Collection[Operation] = (),
    method_facts: MethodFacts | None = None,
    address_index: int | None = None,
    reported: bool = False,
) -> None:
    """
    Store the intent to ask *account* for *operation*, before anything is sent.

    *about* is the processor's reference of the object that a later operation concerns,
    *movement* the id of the movement that a refund sends back, and *refund_to* the effect of the
    refund on the invoices. Recovery sends an intent with no *sends*. *method* is the stored
    method to use or create; an intent about a method alone has no *payment*, and its
    *method_plan* names the method's owner. *request* is needed to send it again, and *person* is
    the customer whose personal data it contains. An intent that a gateway *reported* is never
    sent: its money came unrequested. *address_index* is the index of the address to pay to.

    Raise `SendingStopped` while sending is stopped.
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
        "lease_until": write_instant(lease.until),
        "final": int(final),
        "movement": movement,
        "about": about,
        "refund_to": refund_to,
        "method_plan": method_plan,
        "sends": sends,
        "actor": tx.actor,
        "offers": " ".join(sorted(offers)),
        "method_facts": codec.write_method_facts(method_facts),
        "address_index": address_index,
        "exempt": int(reported and sends == 0),
    }
    signed = checksums.signed(checksums.ATTEMPT, params | _not_answered(params))
    if not tx.run(_INSERT, signed):
        found = sending.stopped(tx)
        assert found is not None, "an attempt is refused only while sending is stopped"
        raise SendingStopped(
            f"sending is stopped since {found.since:%Y-%m-%d %H:%M} UTC ({found.reason}); "
            "run recovery until the ledger has caught up, then resume sending",
            since=found.since,
            reason=found.reason,
        )
    if request is not None:
        stored_requests.insert(tx, id_, request, customer=person)


def insert_following(
    tx: Tx, after: AttemptRow, operation: Operation, *, gateway_key: str, about: str
) -> None:
    """Store the intent of an operation that follows from *after*, once; recovery sends it."""
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
    """Return the checksum of the outcome of a new attempt, which is not known yet."""
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
        **dict.fromkeys(
            ("reference", "code", "raw_code", "reason", "advice", "network_transaction_id"), ""
        ),
        **dict.fromkeys(("checks", "absences", "needs_review", "late_pending"), 0),
    }
    return {"answer_checksum": checksums.signed(checksums.ANSWER, known)["answer_checksum"]}


def _written(mark: Mark | None) -> str | None:
    return None if mark is None else str(mark)


def by_id(tx: Tx, id_: str) -> AttemptRow | None:
    """Return the attempt with this id, or None."""
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    if row is None:
        return None
    stored_requests.cache(tx, id_, row["request_body"])
    accounts.cache_rejected(tx, row["account"], rejected=row["rejected_since"] is not None)
    return attempt_of(row)


def named(tx: Tx, account: str, *, our_ref: str, reference: str) -> AttemptRow | None:
    """Return the attempt of *account* with our id or the processor's reference, or None."""
    found = by_id(tx, our_ref) if our_ref else None
    if found is not None and found.attempt.account == account:
        return found
    row = tx.one(_BY_REFERENCE, {"tenant": tx.tenant, "account": account, "reference": reference})
    return None if row is None else attempt_of(row)


def is_name_shared(tx: Tx, account: str, *, reference: str, payment: str) -> bool:
    """Return whether another payment of *account* has the same *reference*."""
    params = {
        "tenant": tx.tenant,
        "account": account,
        "reference": reference,
        "payment": payment,
    }
    return tx.one(_ALIKE, params) is not None


def main_of(tx: Tx, payment: str) -> AttemptRow:
    """Return the charge or authorization of a payment."""
    [row] = tx.all(_MAIN, {"payment": payment})
    return attempt_of(row)


def of_payment(tx: Tx, payment: str) -> list[AttemptRow]:
    """Return the attempts of a payment, oldest first."""
    params = {"tenant": tx.tenant, "payment": payment}
    return [attempt_of(row) for row in tx.all(_OF_PAYMENT, params)]


def of_method(tx: Tx, method: str) -> list[AttemptRow]:
    """Return the attempts to store or delete a method, oldest first."""
    rows = tx.all(_OF_METHOD, {"tenant": tx.tenant, "method": method})
    return [attempt_of(row) for row in rows]


def changes_page(tx: Tx, *, needs_review: bool | None, which: Page) -> list[str]:
    """Return the ids of one page of the attempts that concern a method alone."""
    index = "paygate_attempt_of_methods" + ("_to_review" if needs_review else "")
    flag = None if needs_review is None else int(needs_review)
    return [row["id"] for row in _CHANGES.read(tx, index, which, needs_review=flag)]


def changes_to_review(tx: Tx, limit: int) -> list[str]:
    """Return the oldest attempts to store or delete a method that are flagged for review."""
    params = {"tenant": tx.tenant, "limit": limit}
    return [row["id"] for row in tx.all(_CHANGES_TO_REVIEW, params)]


def in_doubt(tx: Tx, payment: str) -> bool:
    """Return whether an attempt of *payment* has an outcome that is not known."""
    return bool(tx.all(_IN_DOUBT, {"payment": payment}))


def end_authorization(tx: Tx, payment: str) -> None:
    """End the authorization of *payment*, after its final capture or the release of the rest."""
    if tx.run(_END_AUTHORIZATION, {"payment": payment}):
        renew_answers(tx, payment)


def renew_answers(tx: Tx, payment: str) -> None:
    """Recompute the outcome checksums of the attempts of *payment*, after they changed."""
    for row in tx.all(_IDS_OF_PAYMENT, {"payment": payment}):
        checksums.renew(tx, checksums.ANSWER, row["id"])


def unattended(
    tx: Tx, callbacks: Mapping[str, tuple[int, datetime]], before: datetime
) -> list[Unattended]:
    """
    Return the accounts with attempts that were due for an inquiry *before* an instant.

    *callbacks* maps accounts to the number of callbacks that wait as long, and the first instant.
    """
    attempts = {
        row["account"]: (int(row["attempts"]), read_instant(row["since"]))
        for row in tx.all(_UNATTENDED, {"tenant": tx.tenant, "before": write_instant(before)})
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
    """Flag an attempt whose answer could not be stored, and inquire again at *again*."""
    tx.execute(_PUT_BACK, {"id": attempt_id, "at": write_instant(again), "reason": reason})
    checksums.renew(tx, checksums.ANSWER, attempt_id)


def update(
    tx: Tx,
    before: AttemptRow,
    *,
    state: AttemptState,
    reference: str,
    code: str,
    raw_code: str,
    reason: str,
    retryable: bool,
    advice: Advice | None,
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
    """Store what is known now; return False if the row changed since *before* was read."""
    params = {
        "id": before.attempt.id,
        "version": before.version,
        "state": state.value,
        "reference": reference,
        "code": code,
        "raw_code": raw_code,
        "reason": reason,
        "retryable": int(retryable),
        "advice": "" if advice is None else advice.value,
        "action": None if action is None else actions.write(action),
        "action_secret": None if action is None else actions.seal(tx, before.attempt.id, action),
        "expires_at": write_instant(expires_at),
        "next_check_at": write_instant(next_check_at),
        "checks": checks,
        "absences": absences,
        "needs_review": int(needs_review),
        "network_transaction_id": network_transaction_id,
        "late_pending": int(late_pending),
        "overdue_at": write_instant(overdue_at),
        "method_facts": codec.write_method_facts(method_facts),
        "verified": codec.write_checks(checks_),
        "request_id": request_id,
        "sends": before.sends,
        "sent_at": write_instant(before.sent_at),
        "lease_until": write_instant(before.lease_until),
    }
    return bool(tx.run(_UPDATE, checksums.signed(checksums.ANSWER, params)))


def set_method(tx: Tx, attempt: str, method: str) -> None:
    """Set the method of an attempt to one that was stored earlier."""
    tx.execute(_SET_METHOD, {"id": attempt, "method": method})
    checksums.renew(tx, checksums.ATTEMPT, attempt)


def clear_review(tx: Tx, attempt: str) -> None:
    """Clear the review flag of an attempt."""
    tx.execute(_CLEAR_REVIEW, {"id": attempt})
    checksums.renew(tx, checksums.ANSWER, attempt)


def clear_reviews_of(tx: Tx, payment: str) -> None:
    """Clear the review flags of the attempts of *payment* that brought money."""
    tx.execute(_CLEAR_REVIEWS, {"id": payment})
    renew_answers(tx, payment)


def note(tx: Tx, attempt_id: str, reference: str) -> None:
    """Store the processor's reference of its object; an unknown outcome becomes due for inquiry."""
    if tx.run(_NOTE, {"id": attempt_id, "reference": reference, "at": tx.at}):
        checksums.renew(tx, checksums.ANSWER, attempt_id)


def send_again(tx: Tx, row: AttemptRow, lease: Lease) -> bool:
    """Take the lease to send the same request again; return False if another process did."""
    params = {
        "id": row.attempt.id,
        "version": row.version,
        "at": tx.at,
        "mark": _written(lease.taken),
        "lease_until": write_instant(lease.until),
    }
    ours = bool(tx.run(_SEND_AGAIN, params))
    if ours:
        checksums.renew(tx, checksums.ANSWER, row.attempt.id)
    return ours


def note_try(tx: Tx, attempt_id: str, reference: str, raw_code: str) -> None:
    """Store a declined try of a payer on a page."""
    tx.execute(_NOTE_TRY, {"id": attempt_id, "reference": reference, "raw_code": raw_code})


def tries_of(tx: Tx, attempt_id: str) -> frozenset[tuple[str, str]]:
    """Return the stored declined tries on a page, as pairs of reference and raw code."""
    rows = tx.all(_TRIES, {"id": attempt_id})
    return frozenset((row["reference"], row["raw_code"]) for row in rows)


def attempt_of(row: Row) -> AttemptRow:
    """Return the attempt of a row."""
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
            created_at=read_instant(row["created_at"]),
            next_check_at=read_instant_or_none(row["next_check_at"]),
            checks=row["checks"],
            needs_review=bool(row["needs_review"]),
            retryable=bool(row["retryable"]),
            advice=Advice(row["advice"]) if row["advice"] else None,
            method=row["method"] or "",
            request_id=row["request_id"],
            key=row["key"],
        ),
        kind=Kind(row["kind"]),
        gateway_key=row["gateway_key"],
        sends=row["sends"],
        sent_at=read_instant(row["sent_at"]),
        sent_mark=read_mark(row["sent_mark"]),
        lease_until=read_instant(row["lease_until"]),
        absences=row["absences"],
        action=actions.read(row["action"]),
        expires_at=read_instant_or_none(row["expires_at"]),
        network_transaction_id=row["network_transaction_id"],
        final=bool(row["final"]),
        movement=row["movement"],
        about=row["about"],
        refund_to=row["refund_to"],
        method_plan=row["method_plan"],
        created_mark=read_mark(row["created_mark"]),
        version=row["version"],
        offers=frozenset(row["offers"].split()),
        late_pending=bool(row["late_pending"]),
        overdue_at=read_instant_or_none(row["overdue_at"]),
        method_facts=codec.read_method_facts(row["method_facts"]),
        checks=codec.read_checks(row["verified"]),
    )
