"""API keys: the secrets with which programs of a merchant call the API, and what each may do."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from paygate.domain.secret import Secret

if TYPE_CHECKING:
    from datetime import datetime

_PREFIX: Final = "pgk_"
_FORM: Final = re.compile(_PREFIX + r"[A-Za-z0-9_-]{43}")
_HINT_LENGTH: Final = 4


class ApiScope(StrEnum):
    """What an API key may do; it has one or more of these, and none includes another."""

    READ = "read"
    """Read prepayments, invoices, links, payments, documents and events."""
    WRITE = "write"
    """Create prepayments, invoices and links, and revoke and reissue links."""
    REFUND = "refund"
    """Send money of a payment back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """
    An API key of a tenant, without its secret, of which the ledger keeps only the digest.

    `hint` is how the secret begins. `last_used_at` is exact to the minute. `reason` says why it was
    revoked.
    """

    id: str
    name: str
    scopes: tuple[ApiScope, ...]
    hint: str
    added_at: datetime
    added_by: str
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None
    reason: str = ""

    @property
    def is_live(self) -> bool:
        """Whether the key can be used."""
        return self.revoked_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApiKey:
    """A new API key with its secret, which is never shown again."""

    key: ApiKey
    secret: Secret[str]


def new_secret() -> Secret[str]:
    """Return a new secret of 256 random bits."""
    import secrets

    return Secret(_PREFIX + secrets.token_urlsafe(32))


def is_api_secret(text: str) -> bool:
    """Return whether *text* has the form of a secret."""
    return _FORM.fullmatch(text) is not None


def digest_of_secret(secret: Secret[str]) -> str:
    """
    Return the digest under which a secret is stored and found: SHA-256, hexadecimal.

    A slow digest, as for passwords, would protect nothing: nobody can try 256 random bits.
    """
    return hashlib.sha256(secret.reveal().encode()).hexdigest()


def hint_of(secret: Secret[str]) -> str:
    """Return how *secret* begins, for lists: 24 of its 256 bits."""
    return secret.reveal()[: len(_PREFIX) + _HINT_LENGTH]
