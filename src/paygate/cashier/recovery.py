"""Recovery: clear what is in doubt, and stop sending from a ledger that lags behind."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnAccounts, OnLedger
from paygate.cashier.verbs import verb
from paygate.domain.text import note
from paygate.service.flow import look

if TYPE_CHECKING:
    from paygate.domain.payment import Payment
    from paygate.domain.status import Unattended
    from paygate.ledger.sending import Stopped
    from paygate.service.flow import Flow


class Halting(OnLedger):
    """Verbs about due work, and about a ledger that sends nothing."""

    _of_no_tenant = frozenset({"stop_sending", "sending_stopped"})

    @verb
    def unattended(self, *, waited: timedelta = timedelta(days=1)) -> Flow[list[Unattended]]:
        """
        Return the gateway accounts whose inquiries or callbacks are overdue by *waited*.

        No process recovers them: either `recover` does not run, or the account is not
        configured in the process that runs it.
        """
        from paygate.service import agenda

        since = arguments.span(waited, "waited")
        return (yield from look(lambda tx: agenda.unattended(tx, since)))

    @verb
    def stop_sending(self, *, reason: str) -> Flow[Stopped]:
        """
        Stop sending from this ledger, for all tenants: it was restored from a backup, or copied.

        Verbs that would send raise `SendingStopped` and store nothing; inquiries, callbacks
        and feeds continue. It applies to every process until `resume_sending`.
        """
        from paygate.service import sending

        return (yield from sending.stop(note(reason, "reason")))

    @verb
    def sending_stopped(self) -> Flow[Stopped | None]:
        """Return since when and why sending is stopped; None if it is not."""
        from paygate.service import sending

        return (yield from sending.standing())


class Recovery(OnAccounts):
    """Verbs that clear what is in doubt."""

    @verb
    def inquire(self, payment: Payment | str) -> Flow[Payment]:
        """
        Ask the gateway for the state of *payment*, and store its response.

        If it does not respond, the payment is unchanged, and its `unanswered` says why.
        Raises `GatewayNotFound` if the payment's account is not configured here.
        """
        from paygate.service import inquire

        return (
            yield from inquire.inquire(
                arguments.payment(payment, "payment"), self._accounts, self._timing
            )
        )

    @verb
    def recover(self, *, limit: int = 100) -> Flow[list[Payment]]:
        """
        Do the due work once: inquire, read feeds, apply callbacks.

        At most *limit* inquiries and *limit* callbacks are processed. Call it regularly (from
        a worker, a timer, after a crash). It is safe to run in many processes at
        once. Returns the payments that it inquired about or received news of; if the gateway did
        not respond, the payment has `unanswered` set. Work for accounts
        that are not configured here is left to a process that has them; see `unattended`.
        """
        from paygate.service import agenda

        most = arguments.how_many(limit, "; for more, call recover again")
        return (yield from agenda.recover(self._access(), most))

    @verb
    def resume_sending(self, *, evidence: str, force: bool = False) -> Flow[None]:
        """
        Resume sending, after the ledger has caught up with the processors.

        *evidence* is how you know that it has. Raises `StillCatchingUp` while an inquiry or a
        callback of any tenant is due, or while a feed has not been read to its end since sending
        was stopped: the stop applies to the ledger with all of its tenants. *force* resumes
        anyway, for example if an account is no longer used. If sending is not stopped, this does
        nothing.
        """
        from paygate.service import sending

        forced = arguments.flag(force, "force")
        yield from sending.resume(note(evidence, "evidence"), self._accounts, force=forced)
