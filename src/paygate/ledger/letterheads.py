"""Letterheads: who issues the invoices of a tenant, in versions that are never changed."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.document import Letterhead
from paygate.ledger import checksums, documents

if TYPE_CHECKING:
    from paygate.ledger.tx import Tx

_INSERT = """
INSERT INTO paygate_letterhead (tenant, version, facts, logo, created_at, actor, checksum)
VALUES (:tenant, :version, :facts, :logo, :at, :actor, :checksum)
"""
_NEWEST = """
SELECT version FROM paygate_letterhead WHERE tenant = :tenant ORDER BY version DESC LIMIT 1
"""
_SELECT = """
SELECT facts, logo FROM paygate_letterhead WHERE tenant = :tenant AND version = :version
"""
_NAMES: Final = tuple(each.name for each in fields(Letterhead) if each.name != "logo")
_LISTS: Final = ("address", "bank", "footer")


def newest_version(tx: Tx) -> int | None:
    """Return the number of the newest version, or None."""
    name = ("letterhead", tx.tenant)
    if name not in tx.known:
        row = tx.one(_NEWEST, {"tenant": tx.tenant})
        tx.known[name] = None if row is None else int(row["version"])
    found: int | None = tx.known[name]
    return found


def by_version(tx: Tx, version: int | None) -> Letterhead | None:
    """Return a version of the letterhead, with its logo, or None."""
    row = tx.one(_SELECT, {"tenant": tx.tenant, "version": version})
    if row is None:
        return None
    facts: dict[str, Any] = json.loads(row["facts"])
    for name in _LISTS:
        facts[name] = tuple(facts[name])
    logo = None if row["logo"] is None else documents.file(tx, row["logo"])
    return Letterhead(**facts, logo=logo)


def save(tx: Tx, new: Letterhead) -> int:
    """Store a new version, unless the newest one is the same, and return its number."""
    newest = newest_version(tx)
    if newest is not None and by_version(tx, newest) == new:
        return newest
    version = (newest or 0) + 1
    bare = replace(new, logo=None)
    params = {
        "tenant": tx.tenant,
        "version": version,
        "facts": json.dumps({name: getattr(bare, name) for name in _NAMES}),
        "logo": None if new.logo is None else documents.keep_file(tx, new.logo),
        "at": tx.at,
        "actor": tx.actor,
    }
    tx.execute(_INSERT, checksums.signed(checksums.LETTERHEAD, params))
    tx.known["letterhead", tx.tenant] = version
    return version
