"""Recovery: find out what is in doubt, and send nothing from a ledger that lags behind."""

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
    """Verbs about what is due, and about sending nothing meanwhile."""

    @verb
    def unattended(self, *, waited: timedelta = timedelta(days=1)) -> Flow[list[Unattended]]:
        """
        Return the gateway accounts whose inquiries or callbacks have been due for so long.

        No process recovers for them: `recover` does not run, or where it runs the account
        is not configured.
        """
        from paygate.service import recover

        since = arguments.span(waited, "waited")
        return (yield from look(lambda tx: recover.unattended(tx, since)))

    @verb
    def stop_sending(self, *, reason: str) -> Flow[Stopped]:
        """
        Let nothing be sent from this ledger, for any tenant: it was restored from a backup.

        What would send raises `SendingStopped` and stores nothing; inquiries, callbacks
        and feeds go on. It lasts, for every process, until `resume_sending`.
        """
        from paygate.service import sending

        return (yield from sending.stop(note(reason, "reason")))

    @verb
    def sending_stopped(self) -> Flow[Stopped | None]:
        """Tell since when and why nothing is sent; None where it may be."""
        from paygate.service import sending

        return (yield from sending.standing())


class Recovery(OnAccounts):
    """Verbs that find out what is in doubt."""

    @verb
    def inquire(self, payment: Payment | str) -> Flow[Payment]:
        """
        Ask the gateway how *payment* stands, and write down what it says.

        If it does not answer, the payment is what was known before, and its `unanswered` says why.
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
        Do once what is due: inquire, read feeds, apply callbacks.

        At most *limit* inquiries and *limit* callbacks. Call it now and then (from
        a worker, a timer, after a crash). It is safe to run in many processes at
        once. Returns the payments that it asked or was told about; those whose gateway did not
        answer have `unanswered` set. What is of accounts
        that are not configured here is left to a process that has them; see `unattended`.
        """
        from paygate.service import recover

        most = arguments.how_many(limit, "; for more, call recover again")
        return (yield from recover.recover(self._accounts, self._timing, most))

    @verb
    def resume_sending(self, *, evidence: str, force: bool = False) -> Flow[None]:
        """
        Let things be sent again, after the ledger has caught up with the processors.

        *evidence* is how you know. Raises `StillCatchingUp` while an inquiry or a
        callback of any tenant is due, or a feed of any was not read to its end since: what
        is stopped is the ledger, with all of its tenants. With *force* not even then, as for
        an account that nobody has any more. Where nothing is stopped, this does nothing.
        """
        from paygate.service import sending

        forced = arguments.flag(force, "force")
        yield from sending.resume(note(evidence, "evidence"), self._accounts, force=forced)
