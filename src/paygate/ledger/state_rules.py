"""Rules about states: each state must agree with the rows that it follows from."""

from __future__ import annotations

from typing import Final

from paygate.ledger.row_rules import GAPS
from paygate.ledger.rule import Rule
from paygate.ledger.schema_files import SCHEMA

STATE_RULES: Final = (
    Rule(
        "one-soft-claim",
        "at most one payment has a soft claim on an invoice",
        """
        SELECT i.number AS subject, count(DISTINCT c.payment) || ' payments' AS detail
        FROM paygate_item i JOIN paygate_claim c ON c.item = i.id AND c.state = 'soft'
        WHERE i.tenant = :tenant GROUP BY i.id HAVING count(DISTINCT c.payment) > 1
        """,
    ),
    Rule(
        "ended-payments-hold-nothing",
        "an ended payment has claims for at most the money that awaits settlement, unless a "
        "conflict about money that it still holds is unresolved",
        """
        SELECT p.id AS subject, p.status || ' with a live claim' AS detail
        FROM paygate_payment p
        WHERE p.tenant = :tenant
          AND p.status IN ('succeeded', 'declined', 'failed', 'canceled', 'expired')
          AND (p.conflicted = 0 OR 0 >= (
            SELECT max(held) FROM (
              SELECT sum(CASE r.inward WHEN 1 THEN r.amount_minor ELSE -r.amount_minor END) AS held
              FROM paygate_receipt r WHERE r.payment = p.id GROUP BY r.currency) AS by_currency))
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
        "prepayments-are-replaced-by-invoices",
        "a prepayment that was replaced names an invoice with its key, and an open one names none",
        """
        SELECT i.id AS subject, i.status || ', replaced by ' || coalesce(v.number, 'nothing')
          AS detail
        FROM paygate_prepayment d JOIN paygate_item i ON i.id = d.item
        LEFT JOIN paygate_item v ON v.id = d.replaced_by
        WHERE i.tenant = :tenant AND CASE i.status WHEN 'open' THEN v.id IS NOT NULL
          WHEN 'replaced' THEN v.id IS NULL OR v.kind <> 'invoice'
            OR coalesce(v.assignment_key, '') <> i.assignment_key
          WHEN 'void' THEN FALSE ELSE TRUE END
        """,
    ),
    Rule(
        "invoices-have-their-prepayments",
        "no money waits on a prepayment while an invoice with its key is open and not held",
        """
        SELECT i.id AS subject, i.allocated_minor || ' waits, and not on invoice ' || v.number
          AS detail
        FROM paygate_item i JOIN paygate_item v
          ON v.tenant = i.tenant AND v.assignment_key = i.assignment_key AND v.kind = 'invoice'
          AND v.currency = i.currency
        WHERE i.tenant = :tenant AND i.kind = 'prepayment' AND i.status IN ('open', 'replaced')
          AND i.allocated_minor > 0 AND v.status = 'open' AND v.customer = i.customer
          AND v.total_minor - v.allocated_minor - v.written_off_minor - v.claimed_minor > 0
        """,
    ),
    Rule(
        "links-follow-their-items",
        "a payment link is used if nothing of it is open or it was paid as often as it can be, and "
        "active otherwise, unless it was revoked or has expired; what is open of a prepayment that "
        "an invoice has replaced is what is open of the invoice",
        """
        SELECT l.id AS subject, 'it is ' || l.status || '; open: ' || coalesce(o.open, 0)
          || ', paid: ' || coalesce(p.paid, 0) AS detail
        FROM paygate_link l
        LEFT JOIN (
          SELECT x.link, sum(CASE i.status WHEN 'open' THEN i.total_minor - i.allocated_minor
              - i.written_off_minor - i.moved_minor ELSE 0 END) AS open,
            max(CASE WHEN i.kind = 'prepayment' AND i.status = 'void' THEN 1 ELSE 0 END) AS closed
          FROM paygate_link k JOIN paygate_link_item x ON x.link = k.id
            JOIN paygate_item e ON e.id = x.item
            LEFT JOIN paygate_prepayment r ON r.item = e.id AND e.status = 'replaced'
            JOIN paygate_item i ON i.id = coalesce(r.replaced_by, e.id)
          WHERE k.tenant = :tenant AND (k.kind <> 'prepayment' OR x.position = 0)
          GROUP BY x.link) o
          ON o.link = l.id
        LEFT JOIN (
          SELECT link, count(*) AS paid FROM paygate_payment
          WHERE link IS NOT NULL AND received_minor > returned_minor GROUP BY link) p
          ON p.link = l.id
        WHERE l.tenant = :tenant AND l.status IN ('active', 'used')
          AND l.status <> CASE WHEN o.closed = 1 THEN 'revoked'
            WHEN l.kind <> 'balance' AND o.open = 0 OR coalesce(p.paid, 0) >= l.uses THEN 'used'
            ELSE 'active' END
        """,
    ),
    Rule(
        "automatic-payments-are-made-once",
        "an invoice has at most one automatic payment under way, a line of a run at most one that "
        "was sent, and both follow from the payment",
        (
            """
            SELECT i.number AS subject, count(*) || ' automatic payments under way' AS detail
            FROM paygate_autopay_item x JOIN paygate_item i ON i.id = x.item
            WHERE i.tenant = :tenant AND x.outcome = 'live'
            GROUP BY i.id, i.number HAVING count(*) > 1
            """,
            """
            SELECT l.id AS subject, count(DISTINCT x.payment) || ' payments were sent' AS detail
            FROM paygate_autopay_line l JOIN paygate_autopay_item x ON x.line = l.id
            WHERE l.tenant = :tenant AND x.outcome NOT IN ('not_sent', 'refused')
            GROUP BY l.id HAVING count(DISTINCT x.payment) > 1
            """,
            """
            SELECT l.id AS subject, 'its payment ' || l.payment || ' is of another line' AS detail
            FROM paygate_autopay_line l LEFT JOIN paygate_autopay_item x
              ON x.line = l.id AND x.payment = l.payment
            WHERE l.tenant = :tenant AND x.payment IS NULL
            """,
            """
            SELECT p.id AS subject, 'it is ' || p.status || ', but its try is ' || x.outcome
              AS detail
            FROM paygate_autopay_item x JOIN paygate_payment p ON p.id = x.payment
            WHERE p.tenant = :tenant AND (x.outcome = 'live') <> (p.status IN (
              'processing', 'unknown', 'pending', 'requires_action', 'authorized'))
            """,
        ),
    ),
    Rule(
        "automatic-payments-are-agreed-to",
        "an automatic payment has a mandate of its payer, and is not above the ceiling of that",
        """
        SELECT p.id AS subject, CASE WHEN a.id IS NULL THEN 'it has no mandate'
          ELSE p.amount_minor || ' is above the ceiling of ' || a.ceiling_minor END AS detail
        FROM paygate_autopay_line l JOIN paygate_payment p ON p.id = l.payment
        LEFT JOIN paygate_mandate a ON a.id = p.mandate AND a.customer = p.payer
        WHERE l.tenant = :tenant AND l.method IS NOT NULL AND (
          a.id IS NULL OR a.ceiling_minor IS NOT NULL
            AND (a.ceiling_currency <> p.currency OR p.amount_minor > a.ceiling_minor))
        """,
    ),
    Rule(
        "subscriptions-have-mandates",
        "an active subscription has a method that the payer agreed to",
        """
        SELECT s.customer AS subject, 'no method has a mandate' AS detail
        FROM paygate_subscription s
        WHERE s.tenant = :tenant AND s.status = 'active' AND NOT EXISTS (
          SELECT 1 FROM paygate_method m JOIN paygate_mandate a ON a.id = m.mandate
          WHERE m.tenant = s.tenant AND m.customer = s.customer AND m.forgotten_at IS NULL
            AND a.ended_at IS NULL)
        """,
    ),
    Rule(
        "states-follow-from-episodes",
        "a customer has the worst state of their live episodes unless they are terminated, and an "
        "episode the state of the last stage that it has passed",
        (
            """
            SELECT c.id AS subject, 'the state is ' || c.state || ', but the worst of the live '
              || 'episodes is ' || w.worst AS detail
            FROM paygate_customer c LEFT JOIN (
              SELECT e.customer, CASE max(CASE e.state WHEN 'warned' THEN 1 WHEN 'limited' THEN 2
                WHEN 'suspended' THEN 3 WHEN 'terminated' THEN 4 ELSE 0 END)
                WHEN 1 THEN 'warned' WHEN 2 THEN 'limited' WHEN 3 THEN 'suspended'
                WHEN 4 THEN 'terminated' ELSE 'clear' END AS worst
              FROM paygate_episode e WHERE e.tenant = :tenant AND e.ended_on IS NULL
              GROUP BY e.customer) w ON w.customer = c.id
            WHERE c.tenant = :tenant AND c.state <> 'terminated'
              AND c.state <> coalesce(w.worst, 'clear')
            """,
            """
            SELECT e.id AS subject, 'its state is ' || e.state || ', but its last stage is '
              || coalesce(s.state, 'none') AS detail
            FROM paygate_episode e LEFT JOIN paygate_stage s
              ON s.episode = e.id AND s.turn = e.turn AND s.place = (
                SELECT max(x.place) FROM paygate_stage x
                WHERE x.episode = e.id AND x.turn = e.turn)
            WHERE e.tenant = :tenant AND e.state <> CASE
              WHEN e.ended_on IS NOT NULL THEN 'clear' ELSE coalesce(s.state, 'clear') END
            """,
        ),
    ),
    Rule(
        "stages-come-in-order",
        "the stages of an episode have no gaps and come one after the other, and each was reached "
        "while its anchor was overdue",
        (
            """
            SELECT s.episode AS subject, s.name || ' came on ' || s.done_on || ', before '
              || coalesce(b.name || ' on ' || b.done_on, 'its stage before') AS detail
            FROM paygate_stage s JOIN paygate_episode e ON e.id = s.episode
            LEFT JOIN paygate_stage b
              ON b.episode = s.episode AND b.turn = s.turn AND b.place = s.place - 1
            WHERE e.tenant = :tenant AND s.place > 1 AND (b.name IS NULL
              OR s.silent = 0 AND s.done_on <= b.done_on)
            """,
            """
            SELECT e.id AS subject, 'its anchor ' || i.number || ' is '
              || CASE i.disputed WHEN 1 THEN 'disputed' ELSE 'not overdue' END AS detail
            FROM paygate_episode e JOIN paygate_item i ON i.id = e.anchor
            WHERE e.tenant = :tenant AND e.ended_on IS NULL AND (i.disputed = 1 OR i.overdue IS NULL
              OR i.status <> 'open' OR i.total_minor - i.allocated_minor - i.written_off_minor <= 0)
            """,
        ),
    ),
    Rule(
        "promises-end",
        "an open promise is of a live episode",
        """
        SELECT p.id AS subject, 'its episode ended on ' || e.ended_on AS detail
        FROM paygate_promise p JOIN paygate_episode e ON e.id = p.episode
        WHERE p.tenant = :tenant AND p.status = 'open' AND e.ended_on IS NOT NULL
        """,
    ),
    Rule(
        "documents-have-their-files",
        "each document of an invoice, and each logo, has its file; an invoice has the letterhead "
        "that it names",
        """
        SELECT d.item AS subject, 'the file of ' || d.name || ' is missing' AS detail
        FROM paygate_document d
        LEFT JOIN paygate_file f ON f.tenant = d.tenant AND f.digest = d.digest
        WHERE d.tenant = :tenant AND f.digest IS NULL
        UNION ALL
        SELECT 'letterhead ' || h.version, 'its logo is missing' FROM paygate_letterhead h
        LEFT JOIN paygate_file f ON f.tenant = h.tenant AND f.digest = h.logo
        WHERE h.tenant = :tenant AND h.logo IS NOT NULL AND f.digest IS NULL
        UNION ALL
        SELECT d.item, 'there is no letterhead ' || d.letterhead FROM paygate_invoice d
        LEFT JOIN paygate_letterhead h ON h.tenant = d.tenant AND h.version = d.letterhead
        WHERE d.tenant = :tenant AND d.letterhead IS NOT NULL AND h.version IS NULL
        """,
    ),
    Rule(
        "links-end",
        "a payment link that can be paid is due when it expires; another one is due only while "
        "pages of it are to be withdrawn",
        """
        SELECT l.id AS subject, 'it is ' || l.status || ', expires '
          || coalesce(l.expires_at, 'never') || ', and is due ' || coalesce(l.end_at, 'never')
          AS detail
        FROM paygate_link l
        WHERE l.tenant = :tenant AND (l.status = 'active'
            AND coalesce(l.end_at, '') <> coalesce(l.expires_at, '')
          OR l.status = 'expired' AND l.expires_at IS NULL)
        """,
    ),
    Rule(
        "links-have-their-tokens",
        "each payment link has its latest token, and its items are marked",
        """
        SELECT l.id AS subject, 'its token number ' || l.generation || ' is missing' AS detail
        FROM paygate_link l
        LEFT JOIN paygate_page_token t ON t.tenant = l.tenant AND t.kind = 'link'
          AND t.subject = l.id AND t.generation = l.generation AND t.key_id = l.key_id
        WHERE l.tenant = :tenant AND t.digest IS NULL
        UNION ALL
        SELECT i.id, 'linked is ' || i.linked FROM paygate_item i
        LEFT JOIN (SELECT DISTINCT item FROM paygate_link_item) x ON x.item = i.id
        WHERE i.tenant = :tenant AND i.linked <> CASE WHEN x.item IS NULL THEN 0 ELSE 1 END
        """,
    ),
    Rule(
        "open-pages-hold-nothing",
        "a payment that waits for its payer has no hard claim, unless it is being completed",
        """
        SELECT p.id AS subject, 'it has a hard claim, but is not being completed' AS detail
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
        "an ended payment whose money is pending after all has a next check, or is under review",
        """
        SELECT id AS subject, state || ' and pending, without a next check' AS detail
        FROM paygate_attempt
        WHERE tenant = :tenant AND late_pending = 1
          AND next_check_at IS NULL AND needs_review = 0
        """,
    ),
    Rule(
        "disputes-are-marked",
        "an invoice or payment is marked as disputed if it has a chargeback that is not won",
        """
        SELECT i.number AS subject, 'disputed is ' || i.disputed AS detail FROM paygate_item i
        LEFT JOIN (
          SELECT DISTINCT c.item FROM paygate_chargeback_item c
          JOIN paygate_chargeback k ON k.id = c.chargeback AND k.state <> 'won') s ON s.item = i.id
        WHERE i.tenant = :tenant AND i.disputed <> CASE WHEN s.item IS NULL THEN 0 ELSE 1 END
        UNION ALL
        SELECT p.id, 'disputed is ' || p.disputed FROM paygate_payment p
        LEFT JOIN (
          SELECT DISTINCT payment FROM paygate_chargeback WHERE state <> 'won') s
          ON s.payment = p.id
        WHERE p.tenant = :tenant AND p.disputed <> CASE WHEN s.payment IS NULL THEN 0 ELSE 1 END
        """,
    ),
    Rule(
        "held-in-proportion",
        "a payment that was seen only in part has hard claims for no more than that part",
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
        "the secret of an action is encrypted, and is deleted with the action",
        """
        SELECT id AS subject, 'the secret of its action is ' ||
          CASE WHEN action IS NULL THEN 'not deleted' ELSE 'plain text or unreadable' END
          AS detail
        FROM paygate_attempt
        WHERE tenant = :tenant AND CASE
          WHEN action IS NULL THEN action_secret_encrypted IS NOT NULL
          WHEN NOT json_valid(action) THEN TRUE
          ELSE coalesce(json_extract(action, '$.token'), json_extract(action, '$.client_secret'))
            IS NOT NULL END
        """,
    ),
    Rule(
        "returned-at-most-received",
        "no more was returned than was received or approved in a review, unless the payment is "
        "under review (I10)",
        """
        SELECT id AS subject, returned_minor || ' of ' || received_minor AS detail
        FROM paygate_payment
        WHERE tenant = :tenant AND returned_minor > received_minor AND needs_review = 0
          AND returned_minor > (SELECT coalesce(max(v.returned_minor), 0) FROM paygate_review v
                                WHERE v.payment = paygate_payment.id AND v.reason <> '')
        """,
    ),
    Rule(
        "status-follows-attempt",
        "the status of a payment follows from its charge or authorization; one that was recorded "
        "by hand or paid from credit has succeeded",
        """
        SELECT p.id AS subject, p.status || ', but its charge is ' || a.state AS detail
        FROM paygate_payment p
        JOIN paygate_attempt a ON a.payment = p.id AND a.operation = 'charge'
        WHERE p.tenant = :tenant AND p.status <>
          CASE a.state WHEN 'sending' THEN 'processing' WHEN 'pending' THEN 'processing'
          ELSE a.state END
        UNION ALL
        SELECT p.id, p.status || ', but its authorization is ' || a.state || ', with '
          || p.collected_minor || ' captured'
        FROM paygate_payment p
        JOIN paygate_attempt a ON a.payment = p.id AND a.operation = 'authorize'
        WHERE p.tenant = :tenant AND p.status <> CASE
          WHEN a.state IN ('sending', 'pending') THEN 'processing'
          WHEN a.state IN ('unknown', 'requires_action', 'authorized') THEN a.state
          WHEN p.collected_minor > 0 THEN 'succeeded'
          WHEN a.state = 'succeeded' AND p.status = 'succeeded' THEN 'succeeded'
          WHEN a.state = 'succeeded' THEN 'canceled'
          ELSE a.state END
        UNION ALL
        SELECT p.id, p.status || ', but nothing was sent to a gateway' FROM paygate_payment p
        WHERE p.tenant = :tenant AND p.status <> 'succeeded' AND NOT EXISTS (
          SELECT 1 FROM paygate_attempt a
          WHERE a.payment = p.id AND a.operation IN ('charge', 'authorize'))
        """,
    ),
    Rule(
        "operations-add-up",
        "the amounts being captured and refunded are the sums of the attempts in progress",
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
        "no more is captured, or being captured, than was authorized or approved in a review, "
        "unless the payment is under review or all of its money was returned",
        """
        SELECT p.id AS subject,
          p.collected_minor || ' + ' || p.capturing_minor || ' of ' || p.authorized_minor AS detail
        FROM paygate_payment p
        WHERE p.tenant = :tenant AND p.needs_review = 0
          AND p.collected_minor + p.capturing_minor > p.authorized_minor
          AND p.received_minor > p.returned_minor
          AND p.collected_minor + p.capturing_minor > (
            SELECT coalesce(max(v.collected_minor), 0) FROM paygate_review v
            WHERE v.payment = p.id AND v.reason <> '')
          AND EXISTS (SELECT 1 FROM paygate_attempt a WHERE a.payment = p.id
                      AND a.operation = 'capture')
        """,
    ),
    Rule(
        "unknown-outcomes-are-followed-up",
        "an attempt whose outcome is unknown has a next check, or is flagged for manual review",
        """
        SELECT id AS subject, state || ' without a next check' AS detail FROM paygate_attempt
        WHERE tenant = :tenant AND state IN ('sending', 'unknown')
          AND next_check_at IS NULL AND needs_review = 0
        """,
    ),
    Rule(
        "settlement-is-followed-up",
        "accepted money with a time limit for its settlement has a settlement check, or was "
        "flagged",
        """
        SELECT p.id AS subject, 'it has no settlement check' AS detail
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
        "refunds-are-followed-up",
        "an accepted refund with a time limit for its settlement has a settlement check, or was "
        "flagged",
        """
        SELECT p.id AS subject, 'it has no settlement check for refund ' || r.id AS detail
        FROM paygate_receipt r
        JOIN paygate_payment p ON p.id = r.payment
        JOIN paygate_attempt a ON a.id = r.attempt AND a.operation = 'refund'
        WHERE r.tenant = :tenant AND r.kind = 'refund' AND r.in_transit_minor < 0
          AND p.settles_within_s IS NOT NULL AND p.settle_check_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM paygate_review w
                          WHERE w.payment = p.id AND w.cause = 'refund-unsettled:' || r.id)
          AND NOT EXISTS (SELECT 1 FROM paygate_receipt b WHERE b.payment = p.id
                          AND (b.kind IN ('charge', 'capture') AND b.in_transit_minor <> 0
                               OR b.kind IN ('refund_failed', 'undone')
                               AND coalesce(b.undoes, b.movement_id) = r.movement_id))
        """,
    ),
    Rule(
        "events-have-no-gaps",
        "the events of each aggregate are numbered 1, 2, 3 … (I7)",
        """
        SELECT aggregate AS subject, count(*) || ' events, the last is ' || max(seq) AS detail
        FROM paygate_outbox WHERE tenant = :tenant
        GROUP BY aggregate HAVING count(*) <> max(seq) OR min(seq) <> 1
        """,
    ),
    Rule(
        "voids-are-posted",
        "an invoice is void if its voiding was posted, open if it was issued, and a draft or a "
        "void draft otherwise; a prepayment is closed if there is an event of that",
        """
        SELECT i.number AS subject, i.kind || ' is ' || i.status AS detail
        FROM paygate_item i LEFT JOIN (
          SELECT item, max(CASE WHEN entry = item THEN 1 ELSE 2 END) AS stage FROM paygate_posting
          WHERE tenant = :tenant AND (entry = item OR entry = 'void:' || item)
          GROUP BY item) v ON v.item = i.id
        WHERE i.tenant = :tenant AND i.kind = 'invoice'
          AND CASE v.stage WHEN 1 THEN i.status <> 'open' WHEN 2 THEN i.status <> 'void'
            ELSE i.status NOT IN ('draft', 'void') END
        UNION ALL
        SELECT i.id, i.kind || ' is ' || i.status FROM paygate_item i
        WHERE i.tenant = :tenant AND i.kind = 'prepayment'
          AND (i.status = 'void') <> EXISTS (
            SELECT 1 FROM paygate_outbox o WHERE o.tenant = i.tenant AND o.aggregate = i.id
              AND o.type = 'prepayment.closed')
        """,
        cheap=False,
    ),
    Rule(
        "reviews-are-flagged",
        "a payment is flagged exactly while it has a conflict, an open cause or a flagged attempt",
        """
        SELECT p.id AS subject, 'needs_review is ' || p.needs_review AS detail
        FROM paygate_payment p
        WHERE p.tenant = :tenant AND p.needs_review <> CASE WHEN p.conflicted <> 0
          OR EXISTS (SELECT 1 FROM paygate_review v WHERE v.payment = p.id AND v.ended_at IS NULL)
          OR EXISTS (SELECT 1 FROM paygate_attempt a
                     WHERE a.payment = p.id AND a.needs_review = 1) THEN 1 ELSE 0 END
        UNION ALL
        SELECT p.id, 'conflicted is ' || p.conflicted || ', but it has unallocated money'
        FROM paygate_payment p
        WHERE p.tenant = :tenant AND p.conflicted NOT IN (0, 1)
          OR p.tenant = :tenant AND p.conflicted = 0 AND p.needs_review = 0 AND EXISTS (
          SELECT 1 FROM paygate_receipt r WHERE r.payment = p.id AND r.unallocated_minor <> 0)
        UNION ALL
        SELECT p.id, 'conflicted is 1, but there is no event' FROM paygate_payment p
        WHERE p.tenant = :tenant AND p.conflicted = 1 AND NOT EXISTS (
          SELECT 1 FROM paygate_outbox o WHERE o.tenant = p.tenant AND o.aggregate = p.id
            AND o.type = 'payment.conflicted')
        """,
        cheap=False,
    ),
    Rule(
        "callbacks-are-followed-up",
        "a new callback has a next try; one that has ended has none, and has the time it ended",
        """
        SELECT id AS subject, state || ', next try ' || coalesce(next_try_at, 'never')
          || ', applied ' || coalesce(applied_at, 'never') AS detail
        FROM paygate_inbox
        WHERE tenant = :tenant AND (
          state NOT IN ('new', 'applied', 'ignored', 'orphan', 'failed', 'conflicted', 'dismissed')
          OR (state = 'dismissed') <> (dismissed_by <> '')
          OR (state = 'dismissed') <> (dismissed_for <> '')
          OR (state = 'new') <> (next_try_at IS NOT NULL)
          OR (state IN ('new', 'conflicted')) <> (applied_at IS NULL)
          OR times < 1 OR tries < 0)
        """,
    ),
    Rule(
        "holds-follow-refunds",
        "credit is held for a refund exactly while the refund is in progress",
        """
        SELECT h.attempt AS subject, h.state || ' for a refund that is ' || a.state AS detail
        FROM paygate_hold h JOIN paygate_attempt a ON a.id = h.attempt
        WHERE a.tenant = :tenant AND (h.state = 'held') <> (
          a.state IN ('sending', 'unknown', 'pending', 'requires_action'))
        """,
    ),
    Rule(
        "reversals-match-payments",
        "a payment and its reversal refer to each other until the reversal is undone",
        """
        SELECT p.id AS subject, 'it does not name its reversal ' || v.id AS detail
        FROM paygate_reversal v JOIN paygate_payment p ON p.id = v.payment
        WHERE v.tenant = :tenant AND v.undone_at IS NULL AND p.reversal IS NOT v.id
        UNION ALL
        SELECT p.id, 'its reversal ' || p.reversal || ' is missing, undone, or of another payment'
        FROM paygate_payment p LEFT JOIN paygate_reversal v ON v.id = p.reversal
        WHERE p.tenant = :tenant AND p.reversal IS NOT NULL
          AND (v.payment IS NOT p.id OR v.undone_at IS NOT NULL)
        """,
    ),
    Rule(
        "money-goes-back-once",
        "the money of a payment that a clerk reversed was not sent back as well, unless it is "
        "under review or a person has looked",
        """
        SELECT p.id AS subject, 'it was reversed by ' || p.reversal || ', and ' || r.kind || ' '
          || r.movement_id || ' sent money back' AS detail
        FROM paygate_payment p JOIN paygate_receipt r ON r.payment = p.id
        WHERE p.tenant = :tenant AND p.reversal IS NOT NULL AND p.needs_review = 0
          AND r.kind IN ('refund', 'void')
          AND EXISTS (SELECT 1 FROM paygate_receipt b
                      WHERE b.payment = p.id AND b.kind = 'reversal'
                        AND b.movement_id LIKE p.reversal || ':%')
          AND p.returned_minor > (SELECT coalesce(max(v.returned_minor), 0) FROM paygate_review v
                                  WHERE v.payment = p.id AND v.reason <> '')
          AND r.amount_minor > (
            SELECT coalesce(sum(u.amount_minor), 0) FROM paygate_receipt u
            WHERE u.payment = p.id AND u.kind IN ('refund_failed', 'undone')
              AND coalesce(u.undoes, u.movement_id) = r.movement_id)
        """,
    ),
    Rule(
        "one-default-method",
        "a customer has at most one default method, and it was not forgotten",
        """
        SELECT customer AS subject, count(*) || ' methods are the default' AS detail
        FROM paygate_method WHERE tenant = :tenant AND is_default = 1
        GROUP BY customer HAVING count(*) > 1
        UNION ALL
        SELECT id, 'it is the default, and was forgotten' FROM paygate_method
        WHERE tenant = :tenant AND is_default = 1 AND forgotten_at IS NOT NULL
        """,
    ),
    Rule(
        "settlements-are-posted",
        "the settled amount and the fee of a receipt equal its postings",
        """
        SELECT receipt AS subject,
          ledger_account || ' ' || sum(stored) || ' ' || currency || ', postings say '
          || sum(posted) AS detail
        FROM (
          SELECT id AS receipt, 'fees' AS ledger_account, fee_currency AS currency,
            fee_minor AS stored, 0 AS posted
          FROM paygate_receipt WHERE tenant = :tenant AND fee_minor IS NOT NULL
          UNION ALL
          SELECT id, 'settled', settled_currency,
            CASE inward WHEN 1 THEN settled_minor ELSE -settled_minor END, 0
          FROM paygate_receipt WHERE tenant = :tenant AND settled_minor IS NOT NULL
          UNION ALL
          SELECT receipt, ledger_account, currency, 0, amount_minor FROM paygate_posting
          WHERE tenant = :tenant AND ledger_account IN ('fees', 'settled')
            -- Its own receipt is what was reversed; a reversal of a transfer is posted to settled.
            AND entry NOT IN (SELECT id FROM paygate_reversal)
            AND receipt IN (
            SELECT id FROM paygate_receipt
            WHERE settled_minor IS NOT NULL OR fee_minor IS NOT NULL)) AS sides
        GROUP BY receipt, ledger_account, currency HAVING sum(stored) <> sum(posted)
        """,
        cheap=False,
    ),
    Rule(
        "write-offs-are-posted",
        "every write-off is posted to its account in full",
        """
        SELECT w.id AS subject, w.amount_minor || ' to ' || w.ledger_account
          || ' is not posted' AS detail
        FROM paygate_write_off w LEFT JOIN paygate_posting p
          ON p.entry = w.id AND p.ledger_account = w.ledger_account
          AND p.amount_minor = w.amount_minor
        WHERE w.tenant = :tenant AND p.id IS NULL
        """,
        cheap=False,
    ),
    Rule(
        "numbers-are-counted",
        "the sequence of reversals equals the number of reversals, each series of invoices has "
        "the numbers 1, 2, 3 … without a gap, and the count of addresses covers the last one that "
        "was issued or paid to",
        """
        SELECT coalesce(s.name, 'reversal') AS subject,
          'counted to ' || coalesce(s.value, 0) || ', but ' || v.given || ' were issued' AS detail
        FROM (SELECT count(*) AS given FROM paygate_reversal
              WHERE tenant = :tenant AND counted = 1) v
        LEFT JOIN paygate_sequence s ON s.tenant = :tenant AND s.name = 'reversal'
        WHERE coalesce(s.value, 0) <> v.given
        UNION ALL
        SELECT name, 'a sequence with this name is not used' FROM paygate_sequence
        WHERE tenant = :tenant AND name <> 'reversal' AND name NOT LIKE 'invoice:%'
        UNION ALL
        SELECT name, 'counted to ' || max(value) || ', but ' || sum(given) || ' were given, the '
          || 'last of them ' || max(place)
        FROM (
          SELECT name, value, 0 AS given, 0 AS place FROM paygate_sequence
          WHERE tenant = :tenant AND name LIKE 'invoice:%'
          UNION ALL
          SELECT 'invoice:' || series || ':' || period, 0, 1, place FROM paygate_invoice
          WHERE tenant = :tenant AND series <> '') AS numbers
        GROUP BY name HAVING max(value) <> sum(given) OR max(value) <> max(place)
        UNION ALL
        SELECT p.source, 'counted to ' || coalesce(c.allotted, 0) || ', but address ' || p.last
          || ' was issued'
        FROM (SELECT source, max(number) AS last FROM paygate_address GROUP BY source) p
        LEFT JOIN paygate_address_count c ON c.source = p.source
        WHERE coalesce(c.allotted, 0) <> max(p.last, coalesce(c.reached, -1)) + 1 OR c.reached < -1
        """,
        cheap=False,
    ),
    Rule(
        "mode-agrees",
        "a live ledger has no test payments, and the reverse; the ledger has the schema of this "
        "version, and its stop of sending agrees with its events",
        f"""
        SELECT a.id AS subject, 'livemode is ' || a.livemode || ', but the ledger is for '
          || m.value || ' payments' AS detail
        FROM paygate_attempt a JOIN paygate_meta m ON m.name = 'mode'
        WHERE a.tenant = :tenant AND a.livemode <> CASE m.value WHEN 'live' THEN 1 ELSE 0 END
        UNION ALL
        SELECT name, 'the name or its value is not valid: ' || value
        FROM paygate_meta
        WHERE CASE name WHEN 'schema' THEN value <> '{SCHEMA}'
          WHEN 'mode' THEN value NOT IN ('live', 'test')
          WHEN 'sending_stopped' THEN NOT json_valid(value)
          WHEN '{GAPS}' THEN NOT json_valid(value) ELSE TRUE END
        UNION ALL
        SELECT 'mode', 'it is missing, but there are attempts'
        WHERE EXISTS (SELECT 1 FROM paygate_attempt)
          AND NOT EXISTS (SELECT 1 FROM paygate_meta WHERE name = 'mode')
        UNION ALL
        SELECT 'schema', 'it is missing'
        WHERE NOT EXISTS (SELECT 1 FROM paygate_meta WHERE name = 'schema')
        UNION ALL
        SELECT 'sending_stopped', 'it disagrees with the last event' FROM (
          SELECT type, occurred_at FROM paygate_outbox
          WHERE type IN ('ledger.sending_stopped', 'ledger.sending_resumed')
          ORDER BY rowid DESC LIMIT 1) o
        LEFT JOIN paygate_meta m ON m.name = 'sending_stopped'
        WHERE CASE o.type WHEN 'ledger.sending_resumed' THEN m.name IS NOT NULL
          ELSE m.name IS NULL OR o.occurred_at IS NOT json_extract(
            CASE WHEN json_valid(m.value) THEN m.value END, '$.since') END
        UNION ALL
        SELECT 'sending_stopped', 'it has no event' FROM paygate_meta
        WHERE name = 'sending_stopped' AND NOT EXISTS (
          SELECT 1 FROM paygate_outbox WHERE type = 'ledger.sending_stopped')
        """,
        cheap=False,
    ),
)
"""The rules about states."""
