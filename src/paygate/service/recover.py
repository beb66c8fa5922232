"""Recover: one pass over all due inquiries, feeds and callbacks."""

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
"""How long one pass reads long feeds; the next pass continues without a pause."""


def recover(
    accounts: Mapping[str, GatewayAccount], timing: Timing, limit: int
) -> Flow[list[Payment]]:
    """
    Make due inquiries, read feeds, apply the inbox; return the payments that they are about.

    A gateway that does not answer is not asked again in this pass, so that it does not delay the
    others; `unanswered` of its payments says so.
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
    """Return the accounts with something due for longer than *waited*."""
    before = tx.now - waited
    return attempts.unattended(tx, inbox.unattended(tx, before), before)
