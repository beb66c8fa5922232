"""Real processes at one ledger and one processor, at the same moment."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from paygate import Cashier
from paygate.errors import NotAllowedHere, NotEnoughOpen
from paygate.ledger import forking
from paygate.ledger.tx import Tx
from paygate.testing import FakeGateway, read_journal
from tests.concurrency.actors import ProcessorProcess, context, open_cashier, pay_at_once
from tests.service.world import assert_sound, usd
from tests.stores import sqlite_of

ROUNDS = 10

# Python 3.12 warns of a fork beside threads, which the test runner has; the child uses none.
forks = pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")


def pay_in_two_processes(
    ledger: Path, running: ProcessorProcess, number: str, keys: tuple[str, str]
) -> list[tuple[str, str]]:
    """Let two processes pay one invoice at the same moment; what each was told."""
    processes = context()
    together = processes.Barrier(2)
    pipes = [processes.Pipe(duplex=False) for _ in keys]
    children = [
        processes.Process(
            target=pay_at_once, args=(ledger, running.url, number, key, together, tells)
        )
        for key, (_, tells) in zip(keys, pipes, strict=True)
    ]
    for child in children:
        child.start()
    for _, tells in pipes:
        tells.close()
    told: list[tuple[str, str]] = [hears.recv() for hears, _ in pipes]
    for child, (hears, _) in zip(children, pipes, strict=True):
        child.join()
        hears.close()
        assert child.exitcode == 0
    return told


def charges_of(running: ProcessorProcess, *payments: str) -> list[str]:
    return [entry.payment for entry in read_journal(running.journal) if entry.payment in payments]


def test_two_processes_that_pay_one_invoice_at_once_charge_once(
    ledger: Path, running: ProcessorProcess
) -> None:
    with open_cashier(ledger, running.url) as cashier:
        for number in range(ROUNDS):
            cashier.issue(
                number=f"INV-{number}", customer="C-1", total=usd("30.00"), due="2026-02-01"
            )
        before = len(read_journal(running.journal))
        told = Counter[str]()
        for number in range(ROUNDS):
            results = pay_in_two_processes(
                ledger, running, f"INV-{number}", (f"a-{number}", f"b-{number}")
            )
            told.update(status for status, _ in results)

        assert told["succeeded"] == ROUNDS
        assert told["ItemAlreadyBeingPaid"] + told["AlreadyPaid"] == ROUNDS
        assert len(read_journal(running.journal)) == before + ROUNDS
        assert_sound(cashier)


def test_the_same_key_twice_at_once_is_one_payment(ledger: Path, running: ProcessorProcess) -> None:
    with open_cashier(ledger, running.url) as cashier:
        for number in range(ROUNDS):
            cashier.issue(
                number=f"INV-{number}", customer="C-1", total=usd("30.00"), due="2026-02-01"
            )
            (one, first), (other, second) = pay_in_two_processes(
                ledger, running, f"INV-{number}", (f"k-{number}", f"k-{number}")
            )
            assert first == second
            assert {one, other} <= {"succeeded", "processing"}
            assert charges_of(running, first) == [first]
            assert cashier.invoice(f"INV-{number}").open == usd("0")
        assert_sound(cashier)


@forks
def test_a_forked_child_has_connections_of_its_own(ledger: Path, running: ProcessorProcess) -> None:
    """Parent and child both go on with the cashier that the parent opened and used."""
    with open_cashier(ledger, running.url) as cashier:
        for number in range(20):
            cashier.issue(
                number=f"INV-{number}", customer="C-1", total=usd("3.00"), due="2026-02-01"
            )
        cashier.collect("INV-0", via="card", method="tok_visa", key="k-0")

        inherited = sqlite_of(cashier)._write_connection
        child = os.fork()
        mine = range(1, 10) if child else range(10, 20)
        code = 1
        try:
            for number in mine:
                key = f"k-{number}"
                cashier.collect(f"INV-{number}", via="card", method="tok_visa", key=key)
            # SQLite forbids a connection that a fork carried over, even where it seems to work.
            assert (sqlite_of(cashier)._write_connection is inherited) == bool(child)
            if not child:
                cashier.close()
            code = 0
        finally:
            if not child:
                # Nothing of pytest may go on in the child; an error is told by its exit code.
                if code:
                    sys.__excepthook__(*sys.exc_info())
                os._exit(code)
        _, status = os.waitpid(child, 0)

        assert os.waitstatus_to_exitcode(status) == 0
        assert [invoice.open.minor for invoice in cashier.invoices()] == [0] * 20
        assert_sound(cashier)


@forks
def test_a_ledger_in_memory_does_not_survive_a_fork() -> None:
    with Cashier.in_memory(gateways={"card": FakeGateway()}) as cashier:
        child = os.fork()
        if not child:
            try:
                cashier.invoices()
            except NotAllowedHere:
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0


# --- Inside the host's own transaction --------------------------------------------------------


@pytest.fixture
def host(ledger: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(ledger, isolation_level=None)
    connection.execute("CREATE TABLE shop_order (number TEXT)")
    return connection


def order_and_issue(cashier: Cashier, host: sqlite3.Connection) -> None:
    """What a host does in one transaction of its own: an order, an invoice, its payment in cash."""
    host.execute("BEGIN IMMEDIATE")
    host.execute("INSERT INTO shop_order VALUES ('1')")
    inside = cashier.within(host)
    inside.issue(number="INV-1", customer="C-1", total=usd("30.00"), due="2026-02-01")
    payment = inside.record("INV-1", by="cash", key="till-1")
    inside.reverse(payment, reason="false note", fee=usd("5.00"))
    inside.void("INV-1", reason="order cancelled")
    assert cashier.invoices() == [], "nobody else sees it yet"


def test_the_hosts_rollback_undoes_what_was_done_within_it(
    ledger: Path, host: sqlite3.Connection
) -> None:
    with open_cashier(ledger, "http://127.0.0.1:1") as cashier:
        order_and_issue(cashier, host)
        host.rollback()

        assert cashier.invoices() == []
        assert cashier.payments() == []
        assert cashier.events() == []
        assert host.execute("SELECT count(*) FROM shop_order").fetchone() == (0,)
        assert_sound(cashier)
    host.close()


def test_the_hosts_commit_keeps_what_was_done_within_it(
    ledger: Path, host: sqlite3.Connection
) -> None:
    with open_cashier(ledger, "http://127.0.0.1:1") as cashier:
        order_and_issue(cashier, host)
        host.commit()

        assert [invoice.number for invoice in cashier.invoices()] == ["REV-1-FEE", "INV-1"]
        assert host.execute("SELECT count(*) FROM shop_order").fetchone() == (1,)
        assert_sound(cashier)
        with pytest.raises(NotAllowedHere):
            cashier.within(host)
    host.close()


def test_a_refusal_within_the_hosts_transaction_undoes_only_itself(
    ledger: Path, host: sqlite3.Connection
) -> None:
    with open_cashier(ledger, "http://127.0.0.1:1") as cashier:
        host.execute("BEGIN IMMEDIATE")
        inside = cashier.within(host)
        inside.issue(number="INV-1", customer="C-1", total=usd("30.00"), due="2026-02-01")
        host.execute("INSERT INTO shop_order VALUES ('1')")
        with pytest.raises(NotEnoughOpen):
            inside.write_off("INV-1", reason="goodwill", key="w", amount=usd("50.00"))
        host.commit()

        assert cashier.invoice("INV-1").open == usd("30.00")
        assert host.execute("SELECT count(*) FROM shop_order").fetchone() == (1,)
        assert_sound(cashier)
    host.close()


class Pauses:
    """The time of a fork that waits: it stands still, and *meanwhile* happens in a pause."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.meanwhile = meanwhile

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, _: float) -> None:
        self.meanwhile()


@forks
def test_a_fork_waits_until_no_other_thread_is_in_the_ledger(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def work(_: Tx) -> None:
        inside.set()
        go_on.wait(20)

    with Cashier.open(f"sqlite:///{ledger}") as cashier:
        store, context = cashier._store, cashier._context
        reading = threading.Thread(target=store.read, args=(context, work))
        reading.start()
        inside.wait(20)
        monkeypatch.setattr(forking, "time", Pauses(go_on.set))

        child = os.fork()
        if not child:
            code = 1
            try:
                cashier.issue(number="INV-1", customer="C-1", total=usd("3.00"), due="2026-02-01")
                code = 0
            finally:
                os._exit(code)
        waited = go_on.is_set()
        _, status = os.waitpid(child, 0)
        reading.join(20)

        assert waited
        assert os.waitstatus_to_exitcode(status) == 0
        assert cashier.invoice("INV-1").open == usd("3.00")
