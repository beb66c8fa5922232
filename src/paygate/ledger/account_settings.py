"""The settings of gateway accounts, encrypted, for a process that serves many merchants.

They are encrypted together with the names of their tenant and account and the revision in which
they were stored, so settings that were moved to another row, or put back after they were replaced,
cannot be decrypted. An earlier row as a whole would fit together; but each change stores an event
with its revision, and events are never deleted, so a row is used only in the revision of the last
event.

A change names the revision that it was made from: of two processes that change an account at once,
the second one starts over from what the first one wrote.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.secret import Sealed, Secret
from paygate.domain.stored_account import StoredAccount
from paygate.errors import SettingsUnreadable, TokenKeysMissing, TokenUnreadable
from paygate.ledger import checksums, outbox
from paygate.ledger.codec import read_instant

if TYPE_CHECKING:
    from paygate.ledger.rule import FoundRow
    from paygate.ledger.tx import Row, Tx
    from paygate.ledger.vault import Vault

_INSERT = """
INSERT INTO paygate_account_settings (
  tenant, name, driver, settings_encrypted, settings_revision, enabled, revision, added_at,
  changed_at, changed_by, reason, checksum
) VALUES (
  :tenant, :name, :driver, :settings, :settings_revision, :enabled, :revision, :at, :at, :actor,
  :reason, :checksum
)
ON CONFLICT DO NOTHING
"""
STORED: Final = ("account.added", "account.rotated")
"""The types of the events with which settings are stored."""
CHANGED: Final = (*STORED, "account.enabled", "account.disabled")
"""The types of the events with which a stored account gets another revision."""


def _last_event(types: tuple[str, ...]) -> str:
    """Return the SQL expression for the data of the last event of these types of account `t`."""
    return f"""(
  SELECT o.data FROM paygate_outbox o
  WHERE o.tenant = t.tenant AND o.aggregate = 'account:' || t.name
    AND o.type IN ({", ".join(f"'{each}'" for each in types)})
  ORDER BY o.seq DESC LIMIT 1)"""


WITH_EVENTS: Final = f"""
SELECT t.tenant || ' ' || t.name AS subject, t.*,
  {_last_event(CHANGED)} AS changed_by_event, {_last_event(STORED)} AS stored_by_event
FROM paygate_account_settings t
"""
"""The rows of stored accounts, each with the data of its last events."""

_ALL = f"{WITH_EVENTS} WHERE t.tenant = :tenant ORDER BY t.name"
_ONE = f"{WITH_EVENTS} WHERE t.tenant = :tenant AND t.name = :name"
_CHANGE = """
UPDATE paygate_account_settings SET
  settings_encrypted = :settings, settings_revision = :settings_revision, enabled = :enabled,
  revision = :revision, changed_at = :at, changed_by = :actor, reason = :reason
WHERE tenant = :tenant AND name = :name AND revision = :before
"""
# Not on a newer revision: its settings are others.
_RESEAL = """
UPDATE paygate_account_settings SET settings_encrypted = :settings
WHERE tenant = :tenant AND name = :name AND revision = :revision
"""
_AFTER = f"""
{WITH_EVENTS} WHERE t.tenant = :tenant AND t.name > :after ORDER BY t.name LIMIT :limit
"""
_PAGE = f"""
{WITH_EVENTS} WHERE (t.tenant, t.name) > (:tenant, :name) ORDER BY t.tenant, t.name LIMIT :limit
"""
_PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class SealedSettings:
    """
    A stored account, with its encrypted settings; the same revision has the same settings.

    `sealed_in` is the revision in which the settings were stored. `put_back` says what is wrong
    with a row that is not the one of the last change.
    """

    account: StoredAccount
    sealed: bytes = field(compare=False)
    sealed_in: int
    put_back: str = ""
    next_revision: int = field(default=0, compare=False)


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
        "settings_revision": 1,
        "enabled": 1,
        "revision": 1,
        "at": tx.at,
        "actor": tx.actor,
        "reason": "",
    }
    if not tx.run(_INSERT, checksums.signed(checksums.ACCOUNT_SETTINGS, params)):
        return False
    _emit(tx, "account.added", name, revision=1)
    return True


def change(
    tx: Tx,
    of: SealedSettings,
    event: str,
    *,
    enabled: bool,
    settings: Sealed[dict[str, Any]] | None = None,
    reason: str = "",
) -> bool:
    """
    Store a change of *of*, and its *event*; without *settings*, it keeps those that it has.

    With *settings*, the account stays enabled or disabled for the reason that was given for that.
    Return False if *of* is not the current revision any more.
    """
    name, revision = of.account.name, of.next_revision
    sealed, sealed_in = of.sealed, of.sealed_in
    if settings is not None:
        sealed = seal(keys_of(tx.vault), tx.tenant, name, revision, settings)
        sealed_in = revision
    params = {
        "tenant": tx.tenant,
        "name": name,
        "settings": sealed,
        "settings_revision": sealed_in,
        "enabled": int(enabled),
        "revision": revision,
        "before": of.account.revision,
        "at": tx.at,
        "actor": tx.actor,
        "reason": reason if settings is None else of.account.reason,
    }
    if not tx.run(_CHANGE, params):
        return False
    checksums.renew(tx, checksums.ACCOUNT_SETTINGS, tx.tenant, name)
    _emit(tx, event, name, revision=revision, reason=reason)
    return True


def seal(
    vault: Vault, tenant: str, name: str, revision: int, settings: Sealed[dict[str, Any]]
) -> bytes:
    """Return *settings* encrypted for this *revision* of the account *name* of *tenant*."""
    return vault.seal(Secret(json.dumps(settings.open())), of=_owner(tenant, name, revision))


def unseal(vault: Vault | None, tenant: str, found: SealedSettings) -> Sealed[dict[str, Any]]:
    """Return the settings, or raise `SettingsUnreadable` or `TokenKeysMissing`."""
    name = found.account.name
    if found.put_back:
        raise SettingsUnreadable(
            f"the row of account {name!r} of tenant {tenant!r} is not the last one: "
            f"{found.put_back}; rotate the account with whole settings",
            account=name,
            tenant=tenant,
        )
    try:
        text = keys_of(vault).open(found.sealed, of=_owner(tenant, name, found.sealed_in))
    except TokenUnreadable:
        pass
    else:
        return Sealed(json.loads(text.reveal()))
    raise SettingsUnreadable(
        f"none of the token keys decrypts the settings of account {name!r} of tenant {tenant!r}: "
        "add the key that they were encrypted under to token_keys; if they are of another row or "
        "revision, rotate the account with whole settings",
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


def readable(tx: Tx) -> bool | None:
    """Return whether the keys decrypt an account of any tenant; None if none is stored."""
    found, after = False, {"tenant": "", "name": ""}
    while rows := tx.all(_PAGE, after | {"limit": _PAGE_SIZE}):
        found = True
        if any(_is_readable(tx.vault, row) for row in rows):
            return True
        after = {name: rows[-1][name] for name in after}
    return False if found else None


def _is_readable(vault: Vault | None, row: Row) -> bool:
    try:
        unseal(vault, row["tenant"], _read(row))
    except (SettingsUnreadable, TokenKeysMissing):
        return False
    return True


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
        sealed = vault.reseal(found.sealed, of=_owner(tx.tenant, name, found.sealed_in))
        if sealed is not None:
            params = {"tenant": tx.tenant, "name": name, "settings": sealed}
            changed += tx.run(_RESEAL, params | {"revision": found.account.revision})
            checksums.renew(tx, checksums.ACCOUNT_SETTINGS, tx.tenant, name)
    return (rows[-1]["name"] if rows else after, len(rows), changed)


def _emit(tx: Tx, type_: str, name: str, *, revision: int, reason: str = "") -> None:
    """Store an event about the account *name*; it holds no setting."""
    facts = {"account": name, "reason": reason, "revision": revision}
    outbox.emit(tx, type_, f"account:{name}", facts)


def _owner(tenant: str, name: str, revision: int) -> str:
    """Return the owner that is encrypted together with the settings."""
    return f"account {tenant} {name} {revision}"


def put_back(row: Row | FoundRow) -> str | None:
    """Return what shows that *row* of `WITH_EVENTS` is not that of the last change, or None."""
    changed, stored = _revision(row["changed_by_event"]), _revision(row["stored_by_event"])
    if (row["revision"], row["settings_revision"]) == (changed, stored):
        return None
    return (
        f"it is of revision {row['revision']} with the settings of {row['settings_revision']}, but "
        f"the events are of {changed} and {stored}, so an earlier one was put back"
    )


def _revision(data: str | None) -> int:
    """Return the revision that an event names, or 0 without an event."""
    return 0 if data is None else int(json.loads(data).get("revision", 0))


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
    return SealedSettings(
        account,
        bytes(row["settings_encrypted"]),
        int(row["settings_revision"]),
        put_back(row) or "",
        max(account.revision, _revision(row["changed_by_event"])) + 1,
    )
