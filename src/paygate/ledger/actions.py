"""
Storage of actions: what a payer must do to complete an attempt.

The action is stored as JSON without its secret. The secret is stored encrypted in a separate
column, if there are token keys.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

from paygate.domain.action import Action, PayToAddress, secret_of, with_secret
from paygate.domain.money import Money
from paygate.errors import TokenUnreadable
from paygate.ledger.methods import vault_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.domain.secret import Secret
    from paygate.ledger.tx import Tx

_SEALED_OF = "SELECT action_secret_encrypted FROM paygate_attempt WHERE id = :id"
_SEALED = """
SELECT id, action_secret_encrypted FROM paygate_attempt
WHERE tenant = :tenant AND id > :after AND action_secret_encrypted IS NOT NULL
ORDER BY id LIMIT :limit
"""
_RESEAL = "UPDATE paygate_attempt SET action_secret_encrypted = :secret WHERE id = :id"


def with_kept_secret(tx: Tx, attempt_id: str, action: Action | None) -> Action | None:
    """
    Return *action* of an attempt with its secret, if the secret was stored.

    Without token keys the secret is not stored. A secret that none of the keys decrypts is left
    out.
    """
    found = tx.one(_SEALED_OF, {"id": attempt_id})
    sealed = None if found is None else found["action_secret_encrypted"]
    if action is None or sealed is None or tx.vault is None:
        return action
    try:
        return with_secret(action, tx.vault.open(sealed, of=_owner(attempt_id)))
    except TokenUnreadable:
        return action


def reseal_page(tx: Tx, after: str, limit: int) -> tuple[str, int, int]:
    """
    Encrypt secrets of attempts after id *after* under the first key, at most *limit*.

    Return the same as `methods.reseal_page`. A secret that none of the keys decrypts is left
    unchanged: it is valid only as long as its page, and the page can be withdrawn.
    """
    vault = vault_of(tx)
    rows = tx.all(_SEALED, {"tenant": tx.tenant, "after": after, "limit": limit})
    changed = 0
    for row in rows:
        try:
            secret = vault.reseal(row["action_secret_encrypted"], of=_owner(row["id"]))
        except TokenUnreadable:
            continue
        if secret is not None:
            changed += tx.run(_RESEAL, {"id": row["id"], "secret": secret})
    return (rows[-1]["id"] if rows else after, len(rows), changed)


def seal(tx: Tx, attempt_id: str, action: Action) -> bytes | None:
    """Return the encrypted secret of *action*; None if it has none, or without token keys."""
    secret: Secret[str] | None = secret_of(action)
    if tx.vault is None or secret is None:
        return None
    return tx.vault.seal(secret, of=_owner(attempt_id))


def _owner(attempt_id: str) -> str:
    """Return the owner that is encrypted together with the secret."""
    return f"action of {attempt_id}"


_TYPES: dict[str, Callable[..., Action]] = {each.__name__: each for each in get_args(Action)}


def write(action: Action) -> str:
    """Return *action* as text, without its secret."""
    return json.dumps({"action": type(action).__name__, **asdict(with_secret(action, None))})


def read(text: str | None) -> Action | None:
    """Return the action that `write` wrote, without its secret; None for None."""
    if text is None:
        return None
    facts: dict[str, Any] = json.loads(text)
    name = facts.pop("action")
    if name == "PayToAddress":
        amount: dict[str, Any] = facts.pop("amount")
        enough: dict[str, Any] | None = facts.pop("enough")
        return PayToAddress(
            **facts,
            amount=Money(**amount),
            enough=None if enough is None else Money(**enough),
        )
    return _TYPES[name](**facts)
