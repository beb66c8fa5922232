"""API keys: who may call the API of a tenant; of their secrets, only digests are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.api_key import ApiKey, ApiScope
from paygate.ledger import checksums
from paygate.ledger.codec import read_instant, read_instant_or_none, write_instant

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from paygate.ledger.tx import Row, Tx

_INSERT = """
INSERT INTO paygate_api_key (
  id, tenant, name, scopes, digest, hint, added_at, added_by, revoked_at, revoked_by, reason,
  checksum)
VALUES (
  :id, :tenant, :name, :scopes, :digest, :hint, :at, :actor, :revoked_at, :revoked_by, :reason,
  :checksum)
ON CONFLICT DO NOTHING
"""
_BY_DIGEST = "SELECT * FROM paygate_api_key WHERE tenant = :tenant AND digest = :digest"
_BY_ID = "SELECT * FROM paygate_api_key WHERE tenant = :tenant AND id = :id"
_LIVE = """
SELECT * FROM paygate_api_key WHERE tenant = :tenant AND name = :name AND revoked_at IS NULL
"""
_ALL = "SELECT * FROM paygate_api_key WHERE tenant = :tenant ORDER BY added_at, id"
_REVOKE = """
UPDATE paygate_api_key SET revoked_at = :at, revoked_by = :actor, reason = :reason
WHERE id = :id AND revoked_at IS NULL
"""
_USE = """
UPDATE paygate_api_key SET last_used_at = :at
WHERE id = :id AND (last_used_at IS NULL OR last_used_at < :before)
"""


def insert(tx: Tx, *, name: str, scopes: Iterable[ApiScope], digest: str, hint: str) -> bool:
    """Store a new key; return False if a live key has this name, or any key this digest."""
    params = {
        "id": tx.new_id("key"),
        "tenant": tx.tenant,
        "name": name,
        "scopes": " ".join(scopes),
        "digest": digest,
        "hint": hint,
        "at": tx.at,
        "actor": tx.actor,
        "revoked_at": None,
        "revoked_by": None,
        "reason": "",
    }
    return bool(tx.run(_INSERT, checksums.signed(checksums.API_KEY, params)))


def by_digest(tx: Tx, digest: str) -> ApiKey | None:
    """Return the key with this digest, live or revoked, or None."""
    row = tx.one(_BY_DIGEST, {"tenant": tx.tenant, "digest": digest})
    return None if row is None else _key_of(row)


def by_id(tx: Tx, id_: str) -> ApiKey | None:
    """Return the key with this id, or None."""
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    return None if row is None else _key_of(row)


def live(tx: Tx, name: str) -> ApiKey | None:
    """Return the live key with this name, or None."""
    row = tx.one(_LIVE, {"tenant": tx.tenant, "name": name})
    return None if row is None else _key_of(row)


def of_tenant(tx: Tx) -> list[ApiKey]:
    """Return all keys of the tenant, the oldest first."""
    return [_key_of(row) for row in tx.all(_ALL, {"tenant": tx.tenant})]


def revoke(tx: Tx, id_: str, reason: str) -> None:
    """End a live key, for a *reason*."""
    if tx.run(_REVOKE, {"id": id_, "at": tx.at, "actor": tx.actor, "reason": reason}):
        checksums.renew(tx, checksums.API_KEY, id_)


def note_use(tx: Tx, id_: str, before: datetime) -> None:
    """Store that a key is used now, unless a use since *before* is stored."""
    tx.run(_USE, {"id": id_, "at": tx.at, "before": write_instant(before)})


def _key_of(row: Row) -> ApiKey:
    return ApiKey(
        id=row["id"],
        name=row["name"],
        scopes=tuple(ApiScope(each) for each in row["scopes"].split()),
        hint=row["hint"],
        added_at=read_instant(row["added_at"]),
        added_by=row["added_by"],
        last_used_at=read_instant_or_none(row["last_used_at"]),
        revoked_at=read_instant_or_none(row["revoked_at"]),
        revoked_by=row["revoked_by"],
        reason=row["reason"],
    )
