"""Directed races on PostgreSQL: right with the locks, and wrong as soon as they are taken out."""

import threading
from collections.abc import Iterator

import psycopg
import pytest

from paygate import Cashier
from paygate.ledger.postgres import locks
from paygate.ledger.postgres.store import PostgresStore
from tests.ledger.postgres.races import RACES, TOTAL, WRITERS, Office, Unlocked, play

TIMES = 15


@pytest.fixture
def office(url: str) -> Iterator[Office]:
    office = Office(url)
    yield office
    office.close()


@pytest.fixture
def conflicts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The states of errors for which a transaction was done again."""
    found: list[str] = []
    tries_max = PostgresStore._tries_max

    def noted(store: PostgresStore, error: psycopg.Error) -> int:
        found.append(error.sqlstate or "lost")
        return tries_max(store, error)

    monkeypatch.setattr(PostgresStore, "_tries_max", noted)
    return found


@pytest.mark.parametrize("name", RACES)
def test_what_is_done_at_once_is_as_if_one_had_come_first(
    office: Office, conflicts: list[str], name: str
) -> None:
    wrong: list[str] = []
    for _ in range(TIMES):
        round_ = RACES[name].begin(office)
        played = play(round_.acts)
        wrong += [*played.errors, *filter(None, [round_.wrong()])]

    assert wrong == []
    assert not {"40P01", "40001"} & set(conflicts)
    assert office.first.fsck() == []


def test_two_customers_never_own_one_assignment_key(office: Office) -> None:
    """No lock is common to both; the row of the key decides, and the second waits for it."""
    for number in range(TIMES):
        purpose = f"order-{number}"

        def prepay(cashier: Cashier, which: int, purpose: str = purpose) -> object:
            key = f"{purpose}-{which}"
            return cashier.prepay(f"C-{which}", TOTAL, assignment_key=purpose, key=key)

        played = play(office.acts(prepay))

        assert played.errors == []
        assert len(office.first.prepayments(assignment_key=purpose)) == 1
        conflicts = [each for each in office.first.events(limit=1000) if "conflict" in each.type]
        assert len(conflicts) == (number + 1) * (WRITERS - 1)
    assert office.first.fsck() == []


@pytest.mark.parametrize("name", RACES)
def test_without_locks_it_goes_wrong(
    office: Office, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    race, wrong = RACES[name], list[str]()
    with psycopg.connect(office.url, autocommit=True) as owner:
        for each in race.constraints:
            owner.execute(each.encode())
    for module, constant, condition, instead in race.conditions:
        text = getattr(module, constant)
        assert condition in text
        monkeypatch.setattr(module, constant, text.replace(condition, instead))

    monkeypatch.setattr(locks, "ENTER_ALONE", locks.ENTER)
    for _ in range(TIMES):
        round_ = race.begin(office)
        with monkeypatch.context() as patch:
            patch.setattr(PostgresStore, "session_class", Unlocked)
            patch.setattr(Unlocked, "meeting", threading.Barrier(WRITERS))
            played = play(round_.acts)
        wrong = [*played.errors, *filter(None, [round_.wrong()])]
        if wrong:
            break

    assert wrong != []
