"""The roster of tenants: who makes room, and when what belongs to them is closed."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import pytest

from paygate import Merchants
from paygate.cashier.roster import Roster, Served
from paygate.cashier.routes import Routes
from paygate.domain.secret import Sealed

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def no_accounts(_: str) -> None:
    """Return nothing: a roster does not look up."""


def roster_of(cached: int, abandoned: list[Served] | None = None) -> Roster:
    found = [] if abandoned is None else abandoned
    return Roster(Merchants(no_accounts, cached=cached), found.append)


def served(tenant: str, given: Any = 1) -> Served:
    return Served(tenant, Sealed(given), {}, {}, Routes(None, None, {}, {}), NOW)


def tenants(closed: list[Served]) -> list[str]:
    return [each.tenant for each in closed]


def test_the_least_recently_used_makes_room() -> None:
    roster = roster_of(2)
    for tenant in ("a", "b"):
        used, closed = roster.add(served(tenant))
        assert closed == roster.release(used) == []
    again = roster.same("a", Sealed(1), NOW)
    assert again is not None
    roster.release(again)

    used, closed = roster.add(served("c"))

    assert tenants(closed) == ["b"]
    assert roster.release(used) == []
    assert len(roster) == 2


def test_what_is_in_use_is_closed_by_its_last_user() -> None:
    roster = roster_of(1)
    first, _ = roster.add(served("a"))
    second = roster.same("a", Sealed(1), NOW)
    assert second is first

    other, closed = roster.add(served("b"))

    assert closed == roster.release(first) == []
    assert tenants(roster.release(first)) == ["a"]
    assert roster.release(other) == []
    assert len(roster) == 1


def test_what_was_replaced_is_closed_by_its_last_user() -> None:
    roster = roster_of(5)
    old, _ = roster.add(served("a", "old key"))
    new, closed = roster.add(served("a", "new key"))

    assert closed == []
    assert roster.same("a", Sealed("old key"), NOW) is None
    assert roster.release(old) == [old]
    assert roster.release(new) == []


def test_two_who_make_the_same_share_it() -> None:
    roster = roster_of(5)
    first, _ = roster.add(served("a"))
    second, closed = roster.add(served("a"))

    assert second is first
    assert closed == []
    assert first.users == 2


def test_a_forked_child_abandons_what_is_its_parents(monkeypatch: pytest.MonkeyPatch) -> None:
    abandoned: list[Served] = []
    roster = roster_of(5, abandoned)
    roster.add(served("a"))
    roster.late("b")
    roster._lock.acquire()  # as another thread of the parent had it
    child = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: child)

    assert roster.same("a", Sealed(1), NOW) is None

    assert tenants(abandoned) == ["a"]
    assert len(roster) == 0
    assert not roster.is_late("b")
