"""Feeds: what processors must be asked for regularly, and chains that are watched."""

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
        Read what gateways do not call back about into the inbox, each from where it was left.

        With *pages* not more than so many of each, to show progress in between;
        `FeedsRead.unfinished` says which have more.
        `recover` reads too, the feeds that it has not read for a while.
        """
        from paygate.service import feed

        most = arguments.maybe(arguments.whole, pages, "pages")
        return (yield from feed.read_feeds(self._accounts, timedelta(0), most))

    @verb
    def rescan(self, via: str, *, start: int) -> Flow[Rescan]:
        """
        Let the watching of account *via* go on at block *start*, whatever was read before.

        That is the way out if a chain cannot be read on: the node lacks the blocks that are next,
        the chain has changed deeper than the account follows, a test network was reset. Blocks that
        were read before are read again, and nothing in them is booked twice; those that are
        left out are not read. The event ``feed.rescanned`` says who did it.

        Raises `Unsupported` if the account watches no chain, `FeedBusy` if another process
        reads it, and `BadResponse` if the node does not have the block.
        """
        from paygate.service import feed

        first = arguments.whole(start, "start", low=0)
        return (yield from feed.rescan(self._account(via), first))

    @verb
    def addresses(self, via: str) -> Flow[AddressCounts]:
        """Tell how many places (addresses) account *via* gave away, and how far they were paid."""
        from paygate.ledger import addresses

        source = self._account(via).traits.merchant_account
        return (yield from look(lambda tx: addresses.counts(tx, source)))
