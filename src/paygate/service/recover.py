"""Recover: one pass over everything that waits for us to look, ask or read."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate.ledger import attempts, inbox
from paygate.service import apply, feed, inquire, refusals, unsettled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.domain.payment import Payment
    from paygate.domain.status import Unattended
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing
    from paygate.service.flow import Flow


FEED_TIME: Final = timedelta(minutes=1)
"""How long one pass reads long feeds; the next pass goes on, without a pause."""


def recover(
    accounts: Mapping[str, GatewayAccount], timing: Timing, limit: int
) -> Flow[list[Payment]]:
    """
    Inquire about what is due, read feeds, apply the inbox; return the payments it was about.

    A gateway that does not answer is not asked again in this pass, so that the others get
    their turn; `unanswered` says so of the payments that it was to be asked about.
    """
    silent: set[str] = set()
    found = yield from inquire.recover(accounts, timing, limit, silent)
    if timing.feed_pause is not None:
        yield from feed.read_feeds(accounts, timing.feed_pause, time=FEED_TIME)
    for account in accounts.values():
        yield from refusals.write_down(account)
    found += yield from apply.apply_callbacks(accounts, timing, limit, silent)
    found += yield from unsettled.recover(accounts, timing, limit, silent)
    return list({payment.id: payment for payment in found}.values())


def unattended(tx: Tx, waited: timedelta) -> list[Unattended]:
    """Return the accounts of which something has been due for longer than *waited*."""
    before = tx.now - waited
    return attempts.unattended(tx, inbox.unattended(tx, before), before)
