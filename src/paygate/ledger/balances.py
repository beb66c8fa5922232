"""Rules about sums: every stored balance is rebuilt from the rows that made it."""

from __future__ import annotations

from typing import Final

from paygate.ledger.rule import Rule

BALANCES: Final = (
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
)
"""Each balance against the rows that made it."""
