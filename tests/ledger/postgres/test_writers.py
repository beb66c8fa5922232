"""Several writers on PostgreSQL: what two of them do at once is as if one had come first."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from threading import Barrier, Event

import pytest

from paygate import Cashier, Money, Payment
from paygate.errors import Refused
from paygate.testing import FakeGateway
from tests.reading import every_event

TIMES = 15
WRITERS = 8
DUE = "2026-12-01"
TOTAL = Money.of("USD", "30.00")


def opposite(cashier: Cashier, check: Payment, number: int) -> Callable[[], object]:
    """Return what takes all of a check back: its reversal, or a refund recorded by hand."""
    if number % 2:
        return partial(cashier.reverse, check, reason="bounced")
    key = f"{check.id}-{number}"
    return partial(
        cashier.record_refund,
        check,
        amount=TOTAL,
        by="cash",
        reference="till",
        key=key,
        to="reopen",
    )


def at_once(acts: list[Callable[[], object]]) -> int:
    """Do all of *acts* at the same time and return how many were not refused."""
    barrier = Barrier(len(acts))

    def one(act: Callable[[], object]) -> bool:
        barrier.wait(30)
        try:
            act()
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(len(acts)) as pool:
        return sum(pool.map(one, acts))


@pytest.fixture
def cashiers(url: str) -> Iterator[list[Cashier]]:
    """Cashiers with connections of their own, as in several processes; one processor."""
    gateway = FakeGateway()
    with ExitStack() as stack:
        opened = [
            stack.enter_context(Cashier.open(url, gateways={"card": gateway}))
            for _ in range(WRITERS)
        ]
        yield opened


def test_a_payment_is_refunded_or_reversed_once(cashiers: list[Cashier]) -> None:
    first = cashiers[0]
    for number in range(TIMES):
        first.issue(number=f"A-{number}", customer="C-1", total=TOTAL, due=DUE)
        check = first.record(f"A-{number}", by="check", key=f"check-{number}")
        acts = [opposite(each, check, k) for k, each in enumerate(cashiers)]

        done = at_once(acts)

        # The same reversal again is the same; a refund is one of four, with keys of their own.
        refunds = [each for each in first.receipts(check) if each.kind == "refund"]
        reversed_ = first.payment(check).reversal is not None
        assert (len(refunds), reversed_, done) in [(1, False, 1), (0, True, WRITERS // 2)]
        assert first.invoice(f"A-{number}").open == TOTAL

    assert first.fsck() == []


def test_a_sink_misses_no_event_that_others_write_meanwhile(cashiers: list[Cashier]) -> None:
    publisher, *writers = cashiers
    received: list[str] = []
    publisher.subscribe("books", lambda event: received.append(event.id))
    written = Event()

    def publish() -> None:
        while not written.is_set():
            publisher.publish()

    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(publish)
        for number in range(TIMES):
            acts: list[Callable[[], object]] = [
                partial(each.issue, number=f"B-{number}-{k}", customer="C-1", total=TOTAL, due=DUE)
                for k, each in enumerate(writers)
            ]
            at_once(acts)
        written.set()
        publishing.result(30)
    publisher.publish()

    assert received == [each.id for each in every_event(publisher)]
    assert len(received) == TIMES * len(writers)
