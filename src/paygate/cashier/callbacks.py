"""Callbacks: what processors send us by themselves, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnAccounts, OnLedger
from paygate.cashier.verbs import verb
from paygate.domain.text import note
from paygate.service.flow import look

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.callback import InboxState, StoredCallback
    from paygate.domain.payment import Payment
    from paygate.domain.words import InboxStateWord
    from paygate.gateway import Callback, Reply
    from paygate.ledger.paging import Page
    from paygate.ledger.tx import Tx
    from paygate.service.flow import Flow


class Inbox(OnLedger):
    """Verbs about callbacks that were stored."""

    @verb
    def callbacks(
        self,
        *,
        state: InboxState | InboxStateWord | None = None,
        account: str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        oldest_first: bool = False,
        after: StoredCallback | int = 0,
        limit: int = 100,
    ) -> Flow[list[StoredCallback]]:
        """
        List what processors told us and what became of it, the newest first.

        *state* narrows it to ``"new"``, ``"applied"``, ``"ignored"``, ``"orphan"``, ``"failed"``
        ``"conflicted"`` or ``"dismissed"``, *account* to those of a gateway account. The dates
        (of when they came), the order and the pages are those of `payments`.
        """
        from paygate.domain.callback import InboxState

        wanted = arguments.member(InboxState, state, "state")
        last = arguments.number_of_callback(after, "after")
        of_account = arguments.maybe(arguments.named, account, "account")
        page = self._page(last, limit, oldest_first=oldest_first, since=since, until=until)
        return (yield from self._callbacks(page, wanted, of_account))

    @verb
    def orphans(
        self,
        *,
        account: str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        oldest_first: bool = False,
        after: StoredCallback | int = 0,
        limit: int = 100,
    ) -> Flow[list[StoredCallback]]:
        """List what processors told us about operations that nobody here knows; see `callbacks`."""
        from paygate.domain.callback import InboxState

        state = arguments.member(InboxState, "orphan", "state")
        last = arguments.number_of_callback(after, "after")
        of_account = arguments.maybe(arguments.named, account, "account")
        page = self._page(last, limit, oldest_first=oldest_first, since=since, until=until)
        return (yield from self._callbacks(page, state, of_account))

    @verb
    def dismiss_callback(
        self, callback: StoredCallback | int, *, reason: str
    ) -> Flow[StoredCallback]:
        """
        Record that nothing is to be done about a callback that could not be applied.

        It is for those that are orphan, failed or conflicted, after you have looked: such as one
        about an order of another system. It is not applied, and needs nobody any more; *reason*
        and who acts stay with it and in the event `callback.dismissed`, which also names the
        money that it tells of. Money that is yours is not dismissed, but replayed or recorded.
        `replay_callback` takes it back. Raises `NothingToDismiss` for any other callback.
        """
        from paygate.service import dismiss

        which = arguments.callback_id(callback, "callback")
        return (yield from dismiss.dismiss(which, reason=note(reason, "reason")))

    def _callbacks(
        self, page: Page, state: InboxState | None, account: str | None
    ) -> Flow[list[StoredCallback]]:
        from paygate.ledger import inbox
        from paygate.service import finding

        def work(tx: Tx) -> list[StoredCallback]:
            found = inbox.page(tx, page, state=state, account=account)
            return finding.of_account(tx, account, found)

        return (yield from look(work))


class Callbacks(OnAccounts):
    """Verbs that take callbacks in and apply them."""

    @verb
    def receive(self, via: str, callback: Callback) -> Flow[Reply]:
        """
        Take in a callback of the gateway account *via*, and tell what to reply.

        It is authenticated on its raw bytes and stored, once however often it
        comes. Most are applied later, by `recover` or `apply_callbacks`; those whose
        reply carries the result, at once. Raises `NotAuthentic`, and changes nothing,
        for one that is not from whom it claims or was signed too long ago; `NotVerified`
        for one that cannot be verified now (answer 503: it will come again);
        `Unsupported` where the account takes no callbacks.
        """
        from paygate.service import receive

        account, came = self._account(via), arguments.callback(callback, "callback")
        return (yield from receive.receive(account, came, self._timing))

    @verb
    def apply_callbacks(self, *, limit: int = 100) -> Flow[list[Payment]]:
        """
        Apply what waits in the inbox, at most *limit*; tell the payments it was about.

        What cannot be applied yet is tried again later and holds up nothing else.
        """
        from paygate.service import apply

        most = arguments.how_many(limit)
        return (yield from apply.apply_callbacks(self._accounts, self._timing, most, set()))

    @verb
    def replay_callback(self, callback: StoredCallback | int) -> Flow[StoredCallback]:
        """Apply one callback again, such as an orphan, and tell what became of it."""
        from paygate.service import apply

        id_ = arguments.callback_id(callback, "callback")
        return (yield from apply.replay(id_, self._accounts, self._timing)).callback
