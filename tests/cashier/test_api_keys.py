"""API keys: their secrets, their scopes, rotation, and requests that are done once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from paygate import ApiScope, Cashier, Money, NewApiKey
from paygate.cashier.within import Within
from paygate.errors import (
    ApiKeyExists,
    ApiKeyNotFound,
    AssignmentConflict,
    InvalidValue,
    KeyReused,
    NotAllowedHere,
)
from paygate.testing import FakeClock, FakeGateway

PAGE_KEY = "A" * 43 + "="


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def shop(file: Path, clock: FakeClock) -> Iterator[Cashier]:
    with Cashier.open(
        f"sqlite:///{file}",
        gateways={"card": FakeGateway(clock=clock)},
        clock=clock,
        page_keys=[PAGE_KEY],
    ) as cashier:
        yield cashier


@pytest.fixture
def made(shop: Cashier) -> NewApiKey:
    return shop.add_api_key("portal", scopes=["read", "write"])


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


@pytest.mark.sqlite
def test_a_secret_is_found_and_only_its_digest_is_stored(
    shop: Cashier, made: NewApiKey, file: Path
) -> None:
    secret = made.secret.reveal()

    found = shop.api_key_of(secret)

    assert found.id == made.key.id
    assert found.scopes == (ApiScope.READ, ApiScope.WRITE)
    assert len(secret) == len("pgk_") + 43
    connection = sqlite3.connect(file)
    dump = "\n".join(connection.iterdump())
    connection.close()
    assert secret not in dump
    assert secret[4:] not in dump
    assert secret not in repr(made)


@pytest.mark.parametrize("text", ["", "pgk_", "x" * 47, "pgk_" + "A" * 43, "pgk_" + "é" * 43])
def test_another_text_is_refused(shop: Cashier, made: NewApiKey, text: str) -> None:
    with pytest.raises(ApiKeyNotFound) as refused:
        shop.api_key_of(text)

    assert made.key.name not in str(refused.value)
    assert text in ("", "pgk_") or text not in str(refused.value)


def test_several_keys_are_live_until_they_are_revoked(shop: Cashier, made: NewApiKey) -> None:
    newer = shop.add_api_key("portal-2", scopes=[ApiScope.READ])
    assert shop.api_key_of(made.secret).is_live

    ended = shop.revoke_api_key("portal", reason="rotated")

    assert (ended.revoked_at, ended.revoked_by, ended.reason) == (shop.now(), "host", "rotated")
    with pytest.raises(ApiKeyNotFound):
        shop.api_key_of(made.secret)
    assert shop.api_key_of(newer.secret).id == newer.key.id
    assert [each.is_live for each in shop.api_keys()] == [False, True]
    assert shop.revoke_api_key(made.key, reason="again") == ended


def test_a_name_is_free_again_once_its_key_is_revoked(shop: Cashier, made: NewApiKey) -> None:
    with pytest.raises(ApiKeyExists):
        shop.add_api_key("portal", scopes=["read"])

    shop.revoke_api_key(made.key, reason="rotated")

    assert shop.add_api_key("portal", scopes=["read"]).key.id != made.key.id
    with pytest.raises(ApiKeyNotFound):
        shop.revoke_api_key("nobody", reason="rotated")
    with pytest.raises(InvalidValue):
        shop.revoke_api_key("portal", reason=" ")


@pytest.mark.parametrize("scopes", [[], ["admin"], "read", None])
def test_a_key_has_known_scopes(shop: Cashier, scopes: object) -> None:
    with pytest.raises(InvalidValue) as refused:
        shop.add_api_key("portal", scopes=scopes)  # type: ignore[arg-type]

    assert refused.value.facts["argument"] == "scopes"


def test_the_last_use_is_noted_once_a_minute(
    shop: Cashier, made: NewApiKey, clock: FakeClock
) -> None:
    shop.api_key_of(made.secret)
    first = shop.api_keys()[0].last_used_at
    clock.advance(timedelta(seconds=30))
    shop.api_key_of(made.secret)
    assert shop.api_keys()[0].last_used_at == first
    clock.advance(timedelta(seconds=31))
    shop.api_key_of(made.secret)

    assert shop.api_keys()[0].last_used_at == clock.now()
    assert shop.fsck() == []


@pytest.mark.sqlite
def test_an_altered_key_is_found_by_fsck(shop: Cashier, made: NewApiKey, file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.execute("UPDATE paygate_api_key SET scopes = 'read refund write'")
    connection.commit()
    connection.close()

    [finding] = shop.fsck()

    assert made.key.id in finding.subject


def entry(books: Within) -> tuple[str, str]:
    """Make a prepayment and its link."""
    made = books.prepay("C-1", usd("30.00"), assignment_key="O-1", key="k")
    return made.id, books.link(made, key="k").id


def test_the_work_of_a_request_is_done_once_and_as_a_whole(shop: Cashier, made: NewApiKey) -> None:
    first = shop.once(made.key, "r-1", digest="a", work=entry)
    again = shop.once(made.key, "r-1", digest="a", work=entry)

    assert first == again
    assert shop.once(made.key, "r-1", digest="a", work=lambda books: books.repeated) is True
    assert shop.once(made.key, "r-2", digest="a", work=lambda books: books.repeated) is False
    assert len(shop.prepayments()) == len(shop.links()) == 1
    with pytest.raises(KeyReused):
        shop.once(made.key, "r-1", digest="b", work=entry)
    other = shop.add_api_key("other", scopes=["write"])
    assert shop.once(other.key, "r-1", digest="b", work=lambda _: 7) == 7
    assert shop.fsck() == []


def test_work_that_fails_leaves_nothing_but_the_event_of_a_conflict(
    shop: Cashier, made: NewApiKey
) -> None:
    shop.prepay("C-2", usd("5.00"), assignment_key="O-1", key="theirs")

    def work(books: Within) -> None:
        books.issue(number="N-1", customer="C-1", total=usd("1.00"), due="2031-01-01")
        entry(books)

    with pytest.raises(AssignmentConflict):
        shop.once(made.key, "r-1", digest="a", work=work)

    assert shop.invoices() == []
    [event] = [each for each in shop.events() if each.type == "assignment.conflict"]
    assert event.data["currency"] == "USD"
    # Nothing was done, so the key is still free.
    assert shop.once(made.key, "r-1", digest="b", work=lambda _: 7) == 7


def test_nothing_is_sent_inside_the_transaction(shop: Cashier, made: NewApiKey) -> None:
    def work(books: Within) -> None:
        books.publish()  # type: ignore[attr-defined]

    with pytest.raises((AttributeError, NotAllowedHere)):
        shop.once(made.key, "r-1", digest="a", work=work)
