"""Processes that take jobs from one PostgreSQL at the same time share them, and none waits."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from paygate import Cashier, Job, Money, PaymentStatus, Timing
from paygate.ledger import jobs
from paygate.service import agenda
from paygate.testing import FakeClock, FakeGateway

ATTEMPTS = 24
WORKERS = 6


class Shop:
    """A ledger with attempts that are due, and processes that recover them."""

    def __init__(self, url: str) -> None:
        self.url, self.clock = url, FakeClock()
        self.gateway = FakeGateway(clock=self.clock)
        with self.process() as cashier:
            for number in range(ATTEMPTS):
                cashier.issue(
                    number=f"INV-{number}",
                    customer="C-1",
                    total=Money.of("USD", "30.00"),
                    due="2026-12-01",
                )
                cashier.collect(
                    f"INV-{number}", via="card", method="tok_unknown_executed", key=f"k{number}"
                )
        self.clock.advance(timedelta(hours=1))

    def mark(self, found: Sequence[Job]) -> int:
        """Take jobs for another process, in a transaction that is committed at once."""
        with self.process() as other:
            context = replace(other._context, actor="other")
            until = timedelta(minutes=5)
            return len(
                other._store.write(context, lambda tx: jobs.take(tx, found, "lease_other", until))
            )

    def process(self) -> Cashier:
        return Cashier.open(
            self.url,
            gateways={"card": self.gateway},
            clock=self.clock,
            timing=Timing(feed_pause=None),
            busy_s=10,
        )


@pytest.fixture
def shop(url: str) -> Shop:
    return Shop(url)


def test_who_takes_jobs_passes_over_those_that_another_process_takes_right_now(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[list[Job]] = []
    take = jobs.take

    with shop.process() as one, shop.process() as two:

        def interrupted(tx: Any, found: Sequence[Job], *rest: Any) -> list[Job]:
            taken = take(tx, found, *rest)
            if not others:
                others.append([])
                others[0] += two.take_due(limit=5)  # before the first one commits
            return taken

        monkeypatch.setattr(jobs, "take", interrupted)
        mine = one.take_due(limit=5)

    assert len(mine) == len(others[0]) == 5
    assert not {each.subject for each in mine} & {each.subject for each in others[0]}


def test_who_finds_only_what_another_process_has_just_taken_looks_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = agenda._find
    theirs: list[Job] = []

    with shop.process() as one:

        def overtaken(*given: Any, **more: Any) -> list[Job]:
            found = find(*given, **more)
            if not theirs:
                theirs.append(found[0])
                monkeypatch.setattr(agenda, "_find", find)
                # It locked nothing that this transaction has locked, as if it had come before.
                taken = shop.mark(found)
                assert taken == len(found)
            return found

        monkeypatch.setattr(agenda, "_find", overtaken)
        mine = one.take_due(limit=5)

    assert len(mine) == 5
    assert theirs[0].subject not in {each.subject for each in mine}


def test_workers_that_take_jobs_at_once_do_each_of_them_once(shop: Shop) -> None:
    barrier = Barrier(WORKERS)

    def worker(_: int) -> list[str]:
        with shop.process() as cashier:
            barrier.wait(30)
            return [each.job.subject for each in cashier.work_due(limit=1_000)]

    with ThreadPoolExecutor(WORKERS) as pool:
        done = Counter(subject for each in pool.map(worker, range(WORKERS)) for subject in each)

    assert len(done) == ATTEMPTS
    assert set(done.values()) == {1}
    with shop.process() as cashier:
        assert {each.status for each in cashier.payments()} == {PaymentStatus.SUCCEEDED}
        assert cashier.fsck() == []
