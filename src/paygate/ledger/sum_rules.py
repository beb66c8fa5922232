"""Rules about sums: every stored balance is rebuilt from its rows and compared."""

from __future__ import annotations

from typing import Final

from paygate.ledger.rule import Rule

SUM_RULES: Final = (
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
        "the open amount of an invoice is the sum of its receivable postings",
        """
        SELECT max(subject) AS subject,
          'stored ' || sum(stored) || ', postings say ' || sum(found) AS detail
        FROM (
          SELECT id, number AS subject, CASE WHEN status IN ('void', 'draft') THEN 0 ELSE
            total_minor - allocated_minor - written_off_minor END AS stored, 0 AS found
          FROM paygate_item WHERE tenant = :tenant AND kind = 'invoice'
          UNION ALL
          SELECT item, NULL, 0, amount_minor FROM paygate_posting
          WHERE ledger_account = 'receivable' AND item IS NOT NULL) AS sides
        GROUP BY id HAVING sum(stored) <> sum(found) AND max(subject) IS NOT NULL
        """,
    ),
    Rule(
        "prepayment-rebuilds",
        "the money on a prepayment, and the money that moved off it, are the sums of its postings",
        """
        SELECT max(subject) AS subject,
          'stored less posted: ' || sum(waiting) || ' waiting, ' || sum(moved) || ' moved' AS detail
        FROM (
          SELECT id, number AS subject,
            CASE kind WHEN 'prepayment' THEN allocated_minor ELSE 0 END AS waiting,
            moved_minor AS moved
          FROM paygate_item WHERE tenant = :tenant
          UNION ALL
          SELECT item, NULL, amount_minor,
            CASE WHEN entry LIKE 'assigned:%' OR entry LIKE 'void:%' THEN -amount_minor ELSE 0 END
          FROM paygate_posting
          WHERE ledger_account = 'prepayment' AND item IS NOT NULL) AS sides
        GROUP BY id
        HAVING (sum(waiting) <> 0 OR sum(moved) <> 0) AND max(subject) IS NOT NULL
        """,
    ),
    Rule(
        "items-have-their-account",
        "what is posted on an invoice is receivable, and what is posted on a prepayment is not",
        """
        SELECT p.entry AS subject, 'posted to ' || p.ledger_account || ' on a ' || i.kind AS detail
        FROM paygate_posting p JOIN paygate_item i ON i.id = p.item
        WHERE p.tenant = :tenant
          AND CASE p.ledger_account WHEN 'receivable' THEN i.kind <> 'invoice'
            WHEN 'prepayment' THEN i.kind <> 'prepayment' ELSE FALSE END
        """,
    ),
    Rule(
        "assignments-match",
        "money of a prepayment is on invoices of its customer with its assignment key, and was "
        "assigned to them; the key belongs to that customer",
        (
            """
            SELECT a.id AS subject, 'it takes money of prepayment ' || p.id || ' to ' || i.number
              AS detail
            FROM paygate_allocation a JOIN paygate_item p ON p.id = a.prepayment
            JOIN paygate_item i ON i.id = a.item
            WHERE a.tenant = :tenant AND (p.kind <> 'prepayment' OR i.kind <> 'invoice'
              OR p.customer <> i.customer OR i.assignment_key IS NULL
              OR p.assignment_key <> i.assignment_key)
            """,
            """
            SELECT i.id AS subject, 'invoices have ' || sum(a.amount_minor) || ' of it, and '
              || (i.moved_minor - i.credited_minor) || ' were assigned' AS detail
            FROM paygate_item i JOIN paygate_allocation a ON a.prepayment = i.id
            WHERE i.tenant = :tenant
            GROUP BY i.id, i.moved_minor, i.credited_minor
            HAVING sum(a.amount_minor) > i.moved_minor - i.credited_minor
            """,
            """
            SELECT i.number AS subject, 'its assignment key belongs to '
              || coalesce(k.customer, 'nobody') AS detail
            FROM paygate_item i LEFT JOIN paygate_assignment_key k
              ON k.tenant = i.tenant AND k.currency = i.currency AND k.key = i.assignment_key
            WHERE i.tenant = :tenant AND i.assignment_key IS NOT NULL
              AND (k.customer IS NULL OR k.customer <> i.customer)
            """,
        ),
    ),
    Rule(
        "credit-rebuilds",
        "the remaining amount of a credit is the sum of its postings",
        """
        SELECT max(subject) AS subject,
          'stored ' || sum(stored) || ', postings say ' || sum(found) AS detail
        FROM (
          SELECT id, id AS subject, amount_minor - used_minor - canceled_minor AS stored, 0 AS found
          FROM paygate_credit WHERE tenant = :tenant
          UNION ALL
          SELECT credit, NULL, 0, -amount_minor FROM paygate_posting
          WHERE ledger_account = 'customer_credit' AND credit IS NOT NULL) AS sides
        GROUP BY id HAVING sum(stored) <> sum(found) AND max(subject) IS NOT NULL
        """,
    ),
    Rule(
        "suspense-rebuilds",
        "the unallocated amount of a receipt is the sum of its suspense postings",
        """
        SELECT max(subject) AS subject,
          'stored ' || sum(stored) || ', postings say ' || sum(found) AS detail
        FROM (
          SELECT id, id AS subject, unallocated_minor AS stored, 0 AS found
          FROM paygate_receipt WHERE tenant = :tenant
          UNION ALL
          SELECT receipt, NULL, 0, -amount_minor FROM paygate_posting
          WHERE ledger_account = 'suspense' AND receipt IS NOT NULL) AS sides
        GROUP BY id HAVING sum(stored) <> sum(found) AND max(subject) IS NOT NULL
        """,
    ),
    Rule(
        "suspense-is-held",
        "the unallocated amount of a payment is at most the money that it still holds; without a "
        "customer it may be negative, by at most the money returned in excess",
        """
        SELECT payment || ' ' || currency AS subject,
          sum(unallocated_minor) || ' is unallocated, but it holds '
          || sum(CASE inward WHEN 1 THEN amount_minor ELSE -amount_minor END) AS detail
        FROM paygate_receipt WHERE tenant = :tenant AND payment IS NOT NULL
        GROUP BY payment, currency, customer
        HAVING sum(unallocated_minor) > max(0,
            sum(CASE inward WHEN 1 THEN amount_minor ELSE -amount_minor END))
          OR sum(unallocated_minor) < CASE customer WHEN '' THEN min(0,
            sum(CASE inward WHEN 1 THEN amount_minor ELSE -amount_minor END)) ELSE 0 END
        """,
    ),
    Rule(
        "one-currency",
        "an allocation, credit, write-off or posting has the currency of its receipt, credit and "
        "invoice",
        """
        SELECT a.id AS subject, 'an allocation in ' || a.currency || ' to an invoice in '
          || i.currency || ', of money in ' || coalesce(r.currency, c.currency) AS detail
        FROM paygate_allocation a JOIN paygate_item i ON i.id = a.item
        LEFT JOIN paygate_receipt r ON r.id = a.receipt
        LEFT JOIN paygate_credit c ON c.id = a.credit
        WHERE a.tenant = :tenant
          AND (a.currency <> i.currency OR a.currency <> coalesce(r.currency, c.currency))
        UNION ALL
        SELECT c.id, 'a credit in ' || c.currency || ', of money in ' || r.currency
        FROM paygate_credit c JOIN paygate_receipt r ON r.id = c.receipt
        WHERE c.tenant = :tenant AND c.currency <> r.currency
        UNION ALL
        SELECT w.id, 'a write-off in ' || w.currency || ' of an invoice in ' || i.currency
        FROM paygate_write_off w JOIN paygate_item i ON i.id = w.item
        WHERE w.tenant = :tenant AND w.currency <> i.currency
        UNION ALL
        SELECT p.entry, 'a posting in ' || p.currency || ' to an invoice or credit in '
          || coalesce(i.currency, c.currency)
        FROM paygate_posting p
        LEFT JOIN paygate_item i ON i.id = p.item
        LEFT JOIN paygate_credit c ON c.id = p.credit
        WHERE p.tenant = :tenant
          AND (p.currency <> i.currency OR p.currency <> c.currency)
        """,
    ),
    Rule(
        "void-invoices-sum-to-zero",
        "a void invoice sums to zero on every account, and has no posting after it was voided",
        """
        SELECT i.number AS subject, p.ledger_account || ' sums to ' || sum(p.amount_minor) AS detail
        FROM paygate_item i JOIN paygate_posting p ON p.item = i.id
        WHERE i.tenant = :tenant AND i.status = 'void'
        GROUP BY i.id, p.ledger_account HAVING sum(p.amount_minor) <> 0
        UNION ALL
        SELECT i.number, 'entry ' || p.entry || ' was posted after it was voided'
        FROM paygate_item i JOIN paygate_posting p ON p.item = i.id
        WHERE i.tenant = :tenant AND i.status = 'void' AND p.id > (
          SELECT max(v.id) FROM paygate_posting v
          WHERE v.item = i.id AND v.entry = 'void:' || i.id)
        """,
    ),
    Rule(
        "awaiting-rebuilds",
        "the amount of a receipt that awaits settlement is the sum of its postings",
        """
        SELECT max(subject) AS subject,
          'stored ' || sum(stored) || ', postings say ' || sum(found) AS detail
        FROM (
          SELECT id, id AS subject, awaiting_minor AS stored, 0 AS found
          FROM paygate_receipt WHERE tenant = :tenant
          UNION ALL
          SELECT receipt, NULL, 0, -amount_minor FROM paygate_posting
          WHERE ledger_account = 'awaiting' AND receipt IS NOT NULL) AS sides
        GROUP BY id HAVING sum(stored) <> sum(found) AND max(subject) IS NOT NULL
        """,
    ),
    Rule(
        "in-transit-rebuilds",
        "the amount of a payment in transit is the sum of its postings",
        """
        SELECT payment AS subject,
          'stored ' || sum(stored) || ' ' || currency || ', postings say ' || sum(posted) AS detail
        FROM (
          SELECT payment, currency, in_transit_minor AS stored, 0 AS posted
          FROM paygate_receipt WHERE tenant = :tenant AND payment IS NOT NULL
          UNION ALL
          SELECT payment, currency, 0, amount_minor
          FROM paygate_posting
          WHERE tenant = :tenant AND ledger_account = 'in_transit' AND payment IS NOT NULL
        ) AS sides
        GROUP BY payment, currency HAVING sum(stored) <> sum(posted)
        """,
    ),
    Rule(
        "allocated-adds-up",
        "the allocated amount of an invoice is the sum of its allocations",
        """
        SELECT max(subject) AS subject,
          'stored ' || sum(stored) || ', allocations say ' || sum(found) AS detail
        FROM (
          SELECT id, number AS subject, allocated_minor AS stored, 0 AS found
          FROM paygate_item WHERE tenant = :tenant
          UNION ALL
          SELECT item, NULL, 0, amount_minor FROM paygate_allocation) AS sides
        GROUP BY id HAVING sum(stored) <> sum(found) AND max(subject) IS NOT NULL
        """,
    ),
    Rule(
        "written-off-adds-up",
        "the written-off amount of an invoice is the sum of its write-offs that were not undone",
        """
        SELECT max(subject) AS subject,
          'stored ' || sum(stored) || ', write-offs say ' || sum(found) AS detail
        FROM (
          SELECT id, number AS subject, written_off_minor AS stored, 0 AS found
          FROM paygate_item WHERE tenant = :tenant
          UNION ALL
          SELECT item, NULL, 0, amount_minor FROM paygate_write_off WHERE undone_at IS NULL
        ) AS sides
        GROUP BY id HAVING sum(stored) <> sum(found) AND max(subject) IS NOT NULL
        """,
    ),
    Rule(
        "claims-add-up",
        "the claimed amount of an invoice is the sum of its hard claims",
        """
        SELECT max(subject) AS subject,
          'stored ' || sum(stored) || ', claims say ' || sum(found) AS detail
        FROM (
          SELECT id, number AS subject, claimed_minor AS stored, 0 AS found
          FROM paygate_item WHERE tenant = :tenant
          UNION ALL
          SELECT item, NULL, 0, amount_minor FROM paygate_claim WHERE state = 'hard') AS sides
        GROUP BY id HAVING sum(stored) <> sum(found) AND max(subject) IS NOT NULL
        """,
    ),
    Rule(
        "credit-reserved-adds-up",
        "the reserved amount of a credit is the sum of the claims and refunds that hold it",
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
        "the used amount of a credit is the sum of its allocations",
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
        "money received less money returned equals allocations, credit, and money that is "
        "unallocated or awaits settlement (I4)",
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
          SELECT customer, currency, 0, amount_minor - used_minor - canceled_minor
          FROM paygate_credit WHERE tenant = :tenant) AS sides
        GROUP BY customer, currency HAVING sum(received) <> sum(accounted)
        """,
    ),
    Rule(
        "bank-lines-are-posted-once",
        "the money of each line of a bank account is posted to the bank once",
        """
        SELECT max(subject) AS subject,
          'the line has ' || sum(stored) || ', postings say ' || sum(found) AS detail
        FROM (
          SELECT id, id AS subject, amount_minor AS stored, 0 AS found
          FROM paygate_bank_line WHERE tenant = :tenant
          UNION ALL
          SELECT entry, NULL, 0, amount_minor FROM paygate_posting
          WHERE tenant = :tenant AND ledger_account = 'bank' AND entry NOT LIKE 'bank:%') AS sides
        GROUP BY id HAVING sum(stored) <> sum(found)
        """,
    ),
    Rule(
        "bank-opening-rebuilds",
        "the balances of bank accounts before their first statement are the sums of their postings",
        """
        SELECT currency AS subject,
          'stored ' || sum(stored) || ', postings say ' || sum(found) AS detail
        FROM (
          SELECT currency, coalesce(opening_minor, 0) AS stored, 0 AS found
          FROM paygate_bank_account WHERE tenant = :tenant
          UNION ALL
          SELECT currency, 0, -amount_minor FROM paygate_posting
          WHERE tenant = :tenant AND ledger_account = 'opening') AS sides
        GROUP BY currency HAVING sum(stored) <> sum(found)
        """,
    ),
    Rule(
        "bank-lines-are-explained",
        "what explains a line of a bank account adds up to it, and nothing explains an open one",
        """
        SELECT l.id AS subject, 'it is ' || l.state || ' and has ' || l.amount_minor
          || ', but its matches have ' || coalesce(sum(m.amount_minor), 0) AS detail
        FROM paygate_bank_line l
        LEFT JOIN paygate_bank_match m ON m.line = l.id AND m.undone_at IS NULL
        WHERE l.tenant = :tenant
        GROUP BY l.id, l.state, l.amount_minor
        HAVING coalesce(sum(m.amount_minor), 0)
          <> CASE l.state WHEN 'explained' THEN l.amount_minor ELSE 0 END
        """,
    ),
    Rule(
        "unexplained-rebuilds",
        "the unexplained money of the bank is that of the lines that nothing explains",
        """
        SELECT currency AS subject,
          'lines have ' || sum(stored) || ', postings say ' || sum(found) AS detail
        FROM (
          SELECT currency, CASE state WHEN 'explained' THEN 0 ELSE amount_minor END AS stored,
            0 AS found
          FROM paygate_bank_line WHERE tenant = :tenant
          UNION ALL
          SELECT currency, 0, -amount_minor FROM paygate_posting
          WHERE tenant = :tenant AND ledger_account = 'unexplained') AS sides
        GROUP BY currency HAVING sum(stored) <> sum(found)
        """,
    ),
    Rule(
        "payments-are-accounted-for",
        "the money that a payment holds equals its allocations, its credit, and its money that is "
        "unallocated or awaits settlement",
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
          SELECT coalesce(c.payment, r.payment), c.currency, 0, c.amount_minor - c.canceled_minor
          FROM paygate_credit c LEFT JOIN paygate_receipt r ON r.id = c.receipt
          WHERE c.tenant = :tenant AND coalesce(c.payment, r.payment) IS NOT NULL) AS sides
        GROUP BY payment, currency HAVING sum(held) <> sum(accounted)
        """,
    ),
    Rule(
        "payment-received-adds-up",
        "the received, returned and collected amounts of a payment are the sums of its receipts",
        """
        SELECT id AS subject,
          'stored less booked: ' || sum(received) || ' in, ' || sum(returned) || ' out, '
          || sum(collected) || ' collected' AS detail
        FROM (
          SELECT id, currency, 1 AS own, received_minor AS received, returned_minor AS returned,
            collected_minor AS collected
          FROM paygate_payment WHERE tenant = :tenant
          UNION ALL
          SELECT payment, currency, 0,
            CASE WHEN inward = 1 AND kind <> 'undone' THEN -amount_minor ELSE 0 END,
            CASE WHEN inward = 0 THEN -amount_minor WHEN kind = 'undone' THEN amount_minor
              ELSE 0 END,
            CASE WHEN kind IN ('charge', 'capture') THEN -amount_minor ELSE 0 END
          FROM paygate_receipt WHERE payment IS NOT NULL) AS sides
        GROUP BY id, currency
        HAVING max(own) = 1 AND (sum(received) <> 0 OR sum(returned) <> 0 OR sum(collected) <> 0)
        """,
    ),
)
"""The rules about sums."""
