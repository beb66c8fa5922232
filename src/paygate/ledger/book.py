"""The check of the books: every stored balance is rebuilt and compared (`paygate fsck`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from paygate.ledger.tx import Tx


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule of the books that does not hold, and for which row."""

    rule: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, and the query that finds what breaks it: columns `subject` and `detail`."""

    name: str
    says: str
    sql: str


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "entries-balance",
        "every entry sums to zero in each currency",
        """
        SELECT entry AS subject, currency || ' sums to ' || sum(amount_minor) AS detail
        FROM paygate_posting WHERE tenant = :tenant
        GROUP BY entry, currency HAVING sum(amount_minor) <> 0
        """,
    ),
    Rule(
        "receivable-rebuilds",
        "what is open on an invoice is what its receivable postings sum to",
        """
        SELECT i.number AS subject,
          'stored ' || CASE i.status WHEN 'void' THEN 0 ELSE
            i.total_minor - i.allocated_minor - i.written_off_minor END
          || ', postings say ' || coalesce(sum(p.amount_minor), 0) AS detail
        FROM paygate_item i
        LEFT JOIN paygate_posting p ON p.item = i.id AND p.account = 'receivable'
        WHERE i.tenant = :tenant AND i.kind = 'invoice'
        GROUP BY i.id
        HAVING coalesce(sum(p.amount_minor), 0) <> CASE i.status WHEN 'void' THEN 0 ELSE
          i.total_minor - i.allocated_minor - i.written_off_minor END
        """,
    ),
    Rule(
        "credit-rebuilds",
        "what is left of a credit is what its postings sum to",
        """
        SELECT c.id AS subject,
          'stored ' || (c.amount_minor - c.used_minor - c.closed_minor)
          || ', postings say ' || -coalesce(sum(p.amount_minor), 0) AS detail
        FROM paygate_credit c
        LEFT JOIN paygate_posting p ON p.credit = c.id AND p.account = 'customer_credit'
        WHERE c.tenant = :tenant GROUP BY c.id
        HAVING -coalesce(sum(p.amount_minor), 0)
          <> c.amount_minor - c.used_minor - c.closed_minor
        """,
    ),
    Rule(
        "suspense-rebuilds",
        "what waits for a decision on a receipt is what its suspense postings sum to",
        """
        SELECT r.id AS subject,
          'stored ' || r.unallocated_minor
          || ', postings say ' || -coalesce(sum(p.amount_minor), 0) AS detail
        FROM paygate_receipt r
        LEFT JOIN paygate_posting p ON p.receipt = r.id AND p.account = 'suspense'
        WHERE r.tenant = :tenant GROUP BY r.id
        HAVING -coalesce(sum(p.amount_minor), 0) <> r.unallocated_minor
        """,
    ),
    Rule(
        "suspense-is-held",
        "what waits for a decision about a payment is money that it still holds",
        """
        SELECT payment || ' ' || currency AS subject,
          sum(unallocated_minor) || ' waits, and it holds '
          || sum(CASE inward WHEN 1 THEN amount_minor ELSE -amount_minor END) AS detail
        FROM paygate_receipt WHERE tenant = :tenant AND payment IS NOT NULL
        GROUP BY payment, currency
        HAVING sum(unallocated_minor) < 0 OR sum(unallocated_minor) > max(0,
          sum(CASE inward WHEN 1 THEN amount_minor ELSE -amount_minor END))
        """,
    ),
    Rule(
        "one-currency",
        "an allocation, a credit and a write-off have the currency of their receipt, credit and "
        "invoice",
        """
        SELECT a.id AS subject, 'an allocation of ' || a.currency || ' on an invoice in '
          || i.currency || ', of money in ' || coalesce(r.currency, c.currency) AS detail
        FROM paygate_allocation a JOIN paygate_item i ON i.id = a.item
        LEFT JOIN paygate_receipt r ON r.id = a.receipt
        LEFT JOIN paygate_credit c ON c.id = a.credit
        WHERE a.tenant = :tenant
          AND (a.currency <> i.currency OR a.currency <> coalesce(r.currency, c.currency))
        UNION ALL
        SELECT c.id, 'a credit of ' || c.currency || ', of money in ' || r.currency
        FROM paygate_credit c JOIN paygate_receipt r ON r.id = c.receipt
        WHERE c.tenant = :tenant AND c.currency <> r.currency
        UNION ALL
        SELECT w.id, 'a write-off of ' || w.currency || ' on an invoice in ' || i.currency
        FROM paygate_write_off w JOIN paygate_item i ON i.id = w.item
        WHERE w.tenant = :tenant AND w.currency <> i.currency
        UNION ALL
        SELECT p.entry, 'a posting of ' || p.currency || ' to something in '
          || coalesce(i.currency, c.currency)
        FROM paygate_posting p
        LEFT JOIN paygate_item i ON i.id = p.item
        LEFT JOIN paygate_credit c ON c.id = p.credit
        WHERE p.tenant = :tenant
          AND (p.currency <> i.currency OR p.currency <> c.currency)
        """,
    ),
    Rule(
        "void-invoices-rest",
        "a void invoice sums to zero on every account, and nothing is posted to it after the void",
        """
        SELECT i.number AS subject, p.account || ' sums to ' || sum(p.amount_minor) AS detail
        FROM paygate_item i JOIN paygate_posting p ON p.item = i.id
        WHERE i.tenant = :tenant AND i.status = 'void'
        GROUP BY i.id, p.account HAVING sum(p.amount_minor) <> 0
        UNION ALL
        SELECT i.number, 'entry ' || p.entry || ' came after the void'
        FROM paygate_item i JOIN paygate_posting p ON p.item = i.id
        WHERE i.tenant = :tenant AND i.status = 'void' AND p.id > (
          SELECT max(v.id) FROM paygate_posting v
          WHERE v.item = i.id AND v.entry = 'void:' || i.id)
        """,
    ),
    Rule(
        "awaiting-rebuilds",
        "what of a receipt counts only when it has settled is what its postings sum to",
        """
        SELECT r.id AS subject,
          'stored ' || r.awaiting_minor
          || ', postings say ' || -coalesce(sum(p.amount_minor), 0) AS detail
        FROM paygate_receipt r
        LEFT JOIN paygate_posting p ON p.receipt = r.id AND p.account = 'awaiting'
        WHERE r.tenant = :tenant GROUP BY r.id
        HAVING -coalesce(sum(p.amount_minor), 0) <> r.awaiting_minor
        """,
    ),
    Rule(
        "in-transit-rebuilds",
        "what of a payment has not settled is what its postings in transit sum to",
        """
        SELECT payment AS subject,
          'stored ' || sum(stored) || ' ' || currency || ', postings say ' || sum(posted) AS detail
        FROM (
          SELECT payment, currency, in_transit_minor AS stored, 0 AS posted
          FROM paygate_receipt WHERE tenant = :tenant AND payment IS NOT NULL
          UNION ALL
          SELECT payment, currency, 0, amount_minor
          FROM paygate_posting
          WHERE tenant = :tenant AND account = 'in_transit' AND payment IS NOT NULL)
        GROUP BY payment, currency HAVING sum(stored) <> sum(posted)
        """,
    ),
    Rule(
        "allocated-adds-up",
        "what is allocated on an invoice is the sum of its allocations",
        """
        SELECT i.number AS subject,
          'stored ' || i.allocated_minor || ', allocations say ' || coalesce(sum(a.amount_minor), 0)
          AS detail
        FROM paygate_item i LEFT JOIN paygate_allocation a ON a.item = i.id
        WHERE i.tenant = :tenant GROUP BY i.id
        HAVING coalesce(sum(a.amount_minor), 0) <> i.allocated_minor
        """,
    ),
    Rule(
        "written-off-adds-up",
        "what is written off an invoice is the sum of its standing write-offs",
        """
        SELECT i.number AS subject,
          'stored ' || i.written_off_minor
          || ', write-offs say ' || coalesce(sum(w.amount_minor), 0) AS detail
        FROM paygate_item i
        LEFT JOIN paygate_write_off w ON w.item = i.id AND w.undone_at IS NULL
        WHERE i.tenant = :tenant GROUP BY i.id
        HAVING coalesce(sum(w.amount_minor), 0) <> i.written_off_minor
        """,
    ),
    Rule(
        "claims-add-up",
        "what is claimed on an invoice is the sum of the hard claims of live payments",
        """
        SELECT i.number AS subject,
          'stored ' || i.claimed_minor || ', claims say ' || coalesce(sum(c.amount_minor), 0)
          AS detail
        FROM paygate_item i LEFT JOIN paygate_claim c ON c.item = i.id AND c.state = 'hard'
        WHERE i.tenant = :tenant GROUP BY i.id
        HAVING coalesce(sum(c.amount_minor), 0) <> i.claimed_minor
        """,
    ),
    Rule(
        "one-soft-claim",
        "at most one payment holds a soft claim on an invoice, and none beside a hard one for it",
        """
        SELECT i.number AS subject, count(DISTINCT c.payment) || ' payments' AS detail
        FROM paygate_item i JOIN paygate_claim c ON c.item = i.id AND c.state = 'soft'
        WHERE i.tenant = :tenant GROUP BY i.id HAVING count(DISTINCT c.payment) > 1
        """,
    ),
    Rule(
        "dead-payments-hold-nothing",
        "a payment that ended holds at most what awaits settlement, unless a person must decide "
        "about money that is still there",
        """
        SELECT p.id AS subject, p.status || ' with a live claim' AS detail
        FROM paygate_payment p
        WHERE p.tenant = :tenant
          AND p.status IN ('succeeded', 'declined', 'failed', 'canceled', 'expired')
          AND (p.conflicted = 0 OR 0 >= (
            SELECT max(held) FROM (
              SELECT sum(CASE r.inward WHEN 1 THEN r.amount_minor ELSE -r.amount_minor END) AS held
              FROM paygate_receipt r WHERE r.payment = p.id GROUP BY r.currency)))
          AND NOT EXISTS (SELECT 1 FROM paygate_attempt a
                          WHERE a.payment = p.id AND a.late_pending = 1)
          AND EXISTS (SELECT 1 FROM paygate_claim c
                      WHERE c.payment = p.id AND c.state IN ('hard', 'soft'))
          AND (SELECT coalesce(sum(r.awaiting_minor), 0) FROM paygate_receipt r
               WHERE r.payment = p.id)
            < (SELECT max(1, coalesce(sum(c.amount_minor), 0)) FROM paygate_claim c
               WHERE c.payment = p.id AND c.state = 'hard' AND c.credit IS NULL)
        """,
    ),
    Rule(
        "open-pages-hold-nothing",
        "a page that waits for its payer holds nothing, unless it is being completed right now",
        """
        SELECT p.id AS subject, 'a hard claim on a page that nobody completes' AS detail
        FROM paygate_payment p
        WHERE p.tenant = :tenant AND p.status = 'requires_action'
          AND EXISTS (SELECT 1 FROM paygate_claim c WHERE c.payment = p.id AND c.state = 'hard')
          AND NOT EXISTS (SELECT 1 FROM paygate_attempt a
                          WHERE a.payment = p.id AND a.operation = 'complete'
                            AND a.state IN ('sending', 'unknown', 'pending'))
        """,
    ),
    Rule(
        "late-money-is-asked-about",
        "what an ended payment holds for money on its way is asked about, or under review",
        """
        SELECT id AS subject, state || ' and pending, without a next check' AS detail
        FROM paygate_attempt
        WHERE tenant = :tenant AND late_pending = 1
          AND next_check_at IS NULL AND needs_review = 0
        """,
    ),
    Rule(
        "disputes-are-marked",
        "an invoice, or a payment, is disputed where a chargeback of it stands",
        """
        SELECT number AS subject, 'disputed is ' || disputed AS detail FROM paygate_item
        WHERE tenant = :tenant AND disputed <> EXISTS (
          SELECT 1 FROM paygate_chargeback_item c JOIN paygate_chargeback k ON k.id = c.chargeback
          WHERE c.item = paygate_item.id AND k.state <> 'won')
        UNION ALL
        SELECT id, 'disputed is ' || disputed FROM paygate_payment
        WHERE tenant = :tenant AND disputed <> EXISTS (
          SELECT 1 FROM paygate_chargeback k
          WHERE k.payment = paygate_payment.id AND k.state <> 'won')
        """,
    ),
    Rule(
        "credit-reserved-adds-up",
        "what is reserved of a credit is the sum of the claims and refunds that hold it",
        """
        SELECT k.id AS subject,
          'stored ' || k.reserved_minor || ', claims and refunds say '
          || coalesce(sum(c.amount_minor), 0) AS detail
        FROM paygate_credit k LEFT JOIN (
          SELECT credit, amount_minor FROM paygate_claim WHERE state = 'hard'
          UNION ALL
          SELECT credit, amount_minor FROM paygate_hold WHERE state = 'held') c ON c.credit = k.id
        WHERE k.tenant = :tenant GROUP BY k.id
        HAVING coalesce(sum(c.amount_minor), 0) <> k.reserved_minor
        """,
    ),
    Rule(
        "credit-used-adds-up",
        "what is used of a credit is the sum of its allocations",
        """
        SELECT k.id AS subject,
          'stored ' || k.used_minor || ', allocations say ' || coalesce(sum(a.amount_minor), 0)
          AS detail
        FROM paygate_credit k LEFT JOIN paygate_allocation a ON a.credit = k.id
        WHERE k.tenant = :tenant GROUP BY k.id
        HAVING coalesce(sum(a.amount_minor), 0) <> k.used_minor
        """,
    ),
    Rule(
        "receipts-are-accounted-for",
        "receipts in less receipts out are allocations, credit and money that waits (I4)",
        """
        SELECT customer || ' ' || currency AS subject,
          'receipts ' || sum(received) || ', accounted for ' || sum(accounted) AS detail
        FROM (
          SELECT customer, currency,
            CASE inward WHEN 1 THEN amount_minor ELSE -amount_minor END AS received,
            unallocated_minor + awaiting_minor AS accounted
          FROM paygate_receipt WHERE tenant = :tenant
          UNION ALL
          SELECT i.customer, a.currency, 0, a.amount_minor
          FROM paygate_allocation a JOIN paygate_item i ON i.id = a.item
          WHERE a.tenant = :tenant
          UNION ALL
          SELECT customer, currency, 0, amount_minor - used_minor - closed_minor
          FROM paygate_credit WHERE tenant = :tenant)
        GROUP BY customer, currency HAVING sum(received) <> sum(accounted)
        """,
    ),
    Rule(
        "payments-are-accounted-for",
        "what a payment holds is what it has on invoices, made of credit, and lets wait",
        """
        SELECT payment || ' ' || currency AS subject,
          'holds ' || sum(held) || ', accounted for ' || sum(accounted) AS detail
        FROM (
          SELECT payment, currency,
            CASE inward WHEN 1 THEN amount_minor ELSE -amount_minor END AS held,
            unallocated_minor + awaiting_minor AS accounted
          FROM paygate_receipt WHERE tenant = :tenant AND payment IS NOT NULL
          UNION ALL
          SELECT payment, currency, 0, amount_minor FROM paygate_allocation
          WHERE tenant = :tenant AND receipt IS NOT NULL AND payment IS NOT NULL
          UNION ALL
          SELECT coalesce(c.payment, r.payment), c.currency, 0, c.amount_minor - c.closed_minor
          FROM paygate_credit c LEFT JOIN paygate_receipt r ON r.id = c.receipt
          WHERE c.tenant = :tenant AND coalesce(c.payment, r.payment) IS NOT NULL)
        GROUP BY payment, currency HAVING sum(held) <> sum(accounted)
        """,
    ),
    Rule(
        "payment-received-adds-up",
        "what a payment received and returned is the sum of its receipts",
        """
        SELECT p.id AS subject,
          'stored ' || p.received_minor || ' in, ' || p.returned_minor || ' out' AS detail
        FROM paygate_payment p
        LEFT JOIN paygate_receipt r ON r.payment = p.id AND r.currency = p.currency
        WHERE p.tenant = :tenant GROUP BY p.id
        HAVING p.received_minor <> coalesce(
            sum(CASE WHEN r.inward = 1 AND r.kind <> 'undone' THEN r.amount_minor END), 0)
          OR p.returned_minor <> coalesce(
            sum(CASE WHEN r.inward = 0 THEN r.amount_minor
                     WHEN r.kind = 'undone' THEN -r.amount_minor END), 0)
          OR p.collected_minor <> coalesce(
            sum(CASE WHEN r.kind IN ('charge', 'capture') THEN r.amount_minor END), 0)
        """,
    ),
    Rule(
        "held-in-proportion",
        "a payment of which a part is seen on its way holds no more than that part",
        """
        SELECT p.id AS subject, 'holds ' || sum(c.amount_minor) || ', seen ' || p.seen_minor
          AS detail
        FROM paygate_payment p JOIN paygate_claim c ON c.payment = p.id
        WHERE p.tenant = :tenant AND p.seen_minor > 0 AND c.state = 'hard' AND c.credit IS NULL
        GROUP BY p.id HAVING sum(c.amount_minor) > p.seen_minor
        """,
    ),
    Rule(
        "secrets-are-sealed",
        "what only a payer's browser may see is not stored as text, and is gone with the action",
        """
        SELECT id AS subject, 'the secret of its action is ' ||
          CASE WHEN action IS NULL THEN 'still there' ELSE 'plain text' END AS detail
        FROM paygate_attempt
        WHERE tenant = :tenant AND (
          action IS NULL AND action_secret_encrypted IS NOT NULL
          OR coalesce(json_extract(action, '$.token'), json_extract(action, '$.client_secret'))
            IS NOT NULL)
        """,
    ),
    Rule(
        "returned-at-most-received",
        "no more went back than came in, unless it is under review, or was (I10)",
        """
        SELECT id AS subject, returned_minor || ' of ' || received_minor AS detail
        FROM paygate_payment
        WHERE tenant = :tenant AND returned_minor > received_minor AND needs_review = 0
          AND NOT EXISTS (SELECT 1 FROM paygate_review v
                          WHERE v.payment = paygate_payment.id AND v.reason <> '')
        """,
    ),
    Rule(
        "status-follows-attempt",
        "a payment stands where the attempt that was to bring its money stands",
        """
        SELECT p.id AS subject, p.status || ' over an attempt that is ' || a.state AS detail
        FROM paygate_payment p
        JOIN paygate_attempt a ON a.payment = p.id AND a.operation = 'charge'
        WHERE p.tenant = :tenant AND p.status <>
          CASE a.state WHEN 'sending' THEN 'processing' WHEN 'pending' THEN 'processing'
          ELSE a.state END
        """,
    ),
    Rule(
        "operations-add-up",
        "what is being captured or refunded is the sum of the attempts under way",
        """
        SELECT p.id AS subject,
          'capturing ' || p.capturing_minor || ', refunding ' || p.refunding_minor AS detail
        FROM paygate_payment p LEFT JOIN paygate_attempt a ON a.payment = p.id
          AND a.state IN ('sending', 'unknown', 'pending', 'requires_action')
        WHERE p.tenant = :tenant GROUP BY p.id
        HAVING p.capturing_minor <>
            coalesce(sum(CASE a.operation WHEN 'capture' THEN a.amount_minor END), 0)
          OR p.refunding_minor <>
            coalesce(sum(CASE a.operation WHEN 'refund' THEN a.amount_minor END), 0)
        """,
    ),
    Rule(
        "captured-within-authorized",
        "no more is captured, or being captured, than was authorised, unless reviewed",
        """
        SELECT p.id AS subject,
          p.collected_minor || ' + ' || p.capturing_minor || ' of ' || p.authorized_minor AS detail
        FROM paygate_payment p
        WHERE p.tenant = :tenant AND p.needs_review = 0
          AND NOT EXISTS (SELECT 1 FROM paygate_review v
                          WHERE v.payment = p.id AND v.reason <> '')
          AND EXISTS (SELECT 1 FROM paygate_attempt a WHERE a.payment = p.id
                      AND a.operation = 'capture')
          AND p.collected_minor + p.capturing_minor > p.authorized_minor
        """,
    ),
    Rule(
        "doubt-is-followed-up",
        "an attempt in doubt is inquired again, or waits for a person",
        """
        SELECT id AS subject, state || ' without a next check' AS detail FROM paygate_attempt
        WHERE tenant = :tenant AND state IN ('sending', 'unknown')
          AND next_check_at IS NULL AND needs_review = 0
        """,
    ),
    Rule(
        "settlement-is-followed-up",
        "accepted money that must settle by some day is waited for, or was flagged",
        """
        SELECT p.id AS subject, 'nobody waits for its settlement' AS detail
        FROM paygate_payment p
        WHERE p.tenant = :tenant AND p.settles_within_s IS NOT NULL AND p.settle_check_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM paygate_review w
                          WHERE w.payment = p.id AND w.cause = 'unsettled')
          AND EXISTS (SELECT 1 FROM paygate_receipt r WHERE r.payment = p.id
                      AND r.kind IN ('charge', 'capture') AND r.in_transit_minor > 0)
          AND (SELECT sum(r.in_transit_minor) FROM paygate_receipt r WHERE r.payment = p.id) > 0
        """,
    ),
    Rule(
        "events-have-no-gaps",
        "the events of each aggregate count 1, 2, 3 … (I7)",
        """
        SELECT aggregate AS subject, count(*) || ' events, last is ' || max(seq) AS detail
        FROM paygate_outbox WHERE tenant = :tenant
        GROUP BY aggregate HAVING count(*) <> max(seq) OR min(seq) <> 1
        """,
    ),
)
"""The invariants that a ledger can be checked for, each as a query."""


def check(tx: Tx) -> list[Violation]:
    """Check every rule and tell what breaks it; an empty list is a sound ledger."""
    return [
        Violation(rule.name, str(row["subject"]), str(row["detail"]))
        for rule in RULES
        for row in tx.all(rule.sql, {"tenant": tx.tenant})
    ]


def mode(tx: Tx) -> str | None:
    """Tell whether this ledger is for ``live`` or ``test`` payments, once that is decided."""
    row = tx.one(_MODE, {})
    return None if row is None else str(row["value"])


def set_mode(tx: Tx, wanted: str) -> str:
    """Decide what this ledger is for, unless that is decided, and tell what it is for."""
    tx.run(_SET_MODE, {"mode": wanted})
    return mode(tx) or wanted


_MODE = "SELECT value FROM paygate_meta WHERE name = 'mode'"
_SET_MODE = """
INSERT INTO paygate_meta (name, value) VALUES ('mode', :mode) ON CONFLICT DO NOTHING
"""
