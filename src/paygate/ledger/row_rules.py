"""Rules about rows: none is missing or altered, and related rows agree.

A changed amount shows in the sums. A changed movement id does not, nor does a row whose
customer, tenant or currency differs from the row that it refers to; these rules find them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paygate.domain.payment import RECORDED
from paygate.ledger import account_settings, checksums
from paygate.ledger.rule import Rule

if TYPE_CHECKING:
    from paygate.ledger.rule import FoundRow

FILE: Final = Rule(
    "file-is-sound",
    "every page, index and constraint of the database is sound",
    """
    SELECT 'file' AS subject, integrity_check AS detail FROM pragma_integrity_check
    WHERE integrity_check <> 'ok'
    """,
    cheap=False,
)

# --- Missing and altered rows ----------------------------------------------------------------

_COUNTED: Final = [
    "account_settings",
    "allocation",
    "api_key",
    "arrival",
    "assignment_key",
    "bank_account",
    "bank_file",
    "bank_line",
    "bank_match",
    "bank_statement",
    "attempt",
    "attempt_try",
    "chargeback",
    "chargeback_item",
    "claim",
    "credit",
    "customer",
    "document",
    "early_return",
    "feed",
    "file",
    "hold",
    "inbox",
    "invoice",
    "item",
    "key",
    "letterhead",
    "link",
    "link_item",
    "mandate",
    "method",
    "outbox",
    "page_token",
    "payer_number",
    "payment",
    "prepayment",
    "address",
    "address_count",
    "posting",
    "quote",
    "receipt",
    "refund_item",
    "report_line",
    "reversal",
    "review",
    "sink",
    "taken",
    "write_off",
    "autopay_item",
    "autopay_line",
    "autopay_notice",
    "autopay_run",
    "campaign",
    "commitment",
    "episode",
    "overdue_run",
    "promise",
    "stage",
    "subscription",
]
"""The tables from which no row is ever deleted; a trigger counts the rows written to them."""

_COUNTS: Final = """
SELECT name AS subject, written || ' rows were written, but ' || there || ' exist' AS detail
FROM ({there}) AS tables LEFT JOIN (
  SELECT name, sum(written) AS written FROM paygate_row_count GROUP BY name) AS counts USING (name)
WHERE written IS NOT there
UNION ALL
SELECT name, written || ' rows were written to a table that is not counted' FROM paygate_row_count
WHERE name NOT IN ({names})
""".format(
    there=" UNION ALL ".join(
        f"SELECT 'paygate_{name}' AS name, count(*) AS there FROM paygate_{name}"
        for name in _COUNTED
    ),
    names=", ".join(f"'paygate_{name}'" for name in _COUNTED),
)
GAPS: Final = "number_gaps"
"""
The fact about the database that says how many numbers are missing in each numbered table.

SQLite assigns numbers in sequence. PostgreSQL does not, and rows that were copied from there have
kept their numbers.
"""

NUMBERS: Final = " UNION ALL ".join(
    f"SELECT 'paygate_{table}' AS subject, count(*) || ' rows, numbered ' || min({column}) "
    f"|| ' to ' || max({column}) AS detail FROM paygate_{table} "
    f"HAVING count(*) > 0 AND (min({column}) < 1 OR max({column}) <> count(*) + coalesce(("
    f"SELECT json_extract(value, '$.paygate_{table}') FROM paygate_meta "
    f"WHERE name = '{GAPS}'), 0))"
    for table, column in (("posting", "id"), ("inbox", "id"), ("outbox", "position"))
)

MISSING_REFERENCES: Final = """
SELECT "table" || coalesce(' ' || "rowid", '') AS subject,
  'refers to a row of ' || parent || ' that does not exist' AS detail
FROM pragma_foreign_key_check
"""

# A row of a table without a tenant column belongs to the tenant of its owner.
_OWNERS: Final = {
    "paygate_review": "JOIN paygate_payment o ON o.id = t.payment",
    "paygate_prepayment": "JOIN paygate_item o ON o.id = t.item",
    "paygate_link_item": "JOIN paygate_link o ON o.id = t.link",
    "paygate_claim": "JOIN paygate_payment o ON o.id = t.payment",
    "paygate_hold": "JOIN paygate_attempt o ON o.id = t.attempt",
    "paygate_refund_item": "JOIN paygate_attempt o ON o.id = t.attempt",
    "paygate_taken": "JOIN paygate_receipt o ON o.id = t.receipt",
    "paygate_chargeback_item": "JOIN paygate_chargeback o ON o.id = t.chargeback",
    "paygate_quote": "JOIN paygate_attempt o ON o.id = t.attempt",
    "paygate_stage": "JOIN paygate_episode o ON o.id = t.episode",
    "paygate_autopay_item": "JOIN paygate_payment o ON o.id = t.payment",
}


def _with_checksum(facts: checksums.CoveredColumns) -> str:
    owner = _OWNERS.get(facts.table)
    mine = "t" if owner is None else "o"
    # Rows of a tenant without customers are checked with every tenant, because nobody would check
    # that tenant.
    return f"""
    SELECT {facts.subject} AS subject, '{facts.table}' AS "table", t.{facts.checksum} AS checksum,
      {", ".join(f"t.{name}" for name in facts.columns)}
    FROM {facts.table} t {owner or ""} WHERE {mine}.tenant = :tenant
      OR {mine}.tenant NOT IN (SELECT tenant FROM paygate_customer)
    """


def _changed(row: FoundRow) -> str | None:
    values = tuple(row)
    if checksums.of(values[3:]) == values[2]:
        return None
    return f"a row of {values[1]} differs from what was written"


_WRITTEN: Final = (
    Rule(
        "no-rows-are-missing",
        "no row that was written is missing, and the numbers of rows have no gaps",
        (_COUNTS, NUMBERS),
        cheap=False,
    ),
    Rule(
        "rows-are-as-written",
        "the columns of a row match its checksum",
        tuple(_with_checksum(facts) for facts in checksums.ALL),
        judge=_changed,
        cheap=False,
    ),
    Rule(
        "stored-accounts-are-current",
        "a stored account and its settings are of the revisions that its last events name",
        f"""
        {account_settings.WITH_EVENTS}
        WHERE t.tenant = :tenant OR t.tenant NOT IN (SELECT tenant FROM paygate_customer)
        """,
        judge=account_settings.put_back,
    ),
    Rule(
        "references-exist",
        "every row that another row refers to exists",
        MISSING_REFERENCES,
        cheap=False,
    ),
)

# --- Rows that refer to each other -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reference:
    """A column that refers to a row of another table, and the columns that both must share."""

    column: str
    to: str
    equal: tuple[str, ...] = ("tenant",)


def _reference(text: str, equal: str = "tenant") -> Reference:
    column, _, to = text.partition(">")
    return Reference(column, to or column, tuple(equal.split()))


# If one customer pays for another, the payment's customer is the other one. The currency of a
# receipt may differ from its payment's, if the payer paid in another currency.
REFERENCES: Final[dict[str, tuple[Reference, ...]]] = {
    "payment": (
        _reference("method"),
        _reference("mandate"),
        _reference("reversal"),
    ),
    "attempt": (_reference("payment", "tenant account kind currency"),),
    "attempt_request": (_reference("attempt"),),
    "receipt": (
        _reference("payment", "tenant customer"),
        _reference("attempt", "tenant account payment"),
    ),
    "early_return": (_reference("payment", "tenant account"),),
    "allocation": (
        _reference("item", "tenant currency"),
        _reference("payment"),
        _reference("receipt", "tenant currency payment"),
        _reference("credit", "tenant currency"),
        _reference("cancels>allocation", "tenant item currency payment receipt credit prepayment"),
        _reference("prepayment>item", "tenant currency"),
    ),
    "credit": (
        _reference("payment"),
        _reference("receipt", "tenant currency"),
        _reference("item", "tenant currency"),
    ),
    "write_off": (
        _reference("item", "tenant currency"),
        _reference("payment"),
        _reference("receipt", "tenant currency"),
    ),
    "reversal": (_reference("payment"), _reference("fee_item>item")),
    "chargeback": (_reference("payment", "tenant account"),),
    "posting": (
        _reference("item", "tenant customer currency"),
        _reference("receipt", "tenant customer payment"),
        _reference("credit", "tenant customer currency"),
        _reference("payment", "tenant customer"),
    ),
    "method": (_reference("mandate", "tenant customer"),),
    "subscription": (_reference("mandate", "tenant customer"),),
    "episode": (_reference("anchor>item", "tenant customer currency"),),
    "promise": (_reference("episode", "tenant customer currency"),),
    "bank_line": (_reference("statement>bank_statement", "tenant account currency"),),
    "bank_match": (_reference("line>bank_line"), _reference("payment")),
    "autopay_line": (
        _reference("run>autopay_run"),
        _reference("payment", "tenant customer currency method"),
        _reference("method", "tenant customer account"),
    ),
}


def _except_unassigned(table: str, name: str) -> str:
    """Exclude postings from before the customer was known, which another rule checks."""
    return "AND t.customer <> '' " if (table, name) == ("posting", "customer") else ""


def _compared(table: str) -> str:
    """Return the query that compares the rows of *table* with the rows that they refer to."""
    joins, wrong = list[str](), list[str]()
    for number, each in enumerate(REFERENCES[table]):
        alias = f"r{number}"
        joins.append(f"LEFT JOIN paygate_{each.to} {alias} ON {alias}.id = t.{each.column}")
        wrong.append(
            f"WHEN t.{each.column} IS NOT NULL AND {alias}.id IS NULL "
            f"THEN 'there is no {each.column} ' || t.{each.column}"
        )
        wrong += [
            f"WHEN {alias}.id IS NOT NULL AND {alias}.{name} IS NOT t.{name} "
            f"{_except_unassigned(table, name)}"
            f"THEN 'its {name} is ' || coalesce(t.{name}, 'none') || ', but that of its "
            f"{each.column} ' || {alias}.id || ' is ' || coalesce({alias}.{name}, 'none')"
            for name in each.equal
        ]
    key = {"posting": "entry", "attempt_request": "attempt", "early_return": "movement_id"}
    return f"""
    SELECT * FROM (
      SELECT 'paygate_{table} ' || t.{key.get(table, "id")} AS subject,
        CASE {" ".join(wrong)} END AS detail
      FROM paygate_{table} t {" ".join(joins)} WHERE t.tenant = :tenant) AS compared
    WHERE detail IS NOT NULL
    """


def _compared_with_owner(table: str, owner: str, *references: Reference) -> str:
    """Return the query that compares the rows that *table* refers to with its *owner*."""
    joins, wrong = list[str](), list[str]()
    for number, each in enumerate(references):
        alias = f"r{number}"
        joins.append(f"LEFT JOIN paygate_{each.to} {alias} ON {alias}.id = t.{each.column}")
        wrong += [
            f"WHEN {alias}.id IS NOT NULL AND {alias}.{name} IS NOT o.{name} "
            f"THEN 'the {name} of ' || {alias}.id || ' is not that of ' || o.id"
            for name in each.equal
        ]
    return f"""
    SELECT * FROM (
      SELECT 'paygate_{table} ' || o.id AS subject, CASE {" ".join(wrong)} END AS detail
      FROM paygate_{table} t JOIN paygate_{owner} o ON o.id = t.{owner} {" ".join(joins)}
      WHERE o.tenant = :tenant) AS compared
    WHERE detail IS NOT NULL
    """


def _except_unidentified(table: str) -> str:
    """Exclude money whose customer is not known yet."""
    unidentified = {
        "payment": "AND NOT (t.customer = '' AND t.payer = '' AND t.payer_number <> '')",
    }
    return unidentified.get(table, "")


_BELONGING: Final = (
    Rule(
        "rows-belong-together",
        "a row has the same tenant as the row that it refers to, and the same customer, currency, "
        "account and payment if both have one",
        (
            *(_compared(table) for table in REFERENCES),
            _compared_with_owner(
                "claim",
                "payment",
                _reference("item", "tenant customer currency"),
                _reference("credit", "tenant customer currency"),
                _reference("prepayment>item", "tenant customer currency"),
            ),
            _compared_with_owner(
                "prepayment", "item", _reference("replaced_by>item", "tenant customer currency")
            ),
            _compared_with_owner(
                "link_item", "link", _reference("item", "tenant customer currency")
            ),
            _compared_with_owner(
                "autopay_item",
                "payment",
                _reference("item", "tenant customer currency"),
                _reference("line>autopay_line", "tenant customer currency"),
            ),
            _compared_with_owner(
                "stage", "episode", _reference("fee>item", "tenant customer currency")
            ),
            _compared_with_owner("hold", "attempt", _reference("credit", "tenant currency")),
            _compared_with_owner("refund_item", "attempt", _reference("item", "tenant currency")),
            _compared_with_owner(
                "chargeback_item", "chargeback", _reference("item"), _reference("write_off")
            ),
            """
            SELECT 'paygate_delivery ' || d.position AS subject,
              'the sink or event of this delivery is missing or does not match' AS detail
            FROM paygate_delivery d
            LEFT JOIN paygate_outbox o ON o.position = d.position AND o.tenant = d.tenant
              AND o.aggregate = d.aggregate
            LEFT JOIN paygate_sink s ON s.tenant = d.tenant AND s.name = d.sink
            WHERE d.tenant = :tenant AND (o.id IS NULL OR s.name IS NULL)
            """,
            """
            SELECT 'paygate_attempt_request ' || r.attempt AS subject,
              'its customer is ' || r.customer || ', but its payment is paid by ' || p.payer
                AS detail
            FROM paygate_attempt_request r JOIN paygate_attempt a ON a.id = r.attempt
            JOIN paygate_payment p ON p.id = a.payment
            WHERE a.tenant = :tenant
              AND (r.customer NOT IN ('', p.payer) OR r.tenant <> a.tenant)
            """,
        ),
        cheap=False,
    ),
    Rule(
        "customers-are-known",
        "the customer of every invoice, payment, credit, method and mandate is known",
        tuple(
            f"""
            SELECT 'paygate_{table} ' || t.{key} AS subject,
              'there is no customer ' || t.customer AS detail
            FROM paygate_{table} t
            WHERE (t.tenant = :tenant OR t.tenant NOT IN (SELECT tenant FROM paygate_customer))
              {_except_unidentified(table)} AND NOT EXISTS (
                SELECT 1 FROM paygate_customer c WHERE c.tenant = t.tenant AND c.id = t.customer)
            """
            for table, key in (
                ("item", "id"),
                ("payment", "id"),
                ("credit", "id"),
                ("method", "id"),
                ("mandate", "id"),
                ("payer_number", "id"),
                ("assignment_key", "key"),
                ("contact", "customer"),
            )
        ),
        cheap=False,
    ),
    Rule(
        "entries-are-uniform",
        "the lines of an entry have the same tenant, customer, payment, effective date, time and "
        "actor",
        """
        SELECT min(entry) AS subject, 'its lines differ' AS detail FROM paygate_posting
        WHERE tenant = :tenant GROUP BY entry
        HAVING min(customer) <> max(customer) OR min(booked_at) <> max(booked_at)
          OR min(coalesce(payment, '')) <> max(coalesce(payment, ''))
          OR min(effective) <> max(effective) OR min(actor) <> max(actor)
        """,
        cheap=False,
    ),
    Rule(
        "unidentified-money-is-flagged",
        "money of a payment without a customer is not allocated to an invoice, is not booked as "
        "credit or debit, and is flagged for manual review; once the customer is known, no balance "
        "remains posted without a customer",
        (
            """
            SELECT p.id AS subject, 'it has no customer, but is for an invoice' AS detail
            FROM paygate_payment p
            WHERE p.tenant = :tenant AND p.customer = '' AND (
              EXISTS (SELECT 1 FROM paygate_claim c WHERE c.payment = p.id)
              OR EXISTS (SELECT 1 FROM paygate_allocation a WHERE a.payment = p.id))
            """,
            """
            SELECT p.id AS subject, 'it has no customer, and is not flagged for review' AS detail
            FROM paygate_payment p
            WHERE p.tenant = :tenant AND p.customer = '' AND p.needs_review = 0 AND EXISTS (
              SELECT 1 FROM paygate_receipt r WHERE r.payment = p.id AND r.unallocated_minor <> 0)
            """,
            """
            SELECT id AS subject, 'this credit or debit has no customer' AS detail
            FROM paygate_credit WHERE tenant = :tenant AND customer = ''
            """,
            """
            SELECT entry AS subject,
              'posted to ' || ledger_account || ' without a customer' AS detail
            FROM paygate_posting WHERE tenant = :tenant AND customer = ''
              AND ledger_account IN ('customer_credit', 'receivable', 'prepayment')
            """,
            """
            SELECT min(t.entry) AS subject, sum(t.amount_minor) || ' of its payment on '
              || t.ledger_account || ' remain posted without a customer' AS detail
            FROM paygate_posting t JOIN paygate_payment p ON p.id = t.payment
            WHERE t.tenant = :tenant AND t.customer = '' AND p.customer <> ''
            GROUP BY t.payment, t.ledger_account, t.currency, t.receipt, t.credit
            HAVING sum(t.amount_minor) <> 0
            """,
            """
            SELECT entry AS subject, 'posted without a customer and without a payment' AS detail
            FROM paygate_posting WHERE tenant = :tenant AND customer = '' AND payment IS NULL
              AND ledger_account NOT IN ('bank', 'unexplained', 'opening')
              AND entry NOT IN (SELECT id FROM paygate_bank_match)
              AND entry NOT IN (SELECT id || ':undone' FROM paygate_bank_match)
            """,
        ),
        cheap=False,
    ),
    Rule(
        "receipts-are-posted",
        "every receipt of incoming money has a posting",
        """
        SELECT r.id AS subject, 'it has no posting' AS detail
        FROM paygate_receipt r LEFT JOIN (
          SELECT DISTINCT receipt FROM paygate_posting WHERE receipt IS NOT NULL) p
          ON p.receipt = r.id
        WHERE r.tenant = :tenant AND r.inward = 1 AND r.kind <> 'undone' AND p.receipt IS NULL
        """,
        cheap=False,
    ),
)

# --- What each call must leave ----------------------------------------------------------------

_BY_HAND: Final = f"'{RECORDED}', 'credit'"

_CALLS: Final = (
    Rule(
        "keys-are-kept",
        "every payment, capture, refund, void and withdrawal has the key of its call, and so has "
        "every invoice that got no number of the host's, so that a repeated call does nothing, and "
        "every key names the result of its call",
        (
            """
            SELECT p.id AS subject, 'the key of its call is missing' AS detail
            FROM paygate_payment p LEFT JOIN (
              SELECT DISTINCT result FROM paygate_key WHERE tenant = :tenant) k ON k.result = p.id
            WHERE p.tenant = :tenant AND k.result IS NULL
            """,
            """
            SELECT d.item AS subject, 'the key of its call is missing' AS detail
            FROM paygate_invoice d LEFT JOIN (
              SELECT DISTINCT result FROM paygate_key WHERE tenant = :tenant) k ON k.result = d.item
            WHERE d.tenant = :tenant AND d.key <> '' AND k.result IS NULL
            """,
            # A refund may be sent in parts; the key names the first one.
            """
            SELECT min(a.id) AS subject, 'the key of its call is missing' AS detail
            FROM paygate_attempt a LEFT JOIN (
              SELECT DISTINCT result FROM paygate_key WHERE tenant = :tenant) k ON k.result = a.id
            WHERE a.tenant = :tenant AND a.gateway_key NOT LIKE '%-late'
              AND a.operation IN ('capture', 'refund', 'void', 'withdraw', 'complete', 'enroll',
                'forget')
            GROUP BY coalesce(a.payment, a.id), a.operation, a.created_at HAVING count(k.result) = 0
            """,
            """
            SELECT k.operation || ' ' || k.key AS subject,
              'it names ' || k.result || ', which does not exist' AS detail
            FROM paygate_key k
            LEFT JOIN paygate_payment p ON p.id = k.result AND p.tenant = k.tenant
            LEFT JOIN paygate_attempt a ON a.id = k.result AND a.tenant = k.tenant
            LEFT JOIN paygate_write_off w ON w.id = k.result AND w.tenant = k.tenant
            LEFT JOIN paygate_item v ON v.id = k.result AND v.tenant = k.tenant
            LEFT JOIN paygate_link l ON l.id = k.result AND l.tenant = k.tenant
            LEFT JOIN paygate_api_key s ON s.id = k.result AND s.tenant = k.tenant
            LEFT JOIN paygate_commitment c ON c.id = k.result AND c.tenant = k.tenant
            WHERE k.tenant = :tenant AND k.operation <> 'record_refund'
              AND p.id IS NULL AND a.id IS NULL AND w.id IS NULL AND v.id IS NULL
              AND l.id IS NULL AND c.id IS NULL AND s.id IS NULL
            """,
            """
            SELECT c.id AS subject, 'the key of its call is missing' AS detail
            FROM paygate_commitment c LEFT JOIN (
              SELECT DISTINCT result FROM paygate_key WHERE tenant = :tenant) k ON k.result = c.id
            WHERE c.tenant = :tenant AND k.result IS NULL
            """,
        ),
        cheap=False,
    ),
    Rule(
        "payments-have-attempts",
        "a payment through a gateway has exactly one charge or authorization, for its amount; any "
        "other payment has none",
        f"""
        SELECT p.id AS subject, count(a.id) || ' attempts to collect ' || p.amount_minor AS detail
        FROM paygate_payment p LEFT JOIN paygate_attempt a
          ON a.payment = p.id AND a.operation IN ('charge', 'authorize')
          AND a.amount_minor = p.amount_minor
        WHERE p.tenant = :tenant GROUP BY p.id
        HAVING count(a.id) <> CASE WHEN p.account IN ({_BY_HAND}) THEN 0 ELSE 1 END
        """,
        cheap=False,
    ),
    Rule(
        "refunds-name-their-money",
        "a refund names a movement of its payment, and is not more than that movement",
        """
        SELECT a.id AS subject, a.amount_minor || ' of the movement ' || a.movement AS detail
        FROM paygate_attempt a LEFT JOIN paygate_receipt r
          ON r.payment = a.payment AND r.movement_id = a.movement
          AND r.kind IN ('charge', 'capture')
        WHERE a.tenant = :tenant AND a.operation = 'refund'
        GROUP BY a.id HAVING count(r.id) = 0 OR a.amount_minor > sum(r.amount_minor)
        """,
        cheap=False,
    ),
)

ROW_RULES: Final = (*_WRITTEN, *_BELONGING, *_CALLS)
"""The rules about missing, altered and inconsistent rows."""
