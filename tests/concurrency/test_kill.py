"""``kill -9`` in the middle of a collection run, many times: the processor's truth is ours."""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

from paygate import Money
from paygate.testing import read_journal
from tests.concurrency.actors import (
    collect_all,
    context,
    kill,
    open_cashier,
    processor,
    recover_all,
)
from tests.reading import every
from tests.service.world import assert_sound, receipts_of

KILLS = int(os.environ.get("PAYGATE_KILLS") or "15")
INVOICES = 10 * KILLS
SEED = 20260101


def test_a_run_that_is_killed_many_times_charges_each_invoice_once(tmp_path: Path) -> None:
    """
    The moments are pseudo-random: the parent kills after a number of steps that a seed gives.

    The signal needs its time, in which the child goes on, so it is stopped
    anywhere: between steps, inside a transaction, with a request on its way. Each
    fifth time the processor is killed with it.
    """
    chance = random.Random(SEED)  # noqa: S311  (no secret)
    ledger, journal = tmp_path / "ledger.db", tmp_path / "journal.jsonl"
    forks = context()
    with processor(journal) as running:
        with open_cashier(ledger, running.url) as cashier:
            for number in range(INVOICES):
                cashier.issue(
                    number=f"INV-{number}",
                    customer=f"C-{number % 7}",
                    total=Money("USD", 100 + number),
                    due="2026-02-01",
                )
        kills = 0
        for round_ in range(KILLS):
            hears, tells = forks.Pipe(duplex=False)
            child = forks.Process(target=collect_all, args=(ledger, running.url, tells))
            child.start()
            tells.close()
            steps = chance.randrange(1, 2 * 6 * INVOICES // KILLS)
            while steps > 0 and (dots := os.read(hears.fileno(), steps)):
                steps -= len(dots)
            kill(child)
            kills += child.exitcode == -9
            hears.close()
            if round_ % 5 == 4:
                running.kill()
                running.start()
        assert kills > KILLS * 0.9, "the run ended before it was killed"

        child = forks.Process(target=recover_all, args=(ledger, running.url))
        child.start()
        child.join()
        assert child.exitcode == 0

        with open_cashier(ledger, running.url) as cashier:
            assert_sound(cashier)
            booked = Counter(
                (receipt.kind, receipt.movement_id, receipt.amount)
                for receipt in receipts_of(cashier)
            )
            moved = Counter(
                (entry.kind, entry.movement_id, entry.amount) for entry in read_journal(journal)
            )
            assert booked == moved
            assert sorted(entry.amount.minor for entry in read_journal(journal)) == [
                100 + number for number in range(INVOICES)
            ]
            for invoice in every(cashier.invoices):
                assert invoice.open.minor == 0
                assert invoice.claimed.minor == 0
