"""Stop and resume sending: a restored ledger has lost facts that the processors still have.

While sending is stopped, nothing new is sent and nothing is sent again; callbacks, feeds and
inquiries continue, because the ledger catches up by them. The ledger alone cannot tell whether it
has caught up, so an operator states it, with evidence. A ledger is stopped for all of its tenants,
so all of them must have caught up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from paygate.errors import InvalidValue, StillCatchingUp
from paygate.ledger import accounts as known
from paygate.ledger import feeds, holding, outbox, sending
from paygate.printing import counted
from paygate.service.flow import Flow, look, transact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.ledger.sending import Stopped
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount

_LEDGER = "ledger"


def stop(reason: str) -> Flow[Stopped]:
    """Stop sending from this ledger until somebody resumes it."""
    _require("reason", reason, "the reason: reason='restored from the backup of 3 May'")

    def work(tx: Tx) -> Stopped:
        holding.hold_ledger(tx)
        if sending.stop(tx, reason):
            feeds.begin_again(tx)
            outbox.emit(tx, "ledger.sending_stopped", _LEDGER, {"reason": reason})
        found = sending.stopped(tx)
        assert found is not None, "it was just stopped"
        return found

    return (yield from transact(work))


def standing() -> Flow[Stopped | None]:
    """Return since when and why sending is stopped; None if it is not."""
    return (yield from look(sending.stopped))


def resume(evidence: str, accounts: Mapping[str, GatewayAccount], *, force: bool) -> Flow[None]:
    """Resume sending, if nothing that the ledger knows of is due, or with *force*."""
    _require(
        "evidence", evidence, "your evidence: evidence='compared with the dashboards since 3 May'"
    )

    def work(tx: Tx) -> None:
        holding.hold_ledger(tx)
        found = sending.stopped(tx)
        if found is None:
            return
        waits = _waits(tx, accounts)
        if waits and not force:
            raise StillCatchingUp(
                f"this ledger has not caught up yet: {', '.join(waits)}; run recover first",
                waits=waits,
            )
        sending.resume(tx)
        read = _in_order(tx, _feeds(tx, accounts) - _unread(tx, accounts))
        facts = {
            "evidence": evidence,
            "reason": found.reason,
            "waits": waits,
            "feeds_read": [f"{name}{_of(tx, tenant)}" for tenant, name in read],
        }
        outbox.emit(tx, "ledger.sending_resumed", _LEDGER, facts)

    yield from transact(work)


def _waits(tx: Tx, accounts: Mapping[str, GatewayAccount]) -> list[str]:
    """Return what is still due, for any tenant of the ledger."""
    waits = [
        f"{counted(count, 'attempt')} to inquire about{_of(tx, tenant)}"
        for tenant, count in sending.attempts_due(tx).items()
    ]
    waits += [
        f"{counted(count, 'callback')} to apply{_of(tx, tenant)}"
        for tenant, count in sending.callbacks_due(tx).items()
    ]
    unread = _in_order(tx, _unread(tx, accounts))
    return waits + [f"the feed of account {name!r}{_of(tx, tenant)}" for tenant, name in unread]


Feed: TypeAlias = tuple[str, str]
"""A feed: its tenant, and its account."""


def _feeds(tx: Tx, accounts: Mapping[str, GatewayAccount]) -> set[Feed]:
    """Return the feeds of this process, of earlier processes, and those read since the stop."""
    here = {(tx.tenant, name) for name, account in accounts.items() if account.has_feed}
    return here | set(known.with_feeds(tx)) | feeds.read_since_stop(tx).keys()


def _unread(tx: Tx, accounts: Mapping[str, GatewayAccount]) -> set[Feed]:
    """Return the feeds that have not been read to their end since the stop."""
    read = feeds.read_since_stop(tx)
    return {feed for feed in _feeds(tx, accounts) if not read.get(feed)}


def _in_order(tx: Tx, found: set[Feed]) -> list[Feed]:
    """Return feeds in the order of messages: those of this tenant first."""
    return sorted(found, key=lambda feed: (feed[0] != tx.tenant, feed))


def _of(tx: Tx, tenant: str) -> str:
    return "" if tenant == tx.tenant else f" of tenant {tenant!r}"


def _require(argument: str, text: str, wanted: str) -> None:
    if not text.strip():
        raise InvalidValue(f"give {wanted}", argument=argument)
