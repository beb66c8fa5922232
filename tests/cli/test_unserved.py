"""``paygate work`` says which accounts it lacks, and never passes off doing nothing as success."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from paygate import Cashier, Merchants, Money, PaymentStatus
from paygate.testing import FakeClock
from tests.cli.conftest import Run
from tests.cli.test_work import PATIENCE_S, line_with, working

KEY: Final = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
OTHER_KEY: Final = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY="
ONCE: Final = ("work", "--once")
LEDGER: Final = "sqlite:///paygate.db"


def doubtful(cashier: Cashier, account: str, count: int = 1) -> None:
    """Let the outcome of some payments through *account* be unknown, and inquiries be due."""
    for number in range(count):
        key = f"{account}-{number}"
        total = Money.of("USD", "30.00")
        cashier.issue(number=key, customer="C-1", total=total, due="2026-12-01")
        cashier.collect(key, via=account, method="tok_unknown_executed", key=key)


def stored(tenant: str, account: str, key: str, count: int = 1) -> None:
    """Store an account of a merchant, encrypted under *key*, with payments in doubt."""
    settings = {"driver": "fake", "journal": f"{tenant}-{account}.jsonl"}
    with Cashier.open(
        LEDGER, merchants=Merchants.stored(), token_keys=[key], clock=FakeClock()
    ) as cashier:
        merchant = cashier.for_tenant(tenant)
        merchant.add_account(account, settings=settings)
        doubtful(merchant, account, count)


def configured(tenant: str = "main", *accounts: str) -> None:
    """Open the ledger with accounts of a file, with payments in doubt."""
    gateways = {name: {"driver": "fake", "journal": f"{name}.jsonl"} for name in accounts}
    with Cashier.open(LEDGER, gateways=gateways, tenant=tenant, clock=FakeClock()) as cashier:
        for account in accounts:
            doubtful(cashier, account)


def statuses(tenant: str) -> Counter[PaymentStatus]:
    with Cashier.open(LEDGER, tenant=tenant) as cashier:
        assert cashier.fsck() == []
        return Counter(each.status for each in cashier.payments())


def test_a_worker_without_accounts_and_sinks_is_refused(shell: Run) -> None:
    configured("main", "card")

    forgotten = shell(*ONCE)
    forever = shell("work")

    assert (forgotten.code, forever.code) == (2, 2)
    assert "--app" in forgotten.err
    assert "--gateways" in forgotten.err
    assert statuses("main") == {PaymentStatus.UNKNOWN: 1}


@pytest.mark.parametrize("tenant", [(), ("--tenant", "m-17")])
@pytest.mark.parametrize("key", ["", OTHER_KEY])
def test_without_the_keys_of_the_stored_accounts_a_worker_is_refused(
    shell: Run, folder: Path, key: str, tenant: tuple[str, ...]
) -> None:
    stored("m-17", "card", KEY)

    once = shell(*ONCE, *tenant, PAYGATE_TOKEN_KEYS=key)
    forever = shell("work", *tenant, PAYGATE_TOKEN_KEYS=key)

    assert (once.code, forever.code) == (2, 2)
    assert "PAYGATE_TOKEN_KEYS" in once.err or "token_keys" in once.err
    assert statuses("m-17") == {PaymentStatus.UNKNOWN: 1}


def test_a_worker_does_the_jobs_of_all_tenants_with_their_stored_accounts(
    shell: Run, folder: Path
) -> None:
    for tenant in ("m-17", "m-18"):
        stored(tenant, "card", KEY)

    one = shell(*ONCE, "--tenant", "m-18", "--json", PAYGATE_TOKEN_KEYS=KEY)
    rest = shell(*ONCE, "--json", PAYGATE_TOKEN_KEYS=KEY)

    assert one.json["done"]["jobs"]["inquire"] == 1
    assert rest.json["done"]["jobs"]["inquire"] == 1
    assert (one.code, rest.code, rest.json["unserved"]) == (0, 0, [])
    assert statuses("m-17") == statuses("m-18") == {PaymentStatus.SUCCEEDED: 1}


def test_the_jobs_of_an_account_whose_key_is_missing_are_named(shell: Run, folder: Path) -> None:
    stored("m-17", "card", KEY)
    stored("m-18", "wallet", OTHER_KEY, count=3)

    told = shell(*ONCE, PAYGATE_TOKEN_KEYS=KEY)
    as_json = shell(*ONCE, "--json", PAYGATE_TOKEN_KEYS=KEY)

    assert (told.code, as_json.code) == (1, 1)
    assert "1 inquire" in told.out
    assert "3 jobs wait for the account 'wallet' of tenant 'm-18'" in told.out
    [found] = as_json.json["unserved"]
    assert (found["tenant"], found["account"], found["jobs"]) == ("m-18", "wallet", 3)
    assert "none of the token keys decrypts" in found["why"]
    assert statuses("m-17") == {PaymentStatus.SUCCEEDED: 1}
    assert statuses("m-18") == {PaymentStatus.UNKNOWN: 3}


def test_the_jobs_of_an_account_that_is_not_in_the_file_are_named(shell: Run, folder: Path) -> None:
    configured("main", "card", "wallet")
    (folder / "gateways.toml").write_text('[card]\ndriver = "fake"\njournal = "card.jsonl"\n')

    done = shell(*ONCE, "--gateways", "gateways.toml", "--json")

    assert done.code == 1
    [found] = done.json["unserved"]
    assert (found["account"], found["jobs"]) == ("wallet", 1)
    assert found["why"] == "it is not configured here"
    assert statuses("main") == {PaymentStatus.UNKNOWN: 1, PaymentStatus.SUCCEEDED: 1}


def test_a_job_that_another_worker_has_taken_is_not_missed(shell: Run, folder: Path) -> None:
    configured("main", "card", "wallet")
    (folder / "gateways.toml").write_text('[card]\ndriver = "fake"\njournal = "card.jsonl"\n')
    wallet = {"wallet": {"driver": "fake", "journal": "wallet.jsonl"}}
    with Cashier.open(LEDGER, gateways=wallet) as other:
        assert len(other.take_due()) == 2  # an inquiry and the feed

        done = shell(*ONCE, "--gateways", "gateways.toml", "--json")

    assert (done.code, done.json["unserved"]) == (0, [])


def test_a_file_of_accounts_is_for_one_tenant_which_must_be_named_if_there_are_several(
    shell: Run, folder: Path
) -> None:
    configured("main", "card")
    configured("other", "card")
    (folder / "gateways.toml").write_text('[card]\ndriver = "fake"\njournal = "card.jsonl"\n')
    work = (*ONCE, "--gateways", "gateways.toml")

    refused = shell(*work)
    named = shell(*work, "--tenant", "main")

    assert refused.code == 2
    assert "--tenant" in refused.err
    assert named.code == 0
    assert statuses("main") == {PaymentStatus.SUCCEEDED: 1}
    assert statuses("other") == {PaymentStatus.UNKNOWN: 1}


def test_a_worker_that_goes_on_says_in_the_log_what_it_cannot_do(folder: Path) -> None:
    configured("main", "card", "wallet")
    (folder / "gateways.toml").write_text('[card]\ndriver = "fake"\njournal = "card.jsonl"\n')

    with working("--gateways", "gateways.toml") as process:
        line = line_with(process, "worker.unserved")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)

    assert "1 job waits for the account 'wallet' of tenant 'main'" in line
    assert process.returncode == 0


def test_an_application_without_accounts_and_sinks_is_refused(shell: Run, folder: Path) -> None:
    (folder / "bare.py").write_text(
        "from paygate import AsyncCashier, Cashier\n"
        "def one():\n    return Cashier.open('sqlite:///paygate.db')\n"
        "def two():\n    return AsyncCashier.open('sqlite:///paygate.db')\n"
    )

    for factory in ("bare:one", "bare:two"):
        done = shell(*ONCE, "--app", factory)
        assert done.code == 2
        assert "no gateway account and no sink" in done.err
