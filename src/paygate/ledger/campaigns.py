"""Campaigns: each version under which a customer was reminded, as data that never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.domain.campaign import Campaign
from paygate.ledger import checksums

if TYPE_CHECKING:
    from paygate.ledger.tx import Tx

_STORE: Final = """
INSERT INTO paygate_campaign (tenant, version, facts, stored_at, checksum)
VALUES (:tenant, :version, :facts, :at, :checksum)
ON CONFLICT DO NOTHING
"""
_SELECT: Final = "SELECT facts FROM paygate_campaign WHERE tenant = :tenant AND version = :version"


def store(tx: Tx, campaign: Campaign) -> str:
    """Store a campaign, unless it is there, and return its version."""
    version = campaign.version
    params = {"tenant": tx.tenant, "version": version, "facts": campaign.text(), "at": tx.at}
    if tx.one(_SELECT, params) is None:
        tx.run(_STORE, checksums.signed(checksums.CAMPAIGN, params))
    tx.known["campaign", version] = campaign
    return version


def by_version(tx: Tx, version: str) -> Campaign:
    """Return the campaign of a version that an episode names."""
    found: Campaign | None = tx.known.get(("campaign", version))
    if found is None:
        row = tx.one(_SELECT, {"tenant": tx.tenant, "version": version})
        assert row is not None, "a campaign is stored before its first episode"
        found = tx.known["campaign", version] = Campaign.read(row["facts"])
    return found
