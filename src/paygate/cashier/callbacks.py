"""Callbacks: what processors report on their own initiative, and how it was applied."""

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
    """Verbs about stored callbacks."""

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
        List the stored callbacks and what became of them, the newest first.

        Filter by *state*: ``"new"``, ``"applied"``, ``"ignored"``, ``"orphan"``, ``"failed"``,
        ``"conflicted"`` or ``"dismissed"``; and by gateway *account*. The dates
        (of receipt), the order and the pages are those of `payments`.
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
        """List the callbacks about operations that are not in this ledger; see `callbacks`."""
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

        Use it for an orphan, failed or conflicted callback after you have looked into it, such as
        one about an order of another system. The callback is not applied and no longer needs
        manual review; *reason* and the actor are stored with it and in the event
        `callback.dismissed`, which also lists the money that the callback reports. Do not dismiss
        money that is yours: replay the callback or record the money. `replay_callback` takes the
        dismissal back. Raises `NothingToDismiss` for any other callback.
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
    """Verbs that receive and apply callbacks."""

    @verb
    def receive(self, via: str, callback: Callback) -> Flow[Reply]:
        """
        Receive a callback of the gateway account *via*, and return the reply to send.

        The callback is authenticated on its raw bytes and stored once, however often it
        comes. Most are applied later, by `recover` or `apply_callbacks`; those whose
        reply carries the result are applied at once. Raises `NotAuthentic`, and changes nothing,
        if the callback does not come from the sender that it claims or was signed too long ago;
        `NotVerified` if it cannot be verified now (reply with status 503: it will be sent again);
        and `Unsupported` if the account takes no callbacks.
        """
        from paygate.service import receive

        account, came = self._account(via), arguments.callback(callback, "callback")
        return (yield from receive.receive(account, came, self._timing))

    @verb
    def apply_callbacks(self, *, limit: int = 100) -> Flow[list[Payment]]:
        """
        Apply the callbacks that wait in the inbox, at most *limit*; return their payments.

        A callback that cannot be applied yet is retried later and holds up no other.
        """
        from paygate.domain.job import JobKind
        from paygate.service import agenda

        most = arguments.how_many(limit)
        done = yield from agenda.work_kind(JobKind.APPLY, self._access(), most)
        about = {each.payment.id: each.payment for each in done if each.payment is not None}
        return list(about.values())

    @verb
    def replay_callback(self, callback: StoredCallback | int) -> Flow[StoredCallback]:
        """Apply one callback again, such as an orphan, and return its new state."""
        from paygate.service import apply

        id_ = arguments.callback_id(callback, "callback")
        return (yield from apply.replay(id_, self._accounts, self._timing)).callback
