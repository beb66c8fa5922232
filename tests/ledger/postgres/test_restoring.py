"""A backup is restored, and the procedure of the how-to page brings it up to date."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from paygate import Cashier, Money
from paygate.errors import AlreadyPaid, SendingStopped
from paygate.testing import Entry, FakeClock, FakeGateway, read_journal
from tests.service.world import receipts_of
from tests.support.postgres_server import Server, binaries

pytestmark = pytest.mark.both_stores

Backup = tuple[str, Callable[[], str]]
"""The URL of a ledger, and what makes a backup of it and returns the URL of the restored one."""


def usd(text: str) -> Money:
    return Money.of("USD", text)


def online(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copied:
        live.backup(copied)


def vacuum(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as live:
        live.execute("VACUUM INTO ?", [str(target)])


@pytest.fixture(params=[online, vacuum, None], ids=["backup", "vacuum", "pg_dump"])
def backup(request: pytest.FixtureRequest, tmp_path: Path) -> Backup:
    if request.param is not None:

        def copy_file() -> str:
            request.param(tmp_path / "shop.db", tmp_path / "restored.db")
            return f"sqlite:///{tmp_path / 'restored.db'}"

        return f"sqlite:///{tmp_path / 'shop.db'}", copy_file
    url: str = request.getfixturevalue("url")
    database: Callable[[], str] = request.getfixturevalue("database")
    server: Server = request.getfixturevalue("postgres")
    programs = binaries()
    assert programs is not None
    if not (programs / "pg_dump").exists():
        pytest.skip("these programs of PostgreSQL have no pg_dump")

    def dump() -> str:
        restored = server.url(database())
        file = str(tmp_path / "shop.dump")
        tools = (["pg_dump", "-Fc", "-f", file, url], ["pg_restore", "-d", restored, file])
        for program, *arguments in tools:
            subprocess.run([programs / program, *arguments], check=True, timeout=60)
        return restored

    return url, dump


def missing(cashier: Cashier, journal: Path) -> list[Entry]:
    """Return what the processor moved and the ledger does not have."""
    booked = {receipt.movement_id for receipt in receipts_of(cashier)}
    return [entry for entry in read_journal(journal) if entry.movement_id not in booked]


def test_a_restored_ledger_catches_up_and_moves_no_money_twice(
    backup: Backup, tmp_path: Path
) -> None:
    url, restore = backup
    clock, journal = FakeClock(), tmp_path / "card.jsonl"
    card = FakeGateway(clock=clock, journal=journal)

    def opened(url: str) -> Cashier:
        return Cashier.open(url, gateways={"card": card}, clock=clock, preload=False)

    with opened(url) as cashier:
        for number in "ABCD":
            cashier.issue(number=number, customer="C-1", total=usd("30"), due="2026-12-01")
        first = cashier.collect("A", via="card", method="tok_visa", key="pay-A")
        lost = cashier.collect("D", via="card", method="tok_unknown_executed", key="pay-D")
        restored = restore()
        cashier.collect("B", via="card", method="tok_visa", key="pay-B")
        cashier.refund(first, amount=usd("10"), key="refund-A")

    with opened(restored) as cashier:
        # 1. Nothing is sent.
        cashier.stop_sending(reason="restored from the backup of this morning")
        with pytest.raises(SendingStopped):
            cashier.collect("B", via="card", method="tok_visa", key="pay-B")
        # 2. It catches up by what the processor still tells.
        for callback in card.callbacks():
            cashier.receive("card", callback)
        clock.advance(minutes=10)
        while cashier.recover():
            pass
        assert cashier.payment(lost.id).received == usd("30")
        # 3. The rest is compared with the processor's list, and recorded.
        forgotten = missing(cashier, journal)
        assert [(entry.kind.value, entry.amount) for entry in forgotten] == [
            ("charge", usd("30")),
            ("refund", usd("10")),
        ]
        paid, sent_back = forgotten
        cashier.record("B", by="transfer", reference=paid.reference, key="restored-B")
        cashier.record_refund(
            first.id,
            by="transfer",
            reference=sent_back.reference,
            amount=sent_back.amount,
            key="restored-A",
        )
        # 4. It sends again, and what the backup forgot is not done twice.
        cashier.resume_sending(evidence="compared with the processor's list")
        moved = card.moved("USD")
        with pytest.raises(AlreadyPaid):
            cashier.collect("B", via="card", method="tok_visa", key="pay-B")
        cashier.refund(first.id, amount=usd("10"), key="refund-A")
        assert card.moved("USD") == moved == usd("80")
        cashier.collect("C", via="card", method="tok_visa", key="pay-C")
        assert card.moved("USD") == usd("110")
        net = sum(payment.received.minor - payment.returned.minor for payment in cashier.payments())
        assert net == card.moved("USD").minor
        assert cashier.fsck() == []
