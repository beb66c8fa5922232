"""Return what the payer is to do next, with the secret that only their browser may see.

Neither a payment that is read nor its JSON, events or logs hold that secret. At rest
it is encrypted under the keys of the host; without keys it is not stored at all, and
then the gateway is asked again. Not every gateway gives it a second time.

The publishable key of a script is no secret but a setting of the account. A page without
it would load the script and do nothing, so a step is not returned without the key.
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
    Return the action of a payment, or of a change of a method, that waits for its payer.

    If a part of a payment has come to its place, the action is for the rest.
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
    yield from look(lambda tx: _waiting(tx, id_))  # it may have ended, and that is the answer
    why = (
        "none of the token keys opens it: add the key that it was stored under to token_keys"
        if has_keys
        else "the cashier was opened without token_keys=[…]: open it with them"
    )
    raise SecretNotKept(
        f"the secret of the payer's next step for {id_} was not kept, and the gateway does not "
        f"give it again; {why}, and begin again with a new key",
        payment=id_,
    )


def _with_key(action: Action, name: str, account: GatewayAccount | None) -> Action:
    """Return *action* with the publishable key that its script takes, or raise."""
    if not isinstance(action, ScriptStep) or action.publishable_key:
        return action
    key = "" if account is None else account.public.get("publishable_key", "")
    if not key:
        raise InvalidSettings(
            f"the payer goes on in a script of the processor's, which takes a publishable key, "
            f"and the account {name!r} has none: set publishable_key among its settings",
            account=name,
            setting="publishable_key",
        )
    return replace(action, publishable_key=key)


def _waiting(tx: Tx, id_: str) -> tuple[Attempt, Action, bool]:
    """Return the attempt that waits for its payer, its action, and whether there are keys."""
    row = _attempt(tx, id_)
    action = actions.with_kept_secret(tx, row.attempt.id, row.action)
    if row.attempt.state is not AttemptState.REQUIRES_ACTION or action is None:
        raise NotPayable(f"{id_} is {row.attempt.state} and waits for no payer", payment=id_)
    payment = payments.by_id(tx, row.attempt.payment) if row.attempt.payment else None
    if payment is not None and payment.superseded:
        raise NotPayable(
            f"another payment took over what payment {id_} was to pay; withdraw it", payment=id_
        )
    return row.attempt, action, tx.vault is not None


def _attempt(tx: Tx, id_: str) -> AttemptRow:
    """Find the attempt that was to bring the money, or to store or delete a method."""
    if payments.by_id(tx, id_) is not None:
        return attempts.main_of(tx, id_)
    row = attempts.by_id(tx, id_)
    if row is None or row.attempt.payment:
        raise PaymentNotFound(
            f"there is no payment and no change of a method {shown(id_)} in this ledger"
        )
    return row
