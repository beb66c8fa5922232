"""Whether stored accounts can be used at all, and whether the ledger has other tenants."""

from __future__ import annotations

from pathlib import Path

from cryptography.fernet import Fernet

from paygate import Cashier, Merchants

KEYS = [Fernet.generate_key().decode() for _ in range(2)]
FAKE = {"driver": "fake"}


def opened(url: str, key: str) -> Cashier:
    return Cashier.open(url, merchants=Merchants.stored(), token_keys=[key], preload=False)


def test_whether_any_account_can_be_used_is_known_before_one_is_needed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    with opened(url, KEYS[0]) as cashier:
        assert cashier.accounts_are_stored
        assert cashier.stored_accounts_readable() is None
        assert not cashier.for_tenant("a").has_other_tenants()
        for tenant in ("a", "b"):
            cashier.for_tenant(tenant).add_account("card", settings=FAKE)
        assert cashier.for_tenant("a").has_other_tenants()
    with opened(url, KEYS[1]) as cashier:
        assert cashier.stored_accounts_readable() is False
        cashier.for_tenant("c").add_account("card", settings=FAKE)
        assert cashier.stored_accounts_readable() is True
        assert cashier.for_tenant("a").stored_accounts_readable() is True
    with Cashier.open(url) as cashier:
        assert not cashier.accounts_are_stored
        assert cashier.stored_accounts_readable() is False
