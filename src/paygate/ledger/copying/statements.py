"""The statements of a copy that are the same for SQLite and PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from paygate.ledger.copying.tables import META, ROW_COUNT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.ledger.copying.side import Key
    from paygate.ledger.copying.tables import Table

ROWS_AT_ONCE: Final = 1_000
"""How many rows are read, and written in one transaction."""

META_VALUES: Final = f"SELECT name, value FROM {META}"
COUNTERS: Final = f"SELECT name, sum(written) FROM {ROW_COUNT} GROUP BY name"
TENANTS: Final = "SELECT DISTINCT tenant FROM paygate_customer ORDER BY tenant"
BALANCES: Final = """
SELECT tenant, ledger_account, currency, sum(amount_minor) FROM paygate_posting
GROUP BY tenant, ledger_account, currency
"""


def condition(
    table: Table, after: Key | None, until: Key | None, mark: str
) -> tuple[str, Sequence[Any]]:
    """Return the condition for the rows after and up to these keys, and its parameters."""
    key = f"({', '.join(table.key)})"
    values = f"({', '.join([mark] * len(table.key))})"
    parts = [f"{key} {sign} {values}" for sign, at in ((">", after), ("<=", until)) if at]
    return " AND ".join(parts) or "1 = 1", [*(after or ()), *(until or ())]


def page(table: Table, columns: Sequence[str], where: str) -> str:
    """Return the statement that reads the next batch of rows in the order of the key."""
    return (
        f"SELECT {', '.join(columns)} FROM {table.name} WHERE {where} "
        f"ORDER BY {', '.join(table.key)} LIMIT {ROWS_AT_ONCE}"
    )
