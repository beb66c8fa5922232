"""Refusals: callbacks that fail authentication are counted and logged, and nothing more.

Anybody who can reach the callback address can send a million that are refused. So they are counted
in memory and recorded together: each of the first few at once, then one write and one log line
every ten seconds. There is one row per reason, however many come.

Nothing is kept of an unauthenticated body but the type and id of its event, if they look like
names.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, cast

from paygate import logs
from paygate.domain.callback import Refusal
from paygate.domain.private import CARD_NUMBER
from paygate.errors import StoreError
from paygate.ledger import refused
from paygate.ledger.refused import RefusedBatch
from paygate.service.flow import Flow, transact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.errors import PaygateError
    from paygate.gateway import Callback
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount


_BODY_MAX: Final = 64_000
_UUID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NAME: Final = re.compile(rf"[A-Za-z][A-Za-z0-9_.:\-]{{0,99}}|{_UUID}")
_TYPES: Final = ("type", "eventType", "event_type")
_IDS: Final = ("id", "notificationId", "event_id")

_SAYS: Final[Mapping[Refusal, str]] = {
    Refusal.UNSIGNED: "it has no signature, so the processor did not send it",
    Refusal.SIGNATURE: "its signature matches none of our secrets; was the secret rotated?",
    Refusal.TOO_OLD: "it was signed too long ago, or one of the clocks is wrong",
    Refusal.OTHER_MODE: "it is a live event at a test account, or the reverse",
    Refusal.OTHER_ACCOUNT: "it is an event of another account of the processor",
    Refusal.NO_SECRET: "the account receives no callbacks; is their secret configured?",
    Refusal.OTHER: "it is not authentic",
}


def refuse(account: GatewayAccount, callback: Callback, error: PaygateError) -> Flow[None]:
    """Count and log a callback of *account* that was refused with *error*."""
    type_, event_id = _called(callback.body)
    batch = RefusedBatch(
        why=why_of(error),
        times=1,
        first_at=callback.received_at,
        last_at=callback.received_at,
        type=account.hidden.blot(type_),
        event_id=account.hidden.blot(event_id),
    )
    yield from _write(account, account.refusals.add(batch))


def write_down(account: GatewayAccount) -> Flow[None]:
    """Record the refusals of *account* that are still gathered in this process."""
    yield from _write(account, account.refusals.take())


def _write(account: GatewayAccount, batches: list[RefusedBatch]) -> Flow[None]:
    if not batches:
        return

    def work(tx: Tx) -> None:
        for batch in batches:
            refused.count(tx, account.name, batch)
            tx.log(
                "callback.refused", _log_line(account.name, batch), logs.About(account=account.name)
            )

    try:
        yield from transact(work)
    except StoreError:
        # The callback is refused in any case; only its count is delayed.
        account.refusals.give_back(batches)


def _log_line(account: str, batch: RefusedBatch) -> str:
    called = " ".join(each for each in (batch.type, batch.event_id) if each)
    many = f"{batch.times} callbacks of account" if batch.times > 1 else "a callback of account"
    return f"{many} {account}, {batch.why}: {_SAYS[batch.why]}" + (f" ({called})" if called else "")


def why_of(error: PaygateError) -> Refusal:
    """Return why a callback was refused; what a driver says in other words is ``other``."""
    try:
        return Refusal(str(error.facts.get("why", "other")))
    except ValueError:
        return Refusal.OTHER


def _called(body: bytes) -> tuple[str, str]:
    """Return the type and id of the event in an unauthenticated body, or empty texts."""
    if len(body) > _BODY_MAX:
        return "", ""
    try:
        event: object = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    facts = cast("dict[str, Any]", event) if isinstance(event, dict) else {}
    return _name(facts, _TYPES), _name(facts, _IDS)


def _name(facts: Mapping[str, Any], names: tuple[str, ...]) -> str:
    found = next((facts[name] for name in names if isinstance(facts.get(name), str)), "")
    looks = _NAME.fullmatch(found) is not None and CARD_NUMBER.search(found) is None
    return found if looks else ""
