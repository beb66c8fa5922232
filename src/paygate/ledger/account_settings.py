"""The settings of gateway accounts, encrypted, for a process that serves many merchants.

They are encrypted together with the names of their tenant and account, so settings that were moved
to another row cannot be used. A change names the revision that it was made from: of two processes
that change an account at once, the second one starts over from what the first one wrote.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from paygate.domain.secret import Sealed, Secret
from paygate.domain.stored_account import StoredAccount
from paygate.errors import SettingsUnreadable, TokenKeysMissing, TokenUnreadable
from paygate.ledger import checksums, outbox
from paygate.ledger.codec import read_instant

if TYPE_CHECKING:
    from paygate.ledger.tx import Row, Tx
    from paygate.ledger.vault import Vault

_INSERT = """
INSERT INTO paygate_account_settings (
  tenant, name, driver, settings_encrypted, enabled, revision, added_at, changed_at, changed_by,
  reason, checksum
) VALUES (
  :tenant, :name, :driver, :settings, :enabled, :revision, :at, :at, :actor, :reason, :checksum
)
ON CONFLICT DO NOTHING
"""
_ALL = "SELECT * FROM paygate_account_settings WHERE tenant = :tenant ORDER BY name"
_ONE = "SELECT * FROM paygate_account_settings WHERE tenant = :tenant AND name = :name"
_CHANGE = """
UPDATE paygate_account_settings SET
  settings_encrypted = :settings, enabled = :enabled, revision = :revision, changed_at = :at,
  changed_by = :actor, reason = :reason
WHERE tenant = :tenant AND name = :name AND revision = :revision - 1
"""
# Not on a newer revision: its settings are others.
_RESEAL = """
UPDATE paygate_account_settings SET settings_encrypted = :settings
WHERE tenant = :tenant AND name = :name AND revision = :revision
"""
_AFTER = """
SELECT * FROM paygate_account_settings WHERE tenant = :tenant AND name > :after
ORDER BY name LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class SealedSettings:
    """A stored account, with its encrypted settings; the same revision has the same settings."""

    account: StoredAccount
    sealed: bytes = field(compare=False)


def all_of(tx: Tx) -> list[SealedSettings]:
    """Return the stored accounts of the tenant, by name."""
    return [_read(row) for row in tx.all(_ALL, {"tenant": tx.tenant})]


def by_name(tx: Tx, name: str) -> SealedSettings | None:
    """Return the stored account *name*; None if it is not stored."""
    row = tx.one(_ONE, {"tenant": tx.tenant, "name": name})
    return None if row is None else _read(row)


def add(tx: Tx, name: str, driver: str, sealed: bytes) -> bool:
    """Store a new account; return False if there is one with its name."""
    params = {
        "tenant": tx.tenant,
        "name": name,
        "driver": driver,
        "settings": sealed,
        "enabled": 1,
        "revision": 1,
        "at": tx.at,
        "actor": tx.actor,
        "reason": "",
    }
    if not tx.run(_INSERT, checksums.signed(checksums.ACCOUNT_SETTINGS, params)):
        return False
    emit(tx, "account.added", name)
    return True


def change(tx: Tx, of: SealedSettings, *, sealed: bytes, enabled: bool, reason: str) -> bool:
    """
    Store new settings, or another state and its *reason*.

    Return False if *of* is not the current revision any more.
    """
    params = {
        "tenant": tx.tenant,
        "name": of.account.name,
        "settings": sealed,
        "enabled": int(enabled),
        "revision": of.account.revision + 1,
        "at": tx.at,
        "actor": tx.actor,
        "reason": reason,
    }
    if not tx.run(_CHANGE, params):
        return False
    checksums.renew(tx, checksums.ACCOUNT_SETTINGS, tx.tenant, of.account.name)
    return True


def seal(vault: Vault, tenant: str, name: str, settings: Sealed[dict[str, Any]]) -> bytes:
    """Return *settings* encrypted for the account *name* of *tenant*."""
    return vault.seal(Secret(json.dumps(settings.open())), of=_owner(tenant, name))


def unseal(vault: Vault | None, tenant: str, found: SealedSettings) -> Sealed[dict[str, Any]]:
    """Return the settings, or raise `SettingsUnreadable` or `TokenKeysMissing`."""
    name = found.account.name
    try:
        text = keys_of(vault).open(found.sealed, of=_owner(tenant, name))
    except TokenUnreadable:
        pass
    else:
        return Sealed(json.loads(text.reveal()))
    raise SettingsUnreadable(
        f"none of the token keys decrypts the settings of account {name!r} of tenant {tenant!r}: "
        "add the key that they were encrypted under to token_keys, or rotate the account with "
        "whole settings",
        account=name,
        tenant=tenant,
    )


def keys_of(vault: Vault | None) -> Vault:
    """Return the vault, or raise `TokenKeysMissing`."""
    if vault is None:
        raise TokenKeysMissing(
            "settings of accounts are stored encrypted, but no key is set; open the cashier with "
            "token_keys=[…], or set PAYGATE_TOKEN_KEYS for the command paygate"
        )
    return vault


def reseal_page(tx: Tx, after: str, limit: int) -> tuple[str, int, int]:
    """
    Encrypt settings of accounts after name *after* under the first key, at most *limit*.

    Return the last name, the number of accounts read, and the number that were under another key.
    """
    rows = tx.all(_AFTER, {"tenant": tx.tenant, "after": after, "limit": limit})
    changed = 0
    for row in rows:
        name, vault = row["name"], keys_of(tx.vault)
        found = _read(row)
        unseal(vault, tx.tenant, found)  # whose error names the account
        sealed = vault.reseal(found.sealed, of=_owner(tx.tenant, name))
        if sealed is not None:
            params = {"tenant": tx.tenant, "name": name, "settings": sealed}
            changed += tx.run(_RESEAL, params | {"revision": found.account.revision})
    return (rows[-1]["name"] if rows else after, len(rows), changed)


def emit(tx: Tx, type_: str, name: str, reason: str = "") -> None:
    """Store an event about the account *name*; it holds no setting."""
    outbox.emit(tx, type_, f"account:{name}", {"account": name, "reason": reason})


def _owner(tenant: str, name: str) -> str:
    """Return the owner that is encrypted together with the settings."""
    return f"account {tenant} {name}"


def _read(row: Row) -> SealedSettings:
    account = StoredAccount(
        name=row["name"],
        driver=row["driver"],
        enabled=bool(row["enabled"]),
        revision=int(row["revision"]),
        added_at=read_instant(row["added_at"]),
        changed_at=read_instant(row["changed_at"]),
        changed_by=row["changed_by"],
        reason=row["reason"],
    )
    return SealedSettings(account, bytes(row["settings_encrypted"]))
