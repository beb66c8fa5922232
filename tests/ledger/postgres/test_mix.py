"""Eight processes do what they like at one ledger, and the books are those of the processor."""

from collections import Counter
from pathlib import Path
from typing import Final

from paygate.testing import read_journal
from tests.concurrency.actors import context, processor
from tests.ledger.postgres import mix
from tests.reading import every, every_event

PROCESSES: Final = 8
CALLS: Final = 3000


def test_three_thousand_random_calls_of_eight_processes_leave_sound_books(
    url: str, tmp_path: Path
) -> None:
    with processor(tmp_path / "journal.jsonl") as running:
        mix.open_cashier(url, running.url).close()
        done, refused, errors = play(url, running.url)
        with mix.open_cashier(url, running.url) as cashier:
            # What nobody knows yet is asked about now, and not when its time comes.
            for payment in list(every(cashier.payments)):
                if any(each.state.in_doubt for each in cashier.attempts(payment)):
                    cashier.inquire(payment)
            cashier.publish()
            payments = list(every(cashier.payments))
            booked = Counter(
                (each.kind, each.movement_id, each.amount)
                for payment in payments
                if payment.account in ("card", "page")
                for each in cashier.receipts(payment)
                if each.account != "recorded" and each.kind != "reversal"
            )
            found = cashier.fsck()
            events = list(every_event(cashier))
        moved = Counter(
            (each.kind, each.movement_id, each.amount) for each in read_journal(running.journal)
        )

    assert errors == []
    assert done + refused == CALLS
    assert done > CALLS // 4
    assert found == []
    assert booked == moved
    assert len(moved) > 100
    assert [each.position for each in events] == list(range(1, len(events) + 1))


def play(url: str, processor: str) -> tuple[int, int, list[str]]:
    """Let the processes make their calls; return how many were done and refused, and errors."""
    processes = context()
    together = processes.Barrier(PROCESSES)
    pipes = [processes.Pipe(duplex=False) for _ in range(PROCESSES)]
    children = [
        processes.Process(
            target=mix.play, args=(url, processor, seed, CALLS // PROCESSES, together, tells)
        )
        for seed, (_, tells) in enumerate(pipes, start=1)
    ]
    for child in children:
        child.start()
    for _, tells in pipes:
        tells.close()
    done, refused, errors = 0, 0, list[str]()
    for child, (hears, _) in zip(children, pipes, strict=True):
        got: tuple[int, int, list[str]] = hears.recv()
        done, refused, errors = done + got[0], refused + got[1], errors + got[2]
        hears.close()
        child.join()
    return done, refused, errors
