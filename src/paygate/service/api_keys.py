"""API keys: add and revoke them, recognize their secrets, and answer each request once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate.domain.api_key import NewApiKey, digest_of_secret, hint_of, is_api_secret
from paygate.errors import ApiKeyExists, ApiKeyNotFound, InvalidValue, KeyReused
from paygate.ledger import api_keys, keys
from paygate.printing import shown
from paygate.service.flow import Flow, look, repeatable, transact

if TYPE_CHECKING:
    from paygate.domain.api_key import ApiKey, ApiScope
    from paygate.domain.secret import Secret
    from paygate.ledger.tx import Tx

USE_IS_NOTED_AFTER: Final = timedelta(minutes=1)
"""How long a noted use stands; to note each one would write as often as programs read."""

_OPERATION: Final = "api"


def add(name: str, scopes: tuple[ApiScope, ...], secret: Secret[str]) -> Flow[NewApiKey]:
    """Store a new key with *secret*."""
    digest = digest_of_secret(secret)

    def work(tx: Tx) -> NewApiKey:
        api_keys.insert(tx, name=name, scopes=scopes, digest=digest, hint=hint_of(secret))
        found = api_keys.by_digest(tx, digest)
        if found is None:
            raise ApiKeyExists(
                f"there is a live API key {shown(name)}; revoke it, or choose another name",
                name=name,
                argument="name",
            )
        return NewApiKey(key=found, secret=secret)

    return (yield from repeatable(work))


def revoke(which: str, reason: str) -> Flow[ApiKey]:
    """End the key with this id, or the live one with this name."""
    if not reason.strip():
        raise InvalidValue(
            "give the reason to revoke it: reason='the old server is gone'", argument="reason"
        )

    def work(tx: Tx) -> ApiKey:
        found = api_keys.by_id(tx, which) or api_keys.live(tx, which)
        if found is None:
            raise ApiKeyNotFound(
                f"there is no API key {shown(which)} of tenant {tx.tenant!r}", name=which
            )
        api_keys.revoke(tx, found.id, reason)
        now = api_keys.by_id(tx, found.id)
        assert now is not None, "API keys are never deleted"
        return now

    return (yield from repeatable(work))


def recognize(secret: Secret[str]) -> Flow[ApiKey]:
    """Return the live key of the tenant with *secret*, and note its use."""
    if not is_api_secret(secret.reveal()):
        raise _refused()
    digest = digest_of_secret(secret)
    found = yield from look(lambda tx: _stale(tx, digest))
    if found is None:
        raise _refused()
    key, stale = found
    if stale:
        yield from transact(lambda tx: api_keys.note_use(tx, key.id, tx.now - USE_IS_NOTED_AFTER))
    return key


def _stale(tx: Tx, digest: str) -> tuple[ApiKey, bool] | None:
    """Return the live key with *digest*, and whether its use is to be noted."""
    key = api_keys.by_digest(tx, digest)
    if key is None or not key.is_live:
        return None
    return key, key.last_used_at is None or key.last_used_at < tx.now - USE_IS_NOTED_AFTER


def _refused() -> ApiKeyNotFound:
    return ApiKeyNotFound("no live API key of this merchant has this secret")


def take(tx: Tx, api_key: str, key: str, digest: str) -> bool:
    """
    Take the idempotency *key* of a request with *digest*; return whether it was taken before.

    Raise `KeyReused` if the same API key used it for another request, and `ApiKeyNotFound` unless
    the API key is live.
    """
    found = api_keys.by_id(tx, api_key)
    if found is None or not found.is_live:
        raise ApiKeyNotFound(f"there is no live API key {shown(api_key)} of tenant {tx.tenant!r}")
    try:
        return keys.take(tx, f"{_OPERATION} {api_key}", key, digest, api_key) is not None
    except KeyReused as error:
        raise KeyReused(
            f"the idempotency key {shown(key)} came with another request before; use a new key for "
            "a new request, and the same content with the same key",
            **error.facts,
        ) from None
