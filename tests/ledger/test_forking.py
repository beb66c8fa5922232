"""A fork waits for the threads inside the ledger, but not for ever and not for itself."""

import threading
from collections.abc import Iterator

import pytest

from paygate.ledger import forking


class Hours:
    """A clock on which every pause lasts a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, _: float) -> None:
        self.now += 1.0


@pytest.fixture
def hours(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hours]:
    clock = Hours()
    monkeypatch.setattr(forking, "time", clock)
    yield clock
    forking._in_child()


def in_another_thread(work: object) -> None:
    assert callable(work)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_a_fork_does_not_wait_for_the_thread_that_forks(hours: Hours) -> None:
    forking.enter()

    forking._before()

    assert hours.now == 0.0


def test_a_fork_does_not_wait_for_a_thread_that_perhaps_waits_for_it(hours: Hours) -> None:
    in_another_thread(forking.enter)

    forking._before()

    assert 5.0 <= hours.now <= 6.0


def test_while_somebody_forks_other_threads_wait_outside(
    hours: Hours, monkeypatch: pytest.MonkeyPatch
) -> None:
    forking._before()
    monkeypatch.setattr(hours, "sleep", lambda _: forking._forking.clear())

    in_another_thread(forking.enter)

    assert not forking._forking
    assert len(forking._inside) == 1


def test_a_child_has_nobody_inside(hours: Hours) -> None:
    in_another_thread(forking.enter)
    forking._before()

    forking._in_child()

    assert not forking._inside
    forking.enter()
    assert hours.now >= 5.0
