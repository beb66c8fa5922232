"""Stop sending, and resume: a ledger from a backup has forgotten what the processors have not.

While it is stopped nothing new is sent and nothing is sent again; callbacks,
feeds and inquiries go on, because by them the ledger catches up. Whether it has
can't be known from the ledger alone, so a person says so, and why. A ledger is
stopped for all of its tenants, so all of them must have caught up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from paygate.errors import InvalidValue, StillCatchingUp
from paygate.ledger import accounts as known
from paygate.ledger import feeds, outbox, sending
from paygate.printing import counted
from paygate.service.flow import Flow, look, transact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.ledger.sending import Stopped
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount

_LEDGER = "ledger"


def stop(reason: str) -> Flow[Stopped]:
    """Let nothing be sent from this ledger until somebody resumes it."""
    _require("reason", reason, "why: reason='restored from the backup of 3 May'")

    def work(tx: Tx) -> Stopped:
        if sending.stop(tx, reason):
            feeds.begin_again(tx)
            outbox.emit(tx, "ledger.sending_stopped", _LEDGER, {"reason": reason})
        found = sending.stopped(tx)
        assert found is not None, "it was just stopped"
        return found

    return (yield from transact(work))


def standing() -> Flow[Stopped | None]:
    """Tell since when and why nothing is sent; None where it may be."""
    return (yield from look(sending.stopped))


def resume(evidence: str, accounts: Mapping[str, GatewayAccount], *, force: bool) -> Flow[None]:
    """Let things be sent again, if nothing that the ledger knows of waits, or by *force*."""
    _require(
        "evidence", evidence, "how you know: evidence='compared with the dashboards since 3 May'"
    )

    def work(tx: Tx) -> None:
        found = sending.stopped(tx)
        if found is None:
            return
        waits = _waits(tx, accounts)
        if waits and not force:
            raise StillCatchingUp(
                f"this ledger does not know all yet: {', '.join(waits)}; let it recover first",
                waits=waits,
            )
        sending.resume(tx)
        read = _in_order(tx, _feeds(tx, accounts) - _unread(tx, accounts))
        told = {
            "evidence": evidence,
            "reason": found.reason,
            "waits": waits,
            "feeds_read": [f"{name}{_of(tx, tenant)}" for tenant, name in read],
        }
        outbox.emit(tx, "ledger.sending_resumed", _LEDGER, told)

    yield from transact(work)


def _waits(tx: Tx, accounts: Mapping[str, GatewayAccount]) -> list[str]:
    """Return what the ledger could still learn by itself, for any of its tenants."""
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
    """Return the feeds of this process, those that processes had, and those that were read."""
    here = {(tx.tenant, name) for name, account in accounts.items() if account.has_feed}
    return here | set(known.with_feeds(tx)) | feeds.read_since_stop(tx).keys()


def _unread(tx: Tx, accounts: Mapping[str, GatewayAccount]) -> set[Feed]:
    """Return the feeds that nobody began to read after the stop and read to their ends."""
    read = feeds.read_since_stop(tx)
    return {feed for feed in _feeds(tx, accounts) if not read.get(feed)}


def _in_order(tx: Tx, found: set[Feed]) -> list[Feed]:
    """Return feeds in the order in which they are named: those of this tenant first."""
    return sorted(found, key=lambda feed: (feed[0] != tx.tenant, feed))


def _of(tx: Tx, tenant: str) -> str:
    return "" if tenant == tx.tenant else f" of tenant {tenant!r}"


def _require(argument: str, text: str, wanted: str) -> None:
    if not text.strip():
        raise InvalidValue(f"say {wanted}", argument=argument)
