"""Who creates the tables by migrations of their own has the ledger that paygate makes."""

import re
import subprocess
from collections.abc import Callable

import psycopg
import pytest

from paygate import Cashier, Money
from paygate.ledger.schema_files import POSTGRES
from tests.support.postgres_server import LOCKED, PASSWORD, Server, binaries

# A dump has a key by chance, so that nobody puts commands into it.
BY_CHANCE = re.compile(r"^\\(un)?restrict .*$", flags=re.MULTILINE)


def dumped(url: str) -> str:
    """Return a database as SQL: its tables, what belongs to them, and their rows."""
    programs = binaries()
    assert programs is not None
    if not (programs / "pg_dump").exists():
        pytest.skip("these programs of PostgreSQL have no pg_dump")
    done = subprocess.run(
        [programs / "pg_dump", "--no-owner", url], check=True, capture_output=True, text=True
    )
    return BY_CHANCE.sub("", done.stdout)


def test_what_is_printed_makes_what_a_ledger_makes(
    postgres: Server, database: Callable[[], str]
) -> None:
    own, made = postgres.url(database()), postgres.url(database())
    with psycopg.connect(own) as connection:
        connection.execute(POSTGRES.script().encode())
    Cashier.open(made).close()

    assert dumped(own) == dumped(made)
    assert "paygate_meta" in dumped(own)


def test_a_role_that_may_create_nothing_uses_tables_that_a_migration_made(url: str) -> None:
    with psycopg.connect(url) as owner:
        owner.execute(POSTGRES.script().encode())
        owner.execute(
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {LOCKED}"
        )
        owner.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {LOCKED}")

    theirs = url.replace("paygate@", f"{LOCKED}:{PASSWORD.replace(' ', '%20')}@")
    with Cashier.open(theirs) as cashier:
        cashier.issue(number="1", customer="C", total=Money.of("USD", 1), due="2026-12-01")
        assert cashier.fsck() == []
        with psycopg.connect(theirs) as lent:
            cashier.within(lent).issue(
                number="2", customer="C", total=Money.of("USD", 1), due="2026-12-01"
            )
        assert len(cashier.invoices()) == 2
