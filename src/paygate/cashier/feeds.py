"""Feeds: what must be polled from processors, and chains that are watched."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnAccounts
from paygate.cashier.verbs import verb
from paygate.service.flow import look

if TYPE_CHECKING:
    from paygate.ledger.addresses import AddressCounts
    from paygate.service.feed import FeedsRead, Rescan
    from paygate.service.flow import Flow


class FeedVerbs(OnAccounts):
    """Verbs that read feeds."""

    @verb
    def read_feeds(self, *, pages: int | None = None) -> Flow[FeedsRead]:
        """
        Read the notices that gateways do not send as callbacks, each feed from its last position.

        The notices are stored in the inbox. With *pages*, at most that many pages of each feed
        are read, so that you can show progress in between; `FeedsRead.unfinished` lists
        the feeds that have more. `recover` also reads feeds that were not read for a while.
        """
        from paygate.service import feed

        most = arguments.maybe(arguments.whole, pages, "pages")
        return (yield from feed.read_feeds(self._accounts, timedelta(0), most))

    @verb
    def rescan(self, via: str, *, start: int) -> Flow[Rescan]:
        """
        Continue watching the chain of account *via* at block *start*, whatever was read before.

        Use it if the chain cannot be read on: the node lacks the next blocks,
        the chain has changed deeper than the account follows, or a test network was reset. Blocks
        that were read before are read again, and nothing in them is booked twice; blocks that are
        skipped are not read. The event ``feed.rescanned`` says who did it.

        Raises `Unsupported` if the account watches no chain, `FeedBusy` if another process
        is reading it, and `BadResponse` if the node does not have the block.
        """
        from paygate.service import feed

        first = arguments.whole(start, "start", low=0)
        return (yield from feed.rescan(self._account(via), first))

    @verb
    def addresses(self, via: str) -> Flow[AddressCounts]:
        """Return how many addresses account *via* has handed out, and how far they were paid."""
        from paygate.ledger import addresses

        source = self._account(via).traits.merchant_account
        return (yield from look(lambda tx: addresses.counts(tx, source)))
