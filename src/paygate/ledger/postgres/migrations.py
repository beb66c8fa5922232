"""Upgrade of a PostgreSQL database to the newest of the numbered schema files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from psycopg.rows import tuple_row

from paygate.errors import CopyUnfinished, LedgerCorrupt, SchemaMismatch, StoreError
from paygate.ledger.schema_files import POSTGRES, UNFINISHED

if TYPE_CHECKING:
    from paygate.ledger.postgres.session import LedgerConnection
    from paygate.ledger.schema_files import SchemaFiles

# Only one process creates the tables; others that open the ledger meanwhile wait for it.
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('paygate_meta'))"
_EXISTS: Final = "SELECT to_regclass('paygate_meta') IS NOT NULL"
_SCHEMA: Final = "SELECT value FROM paygate_meta WHERE name = 'schema'"
_SET_SCHEMA: Final = """
INSERT INTO paygate_meta (name, value) VALUES ('schema', %(number)s)
ON CONFLICT (name) DO UPDATE SET value = %(number)s
"""
_ENCODING: Final = "SELECT current_setting('server_encoding')"
_OTHER_COLLATION: Final = """
SELECT c.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relname LIKE 'paygate\\_%' AND c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid)
  AND a.attnum > 0 AND NOT a.attisdropped AND a.attcollation NOT IN (
    0, (SELECT oid FROM pg_collation WHERE collname = 'C'))
ORDER BY 1 LIMIT 1
"""


def migrate(connection: LedgerConnection, files: SchemaFiles, name: str) -> None:
    """
    Create the missing tables in one transaction; concurrent calls create them once.

    Raise `SchemaMismatch` for a ledger of a newer paygate, or `StoreError` for a database that
    cannot hold a ledger.
    """
    if schema_of(connection) != files.newest:
        with connection.transaction():
            connection.execute(_LOCK)
            found = schema_of(connection)
            _check(found, files.newest, name)
            _upgrade(connection, files, found, name)
    column = _value(connection, _OTHER_COLLATION)
    if column is not None:
        raise StoreError(
            f"{name} does not sort {column} byte by byte, so the ledger would read its rows in "
            'the wrong order; restore it with tables whose text columns are COLLATE "C"'
        )


def schema_of(connection: LedgerConnection) -> int:
    """
    Return the schema number of a database; 0 if it has no ledger.

    Raise `CopyUnfinished` if a ledger is still being copied into it.
    """
    if not _value(connection, _EXISTS):
        return 0
    value = _value(connection, _SCHEMA)
    if value == UNFINISHED:
        raise CopyUnfinished.of("this ledger")
    if value is not None and str(value).isdecimal():
        return int(value)
    raise LedgerCorrupt(
        "the ledger is damaged (its schema number is missing); restore it from a backup"
    )


def create_tables(connection: LedgerConnection, name: str) -> None:
    """Create the tables in a database that has none, inside the open transaction."""
    _upgrade(connection, POSTGRES, 0, name)


def _upgrade(connection: LedgerConnection, files: SchemaFiles, found: int, name: str) -> None:
    encoding = _value(connection, _ENCODING)
    if encoding != "UTF8":
        raise StoreError(
            f"{name} stores text as {encoding}, which cannot represent every name; create the "
            "database with ENCODING 'UTF8'"
        )
    for number in range(found + 1, files.newest + 1):
        connection.execute(files.text(number).encode())
        connection.execute(_SET_SCHEMA, {"number": str(number)})


def _check(found: int, known: int, name: str) -> None:
    if found > known:
        raise SchemaMismatch(
            f"{name} has schema {found}, but this paygate supports {known}; upgrade paygate",
            found=found,
            known=known,
        )


def _value(connection: LedgerConnection, sql: str) -> Any:
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(sql.encode()).fetchone()
    return None if row is None else row[0]
