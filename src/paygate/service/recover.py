"""Recover: one pass over everything that waits for us to look, ask or read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.service import feed, inquire, receive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.domain.payment import Payment
    from paygate.service.account import GatewayAccount, Timing
    from paygate.service.flow import Flow


def recover(
    accounts: Mapping[str, GatewayAccount], timing: Timing, limit: int
) -> Flow[list[Payment]]:
    """Inquire about what is due, read feeds, apply the inbox; tell the payments it was about."""
    found = yield from inquire.recover(accounts, timing, limit)
    if timing.feed_pause is not None:
        yield from feed.read_feeds(accounts, timing.feed_pause)
    found += yield from receive.apply_callbacks(accounts, timing, limit)
    return list({payment.id: payment for payment in found}.values())
