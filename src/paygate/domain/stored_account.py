"""Stored accounts: gateway accounts whose settings are kept in the ledger, encrypted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAccount:
    """A gateway account of a tenant in the ledger, without its settings.

    `revision` counts how often its settings were stored or it was enabled or disabled. `changed_by`
    is the actor of the last change. `reason` was given when it was last disabled or enabled.
    """

    name: str
    driver: str
    enabled: bool
    revision: int
    added_at: datetime
    changed_at: datetime
    changed_by: str
    reason: str = ""
