"""Actions: what the payer must do next, with the secret that only their browser may see.

The secret is not part of a payment, its JSON, its events or the logs. It is stored encrypted under
the host's keys. Without keys it is not stored, and the gateway is asked again; not every gateway
returns it a second time.

The publishable key of a script is not a secret but a setting of the account. Without it a page
would load the script and do nothing, so a step without the key is an error.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from paygate.domain.action import ScriptStep, lacks_secret
from paygate.domain.attempt import AttemptState
from paygate.domain.outcome import ActionRequired
from paygate.errors import InvalidSettings, NotPayable, PaymentNotFound, SecretNotKept
from paygate.ledger import actions, attempts, payments
from paygate.printing import shown
from paygate.service import inquire, rest
from paygate.service.flow import Flow, look

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.domain.action import Action
    from paygate.domain.attempt import Attempt
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing


def action_of(id_: str, accounts: Mapping[str, GatewayAccount], timing: Timing) -> Flow[Action]:
    """
    Return the action of a payment, or of a change of a stored method, that waits for its payer.

    If part of a payment has arrived at its address, the action is for the rest.
    """
    part = yield from look(lambda tx: rest.begun(tx, _attempt(tx, id_)))
    if part is not None:
        return (yield from rest.ask_for(part, accounts))
    attempt, action, has_keys = yield from look(lambda tx: _waiting(tx, id_))
    account = accounts.get(attempt.account)
    if not lacks_secret(action):
        return _with_key(action, attempt.account, account)
    answer = yield from inquire.ask_again(attempt.id, accounts, timing)
    asked = answer.action if isinstance(answer, ActionRequired) else None
    if asked is not None and not lacks_secret(asked):
        return _with_key(asked, attempt.account, account)
    yield from look(lambda tx: _waiting(tx, id_))  # raises if it has ended in the meantime
    why = (
        "none of the token keys decrypts it: add the key that it was stored under to token_keys"
        if has_keys
        else "the cashier was opened without token_keys=[…]: open it with them"
    )
    raise SecretNotKept(
        f"the secret of the payer's next step for {id_} was not stored, and the gateway does not "
        f"return it again; {why}, and start again with a new key",
        payment=id_,
    )


def _with_key(action: Action, name: str, account: GatewayAccount | None) -> Action:
    """Return *action* with the publishable key of its script, or raise `InvalidSettings`."""
    if not isinstance(action, ScriptStep) or action.publishable_key:
        return action
    key = "" if account is None else account.public.get("publishable_key", "")
    if not key:
        raise InvalidSettings(
            f"the payer continues in a script of the processor that needs a publishable key, but "
            f"the account {name!r} does not have one: add publishable_key to its settings",
            account=name,
            setting="publishable_key",
        )
    return replace(action, publishable_key=key)


def _waiting(tx: Tx, id_: str) -> tuple[Attempt, Action, bool]:
    """Return the attempt that waits for its payer, its action, and whether there are keys."""
    row = _attempt(tx, id_)
    action = actions.with_kept_secret(tx, row.attempt.id, row.action)
    if row.attempt.state is not AttemptState.REQUIRES_ACTION or action is None:
        raise NotPayable(f"{id_} is {row.attempt.state} and does not wait for a payer", payment=id_)
    payment = payments.by_id(tx, row.attempt.payment) if row.attempt.payment else None
    if payment is not None and payment.superseded:
        raise NotPayable(f"another payment superseded payment {id_}; withdraw it", payment=id_)
    return row.attempt, action, tx.vault is not None


def _attempt(tx: Tx, id_: str) -> AttemptRow:
    """Return the main attempt of a payment, or the attempt that stores or deletes a method."""
    if payments.by_id(tx, id_) is not None:
        return attempts.main_of(tx, id_)
    row = attempts.by_id(tx, id_)
    if row is None or row.attempt.payment:
        raise PaymentNotFound(
            f"there is no payment and no change of a method {shown(id_)} in this ledger"
        )
    return row
