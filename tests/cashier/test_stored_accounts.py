"""Gateway accounts that are stored in the ledger: encrypted, rotated and disabled at run time."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from paygate import AsyncCashier, Cashier, Merchants, Money, PaymentStatus, Secret
from paygate.errors import (
    AccountDisabled,
    AccountExists,
    AccountNotStored,
    InvalidSettings,
    InvalidValue,
    LiveModeMismatch,
    SettingsUnreadable,
    TenantNotFound,
    TokenKeysMissing,
    UsageError,
)
from paygate.ledger.account_settings import CHANGED
from tests.stores import sqlite_of

KEYS = [Fernet.generate_key().decode() for _ in range(3)]
SECRET = "sk_test_" + "of_the_merchant"
STRIPE = {"driver": "stripe", "secret_key": SECRET, "webhook_secrets": ["whsec_one"]}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.db"


def opened(url: str, *keys: str, **more: Any) -> Cashier:
    return Cashier.open(
        url, merchants=Merchants.stored(), token_keys=keys or KEYS[:1], preload=False, **more
    )


@pytest.fixture
def cashier(url: str) -> Iterator[Cashier]:
    with opened(url) as made:
        yield made


def signing_key_of(shop: Cashier) -> str:
    gateway: Any = shop.accounts()["card"].gateway
    return str(gateway.processor.signing_key)


def fake(key: str, **more: Any) -> dict[str, Any]:
    return {"driver": "fake", "signing_key": key * 20, **more}


def pay(shop: Cashier, key: str) -> PaymentStatus:
    total = Money.of("USD", "30.00")
    shop.issue(number=key, customer="C", total=total, due="2026-12-01")
    return shop.collect(key, via="card", method="tok_visa", key=key).status


# --- Adding -------------------------------------------------------------------------------------


def test_a_tenant_is_paid_through_the_account_that_was_stored(cashier: Cashier) -> None:
    shop = cashier.for_tenant("north")

    stored = shop.add_account("card", settings=fake("a"))

    assert (stored.name, stored.driver, stored.enabled, stored.revision) == (
        "card",
        "fake",
        True,
        1,
    )
    assert pay(shop, "1") is PaymentStatus.SUCCEEDED
    assert shop.stored_accounts() == [stored]
    assert cashier.for_tenant("south").stored_accounts() == []
    with pytest.raises(TenantNotFound):
        pay(cashier.for_tenant("south"), "1")


async def test_both_faces_read_the_same_accounts(url: str, cashier: Cashier) -> None:
    cashier.for_tenant("north").add_account("card", settings=fake("a"))

    merchants = Merchants.stored()
    async with AsyncCashier.open(url, merchants=merchants, token_keys=KEYS[:1]) as other:
        shop = other.for_tenant("north")
        assert list(await shop.accounts()) == ["card"]
        await shop.rotate_account("card", settings={"signing_key": "b" * 20})

    assert cashier.for_tenant("north").stored_accounts()[0].revision == 2


def test_adding_the_same_again_changes_nothing(cashier: Cashier) -> None:
    shop = cashier.for_tenant("north")
    first = shop.add_account("card", settings=fake("a"))

    assert shop.add_account("card", settings=fake("a")) == first
    with pytest.raises(AccountExists) as caught:
        shop.add_account("card", settings=fake("b"))
    assert caught.value.account == "card"
    assert [each.type for each in shop.events()] == ["account.added"]


@pytest.mark.sqlite
def test_nothing_of_the_settings_is_readable_in_the_ledger(cashier: Cashier, url: str) -> None:
    shop = cashier.for_tenant("north")
    shop.add_account("card", settings=STRIPE)
    shop.rotate_account("card", settings={"webhook_secrets": ["whsec_two", "whsec_three"]})
    shop.disable_account("card", reason="closed")
    sqlite_of(cashier).close()

    written = b"".join(
        each.read_bytes() for each in Path(url.removeprefix("sqlite:///")).parent.iterdir()
    )

    for secret in (SECRET, "whsec_one", "whsec_two", "whsec_three"):
        assert secret.encode() not in written
    assert b"stripe" in written


def test_secrets_may_be_given_as_secrets(cashier: Cashier) -> None:
    shop = cashier.for_tenant("north")

    shop.add_account("card", settings={"driver": "fake", "signing_key": Secret("a" * 20)})

    assert pay(shop, "1") is PaymentStatus.SUCCEEDED


@pytest.mark.parametrize(
    "settings",
    [
        {"driver": "stripe", "secret_key": SECRET, "colour": "red"},
        {"driver": "stripe", "publishable_key": SECRET},
        {"driver": "nobody", "secret_key": SECRET},
        {"secret_key": SECRET},
        {**STRIPE, "secret_key": {"env": "HOME"}, "publishable_key": SECRET},
        {**STRIPE, "transport": SECRET},
        {**STRIPE, "gateway": SECRET},
        {**STRIPE, "account": {SECRET}},
        {**STRIPE, "account": float("nan")},
        [SECRET],
    ],
    ids=str,
)
def test_wrong_settings_are_refused_stored_nowhere_and_not_repeated(
    cashier: Cashier, settings: Any
) -> None:
    shop = cashier.for_tenant("north")

    with pytest.raises(UsageError) as caught:
        shop.add_account("card", settings=settings)

    assert shop.stored_accounts() == []
    trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [each for each in trace.stack if "/paygate/" in each.filename]
    shown = "".join(f"{each.name} {each.locals}" for each in ours) + str(caught.value)
    assert SECRET not in shown


@pytest.mark.parametrize("name", ["", "a/b", "..", "card\n", "c\N{CYRILLIC SMALL LETTER A}rd", 7])
def test_the_name_of_a_stored_account_fits_into_a_path(cashier: Cashier, name: Any) -> None:
    with pytest.raises(InvalidValue):
        cashier.for_tenant("north").add_account(name, settings=fake("a"))


def test_a_live_account_is_not_added_to_a_ledger_for_tests(cashier: Cashier) -> None:
    shop = cashier.for_tenant("north")
    shop.add_account("card", settings=fake("a"))
    pay(shop, "1")

    with pytest.raises(LiveModeMismatch):
        shop.add_account("live", settings={**STRIPE, "secret_key": "sk_live_" + "x" * 20})
    assert [each.name for each in shop.stored_accounts()] == ["card"]


@pytest.mark.parametrize(
    "settings",
    [{"enabled": SECRET}, {"by_currency": {"USD": {"maximum": SECRET}}}],
    ids=["enabled", "a limit"],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(cashier: Cashier, settings: Any) -> None:
    with pytest.raises(InvalidSettings) as caught:
        cashier.for_tenant("north").add_account("card", settings={**STRIPE, **settings})

    assert SECRET not in str(caught.value)


# --- Rotating -----------------------------------------------------------------------------------


def test_a_running_process_uses_new_credentials_for_its_next_request(
    url: str, cashier: Cashier
) -> None:
    shop = cashier.for_tenant("north")
    shop.add_account("card", settings=fake("a"))
    old = shop.accounts()["card"]

    with opened(url) as other:
        other.for_tenant("north").rotate_account("card", settings={"signing_key": "b" * 20})

    assert shop.accounts()["card"] is not old
    assert shop.stored_accounts()[0].revision == 2


def test_what_is_not_named_is_kept_unless_the_settings_are_whole(cashier: Cashier) -> None:
    shop = cashier.for_tenant("north")
    shop.add_account("card", settings={**STRIPE, "account": "acct_1"})

    shop.rotate_account("card", settings={"secret_key": "sk_test_" + "new"})
    assert shop.accounts()["card"].traits.merchant_account == "acct_1"

    shop.rotate_account("card", settings={"secret_key": "sk_test_" + "newer"}, whole=True)
    assert shop.accounts()["card"].traits.merchant_account == ""


def test_an_old_payment_finds_its_account_under_the_new_credentials(cashier: Cashier) -> None:
    shop = cashier.for_tenant("north")
    shop.add_account("card", settings={**fake("a"), "journal": None})
    total = Money.of("USD", "30.00")
    shop.issue(number="1", customer="C", total=total, due="2026-12-01")
    payment = shop.collect("1", via="card", method="tok_unknown_executed", key="1")

    shop.rotate_account("card", settings={"signing_key": "b" * 20})
    # The new account object asks a fake processor of its own, which never heard of the payment.
    found = shop.inquire(payment)

    assert found.account == "card"
    assert [each.operation for each in shop.attempts(found)] == ["charge"]


def test_rotating_to_what_is_stored_already_changes_nothing(cashier: Cashier) -> None:
    shop = cashier.for_tenant("north")
    stored = shop.add_account("card", settings=fake("a"))

    assert shop.rotate_account("card", settings={"signing_key": "a" * 20}) == stored


@pytest.mark.parametrize(
    "settings",
    [{"driver": "stripe", "secret_key": SECRET}, {"merchant_account": "another"}],
    ids=["another driver", "another account of the processor"],
)
def test_an_account_does_not_become_another(cashier: Cashier, settings: dict[str, Any]) -> None:
    shop = cashier.for_tenant("north")
    stored = shop.add_account("card", settings=fake("a"))

    for whole in (False, True):
        with pytest.raises(InvalidSettings):
            shop.rotate_account("card", settings=settings, whole=whole)
    assert shop.stored_accounts() == [stored]


def test_an_account_that_is_not_stored_is_not_found(cashier: Cashier) -> None:
    cashier.for_tenant("south").add_account("card", settings=fake("a"))
    shop = cashier.for_tenant("north")

    calls: list[Callable[[], object]] = [
        lambda: shop.rotate_account("card", settings=fake("b")),
        lambda: shop.disable_account("card"),
        lambda: shop.enable_account("card"),
    ]
    for call in calls:
        with pytest.raises(AccountNotStored) as caught:
            call()
        assert caught.value.account == "card"


def test_two_that_rotate_at_once_follow_each_other(url: str, cashier: Cashier) -> None:
    shop = cashier.for_tenant("north")
    shop.add_account("card", settings={**STRIPE, "account": "acct_1"})
    begin, rounds = threading.Barrier(2), 8
    failed: list[BaseException] = []

    def rotate(name: str, prefix: str) -> None:
        try:
            with opened(url) as other:
                begin.wait()
                for number in range(rounds):
                    given = {name: f"{prefix}_{number}"}
                    other.for_tenant("north").rotate_account("card", settings=given)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [
        threading.Thread(target=rotate, args=each)
        for each in (("secret_key", "sk_test"), ("publishable_key", "pk_test"))
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert not failed
    assert shop.stored_accounts()[0].revision == 1 + 2 * rounds
    assert shop.public_settings("card") == {"publishable_key": f"pk_test_{rounds - 1}"}
    types = [each.type for each in shop.events(limit=100)]
    assert types == ["account.added"] + ["account.rotated"] * (2 * rounds)


# --- Disabling ----------------------------------------------------------------------------------


def test_a_disabled_account_begins_nothing_and_finishes_what_it_has(
    url: str, cashier: Cashier
) -> None:
    shop = cashier.for_tenant("north")
    shop.add_account("card", settings=fake("a"))
    shop.issue(number="1", customer="C", total=Money.of("USD", "30.00"), due="2026-12-01")
    paid = shop.collect("1", via="card", method="tok_visa", key="1")

    # Disabling needs no keys.
    with Cashier.open(url, merchants=Merchants.stored()) as other:
        done = other.for_tenant("north").disable_account("card", reason="the contract ended")

    assert not done.enabled
    with pytest.raises(AccountDisabled):
        pay(shop, "2")
    assert shop.collect("1", via="card", method="tok_visa", key="1").id == paid.id
    assert shop.stored_accounts()[0].revision == 2
    [event] = [each for each in shop.events() if each.type == "account.disabled"]
    assert event.data == {"account": "card", "reason": "the contract ended", "revision": 2}

    shop.rotate_account("card", settings={"signing_key": "b" * 20})
    with pytest.raises(AccountDisabled):
        pay(shop, "3")
    shop.enable_account("card")
    assert pay(shop, "4") is PaymentStatus.SUCCEEDED
    assert shop.enable_account("card").revision == 4


# --- Keys ---------------------------------------------------------------------------------------


def test_settings_under_a_key_that_this_process_lacks_stop_one_account(
    url: str, cashier: Cashier, caplog: pytest.LogCaptureFixture
) -> None:
    cashier.for_tenant("north").add_account("card", settings=fake("a"))
    with opened(url, KEYS[1]) as other:
        shop = other.for_tenant("north")
        shop.add_account("own", settings=fake("b"))

        with pytest.raises(SettingsUnreadable) as caught:
            pay(shop, "1")
        assert (caught.value.account, caught.value.tenant) == ("card", "north")
        assert list(shop.accounts()) == ["own"]
        assert [each.name for each in shop.stored_accounts()] == ["card", "own"]
        with pytest.raises(SettingsUnreadable):
            shop.rotate_account("card", settings={"signing_key": "c" * 20})

        shop.rotate_account("card", settings=fake("c"), whole=True)
        assert pay(shop, "2") is PaymentStatus.SUCCEEDED
    assert "account.unusable" in caplog.text


def test_without_keys_nothing_is_stored_or_used(url: str, cashier: Cashier) -> None:
    cashier.for_tenant("north").add_account("card", settings=fake("a"))

    with Cashier.open(url, merchants=Merchants.stored()) as other:
        with pytest.raises(TokenKeysMissing):
            pay(other.for_tenant("north"), "1")
        with pytest.raises(TokenKeysMissing):
            other.for_tenant("south").add_account("card", settings=fake("a"))
        assert other.for_tenant("south").stored_accounts() == []


def test_settings_are_encrypted_again_under_the_first_key(url: str, cashier: Cashier) -> None:
    shop = cashier.for_tenant("north")
    shop.add_account("card", settings=fake("a"))
    shop.add_account("other", settings=fake("b"))

    with opened(url, KEYS[1], KEYS[0]) as rotating:
        done = rotating.for_tenant("north").rotate_keys()
        assert (done.rotated, done.current) == (2, 0)
    with opened(url, KEYS[1]) as new:
        assert pay(new.for_tenant("north"), "1") is PaymentStatus.SUCCEEDED
        assert new.for_tenant("north").stored_accounts()[0].revision == 1


def test_settings_that_were_moved_to_another_tenant_are_not_used(
    url: str, cashier: Cashier
) -> None:
    cashier.for_tenant("north").add_account("card", settings=fake("a"))
    south = cashier.for_tenant("south")
    south.add_account("card", settings=fake("b"))
    cashier._store.write(
        south._context,
        lambda tx: tx.run(
            "UPDATE paygate_account_settings SET settings_encrypted = (SELECT settings_encrypted "
            "FROM paygate_account_settings WHERE tenant = 'north') WHERE tenant = 'south'",
            {},
        ),
    )

    with opened(url) as fresh, pytest.raises(SettingsUnreadable):
        pay(fresh.for_tenant("south"), "1")


def _run(cashier: Cashier, sql: str, **params: object) -> list[str]:
    """Change the ledger as somebody does who has its file; return the rules that notice it."""
    shop = cashier.for_tenant("north")
    cashier._store.write(shop._context, lambda tx: tx.run(sql, dict(params)))
    return [each.rule for each in shop.fsck()]


def _row(cashier: Cashier) -> dict[str, object]:
    row: Any = cashier._store.read(
        cashier._context, lambda tx: tx.one("SELECT * FROM paygate_account_settings", {})
    )
    return {name: row[name] for name in row.keys()}  # noqa: SIM118  (sqlite3's rows are no dict)


PUT_BACK = "UPDATE paygate_account_settings SET settings_encrypted = :settings_encrypted"


def test_settings_that_were_rotated_away_and_put_back_are_not_used(
    url: str, cashier: Cashier
) -> None:
    shop = cashier.for_tenant("north")
    shop.add_account("card", settings=fake("a"))
    old = _row(cashier)
    shop.rotate_account("card", settings={"signing_key": "b" * 20})
    assert shop.fsck() == []

    assert _run(cashier, PUT_BACK, **old) == ["rows-are-as-written"]

    with opened(url) as fresh, pytest.raises(SettingsUnreadable):
        pay(fresh.for_tenant("north"), "1")


@pytest.mark.parametrize("rotated", [True, False])
def test_a_whole_row_of_an_earlier_revision_is_noticed_and_not_used(
    rotated: bool, url: str, cashier: Cashier
) -> None:
    shop = cashier.for_tenant("north")
    shop.add_account("card", settings=fake("a"))
    old = _row(cashier)
    if rotated:
        shop.rotate_account("card", settings={"signing_key": "b" * 20})
    else:
        shop.disable_account("card")
    everything = ", ".join(f"{name} = :{name}" for name in old)
    wrong = _run(cashier, f"UPDATE paygate_account_settings SET {everything}", **old)  # noqa: S608

    assert wrong == ["stored-accounts-are-current"]
    with opened(url) as fresh:
        north = fresh.for_tenant("north")
        with pytest.raises(SettingsUnreadable, match="an earlier one was put back") as caught:
            pay(north, "1")
        assert (caught.value.account, caught.value.tenant) == ("card", "north")
        assert "a" * 20 not in str(caught.value)
        assert north.rotate_account("card", settings=fake("c"), whole=True).revision == 3
        assert pay(north, "2") is PaymentStatus.SUCCEEDED
        assert north.fsck() == []


def test_settings_under_an_earlier_key_that_were_put_back_are_noticed(
    url: str, cashier: Cashier
) -> None:
    shop = cashier.for_tenant("north")
    shop.add_account("card", settings=fake("a"))
    old = _row(cashier)
    with opened(url, KEYS[1], KEYS[0]) as rotating:
        rotating.for_tenant("north").rotate_keys()
    assert shop.fsck() == []

    assert _run(cashier, PUT_BACK, **old) == ["rows-are-as-written"]

    with opened(url, KEYS[1]) as fresh, pytest.raises(SettingsUnreadable):
        pay(fresh.for_tenant("north"), "1")


def test_an_account_is_disabled_and_enabled_without_the_keys_and_keeps_its_settings(
    url: str, cashier: Cashier
) -> None:
    cashier.for_tenant("north").add_account("card", settings=fake("a"))
    with Cashier.open(url, merchants=Merchants.stored()) as other:
        other.for_tenant("north").disable_account("card")
        other.for_tenant("north").enable_account("card")

    assert pay(cashier.for_tenant("north"), "1") is PaymentStatus.SUCCEEDED
    events = cashier.for_tenant("north").events()
    told = [(each.type, each.data["revision"]) for each in events if each.type in CHANGED]
    assert told == [("account.added", 1), ("account.disabled", 2), ("account.enabled", 3)]
    assert cashier.for_tenant("north").fsck() == []


def test_a_row_that_is_missing_or_was_altered_is_found(url: str, cashier: Cashier) -> None:
    shop = cashier.for_tenant("north")
    shop.add_account("card", settings=fake("a"))
    shop.disable_account("card")
    shop.add_account("other", settings=fake("b"))
    assert shop.fsck() == []

    def alter(sql: str) -> list[str]:
        cashier._store.write(shop._context, lambda tx: tx.run(sql, {}))
        return [each.rule for each in shop.fsck()]

    assert alter("UPDATE paygate_account_settings SET enabled = 1 WHERE name = 'card'") == [
        "rows-are-as-written"
    ]
    assert "no-rows-are-missing" in alter("DELETE FROM paygate_account_settings")
