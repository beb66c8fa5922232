"""Ledgers to collect on: SQLite files with open invoices, copied for every sample."""

from __future__ import annotations

import shutil
import sqlite3
from typing import TYPE_CHECKING

from paygate import Cashier, Money
from paygate.testing import FakeGateway

if TYPE_CHECKING:
    from pathlib import Path

INVOICES = 400

NUMBERS = [f"INV-{number}" for number in range(INVOICES)]


def make(path: Path) -> None:
    """Write a ledger with open invoices of fifty customers."""
    with Cashier.open(f"sqlite:///{path}", gateways={"card": FakeGateway()}) as cashier:
        for number, name in enumerate(NUMBERS):
            cashier.issue(
                number=name,
                customer=f"C-{number % 50}",
                total=Money("USD", 3000 + number),
                due="2026-12-01",
            )
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def fresh(made: Path, name: str) -> Path:
    """Copy the ledger *made* into its folder, without files that an earlier copy left."""
    path = made.with_name(name)
    for old in path.parent.glob(f"{name}*"):
        old.unlink()
    shutil.copy(made, path)
    return path
