"""Rules about states: what stands somewhere follows from what stands elsewhere."""

from __future__ import annotations

from typing import Final

from paygate.ledger.rule import Rule

STANDINGS: Final = (
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
          CASE WHEN action IS NULL THEN 'still there' ELSE 'plain text, or cannot be read' END
          AS detail
        FROM paygate_attempt
        WHERE tenant = :tenant AND CASE
          WHEN action IS NULL THEN action_secret_encrypted IS NOT NULL
          WHEN NOT json_valid(action) THEN 1
          ELSE coalesce(json_extract(action, '$.token'), json_extract(action, '$.client_secret'))
            IS NOT NULL END
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
"""Each state against the rows that it follows from."""
